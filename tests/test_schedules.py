"""The schedules take the values that the reference's formulas give at known steps."""

import pytest

from mvae_lib.training.schedules import beta, curriculum_stage, learning_rate, sampling_probability


def test_beta_climbs_to_its_known_value():
    assert beta(0, 0.5, 0.99999) == 0
    assert beta(200_000, 0.5, 0.99999) == pytest.approx(0.432, abs=5e-4)
    assert beta(1, 0.2, 0.0) == beta(10_000, 0.2, 0.0) == 0.2


def test_sampling_probability_is_one_half_where_the_reference_has_it():
    assert sampling_probability(0, 1000) == pytest.approx(1 / 1001)
    assert sampling_probability(6908, 1000) == pytest.approx(0.5, abs=5e-4)
    assert sampling_probability(6907, 1000) < 0.5 < sampling_probability(6909, 1000)
    assert sampling_probability(10_000_000, 1000) == 1  # exp(step / k) itself would overflow here
    assert sampling_probability(6908, None) == 0


def test_learning_rate_decays_from_start_to_end():
    assert learning_rate(0, 1e-3, 1e-5, 0.9999) == 1e-3
    assert learning_rate(6931, 1e-3, 1e-5, 0.9999) == pytest.approx((1e-3 + 1e-5) / 2, rel=1e-3)
    assert learning_rate(200_000, 1e-3, 1e-5, 0.9999) == pytest.approx(1e-5, rel=1e-3)


def test_learning_rate_cools_down_in_a_straight_line():
    rates = [learning_rate(step, 1e-3, 1e-5, 1.0, updates=100, cooldown=0.2) for step in (0, 80, 90, 100)]
    assert rates == pytest.approx([1e-3, 1e-3, (1e-3 + 1e-5) / 2, 1e-5])


def test_a_curriculum_ends_in_whole_windows():
    stages = [curriculum_stage(step, ((1, 3), (4, 2)), 16) for step in range(7)]
    assert stages == [(1, 0)] * 3 + [(4, 3)] * 2 + [(16, 5)] * 2
    assert curriculum_stage(9, (), 16) == (16, 0)
