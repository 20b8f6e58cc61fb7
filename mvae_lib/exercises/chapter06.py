"""The exercises of chapter 06, beta-VAE, rate and distortion."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.training.objectives import (
    BITS_PER_NAT,
    decompose_kl,
    gaussian_kl,
    log_normal,
    mutual_information_ceiling,
)


def exercise_1(free_bits_loss: Callable) -> Verdict:
    """`free_bits_loss(distortion, kl, beta, free_bits)`: the mean of D + beta * max(KL - free bits, 0), a scalar."""

    def diagnose() -> str | None:
        distortion, kl = torch.tensor([2.0, 3.1, 2.4, 1.8]), torch.tensor([2.0, 9.0, 16.0, 0.5])
        kl.requires_grad_()
        beta, free_bits = 0.5, 10.0  # 6.93 nats: two melodies lie below, two above
        answer = free_bits_loss(distortion.clone(), kl, beta, free_bits)
        if as_array(answer, (4,))[0] is not None:
            return "One number for each melody came back; take the mean over the batch at the end."
        mine, problem = as_array(answer, ())
        if problem:
            return problem
        nats, d, r = free_bits * np.log(2), distortion, kl.detach()
        right = (d + beta * (r - nats).clamp(min=0)).mean()
        usual = [
            (d + beta * r, "free_bits has no effect."),
            (d + (r - nats).clamp(min=0), "beta has no effect."),
            (beta * d + (r - nats).clamp(min=0), "beta stands before the wrong term: it is the weight of the KL."),
            (
                d + beta * (r - free_bits).clamp(min=0),
                "The free bits are bits and the KL is in nats: a bit is ln 2 nats.",
            ),
            (d + beta * (r - free_bits / np.log(2)).clamp(min=0), "You divided by ln 2; a bit is ln 2 nats: multiply."),
            (d + beta * (r - nats), "Below the allowance the KL counts 0, never less: clamp it at 0."),
            (
                d.mean() + beta * (r.mean() - nats).clamp(min=0),
                "The KL counts nothing here: each melody has its own allowance, so clamp before the mean.",
            ),
            (
                d + beta * r.clamp(min=nats),
                "max(KL, free bits) keeps a constant in the loss; subtract the free bits first.",
            ),
            (
                d + (beta * r - nats).clamp(min=0),
                "The free bits are subtracted from the KL, before beta multiplies it.",
            ),
            (d - beta * (r - nats).clamp(min=0), "The KL is added to the loss, not subtracted."),
        ]
        found = _first_match(mine, [(value.mean(), words) for value, words in usual])
        if not found and np.isclose(mine, 4 * right, rtol=1e-3):
            found = "You summed over the batch; take the mean."
        if found or not np.isclose(mine, right, rtol=1e-4):
            return found or f"In my small example I expected {right:.2f}, and got {float(mine):.2f}."
        if not answer.requires_grad:
            return "The value is right, but no gradient passes to the KL: compute with tensors, without detach or item."
        (slope,) = torch.autograd.grad(answer, kl)
        ok = torch.allclose(slope, torch.tensor([0.0, beta, beta, 0.0]) / 4, atol=1e-5)
        return None if ok else "The gradient should be beta / batch above the allowance and 0 below it."

    return judge("6.1", diagnose, "Free within the allowance, weighted by beta beyond it.")


def exercise_2(beta_for_budget: Callable) -> Verdict:
    """`beta_for_budget(bits, betas, rates)`: the beta, interpolated, at which the rate would be so many bits."""

    def diagnose() -> str | None:
        betas, rates, bits = np.array([0.1, 0.4, 1.6]), np.array([40.0, 20.0, 4.0]), 30 * BITS_PER_NAT
        mine, problem = as_array(beta_for_budget(bits, betas.copy(), rates.copy()), ())
        if problem:
            return problem
        usual = [
            (np.interp(bits, rates[::-1], betas[::-1]), _STILL_BITS),
            (np.exp(np.interp(bits, rates[::-1], np.log(betas[::-1]))), _STILL_BITS),
            (np.interp(30, rates[::-1], betas[::-1]), "You interpolated beta itself; interpolate log beta, then exp."),
            (np.log(0.2), "That is log beta: take its exponential at the end."),
            (np.exp(np.interp(30, rates, np.log(betas))), _NOT_RISING),
            (np.interp(30, rates, betas), _NOT_RISING),
        ]
        found = _first_match(mine, usual)
        if found or not np.isclose(mine, 0.2, rtol=1e-3):
            return found or f"Halfway between the rates of beta .1 and .4 I expect .2, and got {float(mine):.3g}."
        rising = beta_for_budget(bits, betas[::-1].copy(), rates[::-1].copy())
        ok = np.isclose(np.asarray(rising), 0.2, rtol=1e-3)
        return None if ok else "Given in the other order, the same models gave another beta: sort them by rate."

    return judge("6.2", diagnose, "A rate in bits has become an exchange rate.")


def exercise_3(mutual_information: Callable) -> Verdict:
    """`mutual_information(z, mu, sigma)`: the estimate from n posteriors, in nats; at most log n."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        mu, sigma = _posteriors(12, 3, generator)
        z = mu + sigma * torch.randn(mu.shape, generator=generator)
        answer = mutual_information(z.clone(), mu.clone(), sigma.clone())
        if as_array(answer, (12,))[0] is not None:
            return "One number for each sample came back; average over them."
        mine, problem = as_array(answer, ())
        if problem:
            return problem
        right, top = decompose_kl(z, mu, sigma).mutual_information.mean(), mutual_information_ceiling(12)
        pairs = log_normal(z[:, None], mu, sigma)  # [n, n, Z]
        own, apart = pairs.sum(-1).diagonal().mean(), pairs.logsumexp(1).sum(-1).mean() - 3 * top
        others = pairs.sum(-1).masked_fill(torch.eye(12, dtype=torch.bool), -torch.inf).logsumexp(1).mean()
        usual = [
            (right - top, "log n is missing: the average over j has a factor 1/n inside the logarithm."),
            (-right, "The sign is wrong: own posterior minus average."),
            (right * BITS_PER_NAT, "These are bits; I asked for nats."),
            (own - apart, "You averaged each dimension by itself: sum the logs over the dimensions first."),
            (own - pairs.sum(-1).mean(), "You averaged the logs: the average over j stands inside the logarithm."),
            (own - (others - np.log(11)), "Each sample's own posterior is one of the n: do not leave it out."),
            (gaussian_kl(mu, sigma).mean(), "That is the rate: it compares with N(0, I), not with q(z)."),
            (own - log_normal(z).sum(-1).mean(), "That is the rate: it compares with N(0, I), not with q(z)."),
        ]
        found = _first_match(mine, usual) or _other_than(mine, right)
        if found:
            return found
        far = 1000.0 * torch.arange(5)[:, None].expand(5, 40)
        apart = np.asarray(mutual_information(far.clone(), far.clone(), torch.full_like(far, 0.01)))
        stable = np.isclose(apart, mutual_information_ceiling(5), atol=1e-3)
        return (
            None
            if stable
            else "Posteriors far apart should give log n: use logsumexp, because exp under- or overflows."
        )

    return judge("6.3", diagnose, "Posteriors that do not overlap give log n, and nothing gives more.")


