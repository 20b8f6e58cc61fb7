"""The exercises of chapter 07, Posterior collapse."""

from collections.abc import Callable

import numpy as np
import torch

from mvae_lib.evaluation.collapse import START_OF_SEQUENCE
from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.models.generate import word_dropout as library_word_dropout
from mvae_lib.music.melody import VOCABULARY


def exercise_1(excess: Callable) -> Verdict:
    """`excess(w, a)`: mean rate + distortion - entropy in nats, of p(x|z) = N(w z, 1 - w²), q(z|x) = N(a x, 1 - w²)."""

    def diagnose() -> str | None:
        mine, wanted = {}, {}
        for w, a in ((0.6, 0.6), (0.0, 0.0), (0.8, 0.3), (0.5, 0.9), (0.0, 0.7)):
            value, problem = as_array(excess(w, a), ())
            if problem:
                return problem
            mine[w, a], wanted[w, a] = float(value), _excess_by_quadrature(w, a)
        differing = [key for key in wanted if not np.isclose(mine[key], wanted[key], rtol=1e-4, atol=1e-6)]
        return _wrong_excess(mine, wanted, differing) if differing else None

    return judge(
        "7.1", diagnose, "It agrees with numerical integration: only with a = w does the use of z cost nothing."
    )


def exercise_2(beta_at: Callable, word_dropout: Callable) -> Verdict:
    """`beta_at(step, maximum, rate)` and `word_dropout(tokens, share, generator)`, as the library has them."""

    def diagnose() -> str | None:
        return _wrong_beta(beta_at) or _wrong_dropout(word_dropout)

    return judge("7.2", diagnose, "Both agree with the library's, number by number. Keep them for the Build file.")


def exercise_3(hidden_beta: Callable) -> Verdict:
    """`hidden_beta(distortion, kl, steps, z_size)`: the beta of a loss with the reductions "sum" or "mean"."""

    def diagnose() -> str | None:
        steps, z_size = 32, 512
        right = {
            ("sum", "sum"): 1.0,
            ("mean", "sum"): float(steps),
            ("sum", "mean"): 1 / z_size,
            ("mean", "mean"): steps / z_size,
        }
        mine = {}
        for reductions in right:
            value, problem = as_array(hidden_beta(*reductions, steps, z_size), ())
            if problem:
                return problem
            mine[reductions] = float(value)
        if not np.isclose(mine["sum", "sum"], 1):
            return "Where both are summed, nothing is hidden: that is the negative ELBO, with beta 1."
        if np.isclose(mine["mean", "sum"], 1 / steps) or np.isclose(mine["sum", "mean"], z_size):
            return "Upside down: a term that is divided by more counts for less, and beta is the weight of the KL."
        if np.isclose(mine["mean", "mean"], 1):
            return "Two averages do not cancel: one divides by the steps, the other by the dimensions."
        for reductions, value in right.items():
            if not np.isclose(mine[reductions], value):
                names = f"distortion {reductions[0]}, kl {reductions[1]}"
                sizes = f"{steps} steps and {z_size} dimensions"
                return f"For {names}, {sizes}, beta should be {value:g}, and yours is {mine[reductions]:g}."
        return None

    praise = "Sum both, average over the batch alone, and write beta where everyone can read it."
    return judge("7.3", diagnose, praise)


def exercise_4(cyclical_beta: Callable) -> Verdict:
    """`cyclical_beta(step, period)`: 0 to 1 in the first half of each period, 1 in the second."""

    def diagnose() -> str | None:
        wanted = {0: 0.0, 25: 0.5, 50: 1.0, 99: 1.0, 100: 0.0, 125: 0.5, 250: 1.0, 310: 0.2}
        mine = {}
        for step in wanted:
            value, problem = as_array(cyclical_beta(step, 100), ())
            if problem:
                return problem
            mine[step] = float(value)
        if np.isclose(mine[25], 0.25) and np.isclose(mine[50], 0.5):
            return "It rises through the whole period; in the second half of each it should stay at 1."
        if max(mine.values()) > 1.001:
            step = max(mine, key=mine.get)
            return f"At step {step} of periods of 100, beta is {mine[step]:g}: it should not exceed 1."
        if np.isclose(mine[125], 1.0):
            return "It rises once and stays: `step % period` is the step within a period."
        wrong = [step for step, value in wanted.items() if not np.isclose(mine[step], value)]
        if wrong:
            step = wrong[0]
            return f"At step {step} of periods of 100, beta should be {wanted[step]:g}, and yours is {mine[step]:g}."
        return None

    return judge("7.4", diagnose, "Each time that beta falls, the decoder has another chance to learn to use z.")


def _excess_by_quadrature(w: float, a: float) -> float:
    """The excess of exercise 7.1 by Gauss-Hermite integration over x and z, which knows nothing of the closed form."""
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()  # of N(0, 1)
    x, eps = points[:, None], points[None]
    variance = 1 - w**2
    z = a * x + np.sqrt(variance) * eps

    def log_normal(value: np.ndarray, mean: np.ndarray | float, variance: float) -> np.ndarray:
        return -0.5 * (np.log(2 * np.pi * variance) + (value - mean) ** 2 / variance)

    bound = -log_normal(x, w * z, variance) + log_normal(z, a * x, variance) - log_normal(z, 0.0, 1.0)
    return float(weights @ (bound + log_normal(x, 0.0, 1.0)) @ weights)


