"""Train chapter 06's feed-forward VAE at five KL weights beta with three seeds, measure it on test melodies, store it.

    python tools/beta_sweep.py            all seeds, into datasets/sweeps/beta_vae.json (minutes)

For each seed, one model is trained at beta .05 (the warm start) and copied for each beta; one more model is trained at
beta 1 from its first update (the cold start). Everything is measured on the test split. Chapter: 06.
"""

import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mvae_lib import training
from mvae_lib.data.folk import folk_melodies, transpose_to_all_keys
from mvae_lib.data.ngram import NGram
from mvae_lib.evaluation.metrics import onset_accuracy
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from mvae_lib.models.config import TrainingConfig
from mvae_lib.models.posterior import Posterior
from mvae_lib.music.attributes import note_density
from mvae_lib.training.objectives import active_units, decompose_kl, gaussian_kl, reconstruction
from tools import sweeps

BETAS, SEEDS = (0.05, 0.2, 0.5, 1.0, 3.0), (0, 1, 2)
HIDDEN, BATCH, FIRST, REST = 128, 64, 400, 500  # units; melodies; updates of the start and after it
SIZES = (32, 128, 512)  # posteriors in an estimate of the parts of the KL
SAMPLES = 500


def learn(model: VAE, tokens: np.ndarray, beta: float, updates: int, decay: float, seed: int) -> VAE:
    """The model after so many updates with KL weight beta."""
    config = TrainingConfig(
        updates, BATCH, learning_rate=3e-3, learning_rate_decay=decay, max_beta=beta, transposition=5
    )
    for _ in training.train(training.start_run(model, tokens, config, seed), show_progress=False):
        pass
    return model


def train_all(tokens: np.ndarray, seed: int) -> dict[str, VAE]:
    """The five warm-started models by beta, and "cold": beta 1 from the first update on."""
    size = AutoencoderConfig(hidden=HIDDEN)

    def first(beta: float) -> VAE:
        return learn(VAE(size, torch.Generator().manual_seed(seed)), tokens, beta, FIRST, 1.0, seed)

    start = first(BETAS[0])
    models = {f"{beta:g}": learn(deepcopy(start), tokens, beta, REST, 0.996, seed + 1000) for beta in BETAS}
    return models | {"cold": learn(first(1.0), tokens, 1.0, REST, 0.996, seed + 1000)}


def parts_of_rate(posterior: Posterior, n: int) -> list[float]:
    """Mutual information, total correlation, dimension-wise KL from n posteriors, nats per melody."""
    order = torch.randperm(len(posterior), generator=torch.Generator().manual_seed(0))[:n]
    some = posterior[order]
    return [part.mean().item() for part in decompose_kl(some.sample(torch.Generator().manual_seed(0)), *some)]


@torch.no_grad()
def measure(model: VAE, x: Tensor, reference: NGram, expected: np.ndarray) -> dict:
    """Figures of one model on test melodies x `[N, T]`; `expected`: nats per step of real music, given its density."""
    posterior, generator = model.encode(x), torch.Generator().manual_seed(0)
    draws = [reconstruction(model.logits(posterior.sample(generator)), x).mean().item() for _ in range(4)]

    def excess(tokens: np.ndarray) -> float:
        beyond = reference.nll_per_step(tokens) - np.polyval(expected, note_density(tokens))
        return float(beyond.mean())

    back = model.reconstruct(x).numpy()
    samples = model.sample(SAMPLES, torch.Generator().manual_seed(0)).numpy()
    return {
        "rate": gaussian_kl(*posterior).mean().item(),
        "distortion": float(np.mean(draws)),
        "onset_accuracy": float(onset_accuracy(back, x.numpy())),
        "active_units": int(active_units(posterior.mu).sum()),
        "units_above_tenth": int((posterior.kl_by_dimension().mean(0) > 0.1).sum()),
        "parts": {str(n): parts_of_rate(posterior, n) for n in SIZES},
        "sample_excess": excess(samples),
        "sample_density": float(note_density(samples).mean()),
        "reconstruction_excess": excess(back[:SAMPLES]),
    }


def main() -> None:
    """Train, measure and store after each seed."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    melodies, test = folk_melodies(bars=2, split="train"), folk_melodies(bars=2, split="test")
    x = torch.from_numpy(test.tokens).long()
    reference = NGram(transpose_to_all_keys(melodies.tokens), order=5)
    density = note_density(test.tokens)
    expected = np.polyfit(density, reference.nll_per_step(test.tokens), 2)
    runs: list[dict] = []
    for seed in SEEDS:
        for name, model in train_all(melodies.tokens, seed).items():
            runs.append({"seed": seed, "model": name} | measure(model, x, reference, expected))
            print(seed, name, runs[-1], flush=True)
        config = {"hidden": HIDDEN, "batch": BATCH, "updates": [FIRST, REST], "learning_rate": 3e-3, "seeds": SEEDS}
        sweep = {"command": "python tools/beta_sweep.py", "config": config, "betas": BETAS, "sizes": SIZES}
        sweep |= {"real_density": float(density.mean()), "melodies": len(x), "runs": runs}
        sweeps.write("beta_vae", sweep, len(runs), len(SEEDS) * (len(BETAS) + 1))


if __name__ == "__main__":
    main()
