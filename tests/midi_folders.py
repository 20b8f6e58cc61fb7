"""Folders of MIDI files made from the shipped melodies, and files that cannot be read."""

from pathlib import Path

import numpy as np

from mvae_lib.data.folk import folk_melodies
from mvae_lib.music.midi import tokens_to_midi, write_midi
from mvae_lib.music.representation import MELODY

CUT_SHORT = b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\1\0\0\x90"
BROKEN = {"cut_short.mid": CUT_SHORT, "empty.mid": b"", "page.mid": b"<html>not found</html>"}


def tunes(count: int, bars: int = 16) -> list[np.ndarray]:
    """The first window of 16 bars of `count` tunes, cut to `bars` bars: each `[16 * bars]`."""
    data = folk_melodies(16, "train")
    _, first = np.unique(data.tune, return_index=True)
    return [data.tokens[window][: 16 * bars] for window in first[:count]]


def write_tunes(folder: Path, melodies: list[np.ndarray], name: str = "tune") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, tokens in enumerate(melodies):
        write_midi(tokens_to_midi(tokens), folder / f"{name}_{number:03}.mid")


def write_broken(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in BROKEN.items():
        (folder / name).write_bytes(content)


def moved(tokens: np.ndarray, semitones: int) -> np.ndarray:
    """A melody in another key, or in its own where a note would leave the piano."""
    return MELODY.transpose(tokens, semitones)
