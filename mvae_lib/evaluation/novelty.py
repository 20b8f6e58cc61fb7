"""How much of what a model writes is new: bars that training does not hold, notes that neither end of a path holds.

    known_bars(model.sample(300).numpy(), train.tokens)     # the share of the bars that training holds in some key
    new_notes(middle, a, b)                                 # the share of the notes that neither a nor b holds there

A share of known bars says little by itself, because folk tunes share bars: its yardstick is the same share of
held-out melodies.

Chapter: 09.
"""

import numpy as np
from numpy.typing import ArrayLike

from mvae_lib.music.melody import check_tokens, is_note_on
from mvae_lib.music.representation import MELODY
from mvae_lib.music.structure import in_bars
from mvae_lib.music.transposition import interval_form


def known_bars(tokens: ArrayLike, training: ArrayLike, least: int = 2) -> float:
    """The share, 0 to 1, of the bars of melodies `[N, steps]` that some bar of `training` `[M, steps]` equals.

    Two bars are equal where one is a transposition of the other. Only bars with at least `least` note-ons count:
    shorter ones are known by chance. NaN where there is none.
    """
    bars, known = (_bars(melodies, least) for melodies in (tokens, training))
    return float(np.isin(bars, known).mean()) if len(bars) else float("nan")


def new_notes(middle: ArrayLike, a: ArrayLike, b: ArrayLike) -> float:
    """The share, 0 to 1, of the note-ons of `middle` `[N, steps]` that neither `a` nor `b` has at that step.

    NaN where there is no note-on. Raises ValueError for arrays of different shapes.
    """
    middle, a, b = (check_tokens(tokens) for tokens in (middle, a, b))
    if not middle.shape == a.shape == b.shape:
        raise ValueError(f"three arrays of one shape are compared, not {middle.shape}, {a.shape} and {b.shape}")
    onset = is_note_on(middle)
    return float((onset & (middle != a) & (middle != b)).sum() / onset.sum()) if onset.any() else float("nan")


def _bars(tokens: ArrayLike, least: int) -> np.ndarray:
    """The bars with at least `least` note-ons, pitches counted from the first, as one value of 32 bytes each."""
    bars = in_bars(check_tokens(np.asarray(tokens))).reshape(-1, 16)
    bars = bars[is_note_on(bars).sum(1) >= least]
    if not len(bars):
        return np.empty(0, "V32")
    return np.ascontiguousarray(interval_form(bars, MELODY.pitched)).view("V32").ravel()
