"""The seams of the library: a new representation, condition, objective or class of models needs no change of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_representation import TOY

from mvae_lib.data.dataset import Dataset
from mvae_lib.evaluation.metrics import evaluate, fit_baselines
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from mvae_lib.models.config import Configuration, ModelConfig, TrainingConfig
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.music.representation import REPRESENTATIONS
from mvae_lib.training.checkpoints import CheckpointMetadata, load_model, resume, save_checkpoint, save_model
from mvae_lib.training.loop import start_run, train
from mvae_lib.training.objectives import iwae_objective
from mvae_lib.widgets import play

SEED = 0
TRAINING = TrainingConfig(updates=4, batch=8, learning_rate=1e-3, max_beta=0.2)


def seeded(seed: int = SEED) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trained(run, objective=None) -> list:
    return list(train(run, objective, show_progress=False))


def weights_equal(one, other) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


# ---- a representation


def toy_windows(windows: int, bars: int = 2) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    return np.stack([rng.integers(0, classes, (windows, 16 * bars)) for classes in TOY.vocab_sizes], -1)


def test_a_new_representation_goes_all_the_way(tmp_path, monkeypatch):
    monkeypatch.setitem(REPRESENTATIONS, "toy", TOY)
    data = Dataset(tokens=toy_windows(40), representation="toy")
    sizes = {"z_size": 4, "encoder_units": 6, "decoder_units": 6, "decoder_layers": 1}
    config = ModelConfig(representation="toy", vocab_sizes=TOY.vocab_sizes, **sizes)
    run = start_run(MusicVAE(config, seeded()), data.tokens, replace(TRAINING, transposition=2), SEED)
    records = trained(run)
    assert len(records) == TRAINING.updates and np.isfinite([record.loss for record in records]).all()
    save_checkpoint(tmp_path / "run", run, "toy")
    model = load_model(tmp_path / "run")
    assert weights_equal(model, run.model) and model.config == config
    sampled = model.sample(3, seeded(), temperature=1.0)
    assert sampled.shape == (3, 32, 2)
    assert (sampled.amax((0, 1)) < torch.tensor(TOY.vocab_sizes)).all()
    result = evaluate(model, data, fit_baselines(data), seeded(), k=2)
    onsets = data.tokens > 0
    right = (model.reconstruct(data.tokens).numpy() == data.tokens)[onsets].mean()
    assert result.whole.free_running.onset == pytest.approx(right)
    midi = TOY.to_midi(sampled[0].numpy())
    assert len(midi.instruments) == 2 and midi.instruments[1].is_drum
    html = play(sampled[0].numpy(), representation="toy")._repr_mimebundle_()["text/html"]
    assert "mvae-player" in html


# ---- conditioning


def test_a_conditional_model_is_trained_saved_loaded_and_sampled(tmp_path):
    """What the label decides (the register) has to be learned from it, since z is not told."""
    rng = np.random.default_rng(SEED)
    label = rng.integers(0, 2, 64)
    tokens = np.where(label[:, None] == 1, 70, 40) + np.zeros((64, 16), int)
    control = np.eye(2, dtype=np.float32)[label]
    sizes = {"steps": 16, "z_size": 2, "encoder_units": 8, "decoder_units": 16, "decoder_layers": 1}
    config = ModelConfig(control=2, scaled_init=True, **sizes)
    training = TrainingConfig(updates=150, batch=16, learning_rate=1e-2, max_beta=1.0)
    run = start_run(MusicVAE(config, seeded()), tokens, training, SEED, control=control)
    trained(run)
    save_checkpoint(tmp_path, run, "conditional")
    model = load_model(tmp_path)
    for kind, pitch in ((0, 40), (1, 70)):
        sampled = model.sample(8, seeded(), control=np.eye(2)[kind])
        assert (sampled == pitch).float().mean() > 0.9
    again = resume(tmp_path, tokens, control=control)
    assert again.update == 150
    with pytest.raises(ValueError, match="takes a control signal"):
        model.sample(2)
    with pytest.raises(ValueError, match="takes a control signal"):
        start_run(MusicVAE(config, seeded()), tokens, training, SEED)


# ---- an objective


def test_the_importance_weighted_bound_is_trained_by_passing_an_objective():
    rng = np.random.default_rng(SEED)
    tokens = rng.integers(30, 34, (64, 1)) + np.zeros((64, 16), int)
    config = ModelConfig(16, z_size=2, encoder_units=8, decoder_units=16, decoder_layers=1, scaled_init=True)
    run = start_run(MusicVAE(config, seeded()), tokens, replace(TRAINING, updates=60, learning_rate=1e-2), SEED)
    records = trained(run, iwae_objective(5))
    assert np.mean([r.loss for r in records[-5:]]) < 0.5 * np.mean([r.loss for r in records[:5]])
    # The bound with 5 samples lies between the ELBO of the same samples and the best of them.
    assert all(r.loss <= r.metrics["distortion"] + r.metrics["rate"] + 1.0 for r in records)


# ---- another class of models


def test_a_feed_forward_vae_is_saved_loaded_and_goes_on(tmp_path):
    tokens = np.random.default_rng(SEED).integers(0, 90, (30, 32))
    config = AutoencoderConfig(latent=4, embedding=4, hidden=16)
    run, unbroken = (start_run(VAE(config, seeded()), tokens, TRAINING, SEED) for _ in range(2))
    for record in train(run, show_progress=False):
        if record.update == 2:
            break
    save_checkpoint(tmp_path / "run", run, "vae")
    again = resume(tmp_path / "run", tokens)
    trained(again)
    trained(unbroken)
    assert weights_equal(again.model, unbroken.model)
    facts = CheckpointMetadata(Configuration("vae", config, TRAINING))
    save_model(tmp_path / "model", unbroken.model, facts)
    model = load_model(tmp_path / "model")
    assert isinstance(model, VAE) and weights_equal(model, unbroken.model)
