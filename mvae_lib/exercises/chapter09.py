"""The exercises of chapter 09, Playing the latent space."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mvae_lib.evaluation.projections import majority
from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.latent import lerp, slerp


def exercise_1(my_slerp: Callable) -> Verdict:
    """`my_slerp(a, b, t)`: the arc between two vectors `[Z]` at t in 0 to 1: `[Z]`."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        a, b = 3 * torch.randn(16, generator=generator), torch.randn(16, generator=generator)
        mine, problem = as_array(my_slerp(a.clone(), b.clone(), 0.25), (16,))
        if problem:
            return problem
        for diagnosis, values in _other_ways(a, b).items():
            if np.allclose(mine, values, atol=1e-4):
                return diagnosis
        if not np.allclose(mine, slerp(a, b, 0.25), atol=1e-4):
            return "The point at t = 1/4 is not on the arc: compare your weights of a and b with the formula."
        same, problem = as_array(my_slerp(a.clone(), 2 * a, 0.5), (16,))
        if problem:
            return problem
        if np.isnan(same).any():
            return (
                "Between vectors of one direction you give NaN: clamp the cosine, and where sin w is 0, take the line."
            )
        return (
            None if np.allclose(same, 1.5 * a, atol=1e-3) else "Where both point the same way, the line is the answer."
        )

    return judge("9.1", diagnose, "On the arc, with both lengths respected, and no NaN where there is no arc.")


def exercise_2(honest_vector: Callable) -> Verdict:
    """`honest_vector(z, values, is_train)`: top quartile minus bottom quartile, of training melodies only: `[Z]`."""

    def diagnose() -> str | None:
        z, values, is_train = _leaky_problem()
        arguments = (z.clone(), values.copy(), is_train.copy())
        mine, problem = as_array(honest_vector(*arguments), (3,))
        if problem:
            return problem
        if not (torch.equal(arguments[0], z) and np.array_equal(arguments[1], values, equal_nan=True)):
            return "Your function changed what it was given: work on copies."
        if np.isnan(mine).any():
            return "There is NaN in the vector: some values are NaN, and np.quantile falls for them (np.nanquantile)."
        if np.allclose(mine, _quartile_vector(z, values, is_train, is_train), atol=1e-4):
            return None
        every = np.ones_like(is_train)
        known = {
            "The test melodies are in it: choose rows by `is_train` first, then quartiles, then means.": (every, every),
            "The quartiles leak: their bounds come from all melodies. Take them from training melodies.": (
                every,
                is_train,
            ),
            "The means leak: they include test melodies. Take them over training melodies.": (is_train, every),
            "You used the test melodies, and only those: is_train is True for the others.": (~is_train, ~is_train),
        }
        for diagnosis, (bounds, means) in known.items():
            if np.allclose(mine, _quartile_vector(z, values, bounds, means), atol=1e-4):
                return diagnosis
        return _other_than_quartiles(mine, z[is_train], values[is_train])

    return judge("9.2", diagnose, "Quartiles and means know nothing of the test melodies.")


def exercise_3(control: Callable) -> Verdict:
    """`control(direction, generator)`: a random direction exactly as long as `direction`: `[Z]`."""

    def diagnose() -> str | None:
        direction = torch.tensor([3.0, 0.5, 0.0, -1.0, 0.0, 0.0])
        first, again, other = (control(direction.clone(), torch.Generator().manual_seed(s)) for s in (0, 0, 1))
        mine, problem = as_array(first, (6,))
        if problem:
            return problem
        if not np.array_equal(mine, as_array(again, (6,))[0]):
            return "Two generators of the same seed gave different directions: give `generator` to torch.randn."
        if np.array_equal(mine, as_array(other, (6,))[0]):
            return "Two generators of different seeds gave the same direction: is a seed fixed inside?"
        generator = torch.Generator().manual_seed(2)
        draws = np.stack([np.asarray(control(direction, generator)) for _ in range(3000)])
        lengths = np.linalg.norm(draws, axis=1)
        if not np.allclose(lengths, direction.norm(), rtol=1e-3):
            return "The control is of another length than the direction: then it controls for nothing."
        return _preferred(draws, direction)

    return judge("9.3", diagnose, "As long as the direction, and with no preference.")


