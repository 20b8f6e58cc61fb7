"""The exercises of chapter 04, The reparameterization trick."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from mvae_lib.training.estimators import leave_one_out
from mvae_lib.training.objectives import gaussian_kl, log_normal, reconstruction


def exercise_1(sample_latent: Callable) -> Verdict:
    """`sample_latent(mu, sigma, generator)`: z = mu + sigma * eps, a sample that gradients pass through: `[B, Z]`."""

    def diagnose() -> str | None:
        mu = torch.tensor([3.0, -2.0]).expand(20_000, 2).clone().requires_grad_()
        sigma = torch.tensor([0.25, 2.0]).expand(20_000, 2).clone().requires_grad_()
        first, again, other = (sample_latent(mu, sigma, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
        mine, problem = as_array(first, (20_000, 2))
        if problem:
            return problem
        if not np.array_equal(mine, as_array(again, mine.shape)[0]):
            return "Two generators of the same seed gave different samples: give `generator` to torch.randn."
        if np.array_equal(mine, as_array(other, mine.shape)[0]):
            return "Two generators of different seeds gave the same samples: is a seed fixed inside?"
        return _other_than_normal(mine) or _blocked(first, mu, sigma)

    return judge("4.1", diagnose, "The sample has the right distribution, and both mu and sigma receive its gradient.")


def exercise_2(score_term: Callable) -> Verdict:
    """`score_term(cost, z, mu, sigma)`: a term whose gradient is the score-function estimate: `[B]`."""

    def diagnose() -> str | None:
        mu, sigma, z, cost = _small_problem()
        term = score_term(cost, z, mu, sigma)
        _, problem = as_array(term, (4,))
        if problem and isinstance(term, Tensor):
            if term.shape == ():
                return "One number came back; I want one for each example, and the caller averages."
            if term.shape == (4, 3):
                return "log q(z) of a vector is the sum over its dimensions: sum over the last axis."
        if problem:
            return problem
        if not term.requires_grad:
            return "Your term has no gradient at all: mu and sigma themselves must not be detached."
        return _other_than_score(term, mu, sigma, z, cost)

    return judge("4.2", diagnose, "The gradient reaches mu and sigma by log q alone.")


def exercise_3(others_mean: Callable) -> Verdict:
    """`others_mean(cost)`: for each sample the mean cost of the other samples: `[k, B]` -> `[k, B]`."""

    def diagnose() -> str | None:
        cost = 5 + torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
        mine, problem = as_array(others_mean(cost.clone()), (4, 3))
        if problem:
            short, _ = as_array(others_mean(cost.clone()), (3,))
            if short is not None:
                return "That is one baseline for all samples, each one's own cost included: leave it out."
            return problem
        wrong = {
            "The sample's own cost is still in its baseline: take it out of the sum, and divide by k - 1.": cost.mean(
                0
            ),
            "You took the sample's own cost out of the sum, but there are k - 1 others, not k.": (cost.sum(0) - cost)
            / 4,
            "You left one out among the melodies; leave one out among the samples, the first axis.": (
                cost.sum(1, keepdim=True) - cost
            )
            / 2,
            "You averaged over the melodies too: each melody has its own baseline.": ((cost.sum() - cost) / 11),
        }
        for diagnosis, values in wrong.items():
            if np.allclose(mine, values.expand(4, 3), atol=1e-5):
                return diagnosis
        right = np.allclose(mine, leave_one_out(cost), atol=1e-5)
        return None if right else "The values are not the means of the other samples' costs."

    return judge("4.3", diagnose, "Each sample is compared with the others, and never with itself.")


def exercise_4(vae_loss: Callable) -> Verdict:
    """`vae_loss(model, tokens, eps)`: reconstruction + KL of each melody, with the gradients of both: `[B]`."""

    def diagnose() -> str | None:
        model = VAE(AutoencoderConfig(steps=8, latent=3, embedding=4, hidden=8), torch.Generator().manual_seed(0))
        tokens = torch.randint(90, (5, 8), generator=torch.Generator().manual_seed(1))
        eps = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
        mine, problem = as_array(vae_loss(model, tokens, eps), (5,))
        if problem:
            return problem
        if not np.allclose(mine, _loss(model, tokens, eps).detach(), atol=1e-4):
            return "The value has changed. It was right: reconstruction + KL. Only gradients were lost."
        return _lost_gradient(model, lambda: vae_loss(model, tokens, eps), tokens, eps)

    return judge("4.4", diagnose, "Nothing is cut: mu and sigma learn from the reconstruction and from the KL.")


def exercise_5(cubic: Callable) -> Verdict:
    """`cubic(mu, sigma)`: for E[z^3] the gradients for mu and sigma, and the variance of one pathwise sample for mu."""

    def diagnose() -> str | None:
        answers = []
        for mu, sigma in ((0.7, 0.4), (-1.5, 1.2)):
            answer = cubic(mu, sigma)
            if answer is None:
                return "Your function returned None: is the `return` missing?"
            if np.shape(answer) != (3,):
                return "Return three numbers: the gradient for mu, the gradient for sigma, the variance."
            answers.append((mu, sigma, np.asarray(answer, float)))
        return _other_than_cubic(answers)

    return judge("4.5", diagnose, "All three formulas hold, and 200,000 samples agree with them.")


def _other_than_normal(mine: np.ndarray) -> str | None:
    """How samples `[n, 2]` differ from those of N(3, .25^2) and N(-2, 2^2)."""
    mean, spread = mine.mean(0), mine.std(0)
    if spread.max() < 0.01:
        return "Your sample hardly varies: each row needs an eps of its own."
    if np.allclose(spread, [0.25**2, 4], rtol=0.05) or np.allclose(spread, [0.5, 2**0.5], rtol=0.05):
        return "Scale eps by sigma itself: sigma is the standard deviation, not the variance."
    if np.abs(mean - [3, -2]).max() > 0.1:
        return "The samples have another mean than mu."
    if abs(np.corrcoef(mine.T)[0, 1]) > 0.1:
        return "The dimensions move together: sample an eps for each of them, of mu's whole shape."
    if not np.allclose(spread, [0.25, 2], rtol=0.05):
        return "The samples have another spread than sigma."
    fourth = (((mine - mean) / spread) ** 4).mean(0)  # 3 for a Gaussian, 1.8 for a uniform
    return (
        "Mean and spread are right, but the samples are not Gaussian: use torch.randn." if min(fourth) < 2.5 else None
    )


def _other_than_cubic(answers: list[tuple[float, float, np.ndarray]]) -> str | None:
    """Which mistake explains the three numbers at each (mu, sigma); None where they are right."""
    known = {
        0: {
            "(a) That is the derivative at mu, f'(mu): E[f'(z)] has a term from sigma, too.": lambda m, s: 3 * m**2,
            "(a) That is E[z^3] itself; take its derivative for mu.": lambda m, s: m**3 + 3 * m * s**2,
        },
        1: {
            "(b) That is the term of E[z^3] with sigma; take its derivative for sigma.": lambda m, s: 3 * m * s**2,
            "(b) A derivative of sigma^2 has a factor 2.": lambda m, s: 3 * m * s,
            "(b) The term 3 mu sigma^2 has a gradient for sigma.": lambda m, s: 0.0,
        },
        2: {
            "(c) That is E[(3z^2)^2]; the variance is less by the squared mean.": lambda m, s: (
                9 * (m**4 + 6 * m**2 * s**2 + 3 * s**4)
            ),
            "(c) That is Var(z^2); the sample is 3z^2, and a factor 3 counts squared.": lambda m, s: (
                4 * m**2 * s**2 + 2 * s**4
            ),
            "(c) A factor 3 counts squared in a variance: 9, not 3.": lambda m, s: 12 * m**2 * s**2 + 6 * s**4,
            "(c) That is the standard deviation; I want the variance.": lambda m, s: (
                (36 * m**2 * s**2 + 18 * s**4) ** 0.5
            ),
        },
    }
    right = (
        lambda m, s: 3 * m**2 + 3 * s**2,
        lambda m, s: 6 * m * s,
        lambda m, s: 36 * m**2 * s**2 + 18 * s**4,
    )
    for i, letter in enumerate("abc"):
        mine = [answer[i] for _, _, answer in answers]

        def fits(formula: Callable, mine: list[float] = mine) -> bool:
            return np.allclose(mine, [formula(mu, sigma) for mu, sigma, _ in answers], rtol=1e-6, atol=1e-12)

        if not fits(right[i]):
            found = [diagnosis for diagnosis, formula in known[i].items() if fits(formula)]
            return found[0] if found else f"({letter}) is not right: {_by_samples(i, answers[0])}"
    return None


def _by_samples(i: int, answer: tuple[float, float, np.ndarray]) -> str:
    """What 200,000 samples say of the number `i`, beside the learner's."""
    mu, sigma, mine = answer
    eps = np.random.default_rng(0).standard_normal(200_000)
    slope = 3 * (mu + sigma * eps) ** 2
    measured = (slope.mean(), (slope * eps).mean(), slope.var())[i]
    return f"at mu {mu}, sigma {sigma}, 200,000 samples give {measured:.2f}, and you {mine[i]:.2f}."


