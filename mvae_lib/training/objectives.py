"""Every loss, bound and measure of information of the course: short functions, one value for each example, in nats.

Names: x a sequence, z its latent vector, q(z | x) = N(mu, sigma^2) the posterior, p(z) = N(0, I) the prior.
Shapes: `[batch]` for each example, and the caller averages; `[batch, z]` for each dimension.

Chapter: 03 to 07. Source: Kingma and Welling 2014 (ELBO, KL); Higgins et al. 2017 (beta); Roberts et al. 2018, section
2.1.1; Kingma et al. 2016, appendix C.8, and Ha and Eck 2018, section 3.3 (free bits); Burda et al. 2016 (IWAE, active
units); Hoffman and Johnson 2016 and Chen et al. 2018 (decomposition of the KL).

What the training loop minimizes is an *objective*: a function of a model, a batch, the number of updates so far and a
generator. `elbo_objective` and `iwae_objective` make one; a chapter or a user may write another.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mvae_lib.models.config import TrainingConfig
from mvae_lib.models.gaussian import gaussian_kl_by_dimension, log_normal
from mvae_lib.models.latent_model import LatentModel
from mvae_lib.models.tracks import split_tracks
from mvae_lib.training import schedules

BITS_PER_NAT = 1 / math.log(2)
_PAIRS_AT_ONCE = 2**24  # numbers held at a time in `decompose_kl`: 64 MiB


def reconstruction(
    logits: Tensor, tokens: Tensor, vocab_sizes: Sequence[int] | None = None, valid: Tensor | None = None
) -> Tensor:
    """-log p(x | z): cross-entropies summed over the steps, and over the tracks. `[batch]`.

    `logits` `[batch, steps, classes]`; `tokens` `[batch, steps]`, or `[batch, steps, tracks]` with several
    `vocab_sizes` (None: one track); `valid` `[batch, steps]` is True at the steps that count (None: all): those that
    are known, where notes are missing.
    """
    vocab_sizes = vocab_sizes or (logits.shape[-1],)
    tracks = zip(logits.split(tuple(vocab_sizes), -1), split_tracks(tokens, vocab_sizes), strict=True)
    nats = sum(_cross_entropies(part, track) for part, track in tracks)
    return (nats if valid is None else nats * valid).sum(-1)


def _cross_entropies(logits: Tensor, tokens: Tensor) -> Tensor:
    flat = cross_entropy(logits.flatten(0, 1).float(), tokens.flatten().long(), reduction="none")
    return flat.view(tokens.shape)


def gaussian_kl(mu: Tensor, sigma: Tensor) -> Tensor:
    """KL(q(z | x) || p(z)), the rate: the sum over the dimensions. `[batch]`."""
    return gaussian_kl_by_dimension(mu, sigma).sum(-1)


def elbo(reconstruction: Tensor, kl: Tensor) -> Tensor:
    """The evidence lower bound: log p(x) >= -reconstruction - KL. `[batch]`."""
    return -reconstruction - kl


def musicvae_loss(reconstruction: Tensor, kl: Tensor, beta: float, free_bits: float = 0.0) -> Tensor:
    """What MusicVAE minimizes: reconstruction + beta * max(KL - free_bits, 0). `[batch]`."""
    return reconstruction + beta * free_bits_total(kl, free_bits)


def free_bits_total(kl: Tensor, free_bits: float) -> Tensor:
    """MusicVAE's free bits, on each example's total KL `[batch]`: max(KL - free_bits ln 2, 0). `[batch]`.

    Within the free bits the KL adds nothing to the loss; beyond them only the excess does.
    """
    return (kl - free_bits * math.log(2)).clamp(min=0)


def free_bits_by_channel(kl_by_dimension: Tensor, free_bits: float) -> Tensor:
    """The free bits of IAF: each dimension's batch mean counts at least `free_bits`, then their sum. A scalar.

    `kl_by_dimension` `[batch, z]`. So the loss does not fall when a dimension becomes inactive.
    """
    return kl_by_dimension.mean(0).clamp(min=free_bits * math.log(2)).sum()


def free_bits_floor(kl: Tensor, free_bits: float) -> Tensor:
    """SketchRNN's floor, on the batch mean of the KL `[batch]`: max(mean KL, free_bits ln 2). A scalar.

    SketchRNN also divides the KL by the number of dimensions, and so its floor; here both are totals.
    """
    return kl.mean().clamp(min=free_bits * math.log(2))


def log_importance_weight(reconstruction: Tensor, z: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """log w = log p(x | z) + log p(z) - log q(z | x), with z sampled from q. `[batch]`, or `[k, batch]` for k samples.

    `reconstruction` is -log p(x | z) of these very z, `[batch]` or `[k, batch]`; `z` `[batch, z]` or `[k, batch, z]`.
    """
    return -reconstruction + (log_normal(z) - log_normal(z, mu, sigma)).sum(-1)


def iwae_bound(log_weights: Tensor) -> Tensor:
    """The importance-weighted bound: log p(x) >= E log (1/k) sum_k w. `[k, batch]` -> `[batch]`.

    With k = 1 it is the ELBO at that sample; it rises with k, towards log p(x).
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


