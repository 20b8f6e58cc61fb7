"""Attribute vectors: directions of the latent space that change one attribute, and edits along them.

    direction = mean z of the top quartile of an attribute - mean z of its bottom quartile

Fit them on training data and measure them on other melodies. A direction that raises one attribute usually changes
others, because they are correlated in the data: `edit_effects` measures the whole matrix, and `fit_conditional_vectors`
asks for the difference between melodies that differ in one attribute and agree in the others.

    vectors = fit_attribute_vectors(mu_train, {name: measure(train.tokens) for name, measure in ATTRIBUTES.items()})
    z = edit(mu_test, vectors["note density"], strength=1.0)
    z = edit(mu_test, vectors["note density"], strength_for(vectors["note density"], change=0.1))

Chapter: 09. Source: Roberts et al. 2018, section 5.4; Larsen et al. 2016, Autoencoding beyond Pixels Using a Learned
Similarity Metric (the arithmetic of means).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Decode = Callable[[Tensor], Tensor]  # z [B, Z] -> tokens [B, T]; the `decode` of any model
Measure = Callable[[np.ndarray], np.ndarray]  # tokens [..., T] -> numbers [...], as in mvae_lib.music.attributes


class AttributeVector(NamedTuple):
    """From the melodies with little of an attribute to those with much of it."""

    direction: Tensor  # [Z]
    gap: float  # the mean attribute of the top quartile minus that of the bottom quartile, in the attribute's own unit


def quartiles(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The members of the bottom and of the top quartile: numbers `[N]` -> two disjoint masks `[N]`.

    Equal values are never separated, so a group can be larger than a quarter. Where more than half of the values are
    one and the same, both quartiles are that value: then a group is what lies below it or above it, or, where nothing
    does, the value itself. NaN belongs to neither. Raises ValueError where all values are equal.
    """
    values = np.asarray(values, float)
    known = values[~np.isnan(values)]
    if known.size == 0 or known.min() == known.max():
        raise ValueError("an attribute that is the same for all melodies has no quartiles, and no direction")
    low, high = np.quantile(known, (0.25, 0.75))
    if low < high:
        return values <= low, values >= high
    below, above = values < low, values > high
    return (below if below.any() else values == low), (above if above.any() else values == high)


def attribute_vector(z: Tensor, values: np.ndarray) -> AttributeVector:
    """The vector of one attribute: z `[N, Z]` and the attribute's value for each melody `[N]`.

    Raises ValueError where the two do not belong together, or where all values are equal.
    """
    values = np.asarray(values, float)
    if z.ndim != 2 or values.shape != z.shape[:1]:
        raise ValueError(f"one value for each z [N, Z]: {[*values.shape]} values for z {[*z.shape]}")
    bottom, top = quartiles(values)
    rows = [torch.from_numpy(group).to(z.device) for group in (bottom, top)]
    return AttributeVector(z[rows[1]].mean(0) - z[rows[0]].mean(0), float(values[top].mean() - values[bottom].mean()))


def fit_attribute_vectors(z: Tensor, attributes: Mapping[str, np.ndarray]) -> dict[str, AttributeVector]:
    """The vectors of several attributes: z `[N, Z]`, and `[N]` values under each name. Raises as `attribute_vector`."""
    return {name: attribute_vector(z, values) for name, values in attributes.items()}


def fit_conditional_vectors(z: Tensor, attributes: Mapping[str, np.ndarray]) -> dict[str, AttributeVector]:
    """Vectors of attributes *given the others*: how z differs between melodies that differ in one attribute alone.

    A linear regression of z `[N, Z]` on all attributes `[N]` at once; each direction is a regression coefficient times
    the attribute's gap, so that a strength means the same as with `attribute_vector`. Melodies for which any attribute
    is NaN are left out. Raises as `attribute_vector`.
    """
    gaps = {name: vector.gap for name, vector in fit_attribute_vectors(z, attributes).items()}
    values = torch.from_numpy(np.stack([np.asarray(value, float) for value in attributes.values()], 1))  # [N, A]
    known = ~values.isnan().any(1)
    values, latents = values[known], z.detach().cpu().double()[known]
    centred = values - values.mean(0)
    slopes = torch.linalg.lstsq(centred, latents - latents.mean(0), driver="gelsd").solution.to(z)  # [A, Z]
    return {
        name: AttributeVector(slope * gaps[name], gaps[name]) for name, slope in zip(attributes, slopes, strict=True)
    }


def edit(z: Tensor, vector: AttributeVector, strength: float) -> Tensor:
    """z `[..., Z]` moved along the vector: 1 is the whole way from a typical low to a typical high melody, -1 back."""
    return z + strength * vector.direction


def strength_for(vector: AttributeVector, change: float) -> float:
    """The strength that *should* change the attribute by `change` (in its unit), if decoding were linear."""
    return change / vector.gap


@torch.no_grad()
def edit_effects(
    decode: Decode,
    z: Tensor,
    vectors: Mapping[str, AttributeVector],
    measures: Mapping[str, Measure],
    strength: float = 1.0,
) -> np.ndarray:
    """How much each edit changes each attribute of what is decoded: z `[N, Z]` -> `[vectors, measures]`.

    The mean over the melodies of measure(decode(edited z)) - measure(decode(z)), in the measure's unit; melodies for
    which either is NaN do not count. It compares with the melody as the model reconstructs it, not with the original,
    so that errors of the reconstruction are not counted as effects of the edit.
    """

    def measured(z: Tensor) -> np.ndarray:
        tokens = decode(z).cpu().numpy()
        return np.stack([measure(tokens) for measure in measures.values()])  # [measures, N]

    before = measured(z)
    changes = [measured(edit(z, vector, strength)) - before for vector in vectors.values()]
    return np.stack([np.nanmean(change, -1) for change in changes])
