"""The stored sweep of chapter 05: that it is whole, that its models are matched, and that one entry comes out again."""

import pytest
import torch

from mvae_lib import training
from mvae_lib.data.folk import folk_melodies
from mvae_lib.data.sweeps import load_sweep
from mvae_lib.models.musicvae import count_parameters
from tools import two_bars


@pytest.fixture(scope="module")
def sweep():
    return load_sweep("two_bars")


def test_the_sweep_is_whole_and_its_models_have_equally_many_parameters(sweep):
    assert sweep["command"] == two_bars.COMMAND
    runs = [(run["model"], run["seed"]) for run in sweep["runs"]]
    assert runs == [(name, seed) for name in two_bars.MODELS for seed in two_bars.SEEDS]
    counts = {name: model["parameters"] for name, model in sweep["models"].items()}
    assert counts == {name: count_parameters(two_bars.make_model(name, 0)) for name in two_bars.MODELS}
    assert max(counts.values()) / min(counts.values()) < 1.02


def test_every_run_has_all_measurements(sweep):
    for run in sweep["runs"]:
        assert list(run["samples"]) == [str(temperature) for temperature in two_bars.TEMPERATURES]
        assert len(run["losses"]) == 20
        assert ("trained_on" in run) == (run["model"] == "recurrent")
        assert 0 < run["onset_free"] <= run["onset_forced"] < run["step_forced"] < 1


@pytest.mark.parametrize("name", two_bars.MODELS)
def test_the_first_losses_of_a_run_come_out_again(sweep, name):
    stored = next(run for run in sweep["runs"] if run["model"] == name and run["seed"] == 1)
    torch.set_num_threads(1)
    tokens = folk_melodies(2, "train").tokens
    run = training.start_run(two_bars.make_model(name, 1), tokens, two_bars.TRAINING, 1, autocast=False)
    records = training.train(run, show_progress=False)
    losses = [next(records).loss for _ in range(two_bars.FIRST)]
    assert losses == pytest.approx(stored["first_losses"], rel=1e-3)
