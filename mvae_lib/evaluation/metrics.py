"""How well a melody is rebuilt: three shares between 0 and 1, from the forgiving to the strict; and all of a model's
measures on a whole split, with the baselines beside them.

Half of all steps are holds, so that a decoder which never plays a note already has half of its steps right: step
accuracy alone flatters. Onset accuracy asks only about the steps where a note begins.

    baselines = fit_baselines(folk_melodies(2, "train"))
    evaluate(model, folk_melodies(2, "test"), baselines, torch.Generator().manual_seed(0))

Chapter: 02 (the three shares), 03 on. Source: Roberts et al. 2018, section 5; Burda et al. 2016 (IWAE, active units);
Hoffman and Johnson 2016 (mutual information).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from mvae_lib.data.dataset import Dataset
from mvae_lib.data.folk import transpose_to_all_keys
from mvae_lib.data.ngram import NGram
from mvae_lib.evaluation.report import Accuracy, Evaluation, Scores
from mvae_lib.models.autoencoder import VAE
from mvae_lib.models.encoders import Posterior, reparameterize
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.music.melody import NO_EVENT, VOCABULARY, is_note_on
from mvae_lib.training.objectives import (
    BITS_PER_NAT,
    active_units,
    decompose_kl,
    gaussian_kl,
    iwae_bound,
    log_importance_weight,
    mutual_information_ceiling,
    reconstruction,
)


def step_accuracy(decoded: ArrayLike, tokens: ArrayLike) -> float:
    """The share of all steps whose class is decoded exactly: two arrays `[B, T]` -> 0 to 1."""
    decoded, tokens = _same_shape(decoded, tokens)
    return float((decoded == tokens).mean())


def onset_accuracy(decoded: ArrayLike, tokens: ArrayLike) -> float:
    """The share of the true note-ons that are decoded with their pitch: two arrays `[B, T]` -> 0 to 1."""
    decoded, tokens = _same_shape(decoded, tokens)
    return float((decoded == tokens)[is_note_on(tokens)].mean())


def exact_match(decoded: ArrayLike, tokens: ArrayLike) -> float:
    """The share of melodies of which every step is right: two arrays `[B, T]` -> 0 to 1."""
    decoded, tokens = _same_shape(decoded, tokens)
    return float((decoded == tokens).all(-1).mean())


def _same_shape(decoded: ArrayLike, tokens: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    decoded, tokens = np.asarray(decoded), np.asarray(tokens)
    if decoded.shape != tokens.shape or tokens.ndim != 2:
        raise ValueError(f"decoded and true tokens share one shape [melodies, steps]: {decoded.shape}, {tokens.shape}")
    return decoded, tokens


def accuracy(decoded: ArrayLike, tokens: ArrayLike) -> Accuracy:
    """The three shares at once: two arrays `[B, T]`."""
    return Accuracy(step_accuracy(decoded, tokens), onset_accuracy(decoded, tokens), exact_match(decoded, tokens))


@dataclass(frozen=True, eq=False)
class Baselines:
    """What can be said about a window without a model; the per-step majority ignores even the window itself."""

    majority: np.ndarray  # [steps], the most frequent class of each step
    ngram: NGram


def fit_baselines(train: Dataset, order: int = 5) -> Baselines:
    """The baselines of a training split; `order` of the n-gram, which counts in every key."""
    counts = np.stack([(train.tokens == token).sum(0) for token in range(VOCABULARY)])
    return Baselines(counts.argmax(0).astype(train.tokens.dtype), NGram(transpose_to_all_keys(train.tokens), order))


@torch.no_grad()
def evaluate(
    model: MusicVAE | VAE,
    data: Dataset,
    baselines: Baselines,
    generator: torch.Generator | None,
    k: int = 16,
    batch: int = 512,
    mutual_information_windows: int = 2048,
) -> Evaluation:
    """All measures of a melody model on all windows of `data`, and by source.

    `k` draws of z for each window give the distortion and the IWAE bound. The mutual information compares all pairs of
    windows, so it is estimated from `mutual_information_windows` of them, drawn at random, where there are more. The
    generator lives on the model's device; the same one gives the same numbers, whatever the `batch`.

    Raises ValueError where model, data and baselines are not of one kind of window, and for an empty split.
    """
    _check_match(model, data, baselines, k)
    device = next(model.parameters()).device
    tokens = torch.from_numpy(data.tokens).to(device)
    batches = tokens.split(batch)
    posterior = Posterior(*(torch.cat(part) for part in zip(*map(model.encode, batches), strict=True)))
    pairs = list(zip(posterior.mu.split(batch), batches, strict=True))
    forced = torch.cat([model.logits(mu, rows).argmax(-1) for mu, rows in pairs])
    free = torch.cat([model.decode(mu, steps=rows.shape[1]) for mu, rows in pairs])
    distortion, iwae = _bounds(model, posterior, batches, k, generator)
    chosen = torch.randperm(len(tokens), generator=generator, device=device)[:mutual_information_windows]
    some = Posterior(*(part[chosen] for part in posterior))
    information = decompose_kl(reparameterize(some, generator), *some).mutual_information.mean()

    true, decoded = data.tokens, {"teacher_forced": forced.cpu().numpy(), "free_running": free.cpu().numpy()}
    decoded["no_event"] = np.full_like(true, NO_EVENT)
    decoded["majority"] = np.broadcast_to(baselines.majority, true.shape)
    nats = {"rate": gaussian_kl(*posterior), "distortion": distortion, "iwae": iwae}
    nats = {name: values.double().cpu().numpy() for name, values in nats.items()}
    ngram = baselines.ngram.nll_per_step(true)

    def scores(rows: np.ndarray) -> Scores:
        mean = {name: float(values[rows].mean()) for name, values in nats.items()}
        return Scores(
            windows=int(rows.sum()),
            **{name: accuracy(written[rows], true[rows]) for name, written in decoded.items()},
            rate_bits=mean["rate"] * BITS_PER_NAT,
            distortion_nats_per_step=mean["distortion"] / true.shape[1],
            elbo_nats=-mean["distortion"] - mean["rate"],
            iwae_nats=mean["iwae"],
            ngram_nats_per_step=float(ngram[rows].mean()),
        )

    return Evaluation(
        split=data.split,
        steps=true.shape[1],
        iwae_samples=k,
        ngram_order=baselines.ngram.order,
        z_size=model.config.z_size,
        active_units=int(active_units(posterior.mu).sum()),
        mutual_information_bits=float(information) * BITS_PER_NAT,
        mutual_information_windows=len(chosen),
        mutual_information_ceiling_bits=mutual_information_ceiling(len(chosen)) * BITS_PER_NAT,
        whole=scores(np.ones(len(true), bool)),
        by_book={source: scores(data.source == source) for source in data.sources},
    )


def _bounds(
    model: MusicVAE | VAE, posterior: Posterior, batches: tuple[Tensor, ...], k: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """-log p(x | z), the mean of k draws of z, and the IWAE bound of these draws; each `[windows]`, in nats."""
    distortions, weights = [], []
    for _ in range(k):
        z = reparameterize(posterior, generator)  # for all windows at once: so batches do not change what is drawn
        spans = zip(z.split(len(batches[0])), batches, strict=True)
        distortions.append(torch.cat([reconstruction(model.logits(part, rows), rows) for part, rows in spans]))
        weights.append(log_importance_weight(distortions[-1], z, *posterior))
    return torch.stack(distortions).mean(0), iwae_bound(torch.stack(weights))


def _check_match(model: MusicVAE | VAE, data: Dataset, baselines: Baselines, k: int) -> None:
    config, steps = model.config, data.tokens.shape[1]
    if config.vocab_sizes != (VOCABULARY,) or config.control:
        raise ValueError("melodies can be evaluated with a model of one head of 90 classes and no control signal only")
    if not len(data) or k < 1:
        raise ValueError(f"an evaluation needs at least one window and one draw of z, not {len(data)} and {k}")
    if not config.steps == steps == len(baselines.majority):
        raise ValueError(
            f"the model is made for {config.steps} steps, the baselines for {len(baselines.majority)}, "
            f"and these windows have {steps}; load the windows with the same number of bars for all three"
        )
