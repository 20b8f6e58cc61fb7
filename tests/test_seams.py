"""The seams of the library: a new representation, condition, objective or class of models needs no change of it."""

from dataclasses import replace

import numpy as np
import pretty_midi
import pytest
import torch

from mvae_lib.data.dataset import Dataset
from mvae_lib.evaluation.metrics import evaluate, fit_baselines
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from mvae_lib.models.config import Configuration, ModelConfig, TrainingConfig
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.music.representation import REPRESENTATIONS, Representation
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


# ---- a representation: claps and a bell, 4 steps a bar


def clap_and_bell_to_midi(tokens, tempo=120.0, name=""):
    """Two instruments: class 1 claps; classes 1 to 4 ring a bell at four pitches."""
    midi = pretty_midi.PrettyMIDI(initial_tempo=tempo)
    for track, (title, pitches) in enumerate((("claps", [39]), ("bell", [72, 74, 76, 79]))):
        instrument = pretty_midi.Instrument(program=0, is_drum=track == 0, name=title)
        for step, token in enumerate(np.asarray(tokens)[:, track].tolist()):
            if token:
                start = step * 60 / tempo
                instrument.notes.append(pretty_midi.Note(90, pitches[token - 1], start, start + 60 / tempo))
        midi.instruments.append(instrument)
    return midi
