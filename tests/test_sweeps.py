"""Stored sweeps: that they are readable, and that the ablation compares what is matched."""

import pytest

from mvae_lib.data import sweeps
from mvae_lib.models.musicvae import MusicVAE, count_parameters
from tools import ablation


def test_an_unknown_sweep_lists_the_names():
    with pytest.raises(ValueError, match=r"'decoder_ablatoin'.*decoder_ablation"):
        sweeps.load_sweep("decoder_ablatoin")


def test_the_ablation_has_every_main_variant_and_its_models_are_matched():
    sweep = sweeps.load_sweep("decoder_ablation")
    done = [(run["variant"], run["seed"]) for run in sweep["runs"]]
    # Runs come in the order of the plan; a table that still lacks runs has at least a seed of every main variant.
    assert done == [run for run in ablation.runs() if run in done]
    assert {name for name, (_, _, seeds) in ablation.VARIANTS.items() if seeds > 1} <= {name for name, _ in done}
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