def _blocked(z: Tensor, mu: Tensor, sigma: Tensor) -> str | None:
    """What is wrong with the way in which gradients pass through the sample `z`."""
    if not z.requires_grad:
        return "The sample is right, but no gradient passes through it: compute it from mu and sigma by + and *."
    d_mu, d_sigma = torch.autograd.grad(z.sum(), (mu, sigma), allow_unused=True)
    if d_mu is None and d_sigma is not None:
        return "sigma gets a gradient, and mu gets none: is it detached?"
    if d_sigma is None and d_mu is not None:
        return "mu gets a gradient, and sigma gets none: is it detached?"
    if not d_mu.any():
        return "The gradient is silently zero: torch.normal does that. Compute mu + sigma * eps yourself."
    eps = (z.detach() - mu.detach()) / sigma.detach()
    right = torch.allclose(d_mu, torch.ones_like(mu)) and torch.allclose(d_sigma, eps, atol=1e-4)
    return None if right else "dz/dmu should be 1 and dz/dsigma should be eps."


def _small_problem() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """mu, sigma and a z sampled from them, each `[4, 3]`, and the cost `[4]`, all tied together by gradients."""
    generator = torch.Generator().manual_seed(0)
    mu = torch.randn(4, 3, generator=generator).requires_grad_()
    sigma = (0.5 + torch.rand(4, 3, generator=generator)).requires_grad_()
    z = mu + sigma * torch.randn(4, 3, generator=generator)
    return mu, sigma, z, (z - 1).square().sum(-1)


