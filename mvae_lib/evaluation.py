"""How well a melody is rebuilt: three shares between 0 and 1, from the forgiving to the strict.

Half of all steps are holds, so that a decoder which never plays a note already has half of its steps right: step
accuracy alone flatters. Onset accuracy asks only about the steps where a note begins.

Chapter: 02.
"""

import numpy as np
from numpy.typing import ArrayLike

from mvae_lib.melody import is_note_on


def step_accuracy(decoded: ArrayLike, tokens: ArrayLike) -> float:
    """The share of all steps whose class is decoded exactly: two arrays `[B, T]` -> 0 to 1."""
    decoded, tokens = _same_shape(decoded, tokens)
    return float((decoded == tokens).mean())


def onset_accuracy(decoded: ArrayLike, tokens: ArrayLike) -> float:
    """The share of the true note-ons that are decoded with their pitch: two arrays `[B, T]` -> 0 to 1."""
    decoded, tokens = _same_shape(decoded, tokens)
    return float((decoded == tokens)[is_note_on(tokens)].mean())


def exact_rate(decoded: ArrayLike, tokens: ArrayLike) -> float:
    """The share of melodies of which every step is right: two arrays `[B, T]` -> 0 to 1."""
    decoded, tokens = _same_shape(decoded, tokens)
    return float((decoded == tokens).all(-1).mean())


def _same_shape(decoded: ArrayLike, tokens: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    decoded, tokens = np.asarray(decoded), np.asarray(tokens)
    if decoded.shape != tokens.shape or tokens.ndim != 2:
        raise ValueError(f"decoded and true tokens share one shape [melodies, steps]: {decoded.shape}, {tokens.shape}")
    return decoded, tokens
