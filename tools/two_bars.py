"""The small two-bar models of chapter 05, three seeds each: recurrent, with per-step projections of z, feed-forward.

    python tools/two_bars.py              # all runs that are missing, then the table
    python tools/two_bars.py --collect    # only the table, of the runs there are

Data, objective, batches and updates are the same in all (`TRAINING`). The recurrent model with seed 0 is the one that
the chapter trains live. Each run is measured on the whole test split; the recurrent ones also decode at several
temperatures and are then trained on, once with teacher forcing and once with scheduled sampling. A run that is done
is kept in `build/two_bars`. The result is `datasets/sweeps/two_bars.json`; it holds the first losses of each run,
which `tests/test_two_bars.py` computes again.
"""

import copy
import json
import os
import platform
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mvae_lib import training  # noqa: E402
from mvae_lib._files import write_whole  # noqa: E402
from mvae_lib.data.folk import folk_melodies, transpose_to_all_keys  # noqa: E402
from mvae_lib.data.ngram import NGram  # noqa: E402
from mvae_lib.evaluation.metrics import onset_accuracy, step_accuracy  # noqa: E402
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig  # noqa: E402
from mvae_lib.models.config import ModelConfig, TrainingConfig  # noqa: E402
from mvae_lib.models.latent_model import LatentModel  # noqa: E402
from mvae_lib.models.musicvae import MusicVAE, count_parameters  # noqa: E402
from mvae_lib.music.attributes import note_density  # noqa: E402
from mvae_lib.training.objectives import BITS_PER_NAT, Batch, Losses, musicvae_loss, reconstruction  # noqa: E402
from tools import sweeps  # noqa: E402

COMMAND = "python tools/two_bars.py"
BUILD = ROOT / "build" / "two_bars"
NAME = "two_bars"
SMALL = ModelConfig(z_size=32, encoder_units=64, decoder_units=128, decoder_layers=1, scaled_init=True)
MODELS = {
    "recurrent": SMALL,
    "recurrent + per-step projection": replace(SMALL, per_step_z=True, decoder_units=107),  # parameters within 1 %
    "feed-forward": AutoencoderConfig(latent=32, hidden=96),  # within 2 %
}
TRAINING = TrainingConfig(
    updates=1_000,
    batch=32,
    learning_rate=3e-3,
    final_learning_rate=1e-4,
    learning_rate_decay=1.0,
    cooldown=0.5,
    beta_rate=0.99,
    free_bits=40.0,
    transposition=5,
)
SEEDS = (0, 1, 2)
FIRST = 5  # losses that are stored, and computed again by the test
SAMPLES = 1_000
TEMPERATURES = (0.0, 0.5, 1.0, 1.5)  # 0: greedy
MORE = 100  # updates after the end, with and without scheduled sampling
SAMPLING = 0.5  # the probability of reading a sample of the model's own


def make_model(name: str, seed: int) -> LatentModel:
    """A model of `MODELS` with the initial weights of a seed."""
    config = MODELS[name]
    kind = VAE if isinstance(config, AutoencoderConfig) else MusicVAE
    return kind(config, torch.Generator().manual_seed(seed))


@torch.no_grad()
def measure(model: LatentModel, tokens: np.ndarray) -> dict[str, float]:
    """Rate in bits, distortion in nats per step, and from mu the accuracy of steps and onsets, teacher-forced and
    free-running, on windows `[n, steps]`."""
    rows = torch.from_numpy(tokens).long()
    posterior = model.posterior(rows)
    distortion = reconstruction(model.logits(posterior.sample(torch.Generator().manual_seed(0)), rows), rows)
    decoded = {
        "forced": model.logits(posterior.mu, rows).argmax(-1).numpy(),
        "free": model.decode(posterior.mu).numpy(),
    }
    figures = {
        "rate_bits": posterior.kl().mean().item() * BITS_PER_NAT,
        "distortion_nats_per_step": distortion.mean().item() / tokens.shape[1],
    }
    for how, guess in decoded.items():
        figures |= {f"step_{how}": step_accuracy(guess, tokens), f"onset_{how}": onset_accuracy(guess, tokens)}
    return rounded(figures)


