"""Maps and probes, on clouds whose structure is known."""

import numpy as np
import pytest
import torch

from mvae_lib.evaluation.projections import (
    fit_pca,
    majority,
    probe_class,
    probe_number,
    probe_table,
    silhouette,
    tsne,
    untrained,
)
from mvae_lib.latent import encode_all
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig


def clouds(n: int = 150, apart: float = 6.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds in 10 dimensions and the number of each one's cloud."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) % 3
    return rng.normal(size=(n, 10)) + apart * np.eye(10)[groups], groups


def test_pca_finds_the_widest_directions_and_the_way_back_to_the_plane():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 6)) * [1, 9, 1, 1, 3, 1] + 5
    pca = fit_pca(torch.from_numpy(z))
    assert abs(pca.components_[0]).argmax() == 1
    assert abs(pca.components_[1]).argmax() == 4
    points = pca.transform(z)
    assert points.shape == (500, 2)
    np.testing.assert_allclose(pca.transform(pca.inverse_transform(points)), points, atol=1e-9)
    assert pca.explained_variance_ratio_[0] == pytest.approx(81 / 94, abs=0.05)
    assert fit_pca(z, 3).transform(z).shape == (500, 3)


def test_tsne_keeps_clouds_apart_and_is_the_same_for_the_same_seed():
    z, groups = clouds()
    points = tsne(torch.from_numpy(z), perplexity=15, seed=1)
    assert points.shape == (150, 2)
    assert silhouette(points, groups) > 0.5
    np.testing.assert_array_equal(points, tsne(z, perplexity=15, seed=1))


@pytest.mark.parametrize("perplexity", [0.5, 20, 30])
def test_tsne_needs_more_points_than_its_perplexity(perplexity):
    with pytest.raises(ValueError, match="needs more than that many points, not 20"):
        tsne(np.zeros((20, 3)), perplexity)


def test_silhouette_tells_groups_from_a_single_cloud():
    z, groups = clouds()
    assert silhouette(torch.from_numpy(z), groups) > 0.5
    assert abs(silhouette(*clouds(3000, apart=0.0))) < 0.02


def test_a_probe_reads_what_is_there_and_not_what_is_not():
    z, groups = clouds()
    other, other_groups = clouds(seed=1)
    names = np.array(["aird", "ryan", "oneill"])
    assert probe_class(torch.from_numpy(z), names[groups], other, names[other_groups]) > 0.97
    blind, blind_groups = clouds(1500, apart=0.0)
    new, new_groups = clouds(1500, apart=0.0, seed=1)
    assert probe_class(blind, blind_groups, new, new_groups) == pytest.approx(1 / 3, abs=0.05)


def test_a_probe_is_judged_on_the_melodies_it_has_not_seen():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(60, 200)), rng.integers(0, 2, 60)  # enough features to learn all by heart
    assert probe_class(features, labels, features, labels) == 1
    assert probe_class(features, labels, rng.normal(size=(500, 200)), rng.integers(0, 2, 500)) < 0.6


def test_the_scale_of_a_feature_does_not_matter():
    z, groups = clouds(apart=2.0)
    other, other_groups = clouds(apart=2.0, seed=1)
    scale = 10.0 ** np.arange(-5, 5)
    assert probe_class(z, groups, other, other_groups) == probe_class(z * scale, groups, other * scale, other_groups)


def test_a_probe_of_a_number_explains_its_variance_or_none():
    rng = np.random.default_rng(0)
    z, new = rng.normal(size=(800, 10)), rng.normal(size=(800, 10))
    weight = rng.normal(size=10)
    assert probe_number(z, z @ weight, new, new @ weight) > 0.999
    noisy, noisy_new = (x @ weight + rng.normal(size=800) * np.linalg.norm(weight) for x in (z, new))
    assert probe_number(z, noisy, new, noisy_new) == pytest.approx(0.5, abs=0.07)
    assert abs(probe_number(z, rng.normal(size=800), new, rng.normal(size=800))) < 0.05


def test_melodies_without_the_number_are_left_out_of_both_splits():
    rng = np.random.default_rng(0)
    z, new = rng.normal(size=(100, 3)), rng.normal(size=(100, 3))
    values, new_values = z[:, 0].copy(), new[:, 0].copy()
    values[:10] = new_values[5:20] = np.nan
    assert probe_number(z, values, new, new_values) > 0.99


def test_the_majority_is_that_of_the_training_split():
    assert majority(["a", "a", "b"], ["b", "b", "a", "c"]) == 0.25


def test_a_table_has_its_controls_beside_it():
    z, groups = clouds()
    other, other_groups = clouds(seed=1)
    noise = np.random.default_rng(0).normal(size=(150, 4))
    table = probe_table({"z": (z, other), "noise": (noise, noise[::-1])}, groups, other_groups)
    assert list(table) == ["majority", "z", "noise"]
    assert table["z"] > 0.97 > 0.5 > table["noise"]
    assert table["majority"] == pytest.approx(1 / 3)


def tiny(seed: int = 0) -> VAE:
    config = AutoencoderConfig(steps=16, latent=3, embedding=2, hidden=8)
    return VAE(config, torch.Generator().manual_seed(seed)).eval()


def test_an_untrained_twin_has_the_sizes_and_not_the_weights():
    model = tiny()
    control = untrained(model, seed=5)
    assert control.config == model.config
    assert not control.training
    assert not torch.equal(control.encoder[-1].weight, model.encoder[-1].weight)
    assert torch.equal(control.encoder[-1].weight, untrained(model, seed=5).encoder[-1].weight)


def test_encoding_in_batches_is_encoding_at_once():
    tokens = np.random.default_rng(0).integers(0, 90, (23, 16)).astype(np.uint8)
    model = tiny()
    posterior = encode_all(model, tokens, batch=10)
    for part, at_once in zip(posterior, model.encode(torch.from_numpy(tokens)), strict=True):
        torch.testing.assert_close(part, at_once)
    assert not posterior.mu.requires_grad
