"""A toy representation of two tracks: a melody of eight pitches, and a drum that is struck or not."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from mvae_lib.music.melody import Note
from mvae_lib.music.representation import Representation

LOWEST = 60  # the pitch of class 1 of the first track


def windows_from_midi(path, bars=2):
    """Any file whose text is digits: two for each step; for tests, no MIDI is needed to be read as it."""
    digits = Path(path).read_bytes().split()[-1]
    if not digits.isdigit():
        raise ValueError(f"{path}: no digits were found")
    steps = np.array([int(chr(digit)) for digit in digits], np.int64).reshape(-1, 2)
    count = len(steps) // (16 * bars)
    sources = [SimpleNamespace(instrument=0, name="pair", bar=1 + bars * index) for index in range(count)]
    return SimpleNamespace(
        tokens=steps[: count * 16 * bars].reshape(count, 16 * bars, 2), sources=sources, reasons=["a rest"]
    )


def notes_of_tracks(tokens):
    pitched = [Note(LOWEST + token - 1, step, step + 1) for step, token in enumerate(tokens[:, 0].tolist()) if token]
    return [pitched, [Note(36, step, step + 1) for step in np.flatnonzero(tokens[:, 1]).tolist()]]


TOY = Representation(
    name="toy",
    vocab_sizes=(9, 2),
    track_names=("tune", "drum"),
    from_midi=windows_from_midi,
    to_notes=notes_of_tracks,
    is_onset=lambda tokens: np.asarray(tokens) > 0,
    pitched=((1, 8), None),
    programs=(73, None),
)