def exercise_4(optimum: Callable) -> Verdict:
    """`optimum(variances, beta)`: rates and distortions that minimize sum D + beta R for Gaussian dimensions."""

    def diagnose() -> str | None:
        v, beta = np.array([3.0, 1.0, 0.6, 0.1]), 0.4
        answer = optimum(v.copy(), beta)
        if answer is None:
            return "Your function returned None: is the `return` missing?"
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            return "Return two arrays: the rates, and the distortions."
        rates, problem = as_array(answer[0], (4,))
        distortions, other_problem = as_array(answer[1], (4,))
        if problem or other_problem:
            return problem or other_problem
        log = np.log(v / beta)
        usual = [
            (log / 2, "A rate is never negative: where v < beta, the minimum over R >= 0 is at R = 0."),
            (np.maximum(log, 0), "The exponent is -2 R: half of the logarithm is left."),
            (np.maximum(log, 0) / 2 * BITS_PER_NAT, "These are bits; I asked for nats."),
            (
                np.maximum(np.log(v / beta / 2), 0) / 2,
                "The derivative of exp(-2 R) / 2 is -exp(-2 R): the 2 cancels the 1/2.",
            ),
            (np.maximum(-log, 0) / 2, "The sign is turned: a dimension of larger variance gets the higher rate."),
        ]
        found = _first_match(rates, usual)
        if found:
            return found
        grid = np.linspace(0, 3, 30_001)
        best = np.array([grid[(x * np.exp(-2 * grid) / 2 + beta * grid).argmin()] for x in v])  # minimized by trying
        if not np.allclose(rates, best, atol=2e-3):
            return f"On a grid the loss is lowest at the rates {np.round(best, 2)}, and yours are {np.round(rates, 2)}."
        usual = [
            (np.full(4, beta / 2), "An inactive dimension keeps its variance: D = v / 2 where R = 0."),
            (np.minimum(v, beta), "The distortion has a factor 1/2."),
            (v / 2, "That is the distortion at R = 0; insert your rates."),
        ]
        right = v * np.exp(-2 * best) / 2
        found = _first_match(distortions, usual)
        ok = np.allclose(distortions, right, atol=2e-3)
        return found or (
            None if ok else f"At these rates D is {np.round(right, 2)}, and you have {np.round(distortions, 2)}."
        )

    return judge("6.4", diagnose, "A dimension is active exactly where its variance exceeds beta.")


_STILL_BITS = "The budget is in bits and the rates are in nats: convert first."
_NOT_RISING = "np.interp wants rising x values, and these rates fall: sort by rate first. It does not warn you."


def _posteriors(n: int, dimensions: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Means and standard deviations of n posteriors, each `[n, dimensions]`."""
    mu = torch.randn(n, dimensions, generator=generator)
    return mu, 0.2 + torch.rand(n, dimensions, generator=generator)


def _first_match(mine: np.ndarray, usual: list[tuple]) -> str | None:
    """The diagnosis of the first value that the learner's equals."""
    return next((words for value, words in usual if np.allclose(mine, np.asarray(value), rtol=1e-3, atol=1e-4)), None)


def _other_than(mine: np.ndarray, right: Tensor) -> str | None:
    """None where the values are right, words where they are not."""
    if np.allclose(mine, right.numpy(), rtol=1e-3, atol=1e-3):
        return None
    return f"In my small example I expected {np.round(right.numpy(), 2)}, and got {np.round(mine, 2)}."
