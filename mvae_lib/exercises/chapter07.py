"""The exercises of chapter 07, Posterior collapse."""

import math
from collections.abc import Callable

import numpy as np
import torch

from mvae_lib.evaluation.collapse import START_OF_SEQUENCE
from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.training.objectives import gaussian_kl


def exercise_1(idle_mean: Callable) -> Verdict:
    """`idle_mean(bits, z_size)`: the mean `[z_size]` of a posterior with sigma 1 that costs `bits` bits."""

    def diagnose() -> str | None:
        for bits, z_size in ((8.0, 16), (3.0, 1)):
            mine, problem = as_array(idle_mean(bits, z_size), (z_size,))
            if problem:
                return problem
            mu = torch.tensor(mine, dtype=torch.float64)[None]
            got, wanted = gaussian_kl(mu, torch.ones_like(mu)).item(), bits * math.log(2)
            if np.isclose(got, bits, rtol=1e-3):
                return f"It costs {bits:g} *nats*. A bit is ln 2 nats."
            if np.isclose(got, wanted / 2, rtol=1e-3):
                return "It costs half of what it should: with sigma 1, the KL is |mu|² / 2."
            if np.isclose(got, wanted * z_size, rtol=1e-3) and z_size > 1:
                return "Each dimension costs all of the bits; together they should."
            if not np.isclose(got, wanted, rtol=1e-3):
                return f"For {bits:g} bits and {z_size} dimensions, yours costs {got / math.log(2):.2f} bits."
        return None

    praise = "So much may be paid for without a word about the melody, and the free bits ask for no more."
    return judge("7.1", diagnose, praise)


def exercise_2(hide: Callable) -> Verdict:
    """`hide(tokens, probability, generator)`: tokens `[B, T]`, each replaced by 90 with `probability`."""

    def diagnose() -> str | None:
        tokens = torch.randint(1, 90, (500, 16), generator=torch.Generator().manual_seed(0))
        given = tokens.clone()
        mine, problem = as_array(hide(given, 0.25, torch.Generator().manual_seed(1)), (500, 16))
        if problem:
            return problem
        if not torch.equal(given, tokens):
            return "You changed the tokens that you were given; the loss still needs them. Return new ones."
        again, other = (np.asarray(hide(tokens.clone(), 0.25, torch.Generator().manual_seed(s))) for s in (1, 2))
        return _other_than_hidden(mine, tokens.numpy(), again, other)

    return judge("7.2", diagnose, "A coin for each token, and what is hidden is read as zeros.")


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
                return f"For {names}, {sizes}, I get {value:g}, and you {mine[reductions]:g}."
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
            return "It climbs through the whole period; the second half of each should stay at 1."
        if max(mine.values()) > 1.001:
            return (
                f"At step {max(mine, key=mine.get)} of periods of 100, beta is {max(mine.values()):g}: it stops at 1."
            )
        if np.isclose(mine[125], 1.0):
            return "It climbs once and stays: `step % period` is the step within a period."
        wrong = [step for step, value in wanted.items() if not np.isclose(mine[step], value)]
        return (
            f"At step {wrong[0]} of periods of 100, I get {wanted[wrong[0]]:g}, and you {mine[wrong[0]]:g}."
            if wrong
            else None
        )

    return judge("7.4", diagnose, "Each time that the price falls, the decoder may learn to listen again.")


def _other_than_hidden(mine: np.ndarray, tokens: np.ndarray, again: np.ndarray, other: np.ndarray) -> str | None:
    """How `mine` `[500, 16]` differs from `tokens` with a quarter hidden; `again`: the same seed, `other`: another."""
    changed = mine != tokens
    if not changed.any():
        return "Nothing is hidden."
    if (mine[changed] == 0).all():
        nothing = START_OF_SEQUENCE
        return f"Class 0 is a hold, and that is news. Nothing at all is class {nothing}, which is read as zeros."
    if not (mine[changed] == START_OF_SEQUENCE).all():
        return f"What is hidden should become class {START_OF_SEQUENCE}, and all else stay as it was."
    if np.isclose(changed.mean(), 0.75, atol=0.03):
        return "You kept a quarter and hid the rest: the probability is that of hiding."
    by_melody, by_step = changed.mean(1), changed.mean(0)
    if np.isin(by_melody, (0, 1)).all():
        return "Whole melodies are hidden: draw a coin for each token, not one for each melody."
    if np.isin(by_step, (0, 1)).all():
        return "Whole steps are hidden in all melodies alike: draw a coin for each token of each melody."
    if not np.isclose(changed.mean(), 0.25, atol=0.03):
        return f"I asked for a quarter to be hidden, and {changed.mean():.2f} of all are."
    if np.array_equal(mine, other):
        return "Two generators of different seeds hid the same tokens: is a seed fixed inside?"
    if not np.array_equal(mine, again):
        return "Two generators of the same seed hid different tokens: give `generator` to torch.rand."
    return None
