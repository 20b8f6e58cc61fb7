"""Melodies as scores: music21 streams made from tokens and read back, and a drawing where MuseScore is installed.

The only module that imports music21, which is large and takes a moment.

Chapter: 01.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from IPython.display import Image, display
from music21 import environment, key, metadata, meter, note, stream, tempo
from music21.exceptions21 import Music21Exception

from mvae_lib.music.extraction import skyline
from mvae_lib.music.melody import STEPS_PER_BAR, STEPS_PER_QUARTER, Note, check_tokens, notes_to_tokens, tokens_to_notes

MUSESCORE_NAMES = ("mscore", "musescore", "mscore3", "musescore3", "mscore4portable", "MuseScore4", "MuseScore3")
DRAWING_SECONDS = 60


def tokens_to_stream(tokens: np.ndarray, signature: str | None = None, bpm: float = 120.0) -> stream.Part:
    """One melody `[steps]` as a music21 part in 4/4: bars, rests, and ties wherever a note crosses a bar line.

    `signature` names a key as music21 does: "G" is G major, "e" is E minor, "B-" is B flat major; `bpm` counts
    quarter notes a minute. Raises ValueError for anything but one melody and for an unknown key.

    Chapter: 01.
    """
    part = stream.Part()
    part.insert(0, meter.TimeSignature("4/4"))
    part.insert(0, tempo.MetronomeMark(number=bpm))
    if signature is not None:
        part.insert(0, _key(signature))
    now = 0
    steps = check_tokens(tokens).shape[-1]
    for pitch, start, end in tokens_to_notes(tokens):
        _add_rest(part, now, start)
        sounding = note.Note(pitch, quarterLength=(end - start) / STEPS_PER_QUARTER)
        if sounding.pitch.alter == 0:
            sounding.pitch.accidental = None  # music21 gives white keys a natural sign, and would print it now and then
        part.insert(start / STEPS_PER_QUARTER, sounding)
        now = end
    _add_rest(part, now, steps)
    return part.makeNotation()


def stream_to_tokens(part: stream.Stream) -> np.ndarray:
    """The tokens `[steps]` (uint8) of a music21 part in 4/4 or 2/2; undoes `tokens_to_stream`.

    A chord counts as its highest note, a note ends where the next one begins, grace notes are left out, and a pickup
    is filled up to a whole bar. Raises ValueError for several parts, other metres, an empty part, notes outside the
    88 keys, and notes that lie between two 16ths.

    Chapter: 01.
    """
    if len(part.getElementsByClass(stream.Part)) > 1:
        raise ValueError("a score of several parts is not one melody; pass one of its .parts")
    metres = {signature.ratioString for signature in part.recurse().getElementsByClass(meter.TimeSignature)}
    if other := sorted(metres - {"4/4", "2/2"}):
        raise ValueError(f"only 4/4 and 2/2 have 16 steps a bar, and this is in {', '.join(other)}")
    bars = part.recurse().getElementsByClass(stream.Measure)
    pickup = _step(bars[0].paddingLeft, "a pickup") if bars else 0
    flat = part.stripTies().flatten()
    notes = []
    for element in flat.notes:
        if not element.pitches or element.duration.isGrace or not element.quarterLength:
            continue
        start = pickup + _step(element.offset, "the beginning of a note")
        end = start + _step(element.quarterLength, f"the length of a note in bar {start // STEPS_PER_BAR + 1}")
        notes.append(Note(max(pitch.midi for pitch in element.pitches), start, end))
    steps = pickup + _step(flat.highestTime, "the end of the music")
    if not steps:
        raise ValueError("the music is empty; a melody needs at least one step")
    return notes_to_tokens(skyline(notes), steps)


def score_png(tokens: np.ndarray, signature: str | None = None, bpm: float = 120.0) -> bytes | None:
    """One melody `[steps]` drawn as a score (a PNG file), or None where MuseScore is missing or draws nothing."""
    program = find_musescore()
    if program is None:
        return None
    part = tokens_to_stream(tokens, signature, bpm)
    part.metadata = metadata.Metadata(movementName=" ", composer=" ")  # music21 would print words of its own
    with tempfile.TemporaryDirectory(prefix="score-") as folder:
        written = part.write("musicxml", fp=Path(folder) / "melody.musicxml")
        command = [str(program), "-o", str(Path(folder) / "melody.png"), "-T", "10", "-r", "120", str(written)]
        without_window = {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": folder} if os.name == "posix" else {}
        try:
            subprocess.run(command, env=without_window | os.environ, capture_output=True, timeout=DRAWING_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            return None
        pages = sorted(Path(folder).glob("*.png"))
        return pages[0].read_bytes() if pages else None


def show_score(tokens: np.ndarray, otherwise: Callable[[np.ndarray], object], signature: str | None = None) -> None:
    """Show one melody `[steps]` as a score in the notebook; where that fails, say how to help and call `otherwise`.

    `otherwise` is any other picture of tokens, as `mvae_lib.plots.charts.piano_roll`.
    """
    png = score_png(tokens, signature)
    if png is not None:
        display(Image(png))
        return
    if program := find_musescore():
        print(f"MuseScore ({program}) drew no score; here is another picture.")
    else:
        print("Scores are drawn by MuseScore, a free program (musescore.org), which is not installed here.")
    otherwise(tokens)


def find_musescore() -> Path | None:
    """The MuseScore program that music21's settings name, else one on the PATH, else None."""
    named = environment.Environment()["musescoreDirectPNGPath"]
    found = (shutil.which(name) for name in MUSESCORE_NAMES)
    return next((Path(path) for path in (named, *found) if path and Path(path).is_file()), None)


def _key(signature: str) -> key.Key:
    try:
        return key.Key(signature)
    except Music21Exception as error:
        raise ValueError(f"{signature!r} is no key; write G for G major, e for E minor, B- for B flat major") from error


def _add_rest(part: stream.Part, start: int, end: int) -> None:
    if end > start:
        part.insert(start / STEPS_PER_QUARTER, note.Rest(quarterLength=(end - start) / STEPS_PER_QUARTER))


def _step(quarters: float, what: str) -> int:
    step = quarters * STEPS_PER_QUARTER
    if step != int(step):
        raise ValueError(f"{what} lies between two 16ths ({quarters} quarter notes), so it fits no step")
    return int(step)