def exercise_4(failures: Callable) -> Verdict:
    """`failures(added, subtracted, least)`: for each vector, whether it fails: booleans `[A]`."""

    def diagnose() -> str | None:
        added, subtracted = _effects()
        mine, problem = as_array(failures(added.copy(), subtracted.copy(), 0.4), (6,))
        if problem:
            return problem
        if mine.dtype != bool:
            return "I want booleans, True where a vector fails."
        right = np.array([False, True, True, True, True, True])
        if np.array_equal(mine, right):
            return None
        if np.array_equal(mine, ~right):
            return "It is the other way round: True stands for a vector that fails."
        cases = (
            (1, "A vector that moves its own attribute too little, when added, passed: compare with `least`."),
            (2, "A vector that raises its attribute when *subtracted* passed: signs matter for the own effect."),
            (3, "A vector that works when added only passed: look at both matrices."),
            (4, "A vector that, added, moves another attribute further than its own passed; look along its row."),
            (
                5,
                "A vector that, subtracted, moves another attribute further than its own passed (signs do not matter).",
            ),
        )
        for row, diagnosis in cases:
            if not mine[row]:
                return diagnosis
        return "You failed a vector that is right: rows are vectors, columns attributes; mind which side effects count."

    return judge("9.4", diagnose, "By that rule, a name has to be earned in both directions and against all others.")


def exercise_5(baseline: Callable) -> Verdict:
    """`baseline(labels, test_labels)`: the test accuracy of always saying the most frequent training label."""

    def diagnose() -> str | None:
        labels = np.array(["reel"] * 6 + ["march"] * 3 + ["air"] * 2)
        test_labels = np.array(["march"] * 4 + ["reel"] * 3 + ["air"])
        value = baseline(labels.copy(), test_labels.copy())
        if isinstance(value, str):
            return "You returned the label itself; I want the share of test melodies for which it is right."
        mine, problem = as_array(value, ())
        if problem:
            return problem
        known = {
            "You took the most frequent *test* label: a probe may not look at those, nor may its baseline.": 4 / 8,
            "That is the share among the training melodies; the probe is judged on test melodies.": 6 / 11,
            "That is one divided by the number of labels, as if all were equally frequent.": 1 / 3,
        }
        if np.isclose(mine, majority(labels, test_labels)):
            return None
        named = [diagnosis for diagnosis, wrong in known.items() if np.isclose(mine, wrong)]
        return (
            named[0] if named else f"Expected {majority(labels, test_labels):.3f} in my small example, got {mine:.3f}."
        )

    return judge("9.5", diagnose, "Chosen in training, judged on the test: the least that a probe has to beat.")


