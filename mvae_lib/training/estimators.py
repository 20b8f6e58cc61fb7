"""Gradients through a random sample: estimators of d/d(mu, sigma) of E[f(z)], z sampled from N(mu, sigma^2).

    pathwise          df/dz * dz/d(mu, sigma)               z = mu + sigma * eps; needs the gradient of f
    score function    f(z) * d log q(z)/d(mu, sigma)        needs the values of f only
    ... with baseline (f(z) - b) * d log q(z)/d(mu, sigma)  b: the mean of f over the *other* samples

All three are unbiased; they differ in their variance. Each function returns one estimate for each sample, so that their
spread can be measured. `score_surrogate` is what one adds to a loss to train by the latter
two; `straight_through` and `gumbel_softmax` are for a categorical z, and biased.

Chapter: 04. Source: Williams 1992 (score function); Kingma and Welling 2014, Rezende et al. 2014 (pathwise); Mnih and
Rezende 2016 (leave-one-out); Bengio et al. 2013 (straight-through); Jang et al. 2017, Maddison et al. 2017 (Gumbel).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from mvae_lib.models.posterior import Posterior
from mvae_lib.training.objectives import log_normal

Cost = Callable[[Tensor], Tensor]  # f: z [k, Z] -> f(z) [k], each from its own row


class Gradient(NamedTuple):
    """One estimate for each of k samples; the mean over the samples estimates the gradient. Each `[k, Z]`."""

    mu: Tensor
    sigma: Tensor


def pathwise(cost: Cost, posterior: Posterior, eps: Tensor) -> Gradient:
    """Through the sample z = mu + sigma * eps: mu and sigma `[Z]`, eps `[k, Z]` from N(0, I)."""
    rows = _own_rows(posterior, len(eps))
    return Gradient(*torch.autograd.grad(cost(rows.mu + rows.sigma * eps).sum(), rows))


def score_function(cost: Cost, posterior: Posterior, eps: Tensor) -> Gradient:
    """By the score, d log q(z) / d(mu, sigma), weighted with the cost. Shapes as in `pathwise`."""
    return _by_score(cost, posterior, eps, torch.zeros_like)


def score_function_leave_one_out(cost: Cost, posterior: Posterior, eps: Tensor) -> Gradient:
    """By the score, weighted with the cost minus the mean cost of the other samples. Shapes as in `pathwise`."""
    return _by_score(cost, posterior, eps, leave_one_out)


def score_surrogate(advantage: Tensor, z: Tensor, posterior: Posterior) -> Tensor:
    """A term whose *gradient* is the score-function estimate; its value means nothing. `[...]`.

    `advantage` `[...]`: the cost of each sample, less a baseline if there is one; `z` `[..., Z]`; the posterior's mu
    and sigma broadcast with z. Both numbers are taken as constants: the gradient goes through log q's parameters only.
    """
    return advantage.detach() * log_normal(z.detach(), *posterior).sum(-1)


def leave_one_out(cost: Tensor) -> Tensor:
    """For each sample the mean cost of the others: `[k, ...]` -> `[k, ...]`. Raises ValueError for fewer than 2.

    A sample's own cost must stay out of its baseline: the two would be correlated, and the estimate biased.
    """
    if len(cost) < 2:
        raise ValueError(f"the leave-one-out baseline needs at least 2 samples, not {len(cost)}")
    return (cost.sum(0) - cost) / (len(cost) - 1)


def straight_through(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    """A sampled class as a one-hot vector, `[..., C]`, which passes its gradient on as if it were softmax(logits)."""
    classes = logits.shape[-1]
    sampled = one_hot((logits + gumbel(logits.shape, generator)).argmax(-1), classes).to(logits.dtype)
    probabilities = logits.softmax(-1)
    return sampled + probabilities - probabilities.detach()


def gumbel_softmax(logits: Tensor, temperature: float, generator: torch.Generator | None) -> Tensor:
    """A relaxed sample `[..., C]`: positive, sum 1, nearly one-hot at a low temperature. Raises ValueError at 0."""
    if temperature <= 0:
        raise ValueError(f"a temperature is above 0, not {temperature}; straight_through samples one class")
    return ((logits + gumbel(logits.shape, generator)) / temperature).softmax(-1)


def gumbel(shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Noise from Gumbel's distribution: logits + noise has its largest value at class c with probability softmax_c."""
    exponential = torch.empty(shape).exponential_(generator=generator)
    return -exponential.log()


def _own_rows(posterior: Posterior, k: int) -> Posterior:
    """mu and sigma once for each sample, `[k, Z]`, so that each sample's gradient stays by itself."""
    return Posterior(*(part.detach().expand(k, -1).clone().requires_grad_() for part in posterior))


def _by_score(cost: Cost, posterior: Posterior, eps: Tensor, baseline: Callable[[Tensor], Tensor]) -> Gradient:
    rows = _own_rows(posterior, len(eps))
    with torch.no_grad():  # the cost's own gradient is not needed
        z = rows.mu + rows.sigma * eps
        value = cost(z)
    return Gradient(*torch.autograd.grad(score_surrogate(value - baseline(value), z, rows).sum(), rows))
