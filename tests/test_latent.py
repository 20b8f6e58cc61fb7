"""Lines and arcs: exact at their ends, an arc keeps length and speed, and no pair of points gives NaN."""

import math

import numpy as np
import pytest
import torch

from mvae_lib.latent import lerp, slerp

T = torch.linspace(0, 1, 9)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def angles(path: torch.Tensor) -> torch.Tensor:
    """Between each point and the next one, in double precision."""
    unit = path.double() / path.double().norm(dim=-1, keepdim=True)
    return torch.acos((unit[1:] * unit[:-1]).sum(-1).clamp(-1, 1))


@pytest.mark.parametrize("way", [lerp, slerp])
@pytest.mark.parametrize("z_size", [1, 2, 64, 257])
def test_both_ends_are_exact(way, z_size):
    start, end = draw(33, z_size), draw(33, z_size, seed=1)
    path = way(start, end, torch.tensor([0.0, 1.0])[:, None])
    assert torch.equal(path[0], start)
    assert torch.equal(path[1], end)
    assert torch.equal(way(start[0], end[0], 1), end[0])


@pytest.mark.parametrize("way", [lerp, slerp])
def test_batches_pairs_and_single_points_agree(way):
    start, end = draw(5, 8), draw(5, 8, seed=1)
    paths = way(start, end, T[:, None])
    assert paths.shape == (9, 5, 8)
    for pair in range(5):
        torch.testing.assert_close(paths[:, pair], way(start[pair], end[pair], T))
    own = torch.tensor([0.0, 0.1, 0.5, 0.75, 1.0])
    torch.testing.assert_close(way(start, end, own)[3], way(start[3], end[3], 0.75))


def test_a_line_is_straight_and_evenly_walked():
    start, end = draw(4), draw(4, seed=1)
    steps = lerp(start, end, T).diff(dim=0)
    torch.testing.assert_close(steps, ((end - start) / 8).expand(8, 4))


def test_an_arc_between_points_of_one_length_keeps_the_length_at_constant_speed():
    start, end = (5 * torch.nn.functional.normalize(draw(20, 32, seed=seed), dim=-1) for seed in (0, 1))
    path = slerp(start, end, T[:, None])
    torch.testing.assert_close(path.norm(dim=-1), torch.full((9, 20), 5.0))
    torch.testing.assert_close(angles(path), angles(path).mean(0).expand(8, 20), atol=1e-5, rtol=0)
    torch.testing.assert_close(angles(path).sum(0), angles(torch.stack([start, end]))[0], atol=1e-5, rtol=0)
    assert (lerp(start, end, 0.5).norm(dim=-1) < 4.5).all()  # which is why there is an arc


def test_an_arc_agrees_with_the_formula_in_double_precision():
    start, end = np.array([1.0, 0.0, 0.0]), np.array([1.0, 2.0, 0.0])
    w = math.acos(1 / math.sqrt(5))
    expected = math.sin(0.75 * w) / math.sin(w) * start + math.sin(0.25 * w) / math.sin(w) * end
    np.testing.assert_allclose(slerp(torch.from_numpy(start), torch.from_numpy(end), 0.25), expected, rtol=1e-14)


def test_a_quarter_turn_passes_the_diagonal():
    middle = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 0.5)
    torch.testing.assert_close(middle, torch.full((2,), math.sqrt(0.5)))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ([1.0, 2.0], [1.0, 2.0]),  # the same point
        ([1.0, 2.0], [3.0, 6.0]),  # parallel
        ([1.0, 2.0], [-1.0, -2.0]),  # opposite: every great circle through one leads to the other
        ([1.0, 2.0], [-2.0, -4.0]),
        ([0.0, 0.0], [1.0, 2.0]),
        ([1.0, 2.0], [0.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([1e-30, 0.0], [-1e-30, 1e-38]),  # nearly opposite, with squares that underflow
    ],
)
def test_where_no_arc_is_defined_the_line_is_taken(start, end):
    start, end = torch.tensor(start), torch.tensor(end)
    assert torch.equal(slerp(start, end, T), lerp(start, end, T))


def test_one_pair_without_an_arc_leaves_the_others_of_the_batch_alone():
    start, end = draw(3, 6), draw(3, 6, seed=1)
    end[1] = -start[1]
    path = slerp(start, end, T[:, None])
    assert torch.equal(path[:, 1], lerp(start[1], end[1], T))
    torch.testing.assert_close(path[:, [0, 2]], slerp(start[[0, 2]], end[[0, 2]], T[:, None]))
    assert (path[:, [0, 2]] - lerp(start[[0, 2]], end[[0, 2]], T[:, None])).abs().max() > 0.01


@pytest.mark.parametrize("angle", [0.99e-3, 1.01e-3, 1e-2, math.pi - 1.01e-3])
def test_on_both_sides_of_the_guard_the_arc_is_the_one_of_double_precision(angle):
    start = torch.tensor([1.0, 0.0])
    end = torch.tensor([math.cos(angle), math.sin(angle)])
    exact = torch.stack([torch.cos(angle * T.double()), torch.sin(angle * T.double())], -1)
    tolerance = 3e-7 if angle < 1 else 1e-3  # near the opposite point, the rounding of `end` is turned into a bend
    torch.testing.assert_close(slerp(start, end, T).double(), exact, atol=tolerance, rtol=0)


@pytest.mark.parametrize("way", [lerp, slerp])
def test_points_of_different_spaces_are_refused(way):
    with pytest.raises(ValueError, match=r"\[8\] and \[1\]"):
        way(draw(8), draw(1), 0.5)
    with pytest.raises(ValueError, match="one space"):
        way(torch.tensor(1.0), torch.tensor(2.0), 0.5)
