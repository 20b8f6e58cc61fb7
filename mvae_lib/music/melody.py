"""The representation: a monophonic melody as one of 90 classes per step, 16 steps per bar of 4/4.

| class   | event at this step                                                    |
|---------|-----------------------------------------------------------------------|
| 0       | no event: the sounding note is held, or the silence goes on           |
| 1       | note-off: the sounding note ends here and silence begins              |
| 2 .. 89 | note-on of MIDI pitch 21 .. 108 (A0 .. C8), ending the note before it |

A melody has many spellings in these classes (a note-off within silence does not change the sound)
but one *canonical* spelling, in which a note-off stands only where a note is sounding. Functions here
return canonical tokens, so that notes -> tokens -> notes and tokens -> notes -> tokens are both exact.

Chapter: 01. Source: Roberts et al. 2018, A Hierarchical Latent Vector Model for Learning Long-Term Structure
in Music, section 5.1 and its public reference implementation.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from mvae_lib.music import transposition

NO_EVENT = 0
NOTE_OFF = 1
FIRST_NOTE_ON = 2
MIN_PITCH = 21
MAX_PITCH = 108
VOCABULARY = FIRST_NOTE_ON + MAX_PITCH - MIN_PITCH + 1  # 90
PITCHED = ((FIRST_NOTE_ON, VOCABULARY - 1),)  # the classes that a transposition moves

STEPS_PER_QUARTER = 4
STEPS_PER_BAR = 16

_PITCH_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


class Note(NamedTuple):
    """One note of a melody: MIDI pitch, and the half-open span of steps [start, end) in which it sounds."""

    pitch: int
    start: int
    end: int


def note_on(pitch: int) -> int:
    """The class of a note-on of MIDI `pitch` (21 to 108). Raises ValueError outside the piano's range."""
    if not MIN_PITCH <= pitch <= MAX_PITCH:
        raise ValueError(f"pitch {pitch} is outside {MIN_PITCH} to {MAX_PITCH}, the range that the 90 classes cover")
    return FIRST_NOTE_ON + pitch - MIN_PITCH


def is_note_on(tokens: np.ndarray) -> np.ndarray:
    """True where a note begins; any shape in, the same shape out."""
    return np.asarray(tokens) >= FIRST_NOTE_ON


def pitches(tokens: np.ndarray) -> np.ndarray:
    """The MIDI pitches of all note-ons, in the order of the flattened array: `[notes]`."""
    tokens = np.asarray(tokens)
    return tokens[is_note_on(tokens)].astype(np.int64) - FIRST_NOTE_ON + MIN_PITCH


def check_tokens(tokens: np.ndarray) -> np.ndarray:
    """`tokens` as an integer array `[..., steps]`, or ValueError / TypeError that says what is wrong with it."""
    tokens = np.asarray(tokens)
    if not np.issubdtype(tokens.dtype, np.integer):
        raise TypeError(f"tokens must be integers (classes 0 to {VOCABULARY - 1}), not {tokens.dtype}")
    if tokens.ndim == 0 or tokens.shape[-1] == 0:
        raise ValueError(f"tokens need at least one step on the last axis, not shape {tokens.shape}")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= VOCABULARY):
        raise ValueError(f"tokens must lie in 0 to {VOCABULARY - 1}, not {tokens.min()} to {tokens.max()}")
    return tokens


def tokens_to_notes(tokens: np.ndarray) -> list[Note]:
    """The notes of one melody `[steps]`, in order of time; a note that is still sounding ends with the last step.

    Raises ValueError for more than one axis or for classes outside 0 to 89.
    """
    tokens = check_tokens(tokens)
    if tokens.ndim != 1:
        raise ValueError(f"one melody has the shape [steps], not {tokens.shape}; take one row of a batch")
    notes, pitch, start = [], None, 0
    for step, token in enumerate(tokens.tolist()):
        if token == NO_EVENT:
            continue
        if pitch is not None:
            notes.append(Note(pitch, start, step))
        pitch, start = (None, 0) if token == NOTE_OFF else (token - FIRST_NOTE_ON + MIN_PITCH, step)
    if pitch is not None:
        notes.append(Note(pitch, start, len(tokens)))
    return notes


def notes_to_tokens(notes: Iterable[Note], steps: int) -> np.ndarray:
    """The canonical tokens `[steps]` (uint8) of a monophonic list of notes.

    Raises ValueError where notes overlap, are empty, leave [0, steps), or leave the range of the 90 classes.
    """
    tokens = np.zeros(steps, np.uint8)
    end_before = 0
    for note in sorted(notes, key=lambda note: note.start):
        if not end_before <= note.start < note.end <= steps:
            raise ValueError(f"{note} overlaps the note before it, is empty, or leaves the {steps} steps")
        tokens[note.start] = note_on(note.pitch)
        if note.end < steps:
            tokens[note.end] = NOTE_OFF  # the next note overwrites it when it begins right here
        end_before = note.end
    return tokens


def canonical(tokens: np.ndarray) -> np.ndarray:
    """`tokens` `[..., steps]` with every note-off that ends nothing replaced by no-event; the sound is the same."""
    tokens = check_tokens(tokens).copy()
    flat = tokens.reshape(-1, tokens.shape[-1])
    sounding = np.zeros(len(flat), bool)
    for column in flat.T:  # a view: writing to the column writes to `tokens`
        column[(column == NOTE_OFF) & ~sounding] = NO_EVENT
        sounding = (sounding & (column != NOTE_OFF)) | is_note_on(column)
    return tokens


def transpose(tokens: np.ndarray, semitones: int) -> np.ndarray:
    """All note-ons moved by `semitones`; no-event and note-off stay. Raises ValueError if a note leaves the range."""
    tokens = check_tokens(tokens)
    try:
        return transposition.transposed(tokens, semitones, PITCHED)
    except ValueError:
        span = f"{pitches(tokens).min()} to {pitches(tokens).max()}"
        raise ValueError(
            f"{semitones:+d} semitones would move pitches {span} out of {MIN_PITCH} to {MAX_PITCH}"
        ) from None


def pitch_name(pitch: int) -> str:
    """60 -> 'C4', 66 -> 'F♯4'."""
    return f"{_PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"


def describe(token: int) -> str:
    """A class in words: 'no event', 'note-off', 'note-on C4'."""
    if token == NO_EVENT:
        return "no event"
    if token == NOTE_OFF:
        return "note-off"
    return f"note-on {pitch_name(int(token) - FIRST_NOTE_ON + MIN_PITCH)}"
