"""Do the axes of a latent space have a meaning of their own? Scores, and the control that they need.

`r2_linear` measures how well a linear function of *all* dimensions predicts an attribute, `r2_per_dimension` how well
one dimension at a time does. Their ratio is about the axes. A rotation of z keeps all information: N(0, I) stays
N(0, I), the rate, the distortion and `r2_linear` stay as they are. Only the axes change. So a score has to be compared
with the same score of the same latent vectors, rotated (`random_rotation`).

Chapter: none yet. Source: Higgins et al. 2017, beta-VAE (the claim); Locatello et al. 2019, Challenging Common
Assumptions in the Unsupervised Learning of Disentangled Representations (the critique). The scores are ours.
"""

import numpy as np
from numpy.typing import ArrayLike


def r2_per_dimension(z: ArrayLike, attributes: ArrayLike) -> np.ndarray:
    """The share of each attribute's variance that each dimension explains by itself: the squared correlation.

    `z` `[N, Z]`, `attributes` `[N, A]` -> `[Z, A]`, 0 to 1; 0 for a constant. Raises ValueError for other shapes
    and for values that are not numbers.
    """
    z, attributes = _centred(z), _centred(attributes)
    _same_rows(z, attributes)
    scale = np.outer(np.linalg.norm(z, axis=0), np.linalg.norm(attributes, axis=0))
    return (z.T @ attributes / np.where(scale > 0, scale, np.inf)) ** 2


def r2_linear(z: ArrayLike, attributes: ArrayLike) -> np.ndarray:
    """The share of each attribute's variance that a linear function of all dimensions explains: `[A]`, 0 to 1.

    Least squares on these very rows: never less than the best of `r2_per_dimension`, and too high where there are
    not many more rows than dimensions (overfitting). Shapes and errors as there.
    """
    z, attributes = _centred(z), _centred(attributes)
    _same_rows(z, attributes)
    weights = np.linalg.lstsq(z, attributes, rcond=None)[0]
    total = (attributes**2).sum(0)
    return 1 - ((attributes - z @ weights) ** 2).sum(0) / np.where(total > 0, total, np.inf) - (total == 0)


def alignment(z: ArrayLike, attributes: ArrayLike) -> float:
    """The best single dimension's share of what all dimensions explain together, averaged over the attributes: 0 to 1.

    1: each attribute lies along an axis. Shapes and errors as in `r2_per_dimension`.
    """
    together = r2_linear(z, attributes)
    return float((r2_per_dimension(z, attributes).max(0) / np.where(together > 0, together, np.inf)).mean())


def random_rotation(dimensions: int, rng: np.random.Generator) -> np.ndarray:
    """A rotation (or a rotation and a reflection) sampled uniformly: orthogonal `[Z, Z]`.

    The signs of R make it uniform: QR alone is not (Mezzadri 2007).
    """
    q, r = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))
    return q * np.sign(np.diag(r))


def _centred(values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, float)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"latent vectors are [N, Z] and attributes [N, A], with at least one row, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(
            "some values are NaN or infinite: leave out the melodies for which an attribute is not defined"
        )
    return values - values.mean(0)


def _same_rows(z: np.ndarray, attributes: np.ndarray) -> None:
    if len(z) != len(attributes):
        raise ValueError(f"there are {len(z)} latent vectors and {len(attributes)} rows of attributes")
