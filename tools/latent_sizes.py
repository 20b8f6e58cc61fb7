"""How many dimensions does a melody of two bars need? Autoencoders of chapter 02 at four latent sizes, and PCA.

    python tools/latent_sizes.py              # all runs that are missing, then the table
    python tools/latent_sizes.py --collect    # only the table, of the runs there are

Four latent sizes with three seeds each, trained as chapter 02 trains its model (which is the run of 32 dimensions with
seed 0), and PCA of the one-hot vectors of the same windows in all keys. Measured on the whole test split: the share of
steps, onsets and melodies that are reconstructed; for 32 dimensions also the negative log-likelihood per step under the
reference n-gram model of what is decoded from latent vectors sampled in several ways. A run is stored in
`build/latent_sizes` when it is done. The result is `datasets/sweeps/latent_sizes.json`.
"""

import json
import platform
import sys
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigsh
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mvae_lib._files import write_whole  # noqa: E402
from mvae_lib.data.folk import MelodyDataset, folk_melodies, random_transpose, transpose_to_all_keys  # noqa: E402
from mvae_lib.data.ngram import NGram  # noqa: E402
from mvae_lib.evaluation.metrics import exact_match, onset_accuracy, step_accuracy  # noqa: E402
from mvae_lib.models.autoencoder import Autoencoder, AutoencoderConfig, decode_greedy  # noqa: E402
from mvae_lib.music.melody import VOCABULARY  # noqa: E402
from tools import sweeps  # noqa: E402

COMMAND = "python tools/latent_sizes.py"
BUILD = ROOT / "build" / "latent_sizes"
NAME = "latent_sizes"
SIZES, SEEDS, CHAPTER_SIZE = (2, 8, 32, 128), (0, 1, 2), 32
EMBEDDING, HIDDEN, UPDATES, BATCH, LEARNING_RATE = 16, 512, 2000, 128, 2e-3
SAMPLES = 1000


def runs() -> list[tuple[int, int]]:
    """(latent size, seed) of every run, in the order in which they are made: the chapter makes (32, 0) itself."""
    last = (CHAPTER_SIZE, SEEDS[0])
    return [(size, seed) for seed in SEEDS for size in SIZES if (size, seed) != last] + [last]


def train_autoencoder(size: int, seed: int, windows: np.ndarray, updates: int = UPDATES) -> Autoencoder:
    """The training of chapter 02: Adam, one cycle of the learning rate, every batch transposed afresh."""
    torch.manual_seed(seed)
    model = Autoencoder(AutoencoderConfig(latent=size, embedding=EMBEDDING, hidden=HIDDEN))
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=updates, pct_start=0.1)
    for _ in range(updates):
        batch = random_transpose(windows[rng.integers(len(windows), size=BATCH)], rng)
        x = torch.from_numpy(batch).long()  # [B, T]
        loss = F.cross_entropy(model(x).flatten(0, 1), x.flatten(), reduction="sum") / BATCH
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model


def accuracies(decoded: np.ndarray, tokens: np.ndarray) -> dict[str, float]:
    """Shares of steps, of onsets and of whole melodies that are reconstructed."""
    measures = {"step": step_accuracy, "onset": onset_accuracy, "exact": exact_match}
    return {name: round(float(measure(decoded, tokens)), 4) for name, measure in measures.items()}


