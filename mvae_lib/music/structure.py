"""Structure longer than a bar: accuracy by bar position, and the similarity of the bars of a melody.

    similarity = self_similarity(tokens)                     # [N, bars, bars], bar against bar
    repetition_score(similarity)                             # [N]: how much more alike bars 4, 8, 12 apart are

Two bars are compared by their note-ons, not by all of their steps: half of all steps are holds, so that two bars that
share no note are equal in about half of their steps.

Chapter: 08. Source: Foote 1999, Visualizing music and audio using self-similarity (the matrix).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from mvae_lib.music.melody import STEPS_PER_BAR, is_note_on

PHRASES = (4, 8, 12)  # bars: where the phrases of a folk tune come back


def in_bars(values: ArrayLike) -> np.ndarray:
    """One value per step, `[..., steps]` -> `[..., bars, 16]`. Raises ValueError where the last bar is not whole."""
    values = np.asarray(values)
    steps = values.shape[-1] if values.ndim else 0
    if not steps or steps % STEPS_PER_BAR:
        raise ValueError(f"the last axis must be whole bars of {STEPS_PER_BAR} steps, not {steps} steps")
    return values.reshape(*values.shape[:-1], -1, STEPS_PER_BAR)


def mean_by_bar(values: ArrayLike) -> np.ndarray:
    """One value per step of each melody, `[N, steps]` -> the mean of each bar position, `[bars]`."""
    return in_bars(values).mean((0, 2))


def onset_accuracy_by_bar(decoded: ArrayLike, tokens: ArrayLike) -> np.ndarray:
    """The share of each bar position's true note-ons that are decoded with their pitch: two `[N, steps]` -> `[bars]`.

    NaN for a position at which no melody has a note-on. (The share of steps is `mean_by_bar(decoded == tokens)`.)
    """
    decoded, tokens = np.asarray(decoded), np.asarray(tokens)
    if decoded.shape != tokens.shape or tokens.ndim != 2:
        raise ValueError(f"decoded and true tokens share one shape [melodies, steps]: {decoded.shape}, {tokens.shape}")
    onset = is_note_on(tokens)
    right, all_of_them = (in_bars(mask).sum((0, 2)) for mask in (onset & (decoded == tokens), onset))
    return np.where(all_of_them, right / np.maximum(all_of_them, 1), np.nan)


def self_similarity(tokens: ArrayLike) -> np.ndarray:
    """Melodies `[N, steps]` -> `[N, bars, bars]`, 0 to 1: how alike two bars of a melody are.

    Of the steps at which either of the two begins a note, the share at which both begin the same note. Two bars
    without a note-on are alike: 1.
    """
    bars = in_bars(tokens).astype(np.int64)  # [N, bars, 16]
    if bars.ndim != 3:
        raise ValueError(f"melodies have the shape [N, steps], not {np.shape(tokens)}")
    one, other = bars[:, :, None], bars[:, None, :]
    both = (is_note_on(one) & (one == other)).sum(-1)
    either = (is_note_on(one) | is_note_on(other)).sum(-1)
    return np.where(either, both / np.maximum(either, 1), 1.0)


def lag_similarity(similarity: np.ndarray) -> np.ndarray:
    """`[..., bars, bars]` -> `[..., bars - 1]`: the mean similarity of bars 1, 2, 3, ... apart."""
    bars = similarity.shape[-1]
    return np.stack([np.diagonal(similarity, d, -2, -1).mean(-1) for d in range(1, bars)], -1)


def repetition_score(similarity: np.ndarray, distances: Sequence[int] = PHRASES) -> np.ndarray:
    """How much more alike bars at these distances are than all other pairs: `[..., bars, bars]` -> `[...]`, -1 to 1.

    0 where no distance stands out: in bars that never repeat, and also in a single bar that is always repeated.
    Raises ValueError where these are all pairs there are, or none.
    """
    bars = similarity.shape[-1]
    apart = np.subtract.outer(np.arange(bars), np.arange(bars))
    at = np.isin(apart, distances)
    others = (apart > 0) & ~at
    if not at.any() or not others.any():
        raise ValueError(f"with {bars} bars, the distances {tuple(distances)} leave nothing to compare")
    return similarity[..., at].mean(-1) - similarity[..., others].mean(-1)


def shuffle_bars(tokens: ArrayLike, rng: np.random.Generator) -> np.ndarray:
    """The bars of each melody `[N, steps]` in a random order: the same bars, without repetition at fixed distances."""
    bars = in_bars(tokens)
    order = rng.permuted(np.tile(np.arange(bars.shape[1]), (len(bars), 1)), axis=1)
    return np.take_along_axis(bars, order[:, :, None], 1).reshape(np.shape(tokens))