def _wrong_excess(mine: dict, wanted: dict, differing: list) -> str:
    """What is wrong with a formula of which the values at `differing` (w, a) are not those of the integral."""
    if not np.isclose(mine[0.6, 0.6], 0, atol=1e-6):
        return "With a = w, q is the exact posterior N(w x, 1 - w²): the KL between the two is 0, so the excess is 0."
    ratios = [mine[key] / wanted[key] for key in wanted if wanted[key] > 1e-6]
    if np.allclose(ratios, 2, rtol=1e-3):
        return "It is twice the right value: with equal variances the KL is (difference of means)² / (2 variance)."
    if all(np.isclose(mine[w, a], wanted[w, a] * (1 - w**2), rtol=1e-3, atol=1e-6) for w, a in wanted):
        return "Divide by the posterior's variance, 1 - w²: a distance counts for more where p(z|x) is narrow."
    w, a = differing[0]
    return f"At w = {w:g} and a = {a:g}, integration gives {wanted[w, a]:.4f} nats, and your formula {mine[w, a]:.4f}."


def _wrong_beta(beta_at: Callable) -> str | None:
    wanted = {
        (step, maximum, rate): (1 - rate**step) * maximum
        for step, maximum, rate in (
            (0, 0.3, 0.99),
            (100, 0.3, 0.99),
            (100, 1.0, 0.99),
            (3, 1.0, 0.0),
        )
    }
    mine = {}
    for arguments in wanted:
        value, problem = as_array(beta_at(*arguments), ())
        if problem:
            return f"beta_at: {problem}"
        mine[arguments] = float(value)
    if np.isclose(mine[0, 0.3, 0.99], 0.3):
        return "beta_at: it should rise from 0 to the maximum, and yours starts at the maximum: 1 - rate^step."
    if np.isclose(mine[100, 0.3, 0.99], mine[100, 1.0, 0.99]):
        return "beta_at: the maximum has no effect; beta rises to `maximum`, not always to 1."
    wrong = [key for key, value in wanted.items() if not np.isclose(mine[key], value)]
    if wrong:
        return f"beta_at{wrong[0]} should be {wanted[wrong[0]]:.4g}, and yours is {mine[wrong[0]]:.4g}."
    return None


def _wrong_dropout(word_dropout: Callable) -> str | None:
    tokens = torch.randint(1, VOCABULARY, (500, 16), generator=torch.Generator().manual_seed(0))
    given = tokens.clone()
    mine, problem = as_array(word_dropout(given, 0.25, torch.Generator().manual_seed(1)), (500, 16))
    if problem:
        return f"word_dropout: {problem}"
    if not torch.equal(given, tokens):
        return "word_dropout: you changed the tokens that you were given; the loss still needs them. Return new ones."
    again, other = (np.asarray(word_dropout(tokens.clone(), 0.25, torch.Generator().manual_seed(s))) for s in (1, 2))
    found = _other_than_dropped(mine, tokens.numpy(), again, other)
    if found:
        return f"word_dropout: {found}"
    library = library_word_dropout(tokens, (VOCABULARY,), 0.25, torch.Generator().manual_seed(1)).numpy()
    if not np.array_equal(mine, library):
        return (
            "word_dropout: a right result, of other random numbers than the library's. For the Build file, sample "
            "`torch.rand(tokens.shape, generator=generator)` once and drop where it is below the share."
        )
    return None


def _other_than_dropped(mine: np.ndarray, tokens: np.ndarray, again: np.ndarray, other: np.ndarray) -> str | None:
    """How `mine` `[500, 16]` differs from `tokens` with a quarter dropped; `again`: the same seed, `other`: another."""
    changed, start = mine != tokens, START_OF_SEQUENCE
    if not changed.any():
        return "no token is dropped."
    if (mine[changed] == 0).all():
        return f"class 0 is 'no event', which is information; the start-of-sequence input is class {start}."
    if not (mine[changed] == start).all():
        return f"what is dropped should become class {start}, and all else stay as it was."
    if np.isclose(changed.mean(), 0.75, atol=0.03):
        return "you kept a quarter and dropped the rest: `share` is the probability of being dropped."
    by_melody, by_step = changed.mean(1), changed.mean(0)
    if np.isin(by_melody, (0, 1)).all():
        return "whole melodies are dropped: sample for each token, not once for each melody."
    if np.isin(by_step, (0, 1)).all():
        return "whole steps are dropped in all melodies alike: sample for each token of each melody."
    if not np.isclose(changed.mean(), 0.25, atol=0.03):
        return f"a quarter should be dropped, and {changed.mean():.2f} of all are."
    if np.array_equal(mine, other):
        return "two generators of different seeds dropped the same tokens: is a seed fixed inside?"
    if not np.array_equal(mine, again):
        return "two generators of the same seed dropped different tokens: give `generator` to torch.rand."
    return None
