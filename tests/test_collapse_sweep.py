"""The stored sweep of chapter 07: complete, comparable, and the same again when a small part of it is trained anew."""

import pytest

from mvae_lib.data.sweeps import load_sweep
from mvae_lib.training.schedules import beta
from tools import collapse_sweep


@pytest.fixture(scope="module")
def sweep():
    return load_sweep("posterior_collapse")


def test_every_variant_and_length_is_there_and_no_run_twice(sweep):
    cures = [(run["variant"], run["seed"], tuple(run["by_updates"])) for run in sweep["cures"]]
    lengths = [(run["cost"], run["decoder"], run["bars"], run["seed"]) for run in sweep["lengths"]]
    assert len(set(cures)) == len(cures)
    assert len(set(lengths)) == len(lengths)
    assert {name for name, _, _ in cures} == set(collapse_sweep.CURES)
    assert {("beta 0.3", *pair, 0) for pair in collapse_sweep.LENGTHS} <= set(lengths)
    assert sweep["runs"] == f"{len(cures) + len(lengths)} of {len(collapse_sweep.runs())}"


def test_models_of_one_length_have_equally_many_parameters(sweep):
    flat, conductor = sweep["lengths_setting"]["parameters"].values()
    for bars in ("1", "2", "4"):
        assert flat[bars] == pytest.approx(conductor[bars], rel=0.01)


def test_the_first_fifty_updates_give_the_stored_numbers(sweep):
    again = collapse_sweep.run_cure("beta 1", 0, stages=(1, 50))
    first = (
        run for run in sweep["cures"] if (run["variant"], run["seed"]) == ("beta 1", 0) and "1" in run["by_updates"]
    )
    stored = next(first)["by_updates"]
    for updates, figures in again.items():
        for name, value in figures.items():
            assert value == pytest.approx(stored[updates][name], rel=0.02, abs=0.005), (updates, name)


def test_the_rate_is_the_sum_of_its_parts_and_negative_elbo_that_of_distortion_and_rate(sweep):
    parts = ("mutual_information", "total_correlation", "dimension_wise_kl")
    for run in sweep["cures"]:
        figures = run["by_updates"][max(run["by_updates"])]
        assert sum(figures[part] for part in parts) == pytest.approx(figures["rate"], rel=0.1, abs=0.1)
        assert figures["negative_elbo"] == pytest.approx(figures["distortion"] + figures["rate"], abs=1e-3)


def test_cyclical_beta_begins_each_period_at_zero_and_annealing_only_the_first():
    assert [collapse_sweep.cyclical_beta(step) for step in (0, 50, 100, 199, 200, 250)] == [0, 0.5, 1, 1, 0, 0.5]
    assert beta(200, 1.0, 0.99) > 0.8
