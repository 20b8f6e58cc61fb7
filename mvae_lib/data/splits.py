"""Train, validation and test sets that share nothing: whole clusters of related tunes go to one split.

A window chosen at random has near duplicates in many places of a book of folk tunes: the same bar comes back in the
repeat, in another setting of the tune, in another key. So tunes that share music are linked into clusters, a hash of
the cluster decides its split, and what still recurs across splits, up to transposition, leaves the smaller split.

Chapter: 01. Source: ours; the thresholds are those at which leakage measured on the folk tunes falls to a few percent.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np

from mvae_lib.music import transposition
from mvae_lib.music.melody import PITCHED

SPLITS = ("train", "validation", "test")
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
MIN_SHARED = 2  # one shared window may be a cadence that everyone uses
MIN_SHARE = 0.2  # of the windows of the tune that has fewer


def interval_form(tokens: np.ndarray, pitched: transposition.Pitched = PITCHED) -> np.ndarray:
    """Windows with pitches counted from each one's first note: equal for windows that are equal up to transposition.

    `pitched` is that of the representation (default: of melodies `[melodies, steps]`).
    """
    return transposition.interval_form(tokens, pitched)


def clusters(forms: Sequence[Collection[bytes]], most: int | None = None) -> list[int]:
    """The cluster of each tune: the index of its first tune. `forms` holds each tune's distinct 2-bar interval forms.

    Two tunes are linked when they share at least MIN_SHARED forms and MIN_SHARE of the smaller tune's. A form that more
    than `most` tunes have (None: no limit) links none: it is too common, and its pairs would be too many to count.
    """
    tunes_with: dict[bytes, list[int]] = {}
    for tune, own in enumerate(forms):
        for form in own:
            tunes_with.setdefault(form, []).append(tune)
    linking = (tunes for tunes in tunes_with.values() if most is None or len(tunes) <= most)
    shared = Counter(pair for tunes in linking for pair in combinations(tunes, 2))
    parent = list(range(len(forms)))

    def root(tune: int) -> int:
        while parent[tune] != tune:
            tune = parent[tune]
        return tune

    for (a, b), count in shared.items():
        if count >= MIN_SHARED and count >= MIN_SHARE * min(len(forms[a]), len(forms[b])):
            a, b = sorted((root(a), root(b)))
            parent[b] = a
    return [root(tune) for tune in range(len(forms))]


def split_of(name: str) -> str:
    """The split that a cluster's name is hashed into: train 80 %, validation 10 %, test 10 %."""
    place = int.from_bytes(hashlib.sha256(name.encode("utf-8")).digest()[:8], "big") / 2**64
    return SPLITS[(place >= TRAIN_SHARE) + (place >= TRAIN_SHARE + VALIDATION_SHARE)]


def leaks(tokens: np.ndarray, split: np.ndarray, pitched: transposition.Pitched = PITCHED) -> np.ndarray:
    """True for the windows `[windows, steps(, tracks)]` that recur, up to transposition, in an earlier split of SPLITS.

    `split` holds indices into SPLITS: a validation window found in train leaks, a test window found in either leaks.
    `pitched` is that of the representation (default: of melodies).
    """
    rows = [form.tobytes() for form in interval_form(tokens, pitched)]
    earliest: dict[bytes, int] = {}
    for row, where in zip(rows, split.tolist(), strict=True):
        earliest[row] = min(where, earliest.get(row, where))
    return np.array([earliest[row] < where for row, where in zip(rows, split.tolist(), strict=True)], bool)