def sampled_vectors(train: Tensor, test: Tensor, tunes: np.ndarray, seed: int) -> dict[str, Tensor]:
    """Latent vectors by name: of the test melodies, halfway between two tunes, and from four Gaussians."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(SAMPLES, train.shape[1], generator=generator)  # [samples, Z]
    root = torch.linalg.cholesky(torch.cov(train.T))  # covariance = root @ root.T
    partner = np.random.default_rng(seed).permutation(len(test))
    apart = tunes != tunes[partner]  # windows of one tune overlap
    return {
        "reconstruction": test,
        "halfway between two tunes": (test + test[partner])[apart] / 2,
        "Gaussian: mean and covariance": train.mean(0) + noise @ root.T,
        "Gaussian: mean and variances": train.mean(0) + noise * train.std(0),
        "Gaussian: one variance": noise * train.std(),
        "Gaussian: N(0, I)": noise,
    }


def pca_decoder(sizes: tuple[int, ...], windows: np.ndarray, tokens: np.ndarray) -> dict[int, np.ndarray]:
    """Reconstructions `[N, T]` of `tokens` by PCA of one-hot vectors, fitted to `windows` in all keys, by size."""
    every_key = one_hot(transpose_to_all_keys(windows))  # sparse [M, T * V]
    mean = np.asarray(every_key.mean(0)).ravel()
    gram = (every_key.T @ every_key).toarray() / every_key.shape[0]
    start = np.random.default_rng(0).normal(size=len(mean))
    _, axes = eigsh(gram - np.outer(mean, mean), k=max(sizes), v0=start)  # eigenvalues ascend
    axes = axes[:, ::-1]  # [T * V, largest size]
    projected = one_hot(tokens) @ axes - mean @ axes  # [N, largest size]
    shape = (*tokens.shape, VOCABULARY)
    return {
        size: (mean + projected[:, :size] @ axes[:, :size].T).reshape(shape).argmax(-1).astype(np.uint8)
        for size in sizes
    }


def one_hot(tokens: np.ndarray) -> csr_array:
    """`[N, T]` -> a sparse matrix `[N, T * V]` with one 1 for each step."""
    melodies, steps = tokens.shape
    columns = np.arange(steps) * VOCABULARY + tokens  # [N, T]
    ones = np.ones(tokens.size, np.float32)
    return csr_array((ones, columns.ravel(), np.arange(melodies + 1) * steps), (melodies, steps * VOCABULARY))


@torch.no_grad()
def measure(model: Autoencoder, train: MelodyDataset, test: MelodyDataset) -> dict[str, float]:
    """What a trained autoencoder reconstructs of the test split, and of 3,000 windows of the training split."""
    decoded, seen = model(torch.from_numpy(test.tokens).long()).argmax(-1).numpy(), train.sample(3000, seed=0).tokens
    seen_decoded = model(torch.from_numpy(seen).long()).argmax(-1).numpy()
    return accuracies(decoded, test.tokens) | {"train_onset": round(float(onset_accuracy(seen_decoded, seen)), 4)}


@torch.no_grad()
def nll_of_samples(model: Autoencoder, seed: int, train: MelodyDataset, test: MelodyDataset) -> dict[str, float]:
    """Negative log-likelihood per step under the reference n-gram model, by how the latent vectors were chosen."""
    vectors = [model.encode(torch.from_numpy(part.tokens).long()) for part in (train, test)]  # [N, Z] each
    reference = reference_model()
    nll = {}
    for name, z in sampled_vectors(*vectors, test.tune, seed).items():
        nll[name] = round(float(reference.nll_per_step(decode_greedy(model, z).numpy()).mean()), 4)
    return nll


@lru_cache
def reference_model() -> NGram:
    """The 5-gram model of chapter 01, of the training windows in all keys."""
    return NGram(transpose_to_all_keys(folk_melodies(2, "train").tokens), order=5)


def collect() -> None:
    """Write the table of the runs there are."""
    stored = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in BUILD.glob("*.json")}
    done = [stored[name] for name in (f"{size}-{seed}" for seed in SEEDS for size in SIZES) if name in stored]
    table = {
        "command": COMMAND,
        "what": "feed-forward autoencoders of two bars by latent size, and PCA of one-hot vectors, on the test split",
        "hardware": f"one CPU core ({platform.machine()}), float32",
        "core_minutes": round(sum(run["core_minutes"] for run in done), 1),
        "training": {
            "embedding": EMBEDDING,
            "hidden": HIDDEN,
            "updates": UPDATES,
            "batch": BATCH,
            "learning_rate": LEARNING_RATE,
        },
        "samples": SAMPLES,
        "pca": stored.get("pca", {}),
        "runs": done,
    }
    sweeps.write(NAME, table, len(done), len(runs()))


def main() -> None:
    collect_only = sweeps.command_line(__doc__).parse_args().collect
    torch.set_num_threads(1)
    BUILD.mkdir(parents=True, exist_ok=True)
    if not collect_only:
        train, test = folk_melodies(2, "train"), folk_melodies(2, "test")
        if not (BUILD / "pca.json").exists():
            decoded = pca_decoder(SIZES, train.tokens, test.tokens)
            figures = {str(size): accuracies(rows, test.tokens) for size, rows in decoded.items()}
            write_whole(BUILD / "pca.json", json.dumps(figures).encode())
        for size, seed in runs():
            out = BUILD / f"{size}-{seed}.json"
            if out.exists():
                continue
            began = time.process_time()
            model = train_autoencoder(size, seed, train.tokens)
            figures = measure(model, train, test)
            if size == CHAPTER_SIZE:
                figures["nll_per_step"] = nll_of_samples(model, seed, train, test)
            minutes = round((time.process_time() - began) / 60, 2)
            write_whole(out, json.dumps({"latent": size, "seed": seed, "core_minutes": minutes, **figures}).encode())
            print(out.read_text(encoding="utf-8"), flush=True)
    collect()


if __name__ == "__main__":
    main()
