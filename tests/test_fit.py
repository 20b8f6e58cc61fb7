"""`fit`: one line that begins a training and goes on with it, to the very weights of one that was not stopped."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from mvae_lib.data.dataset import Dataset
from mvae_lib.data.folk import folk_melodies
from mvae_lib.data.splits import SPLITS
from mvae_lib.models.config import Configuration, ModelConfig, TrainingConfig
from mvae_lib.training import checkpoints, fit, loop
from mvae_lib.training.checkpoints import CheckpointError, load_model, read_metadata

SMALL = Configuration(
    "small",
    ModelConfig(z_size=8, encoder_units=12, decoder_units=12, decoder_layers=1),
    TrainingConfig(updates=6, batch=16, transposition=5, sampling_k=5),
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    folk = folk_melodies(2, "train").sample(90, seed=1)
    return Dataset(tokens=folk.tokens, source=folk.book, parts=np.array(SPLITS)[np.arange(90) % 3])


def weights(folder) -> dict[str, torch.Tensor]:
    return load_model(folder).state_dict()


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def stop_after(monkeypatch, updates: int) -> None:
    train = loop.train

    def stopped(*arguments, **options):
        yield from islice(train(*arguments, **options), updates)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "train", stopped)


def test_the_same_line_again_goes_on_bit_for_bit(data, tmp_path, monkeypatch):
    model = fit.fit(SMALL, data, tmp_path / "unbroken", seed=3, show_progress=False)
    assert not model.training and equal(model.state_dict(), weights(tmp_path / "unbroken"))
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            fit.fit(SMALL, data, tmp_path / "broken", seed=3, every=2, show_progress=False)
    assert read_metadata(tmp_path / "broken").update == 4
    fit.fit(SMALL, data, tmp_path / "broken", seed=3, every=2, show_progress=False)
    assert equal(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))
    facts = read_metadata(tmp_path / "broken")
    assert (facts.update, facts.seed, facts.configuration) == (6, 3, SMALL)
    assert facts.metrics["distortion"] > 0


def test_a_run_may_be_longer_than_it_was_begun_and_a_done_one_is_left_alone(data, tmp_path):
    for updates, done in ((2, 2), (None, 2), (4, 4), (3, 4)):
        fit.fit(SMALL, data, tmp_path, updates=updates, every=1, show_progress=False)
        assert read_metadata(tmp_path).update == done
    once = tmp_path / "once"
    fit.fit(SMALL, data, once, updates=4, show_progress=False)
    assert equal(weights(tmp_path), weights(once))


def test_the_training_part_is_what_is_learned_from(data, tmp_path):
    fit.fit(SMALL, data, tmp_path / "whole", show_progress=False)
    fit.fit(SMALL, data.part("train"), tmp_path / "part", show_progress=False)
    assert equal(weights(tmp_path / "whole"), weights(tmp_path / "part"))
    assert read_metadata(tmp_path / "whole").data_sha256 == loop.fingerprint(data.part("train").tokens)


def test_a_name_is_enough(data, tmp_path):
    fit.fit("mel_2bar_ae", data, tmp_path, updates=1, show_progress=False)
    assert read_metadata(tmp_path).configuration.name == "mel_2bar_ae"


def test_another_run_in_the_folder_is_refused_and_stays(data, tmp_path):
    fit.fit(SMALL, data, tmp_path, updates=1, show_progress=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    other = replace(SMALL, training=replace(SMALL.training, batch=8))
    for config, windows, seed, reason in (
        (other, data, 0, "batch is 16 and not 8"),
        (SMALL, data.part("test"), 0, "other data"),
        (SMALL, data, 1, "seed 0"),
    ):
        with pytest.raises(CheckpointError, match=reason):
            fit.fit(config, windows, tmp_path, seed=seed, updates=2, show_progress=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_model_alone_is_no_run(data, tmp_path):
    model = fit.fit(SMALL, data, tmp_path / "run", updates=1, show_progress=False)
    checkpoints.save_model(tmp_path / "model", model, read_metadata(tmp_path / "run"))
    with pytest.raises(CheckpointError, match="a model alone"):
        fit.fit(SMALL, data, tmp_path / "model", show_progress=False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tokens": np.zeros((4, 256), int)}, r"32 steps \(2 bars\), and this data has windows of 16 bars; .*bars=2"),
        ({"tokens": np.zeros((0, 32), int)}, "no windows"),
        ({"tokens": np.zeros((4, 32), int), "control": np.zeros((4, 32, 2))}, "depth 0, and this data has depth 2"),
        ({"tokens": np.zeros((4, 32), int), "parts": np.array(["test"] * 4)}, "no windows"),
    ],
)
def test_data_that_does_not_fit_leaves_nothing_behind(change, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        fit.fit(SMALL, Dataset(**change), tmp_path / "out", show_progress=False)
    assert not (tmp_path / "out").exists()


def test_wrong_choices(data, tmp_path):
    with pytest.raises(ValueError, match="there are: cat-mel_2bar_small"):
        fit.fit("mel_3bar", data, tmp_path)
    with pytest.raises(ValueError, match="every must be at least 1"):
        fit.fit(SMALL, data, tmp_path, every=0)
