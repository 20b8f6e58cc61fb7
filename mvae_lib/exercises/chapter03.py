"""The exercises of chapter 03, The variational autoencoder."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from mvae_lib.models.posterior import reparameterize
from mvae_lib.training import objectives


def exercise_1(my_kl: Callable) -> Verdict:
    """`my_kl(mu, sigma)`: KL(N(mu, sigma^2) || N(0, I)) of each example, summed over the dimensions: `[B]`."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        mu = torch.randn(5, 3, generator=generator)
        sigma = 0.2 + 1.5 * torch.rand(5, 3, generator=generator)
        mine, problem = as_array(my_kl(mu.clone(), sigma.clone()), (5,))
        if problem:
            return _sum_of_the_wrong_axis(my_kl(mu.clone(), sigma.clone()), (5, 3)) or problem
        variance, log = sigma.square(), sigma.log()
        wrong = [
            (
                (mu.square() + variance - 1 - log) / 2,
                "log sigma is outside of the half: 1/2 of log sigma^2 is log sigma.",
            ),
            (mu.square() + variance - 1 - 2 * log, "This is exactly twice the KL: the 1/2 is missing."),
            (mu.square() + variance - 1 - log, "The 1/2 before mu^2 + sigma^2 - 1 is missing."),
            ((mu.square() + variance) / 2 - log, "The -1 is missing: with mu = 0 and sigma = 1 the KL must be 0."),
            ((mu.square() + variance - 1) / 2 + log, "log sigma has the wrong sign: a narrow q must cost more."),
            ((mu.square() + sigma - 1) / 2 - log / 2, "You took sigma for the variance: square it."),
            ((mu + variance - 1) / 2 - log, "mu enters squared: a mean of -2 costs as much as one of 2."),
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
    """`my_elbo(model, tokens, generator)`: the ELBO of each melody from one draw of z, in nats: `[B]`."""

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
            (-distortion + rate, "The rate enters with a minus: information about x has to be paid for."),
            (-at_mu - rate, "You decoded mu itself. The expectation is over draws: z = mu + sigma * eps."),
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
            return "The values differ from -distortion - rate at the z that `generator` draws."
        return None

    return judge("3.2", diagnose, "One draw is noisy but unbiased, which is all that training needs.")


def exercise_3(my_iwae: Callable) -> Verdict:
    """`my_iwae(log_w)`: log (1/k) sum_k w of each example, `[k, B]` -> `[B]`, for log-weights of any size."""

    def diagnose() -> str | None:
        log_w = 2 * torch.randn(6, 4, generator=_seeded(0)) - 5
        mine, problem = as_array(my_iwae(log_w.clone()), (4,))
        if problem:
            rows, _ = as_array(my_iwae(log_w.clone()), (6,))
            return "You averaged over the examples: the draws are the first axis." if rows is not None else problem
        right = objectives.iwae_bound(log_w)
        if np.allclose(mine, log_w.mean(0), atol=1e-4):
            return "That is the mean of the logs, the ELBO. IWAE takes the log of the mean."
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


def exercise_4(my_auc: Callable) -> Verdict:
    """`my_auc(real, fake)`: the chance that a real melody scores above a fake one, ties counting half."""

    def diagnose() -> str | None:
        rng = np.random.default_rng(0)
        real, fake = rng.normal(1, 1, 40).round(1), rng.normal(0, 1, 40).round(1)
        mine, problem = as_array(my_auc(real.copy(), fake.copy()), ())
        if problem:
            return problem
        above, same = real[:, None] > fake, real[:, None] == fake
        right = (above + same / 2).mean()
        wrong = [
            (1 - right, "This is 1 minus the AUC: a real melody should score *above* a fake one."),
            ((real > fake).mean(), "You compared each real melody with one fake only; take all pairs."),
            (
                ((real > fake) + (real == fake) / 2).mean(),
                "You compared each real melody with one fake only; take all pairs.",
            ),
            (above.mean(), "Ties count half: a detector that scores everything alike must get 0.5."),
            ((above + same).mean(), "Ties count half, not whole."),
            (above.sum() + same.sum() / 2, "Divide by the number of pairs."),
        ]
        for value, words in wrong:
            if np.isclose(mine, value):
                return words
        if not np.isclose(mine, right):
            return f"Expected {right:.3f} in my small example, got {float(mine):.3f}."
        fewer = np.asarray(my_auc(real[:7].copy(), fake.copy()))
        expected = ((real[:7, None] > fake) + (real[:7, None] == fake) / 2).mean()
        return None if np.isclose(fewer, expected) else "It goes wrong where there are fewer real melodies than fakes."

    return judge("3.4", diagnose, "The area under the ROC curve, without drawing the curve.")


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _small_vae() -> tuple[VAE, torch.Tensor]:
    """A small VAE that is untrained but talkative: its logits depend on z, its sigmas differ from 1; and 4 melodies."""
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