def describe_samples(model: LatentModel, ngram: NGram, seed: int) -> dict[str, dict[str, float]]:
    """Melodies sampled from the prior and decoded at each temperature: nats per step and onsets per step."""
    described = {}
    for temperature in TEMPERATURES:
        generator = torch.Generator().manual_seed(seed)
        tokens = model.sample(SAMPLES, generator, temperature=temperature or None).numpy()
        described[str(temperature)] = rounded(
            {"ngram_nats_per_step": ngram.nll_per_step(tokens).mean(), "onsets_per_step": note_density(tokens).mean()}
        )
    return described


def train_on(model: LatentModel, tokens: np.ndarray, seed: int, sampling: float) -> LatentModel:
    """A copy, trained for `MORE` updates at the final beta, with samples of its own at that probability."""
    model, more = copy.deepcopy(model), replace(TRAINING, updates=MORE, learning_rate=5e-4, cooldown=0.0)

    def objective(model: LatentModel, batch: Batch, step: int, generator: torch.Generator | None) -> Losses:
        logits, posterior, _ = model(batch.tokens, generator, sampling)
        distortion = reconstruction(logits, batch.tokens)
        return Losses(musicvae_loss(distortion, posterior.kl(), 1.0, more.free_bits).mean(), {})

    run = training.start_run(model, tokens, more, seed + 100, autocast=False)
    for _ in training.train(run, objective, show_progress=False):
        pass
    return model


def run(name: str, seed: int, train: np.ndarray, test: np.ndarray, ngram: NGram) -> None:
    """Train one model, measure it and write the result, unless that has been done."""
    out = BUILD / f"{name.replace(' + ', '-').replace(' ', '_')}-{seed}.json"
    if out.exists():
        return
    state = training.start_run(make_model(name, seed), train, TRAINING, seed, autocast=False)
    began, losses = time.process_time(), []
    for record in training.train(state, show_progress=sys.stderr.isatty()):
        losses.append(record.loss)
    result = {"model": name, "seed": seed, "core_seconds": round(time.process_time() - began, 1)}
    result |= {"first_losses": [round(loss, 4) for loss in losses[:FIRST]]}
    result |= {"losses": [round(float(np.mean(part)), 2) for part in np.split(np.array(losses), 20)]}  # means of 50
    result |= measure(state.model, test) | {"samples": describe_samples(state.model, ngram, seed)}
    if name == "recurrent":
        for how, sampling in (("teacher forcing", 0.0), ("scheduled sampling", SAMPLING)):
            result.setdefault("trained_on", {})[how] = measure(train_on(state.model, train, seed, sampling), test)
    write_whole(out, (json.dumps(result) + "\n").encode())
    print(json.dumps(result), flush=True)


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Four digits after the point, as plain numbers."""
    return {name: round(float(value), 4) for name, value in figures.items()}


def collect(test: np.ndarray, ngram: NGram) -> None:
    """Write the table of the runs there are."""
    done = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(BUILD.glob("*.json"))]
    table = {
        "command": COMMAND,
        "what": "small models of two bars, three seeds each, on the whole test split",
        "precision": "float32",
        "hardware": f"{os.cpu_count()} CPU cores ({platform.machine()}), one of them used",
        "training": asdict(TRAINING),
        "models": {
            name: {"parameters": count_parameters(make_model(name, 0)), "config": asdict(config)}
            for name, config in MODELS.items()
        },
        "test_ngram_nats_per_step": round(float(ngram.nll_per_step(test).mean()), 4),
        "test_onsets_per_step": round(float(note_density(test).mean()), 4),
        "samples": SAMPLES,
        "more_updates": MORE,
        "sampling_probability": SAMPLING,
        "runs": sorted(done, key=lambda result: (list(MODELS).index(result["model"]), result["seed"])),
    }
    sweeps.write(NAME, table, len(done), len(MODELS) * len(SEEDS))


def main() -> None:
    only_collect = sweeps.command_line(__doc__).parse_args().collect
    torch.set_num_threads(1)
    BUILD.mkdir(parents=True, exist_ok=True)
    train, test = folk_melodies(2, "train").tokens, folk_melodies(2, "test").tokens
    ngram = NGram(transpose_to_all_keys(train), order=5)
    for seed in SEEDS:
        for name in [] if only_collect else MODELS:
            run(name, seed, train, test, ngram)
    collect(test, ngram)


if __name__ == "__main__":
    main()