def _other_than_score(term: Tensor, mu: Tensor, sigma: Tensor, z: Tensor, cost: Tensor) -> str | None:
    """Which mistake gives the gradient of the learner's `term` `[4]`; None where it is that of cost * log q(z)."""

    def log_q(z: Tensor) -> Tensor:
        return log_normal(z, mu, sigma).sum(-1)

    def gradient(of: Tensor) -> Tensor:
        found = torch.autograd.grad(of.sum(), (mu, sigma), retain_graph=True, allow_unused=True)
        return torch.stack([torch.zeros_like(mu) if part is None else part for part in found])

    f, still = cost.detach(), z.detach()
    known = {
        "": f * log_q(still),
        "The sign is wrong: the term is added to a loss, and its gradient is + cost * score.": -f * log_q(still),
        "z is not detached: log q(z) then moves mu and z together, and nothing is left of mu's gradient.": f * log_q(z),
        "The cost is not detached: a second gradient creeps in through its slope.": cost * log_q(still),
        "Neither the cost nor z is detached: both must be constants here.": cost * log_q(z),
        "log q(z) lacks its term - log sigma.": -f * ((still - mu) / sigma).square().sum(-1) / 2,
        "The cost is missing: weight log q(z) with it.": log_q(still),
    }
    found = gradient(term)
    for diagnosis, right in known.items():
        if torch.allclose(found, gradient(right), atol=1e-4):
            return diagnosis or None
    return "The gradient is not cost * d log q(z) / d(mu, sigma)."


def _loss(model: VAE, tokens: Tensor, eps: Tensor, cut: str = "") -> Tensor:
    """reconstruction + KL of each melody `[B]`; `cut` names the places of a detach."""
    mu, sigma = model.encode(tokens)

    def part(name: str, value: Tensor) -> Tensor:
        return value.detach() if name in cut.split() else value

    z = part("z", part("mu-of-z", mu) + part("sigma-of-z", sigma) * eps)
    return reconstruction(model.logits(z), tokens) + gaussian_kl(part("mu-of-kl", mu), part("sigma-of-kl", sigma))


def _lost_gradient(model: VAE, mine: Callable[[], Tensor], tokens: Tensor, eps: Tensor) -> str | None:
    """Which gradient the learner's loss still lacks: the encoder's, compared with a loss that is cut somewhere."""
    weights = list(model.encoder.parameters())

    def gradient(loss: Tensor) -> Tensor:
        found = torch.autograd.grad(loss.sum(), weights, allow_unused=True)
        return torch.cat(
            [(torch.zeros_like(w) if g is None else g).flatten() for g, w in zip(found, weights, strict=True)]
        )

    found = gradient(mine())
    known = {
        "": "",
        "mu-of-z sigma-of-kl": "Nothing has changed yet: both detaches are still at work.",
        "mu-of-z": "One of the two: sigma learns from the KL again. mu is still cut off from the reconstruction.",
        "sigma-of-kl": "One of the two: mu learns from the reconstruction again. sigma is still cut off from the KL.",
        "z": "Now z as a whole is cut off: the encoder learns from the KL alone.",
        "z sigma-of-kl": "z as a whole is cut off, and sigma from the KL too.",
        "sigma-of-z": "sigma is cut off from the reconstruction.",
        "mu-of-kl": "mu is cut off from the KL.",
        "mu-of-z mu-of-kl": "mu is cut off from both.",
    }
    for cut, diagnosis in known.items():
        if torch.allclose(found, gradient(_loss(model, tokens, eps, cut)), atol=1e-4):
            return diagnosis or None
    return "The encoder's gradient is not that of reconstruction + KL."