class KLDecomposition(NamedTuple):
    """Three parts of the KL, one estimate for each example, `[n]`; the mean over the examples is what has a meaning."""

    mutual_information: Tensor  # KL(q(z, n) || q(z) p(n)): between z and the example that it encodes
    total_correlation: Tensor  # KL(q(z) || prod_d q(z_d)): how far the dimensions are from independent
    dimension_wise_kl: Tensor  # sum_d KL(q(z_d) || p(z_d)): how far each dimension of q(z) is from the prior


def decompose_kl(z: Tensor, mu: Tensor, sigma: Tensor) -> KLDecomposition:
    """mean KL = mutual information + total correlation + dimension-wise KL, for a set of n posteriors. All `[n, z]`.

    `z[i]` is sampled from posterior i. The aggregated posterior is that of this very set: q(z) = (1/n) sum_j q(z |
    x_j), each posterior's own included. So the estimate of the mutual information cannot exceed log n (see
    `mutual_information_ceiling`): near it, only more posteriors can tell how much there is. The three sum, example by
    example, to log q(z | x) - log p(z), the one-sample estimate of the KL.
    """
    own = log_normal(z, mu, sigma).sum(-1)
    aggregate, marginals = [], []
    for rows in z.split(max(1, _PAIRS_AT_ONCE // mu.numel())):
        pairs = log_normal(rows.unsqueeze(1), mu, sigma)  # [rows, n, z]: sample i under posterior j
        aggregate.append(pairs.sum(-1).logsumexp(1))
        marginals.append(pairs.logsumexp(1))
    aggregate = torch.cat(aggregate) - math.log(len(mu))
    marginals = (torch.cat(marginals) - math.log(len(mu))).sum(-1)
    return KLDecomposition(own - aggregate, aggregate - marginals, marginals - log_normal(z).sum(-1))


def mutual_information_ceiling(n: int) -> float:
    """The most that `decompose_kl` can report with n posteriors, in nats: log n."""
    return math.log(n)


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    """The dimensions in use: the variance of mu over the examples is above `threshold`. `[n, z]` -> bool `[z]`."""
    return mu.var(0) > threshold


# ---- objectives: what the training loop minimizes


class Batch(NamedTuple):
    """What one update reads."""

    tokens: Tensor  # [batch, steps], or [batch, steps, tracks]
    control: Tensor | None = None  # [batch, steps, depth], of a model that is conditioned on something


class Losses(NamedTuple):
    """What an objective returns: the loss to minimize, and further quantities to record, by name."""

    loss: Tensor  # a scalar
    metrics: Mapping[str, Tensor | float]  # scalars


Objective = Callable[[LatentModel, Batch, int, torch.Generator | None], Losses]  # (model, batch, step, generator)


def elbo_objective(config: TrainingConfig) -> Objective:
    """MusicVAE's: distortion + beta * max(rate - free bits, 0), the means over the batch, in nats per sequence.

    beta and the probability of scheduled sampling follow the schedules of `config`; on windows shorter than the model's
    (see `TrainingConfig.curriculum`) the free bits are fewer in proportion. Source: Roberts et al. 2018, section 2.1.1.
    """

    def objective(model: LatentModel, batch: Batch, step: int, generator: torch.Generator | None) -> Losses:
        beta = schedules.beta(step, config.max_beta, config.beta_rate)
        sampling = schedules.sampling_probability(step, config.sampling_k)
        dropout = {"dropout": config.word_dropout} if config.word_dropout else {}  # of recurrent models only
        logits, posterior, _ = model(batch.tokens, generator, sampling, batch.control, **dropout)
        distortion = reconstruction(logits, batch.tokens, model.config.vocab_sizes)  # [batch]
        rate = posterior.kl()  # [batch]
        free_bits = config.free_bits * (batch.tokens.shape[1] / model.config.steps)
        loss = musicvae_loss(distortion, rate, beta, free_bits).mean()
        parts = {"distortion": distortion.mean(), "rate": rate.mean()}
        return Losses(loss, parts | {"beta": beta, "sampling": sampling})

    return objective


def iwae_objective(k: int) -> Objective:
    """The negative importance-weighted bound with `k` samples, the mean over the batch, in nats per sequence.

    Raises ValueError for k below 1. Source: Burda et al. 2016, equation 8.
    """
    if k < 1:
        raise ValueError(f"the bound averages at least one sample, not {k}")

    def objective(model: LatentModel, batch: Batch, step: int, generator: torch.Generator | None) -> Losses:
        posterior = model.posterior(batch.tokens, batch.control)
        distortions, weights = [], []
        for _ in range(k):
            z = posterior.sample(generator)  # [batch, z]
            logits = model.logits(z, batch.tokens, batch.control)
            distortions.append(reconstruction(logits, batch.tokens, model.config.vocab_sizes))  # [batch]
            weights.append(log_importance_weight(distortions[-1], z, *posterior))  # [batch]
        bound = iwae_bound(torch.stack(weights)).mean()
        return Losses(-bound, {"distortion": torch.stack(distortions).mean(), "rate": posterior.kl().mean()})

    return objective
