"""Lines and arcs: exact at their ends, an arc keeps length and speed, and no pair of points gives NaN."""

import math

import numpy as np
import pytest
import torch

from mvae_lib.latent import (
    from_map,
    latent_grid,
    latent_plane,
    lerp,
    piecewise_path,
    slerp,
)

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


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("way", [lerp, slerp])
def test_a_path_meets_every_stop_and_its_legs_are_ways_of_equal_steps(way):
    stops = draw(4, 6)
    path = piecewise_path(stops, steps=5, interpolation=way)
    assert path.shape == (16, 6)
    assert torch.equal(path[::5], stops)
    torch.testing.assert_close(path[5:11], way(stops[1], stops[2], torch.linspace(0, 1, 6)))
    assert torch.equal(piecewise_path(stops, steps=1, interpolation=way), stops)


def test_a_path_needs_two_stops_and_a_step():
    with pytest.raises(ValueError, match="two stops"):
        piecewise_path(draw(1, 6), 3)
    with pytest.raises(ValueError, match="two stops"):
        piecewise_path(draw(6), 3)
    with pytest.raises(ValueError, match="one step"):
        piecewise_path(draw(2, 6), 0)


@pytest.mark.parametrize("way", [lerp, slerp])
@pytest.mark.parametrize("corners", [3, 4])
def test_a_slice_meets_its_corners_and_its_edges_are_ways(way, corners):
    z = draw(corners, 6)
    grid = latent_grid(z, rows=4, columns=5, interpolation=way)
    assert grid.shape == (4, 5, 6)
    for row, column, corner in ((0, 0, 0), (0, -1, 1), (-1, 0, 2), (-1, -1, -1)):
        torch.testing.assert_close(grid[row, column], z[corner], atol=1e-6, rtol=0)
    torch.testing.assert_close(grid[0], way(z[0], z[1], torch.linspace(0, 1, 5)))
    torch.testing.assert_close(grid[:, 0], way(z[0], z[2], torch.linspace(0, 1, 4)), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(grid[:, -1], way(z[1], z[-1], torch.linspace(0, 1, 4)), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(grid[1, 3], latent_plane(z, torch.tensor(0.75), torch.tensor(1 / 3), way))


def test_a_slice_by_lines_is_bilinear():
    z = draw(4, 6)
    s, t = torch.tensor(0.3), torch.tensor(0.8)
    by_hand = 0.7 * 0.2 * z[0] + 0.3 * 0.2 * z[1] + 0.7 * 0.8 * z[2] + 0.3 * 0.8 * z[3]
    torch.testing.assert_close(latent_plane(z, s, t, lerp), by_hand)


def test_a_slice_by_arcs_stays_on_the_shell_and_one_by_lines_does_not():
    z = 5 * torch.nn.functional.normalize(draw(4, 32), dim=-1)
    torch.testing.assert_close(latent_grid(z, 5, 5).norm(dim=-1), torch.full((5, 5), 5.0))
    assert latent_grid(z, 5, 5, lerp)[2, 2].norm() < 3.5


@pytest.mark.parametrize("shape", [(2, 6), (5, 6), (6,), (1, 4, 6)])
def test_a_slice_has_three_or_four_corners(shape):
    with pytest.raises(ValueError, match="three or four"):
        latent_grid(draw(*shape), 3, 3)


def test_a_place_on_the_map_has_the_z_of_what_is_nearest():
    points, z = draw(50, 2), draw(50, 8, seed=1)
    torch.testing.assert_close(from_map(points, z, points), z)
    assert torch.equal(from_map(points, z, points[3] + 1e-3, neighbours=1), z[3])
    line, ends = torch.tensor([[0.0, 0.0], [4.0, 0.0], [90.0, 0.0]]), torch.tensor([[0.0], [8.0], [1000.0]])
    torch.testing.assert_close(from_map(line, ends, torch.tensor([2.0, 0.0]), 2), torch.tensor([4.0]))
    torch.testing.assert_close(from_map(line, ends, torch.tensor([1.0, 0.0]), 2), torch.tensor([0.8]))  # weights 9 : 1
    assert from_map(points, z, torch.zeros(3, 4, 2)).shape == (3, 4, 8)
    twice = from_map(points[[0, 0, 1]], z[:3], points[0], 3)
    torch.testing.assert_close(twice, (z[0] + z[1]) / 2)  # two melodies at one place
    with pytest.raises(ValueError, match="51 neighbours among 50"):
        from_map(points, z, points, 51)
