"""The rate-distortion plane: which models are the best at some beta, and the distortion that a rate allows.

A model is a point: its rate (KL, nats per melody) and its distortion (-log p(x | z), nats per melody). Training with
beta minimizes distortion + beta * rate, so on this plane it pushes a line of slope -beta down as far as it goes. What
such lines can touch is the lower convex hull of the points; a model above the hull is not the best at any beta.

Chapter: 06. Source: Alemi et al. 2018, Fixing a Broken ELBO, section 3; the hull by Andrew's monotone chain.
"""

import numpy as np
from numpy.typing import ArrayLike


def lagrangian(rate: ArrayLike, distortion: ArrayLike, betas: ArrayLike) -> np.ndarray:
    """distortion + beta * rate of each model (columns) at each beta (rows): `[models]`, `[betas]` -> `[betas, models]`.

    In nats per melody. Raises ValueError where rate and distortion are not two lists of one length.
    """
    rate, distortion = _points(rate, distortion)
    return distortion + np.multiply.outer(np.asarray(betas, float), rate)


def lower_hull(rate: ArrayLike, distortion: ArrayLike) -> np.ndarray:
    """The models that are the best at some beta > 0: indices by rising rate (and so by falling distortion).

    Of several at one and the same point, the first. Raises ValueError as `lagrangian` does, and without models.
    """
    rate, distortion = _points(rate, distortion)
    if not len(rate):
        raise ValueError("the hull of no models is not defined")
    kept: list[int] = []
    for i in np.lexsort((distortion, rate)):
        if kept and distortion[i] >= distortion[kept].min():
            continue  # another one has no higher rate and no higher distortion
        while len(kept) > 1 and _above(rate, distortion, kept[-2], kept[-1], i):
            kept.pop()
        kept.append(i)
    return np.array(kept)


def hull_distortion(budget: ArrayLike, rate: ArrayLike, distortion: ArrayLike) -> np.ndarray:
    """The distortion of the hull at a rate of `budget` nats, linear between its corners: same shape as `budget`.

    Each point of a line can be reached: with one model for a share of the melodies and the other model for the rest.
    NaN outside of the hull's rates.
    """
    rate, distortion = _points(rate, distortion)
    hull = lower_hull(rate, distortion)
    return np.interp(budget, rate[hull], distortion[hull], left=np.nan, right=np.nan)


def _above(rate: np.ndarray, distortion: np.ndarray, left: int, middle: int, right: int) -> bool:
    """True where the middle one of three points lies on the line between its neighbours or above it."""
    run, rise = rate[right] - rate[left], distortion[right] - distortion[left]
    return (distortion[middle] - distortion[left]) * run >= rise * (rate[middle] - rate[left])


def _points(rate: ArrayLike, distortion: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    rate, distortion = np.asarray(rate, float), np.asarray(distortion, float)
    if rate.ndim != 1 or rate.shape != distortion.shape:
        raise ValueError(
            f"rate and distortion are two lists of one length: one has {rate.shape}, the other {distortion.shape}"
        )
    return rate, distortion
