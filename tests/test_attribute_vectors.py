"""Attribute vectors: on a space made by hand, where it is known what the vectors have to be."""

import numpy as np
import pytest
import torch

from mvae_lib.latent.attribute_vectors import (
    AttributeVector,
    attribute_vector,
    edit,
    edit_effects,
    fit_attribute_vectors,
    fit_conditional_vectors,
    quartiles,
    strength_for,
)


def test_quartiles_are_the_lowest_and_the_highest_quarter():
    bottom, top = quartiles(np.array([5.0, 1, 8, 3, 2, 7, 4, 6]))
    assert bottom.tolist() == [False, True, False, False, True, False, False, False]
    assert top.tolist() == [False, False, True, False, False, True, False, False]


def test_melodies_without_the_attribute_belong_to_no_quartile():
    bottom, top = quartiles(np.array([np.nan, 1, 2, 3, 4, np.nan]))
    assert bottom.tolist() == [False, True, False, False, False, False]
    assert top.tolist() == [False, False, False, False, True, False]


@pytest.mark.parametrize(
    ("values", "bottom", "top"),
    [
        ([0, 0, 0, 0, 0, 0, 1, 2], 6, 2),  # most have none: they stand against all that have some
        ([1, 1, 1, 1, 1, 1, 0.5, 0.2], 2, 6),
        ([0, 3, 3, 3, 3, 3, 3, 5], 1, 1),
        ([1, 1, 2, 2, 2, 2, 2, 3], 2, 1),  # only one of the quartiles stands on the tie
    ],
)
def test_equal_values_are_never_parted(values, bottom, top):
    low, high = quartiles(np.array(values, float))
    assert not (low & high).any()
    if len(set(np.quantile(values, (0.25, 0.75)))) == 1:
        assert (low.sum(), high.sum()) == (bottom, top)
    for group in (low, high):
        assert not set(np.array(values)[group]) & set(np.array(values)[~group])


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [np.nan, np.nan], []])
def test_an_attribute_without_differences_is_refused(values):
    with pytest.raises(ValueError, match="the same for all"):
        quartiles(np.array(values))


def test_the_vector_is_the_difference_of_two_means():
    z = torch.tensor(
        [[0.0, 0.0], [2.0, 2.0], [50.0, 50.0], [-50.0, 9.0], [4.0, 7.0], [6.0, 9.0], [0.0, 0.0], [1.0, 1.0]]
    )
    values = np.array([0.0, 1, 4, 5, 8, 9, np.nan, 4])
    vector = attribute_vector(z, values)
    assert vector.direction.tolist() == [4.0, 7.0]  # (5, 8) - (1, 1)
    assert vector.gap == 8.0
    with pytest.raises(ValueError, match="one value for each z"):
        attribute_vector(z, values[:-1])


def linear_world(n: int = 4000, mixing: float = 0.0) -> tuple[torch.Tensor, dict[str, np.ndarray], torch.Tensor]:
    """z [n, 6] = loudness * row 0 + speed * row 1 + noise; `mixing`: how much of loudness there is in speed."""
    rng = np.random.default_rng(0)
    loudness = rng.normal(size=n)
    speed = mixing * loudness + rng.normal(size=n)
    rows = np.eye(6)[:2] * [[2.0], [1.0]]
    z = np.stack([loudness, speed], 1) @ rows + 0.1 * rng.normal(size=(n, 6))
    return torch.from_numpy(z).float(), {"loudness": loudness, "speed": speed}, torch.from_numpy(rows).float()


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    return torch.cosine_similarity(one, other, dim=0).item()


def test_the_direction_of_the_data_is_found():
    z, attributes, rows = linear_world()
    vectors = fit_attribute_vectors(z, attributes)
    assert list(vectors) == ["loudness", "speed"]
    for vector, row in zip(vectors.values(), rows, strict=True):
        assert cosine(vector.direction, row) > 0.99
        assert vector.direction.norm() == pytest.approx(row.norm().item() * vector.gap, rel=0.05)


def test_attributes_that_come_together_are_told_apart_only_given_each_other():
    z, attributes, rows = linear_world(mixing=1.0)
    attributes["speed"][:5] = np.nan
    plain, given = fit_attribute_vectors(z, attributes), fit_conditional_vectors(z, attributes)
    assert cosine(plain["speed"].direction, rows[1]) < 0.8
    for vector, row in zip(given.values(), rows, strict=True):
        assert cosine(vector.direction, row) > 0.999
    for name in given:
        assert given[name].gap == plain[name].gap
    torch.testing.assert_close(given["speed"].direction, rows[1] * given["speed"].gap, atol=0.05, rtol=0)
    assert given["speed"].direction.dtype == z.dtype


def test_one_attribute_alone_has_nothing_to_be_conditioned_on():
    z, attributes, rows = linear_world(mixing=1.0)
    alone = fit_conditional_vectors(z, {"speed": attributes["speed"]})["speed"]
    plain = fit_attribute_vectors(z, attributes)["speed"]
    assert cosine(alone.direction, plain.direction) > 0.99
    assert cosine(alone.direction, rows[1]) < 0.8


def test_an_edit_moves_by_its_strength_and_a_wish_is_a_strength():
    vector = AttributeVector(torch.tensor([1.0, -2.0]), gap=0.4)
    z = torch.zeros(3, 2)
    assert edit(z, vector, 0.5).tolist() == [[0.5, -1.0]] * 3
    assert torch.equal(edit(z, vector, 0.0), z)
    assert strength_for(vector, 0.1) == pytest.approx(0.25)
    assert strength_for(vector, -0.4) == pytest.approx(-1)


def test_effects_are_measured_on_what_is_decoded_and_against_the_decoded_original():
    def decode(z: torch.Tensor) -> torch.Tensor:
        return (10 * z).round().long() + 3  # errs by 3 everywhere, which is not the edit's doing

    vectors = {
        "first": AttributeVector(torch.tensor([1.0, 0.0]), 1.0),
        "both": AttributeVector(torch.tensor([1.0, -1.0]), 1.0),
    }
    measures = {"first": lambda tokens: tokens[..., 0], "second": lambda tokens: tokens[..., 1]}
    z = torch.tensor([[0.0, 0.0], [1.0, 2.0], [5.0, 5.0]])
    assert edit_effects(decode, z, vectors, measures, 0.5).tolist() == [[5, 0], [5, -5]]
    assert edit_effects(decode, z, vectors, measures, -1.0).tolist() == [[-10, 0], [-10, 10]]


def test_melodies_without_a_number_do_not_count_in_the_effects():
    def measure(tokens: np.ndarray) -> np.ndarray:
        return np.where(tokens[:, 0] > 10, np.nan, tokens[:, 0].astype(float))

    vectors = {"up": AttributeVector(torch.tensor([4.0]), 1.0)}
    z = torch.tensor([[0.0], [3.0], [8.0], [20.0]])  # the third leaves the range by the edit, the last was never in it
    assert edit_effects(lambda z: z.long(), z, vectors, {"up": measure}).tolist() == [[4.0]]
