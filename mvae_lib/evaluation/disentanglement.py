"""Do the axes of a latent space have a meaning of their own? Scores, and the control that they need.

`r2_linear` asks whether a linear reading of *all* dimensions knows an attribute; `r2_per_dimension` asks that
of one dimension at a time. Their ratio is about the axes. A rotation of z loses nothing: N(0, I) stays N(0, I), the
rate, the distortion and `r2_linear` stay as they are. Only the axes are others. So what a score is worth shows
beside the same score of the same codes, rotated (`random_rotation`).

Chapter: 05. Source: Higgins et al. 2017, beta-VAE (the claim); Locatello et al. 2019, Challenging Common Assumptions in
the Unsupervised Learning of Disentangled Representations (the critique). The scores are the course's own.
"""

import numpy as np
from numpy.typing import ArrayLike


def r2_per_dimension(codes: ArrayLike, attributes: ArrayLike) -> np.ndarray:
    """The share of each attribute's variance that each dimension explains by itself: the squared correlation.

    `codes` `[N, Z]`, `attributes` `[N, A]` -> `[Z, A]`, 0 to 1; 0 for a constant. Raises ValueError for other shapes
    and for values that are not numbers.
    """
    codes, attributes = _centred(codes), _centred(attributes)
    _same_rows(codes, attributes)
    scale = np.outer(np.linalg.norm(codes, axis=0), np.linalg.norm(attributes, axis=0))
    return (codes.T @ attributes / np.where(scale > 0, scale, np.inf)) ** 2


def r2_linear(codes: ArrayLike, attributes: ArrayLike) -> np.ndarray:
    """The share of each attribute's variance that a linear function of all dimensions explains: `[A]`, 0 to 1.

    Least squares on these very rows: never less than the best of `r2_per_dimension`, and generous where there are not
    many more rows than dimensions. Shapes and errors as there.
    """
    codes, attributes = _centred(codes), _centred(attributes)
    _same_rows(codes, attributes)
    weights = np.linalg.lstsq(codes, attributes, rcond=None)[0]
    total = (attributes**2).sum(0)
    return 1 - ((attributes - codes @ weights) ** 2).sum(0) / np.where(total > 0, total, np.inf) - (total == 0)


def alignment(codes: ArrayLike, attributes: ArrayLike) -> float:
    """The best single dimension's share of what all dimensions explain together, averaged over the attributes: 0 to 1.

    1: each attribute lies along an axis. Shapes and errors as in `r2_per_dimension`.
    """
    together = r2_linear(codes, attributes)
    return float((r2_per_dimension(codes, attributes).max(0) / np.where(together > 0, together, np.inf)).mean())


def random_rotation(dimensions: int, rng: np.random.Generator) -> np.ndarray:
    """A rotation (or a rotation and a reflection) drawn evenly from all there are: orthogonal `[Z, Z]`.

    The signs of R make it even: QR alone prefers some (Mezzadri 2007).
    """
    q, r = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))
    return q * np.sign(np.diag(r))


def _centred(values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, float)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"codes are [N, Z] and attributes [N, A], with at least one row, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(
            "some values are NaN or infinite: leave out the melodies for which an attribute is not defined"
        )
    return values - values.mean(0)


def _same_rows(codes: np.ndarray, attributes: np.ndarray) -> None:
    if len(codes) != len(attributes):
        raise ValueError(f"there are {len(codes)} codes and {len(attributes)} rows of attributes")
