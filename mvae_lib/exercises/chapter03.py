"""The exercises of chapter 03, The variational autoencoder."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from mvae_lib.models.posterior import reparameterize
from mvae_lib.training import objectives


def exercise_1(gaussian_kl: Callable) -> Verdict:
    """`gaussian_kl(mu, sigma)`: KL(N(mu, sigma^2) || N(0, I)) of each example, summed over the dimensions: `[B]`."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        mu = torch.randn(5, 3, generator=generator)
        sigma = 0.2 + 1.5 * torch.rand(5, 3, generator=generator)
        mine, problem = as_array(gaussian_kl(mu.clone(), sigma.clone()), (5,))
        if problem:
            return _sum_of_the_wrong_axis(gaussian_kl(mu.clone(), sigma.clone()), (5, 3)) or problem
        variance, log = sigma.square(), sigma.log()
        wrong = [
            (
                (mu.square() + variance - 1 - log) / 2,
                "log sigma is outside of the half: 1/2 of log sigma^2 is log sigma.",
            ),
            (mu.square() + variance - 1 - 2 * log, "This is exactly twice the KL: the 1/2 is missing."),
            (mu.square() + variance - 1 - log, "The 1/2 before mu^2 + sigma^2 - 1 is missing."),
            ((mu.square() + variance) / 2 - log, "The -1 is missing: with mu = 0 and sigma = 1 the KL must be 0."),
            ((mu.square() + variance - 1) / 2 + log, "log sigma has the wrong sign: a narrow q has a large KL."),
            ((mu.square() + sigma - 1) / 2 - log / 2, "You took sigma for the variance: square it."),
            ((mu + variance - 1) / 2 - log, "mu enters squared: means of -2 and 2 have the same KL."),
            (((mu / sigma).square() + 1 / variance - 1) / 2 + log, "That is the KL the other way round, KL(p || q)."),
        ]
        for values, words in wrong:
            if np.allclose(mine, values.sum(-1), atol=1e-4):
                return words
        right = objectives.gaussian_kl(mu, sigma).numpy()
        if np.allclose(mine, right / 3, atol=1e-4):
            return "You averaged over the dimensions; the KL of independent dimensions is their sum."
        if np.allclose(mine, -right, atol=1e-4):
            return "The sign is wrong: a KL is never negative."
        return None if np.allclose(mine, right, atol=1e-4) else "The values differ from the KL."

    return judge("3.1", diagnose, "Zero at mu = 0 and sigma = 1, and more everywhere else.")


def exercise_2(my_elbo: Callable) -> Verdict:
    """`my_elbo(model, tokens, generator)`: the ELBO of each melody from one sample of z, in nats: `[B]`."""

    def diagnose() -> str | None:
        model, tokens = _small_vae()
        with torch.no_grad():
            mine, problem = as_array(my_elbo(model, tokens, _seeded(1)), (4,))
            if problem:
                return problem
            posterior = model.encode(tokens)
            rate = objectives.gaussian_kl(*posterior)
            z = reparameterize(posterior, _seeded(1))
            distortion, at_mu = (objectives.reconstruction(model.logits(point), tokens) for point in (z, posterior.mu))
            weight = objectives.log_importance_weight(distortion, z, *posterior)
            spread_squared = reparameterize(replace(posterior, sigma=posterior.sigma.square()), _seeded(1))
            squared = objectives.reconstruction(model.logits(spread_squared), tokens)
            again = np.asarray(my_elbo(model, tokens, _seeded(2)))
        wrong = [
            (distortion + rate, "The sign is wrong: this is the loss, and the ELBO is minus it."),
            (-distortion, "The rate is missing: the ELBO is -distortion - KL(q(z | x) || p(z))."),
            (-distortion + rate, "The rate enters with a minus, as the distortion does."),
            (-at_mu - rate, "You decoded mu itself. The expectation is over samples: z = mu + sigma * eps."),
            (-squared - rate, "sigma is a standard deviation, not a variance: z = mu + sigma * eps."),
            (
                -distortion / tokens.shape[1] - rate,
                "You averaged over the steps, and not over the KL's dimensions: sum both.",
            ),
        ]
        for values, words in wrong:
            if np.allclose(mine, values, atol=1e-3):
                return words
        if not any(np.allclose(mine, right, atol=1e-3) for right in (-distortion - rate, weight)):
            if np.allclose(mine, again):
                return "Two generators of different seeds gave the same value: give `generator` to torch.randn."
            return "The values differ from -distortion - rate at the z that `generator` samples."
        return None

    return judge("3.2", diagnose, "One sample is noisy but unbiased, which is all that training needs.")


