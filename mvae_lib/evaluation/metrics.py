"""How well windows are reconstructed: three accuracies between 0 and 1, the most lenient first; and all measures of a
model on a whole split, beside those of the baselines.

Half of all steps of a melody are holds, so that a decoder which never plays a note already has half of its steps right:
step accuracy alone is misleading. Onset accuracy counts only the steps where a note begins.

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
from mvae_lib.data.ngram import NGram, TrackNGrams, fit_ngram
from mvae_lib.evaluation.report import Accuracy, Evaluation, Scores
from mvae_lib.models.latent_model import LatentModel
from mvae_lib.models.posterior import Posterior
from mvae_lib.models.tracks import join_tracks
from mvae_lib.music.representation import Representation, get_representation
from mvae_lib.training.objectives import (
    BITS_PER_NAT,
    active_units,
    decompose_kl,
    iwae_bound,
    log_importance_weight,
    mutual_information_ceiling,
    reconstruction,
)


def step_accuracy(decoded: ArrayLike, tokens: ArrayLike) -> float:
    """The share of all steps whose class is decoded exactly: two arrays `[B, T(, tracks)]` -> 0 to 1."""
    decoded, tokens = _same_shape(decoded, tokens)
    return float((decoded == tokens).mean())


def onset_accuracy(decoded: ArrayLike, tokens: ArrayLike, representation: str = "melody") -> float:
    """The share of the true onsets that are decoded exactly: two arrays `[B, T(, tracks)]` -> 0 to 1."""
    decoded, tokens = _same_shape(decoded, tokens)
    return float((decoded == tokens)[get_representation(representation).is_onset(tokens)].mean())


def exact_match(decoded: ArrayLike, tokens: ArrayLike) -> float:
    """The share of windows of which every step is right: two arrays `[B, T(, tracks)]` -> 0 to 1."""
    decoded, tokens = _same_shape(decoded, tokens)
    return float((decoded == tokens).reshape(len(tokens), -1).all(-1).mean())


def _same_shape(decoded: ArrayLike, tokens: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    decoded, tokens = np.asarray(decoded), np.asarray(tokens)
    if decoded.shape != tokens.shape or tokens.ndim not in (2, 3):
        raise ValueError(f"decoded and true tokens share one shape [windows, steps]: {decoded.shape}, {tokens.shape}")
    return decoded, tokens


def accuracy(decoded: ArrayLike, tokens: ArrayLike, representation: str = "melody") -> Accuracy:
    """The three shares at once: two arrays `[B, T(, tracks)]`."""
    onset = onset_accuracy(decoded, tokens, representation)
    return Accuracy(step_accuracy(decoded, tokens), onset, exact_match(decoded, tokens))


@dataclass(frozen=True, eq=False)
class Baselines:
    """Predictions of a window without a latent variable model; the per-step majority ignores the window itself."""

    majority: np.ndarray  # [steps(, tracks)], the most frequent class of each step
    ngram: NGram | TrackNGrams


def fit_baselines(train: Dataset, order: int = 5) -> Baselines:
    """The baselines of a training split; `order` of the n-gram, which counts in every key."""
    kind = get_representation(train.representation)
    counts = np.stack([(train.tokens == token).sum(0) for token in range(max(kind.vocab_sizes))])
    return Baselines(counts.argmax(0).astype(train.tokens.dtype), fit_ngram(train.tokens, kind, order))


@torch.no_grad()
def evaluate(
    model: LatentModel,
    data: Dataset,
    baselines: Baselines,
    generator: torch.Generator | None = None,
    k: int = 16,
    batch: int = 512,
    mutual_information_windows: int = 2048,
) -> Evaluation:
    """All measures of a model on all windows of `data`, and by source.

    `k` samples of z for each window give the distortion and the IWAE bound. The mutual information compares all pairs
    of windows, so it is estimated from `mutual_information_windows` of them, chosen at random, where there are more.
    The generator lives on the model's device; the same one gives the same numbers, whatever the `batch`.

    Raises ValueError where model, data and baselines are not of one kind of window, and for an empty split.
    """
    _check_match(model, data, baselines, k)
    kind, device = get_representation(data.representation), model.device
    batches = _Batches(data, device, batch)
    posterior = Posterior.cat([model.posterior(rows, control) for rows, control in batches.of()])
    forced = torch.cat([_argmax(model.logits(mu, *rest), kind) for mu, *rest in batches.of(posterior.mu)])
    free = model.decode(posterior.mu, control=batches.control)
    distortion, iwae = _bounds(model, posterior, batches, k, generator)
    chosen = torch.randperm(len(data), generator=generator, device=device)[:mutual_information_windows]
    some = posterior[chosen]
    information = decompose_kl(some.sample(generator), *some).mutual_information.mean()

    true, decoded = data.tokens, {"teacher_forced": forced.cpu().numpy(), "free_running": free.cpu().numpy()}
    decoded["no_event"] = np.zeros_like(true)  # class 0 is no event in every representation
    decoded["majority"] = np.broadcast_to(baselines.majority, true.shape)
    nats = {"rate": posterior.kl(), "distortion": distortion, "iwae": iwae}
    nats = {name: values.double().cpu().numpy() for name, values in nats.items()}
    ngram = baselines.ngram.nll_per_step(true)

    def scores(rows: np.ndarray) -> Scores:
        mean = {name: float(values[rows].mean()) for name, values in nats.items()}
        return Scores(
            windows=int(rows.sum()),
            **{name: accuracy(written[rows], true[rows], kind.name) for name, written in decoded.items()},
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
        by_source={source: scores(data.source == source) for source in data.sources},
    )


class _Batches:
    """The tokens and control signals of a data set on a device, in batches, together with further tensors."""

    def __init__(self, data: Dataset, device: torch.device, size: int):
        self.tokens = torch.from_numpy(data.tokens).to(device)
        self.control = None if data.control is None else torch.from_numpy(data.control).to(device)
        self.size = size

    def of(self, *more: Tensor) -> list[tuple[Tensor | None, ...]]:
        """(rows of `more`, tokens, control) for each batch."""
        parts = [values.split(self.size) for values in (*more, self.tokens)]
        controls = [None] * len(parts[0]) if self.control is None else self.control.split(self.size)
        return list(zip(*parts, controls, strict=True))


def _argmax(logits: Tensor, kind: Representation) -> Tensor:
    """Logits `[batch, steps, classes of all tracks]` -> the most likely tokens `[batch, steps(, tracks)]`."""
    return join_tracks([part.argmax(-1) for part in logits.split(kind.vocab_sizes, -1)])


def _bounds(
    model: LatentModel, posterior: Posterior, batches: _Batches, k: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """-log p(x | z), the mean of k samples of z, and the IWAE bound of these samples; each `[windows]`, in nats."""
    distortions, weights, sizes = [], [], model.config.vocab_sizes
    for _ in range(k):
        z = posterior.sample(generator)  # for all windows at once: so batches do not change what is sampled
        parts = [
            reconstruction(model.logits(part, rows, control), rows, sizes) for part, rows, control in batches.of(z)
        ]
        distortions.append(torch.cat(parts))
        weights.append(log_importance_weight(distortions[-1], z, *posterior))
    return torch.stack(distortions).mean(0), iwae_bound(torch.stack(weights))


def _check_match(model: LatentModel, data: Dataset, baselines: Baselines, k: int) -> None:
    config, steps = model.config, data.tokens.shape[1]
    if config.representation != data.representation:
        raise ValueError(f"the model is one of {config.representation}, and the data is {data.representation}")
    kind = get_representation(data.representation)
    if config.vocab_sizes != kind.vocab_sizes:
        raise ValueError(f"{kind.name} has tracks of {kind.vocab_sizes} classes, and the model {config.vocab_sizes}")
    depth = 0 if data.control is None else data.control.shape[2]
    if depth != config.control:
        raise ValueError(f"the model reads a control signal of depth {config.control}, and the data has depth {depth}")
    if not len(data) or k < 1:
        raise ValueError(f"an evaluation needs at least one window and one sample of z, not {len(data)} and {k}")
    if not config.steps == steps == len(baselines.majority):
        raise ValueError(
            f"the model is made for {config.steps} steps, the baselines for {len(baselines.majority)}, "
            f"and these windows have {steps}; load the windows with the same number of bars for all three"
        )