def _other_ways(a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """Where the usual mistakes lead at t = 1/4."""
    w = torch.acos(torch.cosine_similarity(a, b, dim=0))
    near, far = torch.sin(0.75 * w) / torch.sin(w), torch.sin(0.25 * w) / torch.sin(w)
    units = near * a / a.norm() + far * b / b.norm()
    return {
        "That is the line. The arc weights a and b with sines of the angle between them.": lerp(a, b, 0.25),
        "Your path runs from b to a: at t = 0 it should be at a.": slerp(b, a, 0.25),
        "Your point has length 1, or nearly: weight a and b as they are, not their unit vectors.": units,
        "Normalise for the angle only: the arc of the unit vectors has been stretched to a's length.": units * a.norm(),
        "The division by sin w is missing.": torch.sin(0.75 * w) * a + torch.sin(0.25 * w) * b,
    }


def _leaky_problem() -> tuple[Tensor, np.ndarray, np.ndarray]:
    """z `[N, 3]`, values `[N]` with some NaN, and who is in training; test melodies are of quite another kind."""
    rng = np.random.default_rng(0)
    is_train = rng.random(400) < 0.6
    values = rng.normal(size=400) + 1.5 * ~is_train
    z = np.stack([values, values**2, rng.normal(size=400)], 1) + 2.0 * ~is_train[:, None]
    values[::17] = np.nan
    return torch.from_numpy(z).float(), values, is_train


def _quartile_vector(z: Tensor, values: np.ndarray, bounds: np.ndarray, means: np.ndarray) -> Tensor:
    """The difference of means over the rows `means`, beyond the quartiles of the rows `bounds`; both boolean `[N]`."""
    low, high = np.nanquantile(values[bounds], (0.25, 0.75))
    top, bottom = (torch.from_numpy(group & means) for group in (values >= high, values <= low))
    return z[top].mean(0) - z[bottom].mean(0)


def _other_than_quartiles(mine: np.ndarray, z: Tensor, values: np.ndarray) -> str:
    """What is wrong with a vector that looks at the right melodies `[N]`."""
    every = np.ones(len(values), bool)
    if np.allclose(mine, -_quartile_vector(z, values, every, every), atol=1e-4):
        return "It points from the top to the bottom: subtract the mean of the bottom quartile from that of the top."
    middle = np.nanmedian(values)
    halves = z[torch.from_numpy(values >= middle)].mean(0) - z[torch.from_numpy(values <= middle)].mean(0)
    if np.allclose(mine, halves, atol=0.02):
        return "You compared the halves; compare the top quarter with the bottom quarter."
    absent = torch.from_numpy(np.nan_to_num(values, nan=0.0))
    if np.allclose(mine, _quartile_vector(z, absent.numpy(), every, every), atol=1e-4):
        return "You took NaN for 0: a melody without the attribute belongs to neither quartile."
    return "The vector differs from the mean of the top quartile minus that of the bottom quartile."


def _preferred(draws: np.ndarray, direction: Tensor) -> str | None:
    """Which directions controls `[n, Z]` prefer; None where all are equally likely."""
    values = np.sort(np.abs(direction.numpy()))
    if np.allclose(np.sort(np.abs(draws), 1), values, atol=1e-4):
        return "That is the direction shuffled or with other signs: its numbers are all there still. Draw new ones."
    if (draws >= 0).all():
        return "Each number is positive: torch.rand draws from 0 to 1. Use torch.randn."
    unit = draws / np.linalg.norm(draws, axis=1, keepdims=True)
    if np.abs(unit.mean(0)).max() > 0.05:
        return "The controls prefer some directions: their mean is not 0."
    if np.abs(unit.T @ unit / len(unit) - np.eye(unit.shape[1]) / unit.shape[1]).max() > 0.02:
        return "Some axes get more than others: draw each number alike, from torch.randn."
    fourth = (unit**4).mean() * unit.shape[1] * (unit.shape[1] + 2)  # 3 where all directions are equally likely
    return None if abs(fourth - 3) < 0.08 else "Corners of a cube are preferred: use torch.randn, not uniform numbers."


def _effects() -> tuple[np.ndarray, np.ndarray]:
    """Two matrices `[6, 6]` of effects: the first vector works, each other one fails for a reason of its own."""
    added, subtracted = np.eye(6), -np.eye(6)
    added[0, 2], subtracted[0, 3] = -0.9, 0.8  # side effects, but smaller
    added[2, 0] = added[3, 0] = 0.2  # not symmetric, so that rows and columns cannot be exchanged
    added[1, 1], subtracted[1, 1] = 0.2, -1.0
    subtracted[2, 2] = 1.0
    subtracted[3, 3] = -0.1
    added[4, 0] = 1.3
    subtracted[5, 3] = -1.2
    return added, subtracted
