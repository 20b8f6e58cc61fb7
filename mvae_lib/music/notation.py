"""Melodies written down: tokens as a music21 part, spelt in a key, with the note values that a musician writes.

music21 splits what crosses a bar line; where a note starts off the beat it would write a quarter tied to a sixteenth
that hides the beat. So the values are cut here, and music21 adds clef, beams and accidentals.

Chapter: 01.
"""

import re
from collections.abc import Iterator

import numpy as np
from music21 import clef, key, meter, note, pitch, stream, tempo, tie

from mvae_lib.music.melody import STEPS_PER_BAR, STEPS_PER_QUARTER, Note, check_tokens, tokens_to_notes

_LINE_OF_FIFTHS = "FCGDAEB"  # F is -1, C 0; each round of seven adds a sharp
_KEY = re.compile(r"([A-Ga-g])([#♯b♭-]?)\s*([A-Za-z]*)")
_MODES = ("major", "minor", "dorian", "phrygian", "lydian", "mixolydian", "locrian", "ionian", "aeolian")


def tokens_to_stream(tokens: np.ndarray, signature: str | None = None, bpm: float | None = 120.0) -> stream.Part:
    """One melody `[steps]` as a music21 part in 4/4, written as musicians write: tied over the bar line and the beat.

    `signature` names a key: "G" or "G major", "Em", "e" or "E minor", "Bb" or "B-", "A Dorian"; black keys are
    spelt as they are in this key (without one, as in C major). `bpm` counts quarter notes per minute,
    None gives no tempo mark. Raises ValueError for anything but one melody and for an unknown key.

    Chapter: 01.
    """
    in_key = None if signature is None else _key(signature)
    names = spelling(in_key or key.Key("C"))
    steps = check_tokens(tokens).shape[-1]
    notes = tokens_to_notes(tokens)
    part = stream.Part()
    for number, first in enumerate(range(0, steps, STEPS_PER_BAR), 1):
        bar = stream.Measure(number=number)
        if number == 1:
            bar.append([element for element in (in_key, meter.TimeSignature("4/4")) if element])
            if bpm is not None:
                bar.insert(0, tempo.MetronomeMark(number=bpm))
        for element in _written(notes, first, min(first + STEPS_PER_BAR, steps), names):
            bar.append(element)
        part.append(bar)
    part.getElementsByClass(stream.Measure).first().insert(0, clef.bestClef(part, recurse=True))
    return part.makeNotation(inPlace=False)


def spelling(in_key: key.Key) -> dict[int, str]:
    """How each of the 12 pitch classes is written in a key, as {pitch class: "F#"}; flats are "-", as in music21.

    The 12 names lie side by side on the line of fifths. In major they reach from the flat sixth to the sharp first
    degree (in C: A flat to C sharp), in minor from the flat second to the sharp fourth (in A: B flat to D sharp); the
    church modes follow the one of the two whose third they have.
    """
    below = {"major": 4, "lydian": 4, "mixolydian": 4, "ionian": 4, "dorian": 3}.get(in_key.mode, 2)
    lowest = in_key.sharps - below
    places = range(lowest, lowest + 12)
    names = [_LINE_OF_FIFTHS[(at + 1) % 7] + ("#" if at > 0 else "-") * abs((at + 1) // 7) for at in places]
    return {7 * at % 12: name for at, name in zip(places, names, strict=True)}


def note_values(start: int, end: int) -> list[tuple[int, int]]:
    """The spans of steps in which a note [start, end) of one bar is written: single note values, tied to one another.

    A value of more than one beat begins and ends on beats, or on eighths without hiding the middle of the bar; one
    that crosses a beat begins and ends on eighths; a plain or dotted value is not cut without need.
    """
    middle, length = STEPS_PER_BAR // 2, end - start
    crosses_middle = start < middle < end
    beat_after = (start // STEPS_PER_QUARTER + 1) * STEPS_PER_QUARTER
    unit = 4 if crosses_middle else 2 if end > beat_after else 1
    if length in (1, 2, 3, 4, 6, 8, 12, 16) and start % unit == end % unit == 0:
        return [(start, end)]
    cut = middle if crosses_middle else beat_after
    if cut >= end:  # inside one beat, which has no value that is not single
        return [(start, end)]
    return note_values(start, cut) + note_values(cut, end)


def rest_values(start: int, end: int) -> list[tuple[int, int]]:
    """The spans in which silence [start, end) of one bar is written: each value on a multiple of itself."""
    spans = []
    while start < end:
        value = next(value for value in (16, 8, 4, 2, 1) if start % value == 0 and start + value <= end)
        spans.append((start, start + value))
        start += value
    return spans


def _written(notes: list[Note], first: int, last: int, names: dict[int, str]) -> Iterator[note.GeneralNote]:
    """The notes and rests of the bar of steps [first, last)."""
    now = 0
    for sounding in notes:
        start, end = max(sounding.start, first) - first, min(sounding.end, last) - first
        if start >= end:
            continue
        yield from _rests(now, start)
        spans = note_values(start, end)
        for index, (left, right) in enumerate(spans):
            written = note.Note(quarterLength=(right - left) / STEPS_PER_QUARTER)
            written.pitch = _spelt(sounding.pitch, names)
            before = index > 0 or sounding.start < first
            after = index < len(spans) - 1 or sounding.end > last
            if before or after:
                written.tie = tie.Tie("continue" if before and after else "stop" if before else "start")
            yield written
        now = end
    yield from _rests(now, last - first)


def _rests(start: int, end: int) -> Iterator[note.Rest]:
    for left, right in rest_values(start, end):
        yield note.Rest(quarterLength=(right - left) / STEPS_PER_QUARTER)


def _spelt(midi: int, names: dict[int, str]) -> pitch.Pitch:
    written = pitch.Pitch(names[midi % 12])
    written.octave = midi // 12 - 1
    written.octave += (midi - written.midi) // 12  # B sharp and C flat stand across the octave's border
    if written.alter == 0:
        written.accidental = None  # music21 gives white keys a natural sign, and would print it now and then
    return written


def _key(signature: str) -> key.Key:
    match = _KEY.fullmatch(signature.strip())
    tonic, sign, written = match.groups() if match else ("", "", "?")
    mode = {"": "minor" if tonic.islower() else "major", "m": "minor"}.get(written)
    if mode is None and len(written) >= 3:
        mode = next((mode for mode in _MODES if mode.startswith(written.lower()[:3])), None)
    if mode is None:
        raise ValueError(f"{signature!r} is no key; write G or G major, Em or E minor, Bb for B flat major, A dorian")
    return key.Key(tonic.upper() + {"♯": "#", "b": "-", "♭": "-"}.get(sign, sign), mode)
