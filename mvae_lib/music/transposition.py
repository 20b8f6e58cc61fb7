"""Transposition, one for all representations: some classes of a track stand for pitches, and these move together.

`pitched` tells, for each track, the lowest and the highest class that moves, or None for a track that never does
(drums). Tokens have the shape `[..., steps]` for one track and `[..., steps, tracks]` for several.

Chapter: 01. Source: Roberts et al. 2018, appendix A (data augmentation).
"""

import numpy as np

Pitched = tuple[tuple[int, int] | None, ...]
_NO_LIMIT = 2**40  # semitones by which a window without a pitch may move
_FIRST = 10_000  # stands for the first note in `interval_form`; above all classes


def moves(tokens: np.ndarray, pitched: Pitched) -> np.ndarray:
    """True where a class moves in a transposition; any number of axes in front, the same shape out."""
    lowest, highest = _limits(pitched)
    return (tokens >= lowest) & (tokens <= highest)


def free_semitones(tokens: np.ndarray, pitched: Pitched) -> tuple[np.ndarray, np.ndarray]:
    """By how many semitones each sequence can go down and up until a note leaves its range: two arrays `[...]`."""
    lowest, highest = _limits(pitched)
    moving, tokens = moves(tokens, pitched), np.asarray(tokens).astype(np.int64)
    axes = (-1,) if len(pitched) == 1 else (-2, -1)
    down = np.where(moving, tokens - lowest, _NO_LIMIT).min(axes)
    up = np.where(moving, highest - tokens, _NO_LIMIT).min(axes)
    return down, up


def transposed(tokens: np.ndarray, semitones: int | np.ndarray, pitched: Pitched) -> np.ndarray:
    """`tokens` moved by `semitones`, one number for all or one for each sequence `[...]`.

    Raises ValueError where a note would leave the range of its track.
    """
    down, up = free_semitones(tokens, pitched)
    if ((-down > semitones) | (semitones > up)).any():
        raise ValueError(f"{semitones} semitones would move a note out of the range that its track has")
    shift = np.expand_dims(semitones, (-1,) if len(pitched) == 1 else (-2, -1)) if np.ndim(semitones) else semitones
    return (tokens + np.where(moves(tokens, pitched), shift, 0)).astype(tokens.dtype)


def random_shifts(tokens: np.ndarray, rng: np.random.Generator, semitones: int, pitched: Pitched) -> np.ndarray:
    """An interval for each sequence `[B]`, uniform from -`semitones` to +`semitones`, or the widest that fits."""
    down, up = free_semitones(tokens, pitched)
    return np.clip(rng.integers(-semitones, semitones, endpoint=True, size=len(tokens)), -down, up)


def interval_form(tokens: np.ndarray, pitched: Pitched) -> np.ndarray:
    """Tokens with pitches counted from each sequence's first note (int16): the same for all its transpositions.

    Classes that do not move stay as they are; the first note is _FIRST, a semitone above it _FIRST + 1.
    """
    moving = moves(tokens, pitched)
    axes = tokens.shape[: -1 if len(pitched) == 1 else -2]
    flat, mask = tokens.reshape(*axes, -1).astype(np.int64), moving.reshape(*axes, -1)
    first = np.take_along_axis(flat, mask.argmax(-1)[..., None], -1)
    return np.where(mask, flat - first + _FIRST, flat).astype(np.int16).reshape(tokens.shape)


def _limits(pitched: Pitched) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest class that moves, as arrays that broadcast over tokens."""
    spans = np.array([span or (1, 0) for span in pitched], np.int64)  # 1 to 0: no class
    return (spans[0, 0], spans[0, 1]) if len(pitched) == 1 else (spans[:, 0], spans[:, 1])
