"""The stored sweep of latent sizes: that it is whole, and that one entry comes out again."""

from mvae_lib.data.folk import folk_melodies
from mvae_lib.data.sweeps import load_sweep
from mvae_lib.evaluation.metrics import onset_accuracy
from tools import latent_sizes


def test_the_sweep_names_its_command_and_its_runs():
    sweep = load_sweep("latent_sizes")
    assert sweep["command"] == latent_sizes.COMMAND
    assert sweep["training"]["updates"] == latent_sizes.UPDATES
    made = [(run["latent"], run["seed"]) for run in sweep["runs"]]
    assert made
    assert len(set(made)) == len(made)
    assert set(made) <= set(latent_sizes.runs())
    assert list(sweep["pca"]) == [str(size) for size in latent_sizes.SIZES]
    for figures in [*sweep["runs"], *sweep["pca"].values()]:
        assert 0 <= figures["exact"] <= figures["onset"] <= figures["step"] <= 1


def test_pca_of_8_dimensions_comes_out_again():
    train, test = folk_melodies(2, "train"), folk_melodies(2, "test")
    decoded = latent_sizes.pca_decoder((8,), train.tokens, test.tokens)[8]
    stored = load_sweep("latent_sizes")["pca"]["8"]
    assert abs(onset_accuracy(decoded, test.tokens) - stored["onset"]) < 0.005


def test_a_training_of_few_updates_depends_on_its_seed_alone():
    windows = folk_melodies(2, "train").tokens[:500]
    first, again, other = (latent_sizes.train_autoencoder(2, seed, windows, updates=3) for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert any((a != b).any() for a, b in zip(first.parameters(), other.parameters(), strict=True))
