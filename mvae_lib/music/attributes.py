"""Attributes of a melody, each one number, as functions on whole batches of tokens `[..., steps]` -> `[...]`.

Where a melody has too few notes for a number (a mean of no values), the number is NaN. Steps count from 0, so that in
4/4 the even ones are the beats and the 8ths between them, and the odd ones are the weak 16ths.

    ATTRIBUTES["note density"](tokens)      # [N]

Chapter: 02, 09. Source: Roberts et al. 2018, section 5.4 (the attributes whose vectors they add to a melody).
"""

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from mvae_lib.music.melody import FIRST_NOTE_ON, MIN_PITCH, VOCABULARY, check_tokens, is_note_on

C_MAJOR = (0, 2, 4, 5, 7, 9, 11)  # pitch classes, C = 0


def note_density(tokens: np.ndarray) -> np.ndarray:
    """Onsets per step: tokens `[..., steps]` -> `[...]`, 0 (silence) to 1 (a new note at every step)."""
    return is_note_on(check_tokens(tokens)).mean(-1)


def mean_pitch(tokens: np.ndarray) -> np.ndarray:
    """The mean MIDI pitch of the note-ons: tokens `[..., steps]` -> `[...]`; NaN where there is none."""
    onsets, pitch = _onsets(tokens)
    return _share(np.where(onsets, pitch, 0).sum(-1), onsets.sum(-1))


def pitch_range(tokens: np.ndarray) -> np.ndarray:
    """Semitones from the lowest note to the highest: tokens `[..., steps]` -> `[...]`; NaN where there is no note."""
    onsets, pitch = _onsets(tokens)
    span = np.where(onsets, pitch, -np.inf).max(-1) - np.where(onsets, pitch, np.inf).min(-1)
    return np.where(onsets.any(-1), span, np.nan)


def mean_interval(tokens: np.ndarray) -> np.ndarray:
    """The mean size of the steps from note to note, in semitones, up or down: tokens `[..., steps]` -> `[...]`.

    A repeated note is a step of 0, and a rest between two notes does not separate them. NaN where there are fewer than
    two.
    """
    onsets, pitch = _onsets(tokens)
    steps = np.where(onsets, np.arange(onsets.shape[-1]), -1)
    before = np.maximum.accumulate(steps, -1)[..., :-1]  # the last onset up to each step, -1: none yet
    follows = onsets[..., 1:] & (before >= 0)
    jump = np.abs(pitch[..., 1:] - np.take_along_axis(pitch, before.clip(min=0), -1))
    return _share(np.where(follows, jump, 0).sum(-1), follows.sum(-1))


def c_diatonic(tokens: np.ndarray) -> np.ndarray:
    """The share of the notes that belong to C major: tokens `[..., steps]` -> `[...]`; NaN where there is no note."""
    onsets, pitch = _onsets(tokens)
    return _share((onsets & np.isin(pitch % 12, C_MAJOR)).sum(-1), onsets.sum(-1))


def syncopation_16th(tokens: np.ndarray) -> np.ndarray:
    """The share of the onsets that fall on a weak 16th (odd steps) with no onset on the step before.

    Tokens `[..., steps]` -> `[...]`; NaN where there is no note.
    """
    onsets, _ = _onsets(tokens)
    step = np.arange(onsets.shape[-1])
    syncopated = onsets & (step % 2 == 1) & ~_earlier(onsets, 1)
    return _share(syncopated.sum(-1), onsets.sum(-1))


def syncopation_8th(tokens: np.ndarray) -> np.ndarray:
    """The share of the onsets that fall on a weak 8th (steps 2, 6, 10, ...) with no onset one or two steps before.

    Tokens `[..., steps]` -> `[...]`; NaN where there is no note.
    """
    onsets, _ = _onsets(tokens)
    step = np.arange(onsets.shape[-1])
    syncopated = onsets & (step % 4 == 2) & ~_earlier(onsets, 1) & ~_earlier(onsets, 2)
    return _share(syncopated.sum(-1), onsets.sum(-1))


def one_key(tokens: np.ndarray) -> np.ndarray:
    """The share of the notes that one major scale can hold, the best of the twelve: tokens `[..., steps]` -> `[...]`.

    It is low for a melody whose halves are in two keys, which a model with a short context does not notice. NaN where
    there is no note.
    """
    onsets, pitch = _onsets(tokens)
    held = [(onsets & np.isin((pitch + key) % 12, C_MAJOR)).sum(-1) for key in range(12)]
    return _share(np.max(held, axis=0), onsets.sum(-1))


ATTRIBUTES: MappingProxyType[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        "note density": note_density,
        "C diatonic": c_diatonic,
        "mean interval": mean_interval,
        "syncopation, 16ths": syncopation_16th,
        "syncopation, 8ths": syncopation_8th,
        "mean pitch": mean_pitch,
        "pitch range": pitch_range,
    }
)


def note_histogram(tokens: np.ndarray) -> np.ndarray:
    """How often each class occurs in a melody, as a share of its steps: tokens `[..., steps]` -> `[..., 90]`.

    It says which notes there are, not their order: as input of a probe, the control without a model.
    """
    tokens = check_tokens(tokens)
    flat = tokens.reshape(-1, tokens.shape[-1]).astype(np.int64)
    cells = flat + VOCABULARY * np.arange(len(flat))[:, None]
    counts = np.bincount(cells.ravel(), minlength=VOCABULARY * len(flat)).reshape(*tokens.shape[:-1], VOCABULARY)
    return counts / tokens.shape[-1]


def _onsets(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where notes begin, and the MIDI pitch there (without meaning elsewhere); both of the tokens' shape."""
    tokens = check_tokens(tokens)
    return is_note_on(tokens), tokens.astype(np.int64) - FIRST_NOTE_ON + MIN_PITCH


def _earlier(onsets: np.ndarray, steps: int) -> np.ndarray:
    """True where there was an onset so many steps before; nothing comes before the first step."""
    shifted = np.zeros_like(onsets)
    shifted[..., steps:] = onsets[..., : max(onsets.shape[-1] - steps, 0)]
    return shifted


def _share(part: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, part / np.maximum(count, 1), np.nan)
