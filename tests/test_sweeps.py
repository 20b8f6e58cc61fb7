"""Stored sweeps: that they are whole, that their command is there, and that one entry comes out again."""

import pytest

from mvae_lib.data import sweeps
from mvae_lib.models.musicvae import MusicVAE, count_parameters
from tools import ablation


def test_an_unknown_sweep_lists_the_names():
    with pytest.raises(ValueError, match=r"'decoder_ablatoin'.*decoder_ablation"):
        sweeps.load_sweep("decoder_ablatoin")


def test_the_ablation_is_whole_and_its_models_are_matched():
    sweep = sweeps.load_sweep("decoder_ablation")
    assert [(run["variant"], run["seed"]) for run in sweep["runs"]] == ablation.runs()
    counts = [variant["parameters"] for variant in sweep["variants"].values()]
    assert max(counts) / min(counts) < 1.02
    for name, variant in sweep["variants"].items():
        assert variant["parameters"] == count_parameters(MusicVAE(ablation.configuration(name).model))


def test_every_run_of_the_ablation_was_measured_at_every_length_of_its_curriculum():
    for run in sweeps.load_sweep("decoder_ablation")["runs"]:
        with_curriculum = ablation.VARIANTS[run["variant"]][1]
        assert list(run["by_bars"]) == (["1", "2", "4", "8", "16"] if with_curriculum else ["16"])
        for bars, figures in run["by_bars"].items():
            assert len(figures["onset_by_bar"]) == int(bars)
            assert 0 <= figures["onset"] <= figures["step"] <= 1
