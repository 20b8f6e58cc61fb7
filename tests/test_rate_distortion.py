import numpy as np
import pytest

from mvae_lib.evaluation.rate_distortion import hull_distortion, lagrangian, lower_hull

RATE, DISTORTION = [4.0, 0.0, 2.0, 1.0, 3.0], [10.0, 30.0, 16.0, 20.0, 15.0]  # the last one is above the hull


def test_prices_are_the_loss_of_each_model_at_each_beta():
    assert lagrangian([1, 2], [10, 5], [0, 3]).tolist() == [[10, 5], [13, 11]]


def test_the_hull_is_what_some_beta_prefers():
    by_search = {lagrangian(RATE, DISTORTION, [beta])[0].argmin() for beta in np.geomspace(1e-3, 1e3, 2000)}
    hull = lower_hull(RATE, DISTORTION)
    assert set(hull) == by_search
    assert hull.tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize("seed", range(20))
def test_the_hull_of_random_points_is_what_some_beta_prefers(seed):
    rate, distortion = np.random.default_rng(seed).random((2, 12))
    best = lagrangian(rate, distortion, np.tan(np.linspace(1e-6, np.pi / 2 - 1e-6, 50_000))).argmin(1)
    assert lower_hull(rate, distortion).tolist() == [*dict.fromkeys(best[::-1])]


def test_equal_points_points_on_a_line_and_single_points():
    assert lower_hull([1.0], [2.0]).tolist() == [0]
    assert lower_hull([1, 1, 1], [2, 2, 2]).tolist() == [0]
    assert lower_hull([0, 1, 2], [4, 2, 0]).tolist() == [0, 2]
    assert lower_hull([1, 1], [3, 2]).tolist() == [1]
    assert lower_hull([0, 1], [2, 2]).tolist() == [0]  # paying more for the same is never the best


def test_the_promise_is_linear_between_corners_and_absent_outside():
    assert hull_distortion([0, 0.5, 3, 4], RATE, DISTORTION).tolist() == [30, 25, 13, 10]
    assert np.isnan(hull_distortion([-1, 5], RATE, DISTORTION)).all()


def test_what_is_no_set_of_points_is_refused():
    with pytest.raises(ValueError, match="one length"):
        lagrangian([1, 2], [1], [1])
    with pytest.raises(ValueError, match="no models"):
        lower_hull([], [])
