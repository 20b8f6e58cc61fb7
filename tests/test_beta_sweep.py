"""The stored sweep over beta: it is whole, its parts sum to the rate, and one entry comes out again."""

import numpy as np
import pytest
import torch

from mvae_lib.data.folk import folk_melodies
from mvae_lib.data.sweeps import load_sweep
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from tools import beta_sweep


def test_the_sweep_over_beta_is_whole():
    sweep = load_sweep("beta_vae")
    models = [f"{beta:g}" for beta in beta_sweep.BETAS] + ["cold"]
    assert [(run["seed"], run["model"]) for run in sweep["runs"]] == [(s, m) for s in beta_sweep.SEEDS for m in models]
    assert sweep["betas"] == list(beta_sweep.BETAS) and sweep["sizes"] == list(beta_sweep.SIZES)


def test_the_parts_of_each_rate_sum_to_it_and_the_information_is_below_its_ceiling():
    for run in load_sweep("beta_vae")["runs"]:
        assert sum(run["parts"]["512"]) == pytest.approx(run["rate"], rel=0.15)
        for n, (information, _, _) in run["parts"].items():
            assert information <= np.log(int(n)) + 1e-4


def test_one_entry_of_the_sweep_over_beta_comes_out_again():
    melodies, test = folk_melodies(bars=2, split="train"), folk_melodies(bars=2, split="test")
    model = VAE(AutoencoderConfig(hidden=beta_sweep.HIDDEN), torch.Generator().manual_seed(0))
    model = beta_sweep.learn(model, melodies.tokens, 0.05, beta_sweep.FIRST, 1.0, 0)
    model = beta_sweep.learn(model, melodies.tokens, 1.0, beta_sweep.REST, 0.996, 1000)
    with torch.no_grad():
        rate = model.encode(torch.from_numpy(test.tokens).long()).kl().mean().item()
    stored = next(run for run in load_sweep("beta_vae")["runs"] if (run["seed"], run["model"]) == (0, "1"))
    assert rate == pytest.approx(stored["rate"], rel=0.02)
