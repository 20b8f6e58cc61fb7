"""The exercises of chapter 06, Rate, distortion, and the price beta."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.training.objectives import (
    BITS_PER_NAT,
    decompose_kl,
    gaussian_kl,
    gaussian_kl_by_dimension,
    log_normal,
    mutual_information_ceiling,
)


def exercise_1(beta_loss: Callable) -> Verdict:
    """`beta_loss(logits, tokens, mu, sigma, beta)`: distortion + beta * rate of each melody: `[B]`."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        logits = 2 * torch.randn(3, 8, 90, generator=generator)
        tokens = torch.randint(90, (3, 8), generator=generator)
        mu, sigma, beta = *_posteriors(3, 4, generator), 0.3
        steps = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
        answer = beta_loss(logits.clone(), tokens.clone(), mu.clone(), sigma.clone(), beta)
        mine, problem = as_array(answer, (3,))
        if problem:
            scalar, _ = as_array(answer, ())
            if scalar is not None:
                return "One number came back; I want one for each melody, and the caller averages."
            return problem
        distortion, rate = steps.sum(1), gaussian_kl(mu, sigma)
        usual = [
            (distortion + rate, "beta has no effect: that is minus the ELBO, the loss at beta 1."),
            (beta * distortion + rate, "beta stands before the wrong term: it is the price of the rate."),
            (distortion - beta * rate, "The rate is a cost: it is added, not taken away."),
            (
                steps.mean(1) + beta * rate,
                "You averaged the distortion over the steps: that makes beta 8 times larger.",
            ),
            (
                distortion + beta * gaussian_kl_by_dimension(mu, sigma).mean(1),
                "You averaged the KL over the dimensions: that makes beta 4 times smaller, and nobody sees it.",
            ),
            (distortion + beta * gaussian_kl(mu, sigma.sqrt()), _TOOK_FOR_VARIANCE),
            (distortion + beta * rate.mean(), "The rate is the batch's mean; take each melody's own."),
        ]
        return _first_match(mine, usual) or _other_than(mine, distortion + beta * rate)

    return judge("6.1", diagnose, "Two sums, one price, one number a melody.")


def exercise_2(bits_by_dimension: Callable) -> Verdict:
    """`bits_by_dimension(mu, sigma)`: the mean KL of each dimension in bits: `[N, Z]` twice -> `[Z]`."""

    def diagnose() -> str | None:
        mu, sigma = _posteriors(6, 4, torch.Generator().manual_seed(0))
        nats = gaussian_kl_by_dimension(mu, sigma)
        answer = bits_by_dimension(mu.clone(), sigma.clone())
        if as_array(answer, (6,))[0] is not None:
            return "One number a melody came back: average over the melodies (axis 0), not over the dimensions."
        mine, problem = as_array(answer, (4,))
        if problem:
            return problem
        usual = [
            (nats.mean(0), "These are nats: one bit is ln 2 = .693 nats, so there are more bits than nats."),
            (nats.mean(0) / BITS_PER_NAT, "You multiplied by ln 2; divide by it. There are more bits than nats."),
            (nats.sum(0) * BITS_PER_NAT, "You summed over the melodies; average over them."),
            (gaussian_kl_by_dimension(mu, sigma.sqrt()).mean(0) * BITS_PER_NAT, _TOOK_FOR_VARIANCE),
        ]
        return _first_match(mine, usual) or _other_than(mine, nats.mean(0) * BITS_PER_NAT)

    return judge("6.2", diagnose, "Their sum is the rate in bits.")


def exercise_3(count_active: Callable) -> Verdict:
    """`count_active(mu, threshold)`: how many dimensions have a mean that varies over the melodies."""

    def diagnose() -> str | None:
        wave = torch.linspace(-1, 1, 50)
        # The standard deviations are .59, .18, .06, 0; the means 0, 0, 0, 5.
        mu = torch.stack([wave, 0.3 * wave, 0.1 * wave, torch.full((50,), 5.0)], 1)
        mine, problem = as_array(count_active(mu.clone(), 0.01), ())
        if problem:
            return problem
        if mine == 3 and int(np.asarray(count_active(mu[:, :3].clone(), 0.01))) == 3:
            return "You compared the standard deviation with the threshold; it is meant for the variance, its square."
        if mine == 3:
            return "You counted a mean that is large and never moves: ask for the variance over the melodies."
        if mine > 4:
            return "You counted melodies: take the variance over the melodies (axis 0), for each dimension."
        if mine == 1:
            return "One is missing: Var > threshold, with the threshold that I give (here .01)."
        if mine != 2:
            return f"In my small example 2 of 4 dimensions are active, and you found {mine}."
        strict = int(np.asarray(count_active(mu.clone(), 0.1)))
        return None if strict == 1 else "With a threshold of .1 one dimension is active: do you use `threshold`?"

    return judge("6.3", diagnose, "Only a mean that moves with the melody counts.")


def exercise_4(beta_for_budget: Callable) -> Verdict:
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

    return judge("6.4", diagnose, "A budget in bits has become an exchange rate.")


def exercise_5(mutual_information: Callable) -> Verdict:
    """`mutual_information(z, mu, sigma)`: the estimate from n posteriors, in nats; at most log n."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        mu, sigma = _posteriors(12, 3, generator)
        z = mu + sigma * torch.randn(mu.shape, generator=generator)
        answer = mutual_information(z.clone(), mu.clone(), sigma.clone())
        if as_array(answer, (12,))[0] is not None:
            return "One number for each draw came back; average over them."
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
            (own - (others - np.log(11)), "Each draw's own posterior is one of the n: do not leave it out."),
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

    return judge("6.5", diagnose, "Posteriors that do not overlap give log n, and nothing gives more.")


_TOOK_FOR_VARIANCE = "sigma is the standard deviation: it stands squared in the KL, and its logarithm is not halved."
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