def exercise_3(my_iwae: Callable) -> Verdict:
    """`my_iwae(log_w)`: log (1/k) sum_k w of each example, `[k, B]` -> `[B]`, for log-weights of any size."""

    def diagnose() -> str | None:
        log_w = 2 * torch.randn(6, 4, generator=_seeded(0)) - 5
        mine, problem = as_array(my_iwae(log_w.clone()), (4,))
        if problem:
            rows, _ = as_array(my_iwae(log_w.clone()), (6,))
            return "You averaged over the examples: the samples are the first axis." if rows is not None else problem
        right = objectives.iwae_bound(log_w)
        if np.allclose(mine, log_w.mean(0), atol=1e-4):
            return "That is the mean of the logs, an estimate of the ELBO. IWAE takes the log of the mean."
        if np.allclose(mine, log_w.logsumexp(0), atol=1e-4):
            return "That is the log of the sum; for the mean, subtract log k."
        if np.allclose(mine, log_w.exp().mean(0), atol=1e-4):
            return "That is the mean of the weights: take its log."
        if np.allclose(mine, log_w.amax(0), atol=1e-4):
            return "That is the largest log-weight only; the others count too."
        if not np.allclose(mine, right, atol=1e-4):
            return "The values differ from the log of the mean weight."
        far = np.asarray(my_iwae(log_w - 400))
        if not np.allclose(far, right - 400, atol=1e-2):
            return (
                "Right for small numbers, but exp(-400) is 0 in a computer: use logsumexp, which takes the largest out."
            )
        return None

    return judge("3.3", diagnose, "The log of a mean, safe for weights that no computer can hold.")


def exercise_4(best_q: Callable) -> Verdict:
    """`best_q(x, w, s, beta)` -> (mu, sigma): the q that maximizes E_q log p(x | z) - beta KL(q || p(z)).

    The model: p(z) = N(0, 1) and p(x | z) = N(w z, s^2), all numbers.
    """

    def diagnose() -> str | None:
        for case in ((1.3, 0.8, 0.6, 0.4), (-0.7, 1.7, 1.4, 2.5)):
            answer = best_q(*case)
            if answer is None or not isinstance(answer, tuple | list) or len(answer) != 2:
                return "Return two numbers, mu and sigma of the Gaussian q."
            mu, sigma = (float(value) for value in answer)
            if not np.isfinite([mu, sigma]).all() or sigma <= 0:
                return f"A standard deviation is above 0; with (x, w, s, beta) = {case} yours is {sigma:.3g}."
            right = _best_q(*case)
            if np.allclose((mu, sigma), right, atol=1e-4):
                continue
            for wrong, words in _slips(*case):
                if np.allclose((mu, sigma), wrong, atol=1e-4):
                    return words
            mine, best = (_objective(*pair, *case) for pair in ((mu, sigma), right))
            return (
                f"With (x, w, s, beta) = {case}, the objective is {mine:.3f} nats at your q, and another Gaussian "
                f"reaches {best:.3f}."
            )
        return None

    return judge("3.4", diagnose, "At beta = 1 it is the exact posterior; below 1 it is narrower, above 1 wider.")


def _best_q(x: float, w: float, s: float, beta: float) -> tuple[float, float]:
    """q is proportional to p(x | z)^(1 / beta) p(z): precisions add, and the likelihood's is w^2 / (beta s^2)."""
    precision = 1 + w**2 / (beta * s**2)
    return w * x / (beta * s**2) / precision, precision**-0.5


def _slips(x: float, w: float, s: float, beta: float) -> list[tuple[tuple[float, float], str]]:
    """(mu, sigma) of a typical mistake, and what to say of it."""
    mu, sigma = _best_q(x, w, s, beta)
    whole = beta + w**2 / s**2
    no_prior = w**2 / (beta * s**2)
    return [
        (_best_q(x, w, s, 1), "That is the exact posterior, the optimum at beta = 1. Where does beta enter?"),
        (_best_q(x, w, s, 1 / beta), "beta multiplies the log-likelihood in yours; take beta out, and it divides it."),
        ((mu, sigma**2), "mu is right; your sigma is the variance. Take the square root."),
        ((mu, sigma**-2), "mu is right; your sigma is the precision. The standard deviation is its -1/2 power."),
        (
            (mu, whole**-0.5),
            "mu is right. sigma is not: divide the whole objective by beta before you read off a log-density.",
        ),
        ((x / w, no_prior**-0.5), "The prior is missing: it adds 1 to the precision, and pulls mu towards 0."),
        (_best_q(x, w, math.sqrt(s), beta), "s is a standard deviation: the log-likelihood divides by 2 s^2."),
        ((mu / w, sigma), "sigma is right. In mu a factor w is missing: differentiate (x - w z)^2 by z."),
    ]


def _objective(mu: float, sigma: float, x: float, w: float, s: float, beta: float) -> float:
    """E_q log p(x | z) - beta KL(q || p(z)) at q = N(mu, sigma^2), in nats."""
    log_likelihood = -((x - w * mu) ** 2 + (w * sigma) ** 2) / (2 * s**2) - math.log(s) - math.log(2 * math.pi) / 2
    return log_likelihood - beta * ((mu**2 + sigma**2 - 1) / 2 - math.log(sigma))


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _small_vae() -> tuple[VAE, torch.Tensor]:
    """A small untrained VAE of large weights: its logits depend on z, its sigmas differ from 1; and 4 melodies."""
    model = VAE(AutoencoderConfig(steps=8, latent=3, embedding=4, hidden=16), _seeded(0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2.5
    return model, torch.randint(90, (4, 8), generator=_seeded(3))


def _sum_of_the_wrong_axis(value: object, shape: tuple[int, int]) -> str | None:
    """What to say of a result that has been summed over too little or too much."""
    if as_array(value, shape)[0] is not None:
        return "One number for each dimension came back: sum over the last axis."
    if as_array(value, (shape[1],))[0] is not None:
        return "You summed over the examples; sum over the dimensions, the last axis."
    if as_array(value, ())[0] is not None:
        return "One number came back; I want one for each example, and the caller averages."
    return None
