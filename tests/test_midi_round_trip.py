"""Every melody that comes with the course is the same after a way through MIDI."""

import numpy as np
import pretty_midi
import pytest

from mvae_lib.data.folk import folk_melodies
from mvae_lib.music.melody import Note, canonical, tokens_to_notes
from mvae_lib.music.midi import midi_to_tokens, notes_to_midi


def windows_in_one_object(windows: np.ndarray) -> pretty_midi.PrettyMIDI:
    """Many melodies one after the other; a note that sounds to the end of its window ends there."""
    steps = windows.shape[1]
    notes = [
        Note(pitch, start + i * steps, end + i * steps)
        for i, tokens in enumerate(windows)
        for pitch, start, end in tokens_to_notes(tokens)
    ]
    return notes_to_midi(notes)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("bars", [2, 16])
def test_every_shipped_window_comes_back(bars, split):
    windows = np.asarray(folk_melodies(bars=bars, split=split).tokens)
    steps = windows.shape[1]
    assert len(windows) and steps == 16 * bars
    for block in np.array_split(windows, len(windows) // 1000 + 1):
        together = midi_to_tokens(windows_in_one_object(block), block.size).reshape(block.shape)
        # Back to back, silence at the start of a window has to end the last note of the window before it.
        assert np.array_equal(canonical(together), block)
