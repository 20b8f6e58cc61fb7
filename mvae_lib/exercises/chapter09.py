"""The exercises of chapter 09, Playing the latent space."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.latent import lerp, slerp


def exercise_1(midpoint_norms: Callable) -> Verdict:
    """`midpoint_norms(a, b, w)`: from two norms and the angle, the norms halfway: (of lerp, of slerp)."""

    def diagnose() -> str | None:
        worst = None
        for seed in range(3):
            generator = torch.Generator().manual_seed(seed)
            a, b = 3 * torch.randn(16, generator=generator), torch.randn(16, generator=generator) + seed
            norms, w = (a.norm().item(), b.norm().item()), math.acos(torch.cosine_similarity(a, b, dim=0).item())
            mine, problem = as_array(midpoint_norms(*norms, w), (2,))
            if problem:
                return problem
            right = np.array([lerp(a, b, 0.5).norm(), slerp(a, b, 0.5).norm()])
            if np.allclose(mine, right, rtol=1e-3):
                continue
            for diagnosis, values in _other_norms(*norms, w, *right).items():
                if np.allclose(mine, values, rtol=1e-3):
                    return diagnosis
            which = "lerp" if not np.isclose(mine[0], right[0], rtol=1e-3) else "slerp"
            worst = worst or (
                f"For norms {norms[0]:.2f} and {norms[1]:.2f} and an angle of {w:.2f}, the norm of {which} halfway is "
                f"{right[int(which == 'slerp')]:.2f}, and yours is {mine[int(which == 'slerp')]:.2f}."
            )
        return worst

    return judge("9.1", diagnose, "Both formulas agree with the norms of the library's lerp and slerp, to 3 digits.")


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


def exercise_3(failures: Callable) -> Verdict:
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

    return judge(
        "9.3",
        diagnose,
        "By that rule, a vector works only if it does so in both directions and moves no other attribute further.",
    )


def exercise_4(generate: Callable) -> Verdict:
    """`generate(decoder, z, steps, temperature, generator)`: free-running decoding, tokens `[batch, steps]`."""

    def diagnose() -> str | None:
        decoder, z = _Decoder(), torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
        mine, problem = as_array(generate(decoder, z.clone(), 6, 0, torch.Generator().manual_seed(2)), (5, 6))
        if problem:
            return problem
        if not np.array_equal(mine, _generated(decoder, z, 6, 0, None)):
            known = _wrong_generations(decoder, z, mine)
            return known or "At temperature 0, your tokens are not those of the largest logits, step after step."
        for value in (1.0, 0.5):
            generators = [torch.Generator().manual_seed(3) for _ in range(3)]
            mine, problem = as_array(generate(decoder, z.clone(), 6, value, generators[0]), (5, 6))
            if problem:
                return problem
            if np.array_equal(mine, _generated(decoder, z, 6, value, generators[1])):
                continue
            if np.array_equal(mine, _generated(decoder, z, 6, 0, None)):
                return f"At temperature {value} you still take the largest logit: sample from softmax(logits / t)."
            if np.array_equal(mine, _generated(decoder, z, 6, 1 / value, generators[2])):
                return "You multiply the logits by the temperature: divide, so that a low one sharpens."
            again = np.asarray(generate(decoder, z.clone(), 6, value, torch.Generator().manual_seed(3)))
            if not np.array_equal(mine, again):
                return "Two generators of one seed gave different tokens: give `generator` to torch.multinomial."
            if value != 1 and np.array_equal(mine, _generated(decoder, z, 6, 1, torch.Generator().manual_seed(3))):
                return "The temperature has no effect: divide the logits by it before the softmax."
            return (
                "Greedy decoding is right; sampled tokens differ from torch.multinomial(softmax(logits / temperature), "
                "1, generator=generator), called once per step for the whole batch."
            )
        return None

    return judge("9.4", diagnose, "The same tokens as the library's sampler, greedy and at two temperatures.")


class _Decoder(nn.Module):
    """The decoder of the Build exercise of chapter 05, small, with large weights so that nothing is a tie."""

    def __init__(self, vocabulary: int = 7, units: int = 8, z_size: int = 4):
        super().__init__()
        self.start = nn.Linear(z_size, 2 * units)
        self.lstm = nn.LSTM(vocabulary + z_size, units, batch_first=True)
        self.output = nn.Linear(units, vocabulary)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(1.5 * torch.randn(parameter.shape, generator=generator))


@torch.no_grad()
def _generated(
    decoder: _Decoder, z: Tensor, steps: int, temperature: float, generator: torch.Generator | None, mistake: str = ""
) -> np.ndarray:
    """The right tokens, or those of a known `mistake`."""
    classes = decoder.output.out_features
    c, h = torch.tanh(decoder.start(z)).chunk(2, -1)
    if mistake == "exchanged":
        c, h = h, c
    if mistake == "no start":
        c, h = torch.zeros_like(c), torch.zeros_like(h)
    if mistake == "no tanh":
        c, h = decoder.start(z).chunk(2, -1)
    state = first = (h[None].contiguous(), c[None].contiguous())
    previous, tokens = torch.zeros(len(z), classes), []
    if mistake == "class 0":
        previous[:, 0] = 1
    for _ in range(steps):
        read = torch.zeros_like(z) if mistake == "no z" else z
        hidden, state = decoder.lstm(torch.cat([previous, read], -1)[:, None], state)
        state = first if mistake == "no state" else state
        logits = decoder.output(hidden[:, 0])
        if temperature:
            token = torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator)[:, 0]
        else:
            token = logits.argmax(-1)
        tokens.append(token)
        previous = torch.zeros_like(previous) if mistake == "no past" else nn.functional.one_hot(token, classes).float()
    return torch.stack(tokens, 1).numpy()


def _wrong_generations(decoder: _Decoder, z: Tensor, mine: np.ndarray) -> str | None:
    """The diagnosis of the mistake that leads to these tokens at temperature 0."""
    known = {
        "class 0": "The first step reads class 0; before the first step there is no token: all zeros.",
        "no start": "Your LSTM starts from zeros: its initial state is tanh(decoder.start(z)), c first, then h.",
        "no tanh": "The tanh of the initial state is missing.",
        "exchanged": "c and h of the initial state are exchanged: c is the first half, and nn.LSTM wants (h, c).",
        "no z": "z is missing from the input: every step reads [one-hot previous token, z].",
        "no state": "Every step starts from the initial state: pass on the state that the LSTM returned.",
        "no past": "Every step reads zeros in place of the previous token: feed back the one-hot of what you chose.",
    }
    found = [words for name, words in known.items() if np.array_equal(mine, _generated(decoder, z, 6, 0, None, name))]
    return found[0] if found else None


def _other_norms(a: float, b: float, w: float, line: float, arc: float) -> dict[str, tuple[float, float]]:
    """Where the usual mistakes lead, as (norm of lerp, norm of slerp)."""
    return {
        "The two are exchanged: lerp first, then slerp.": (arc, line),
        "lerp's norm is not the mean of the norms: that holds for parallel vectors only.": ((a + b) / 2, arc),
        "slerp's norm is the mean of the norms only where the two are equal: expand the square.": (line, (a + b) / 2),
        "Each of the two has lost its factor 1/2: the weights halfway are 1/2 and 1/2.": (2 * line, arc),
        "These are squared norms: take the root.": (line**2, arc**2),
        "The mixed term 2 |a| |b| cos w is missing.": (
            math.hypot(a, b) / 2,
            math.hypot(a, b) / (2 * math.cos(w / 2)),
        ),
        "The mixed term has the wrong sign.": (
            math.sqrt(a * a + b * b - 2 * a * b * math.cos(w)) / 2,
            math.sqrt(a * a + b * b - 2 * a * b * math.cos(w)) / (2 * math.cos(w / 2)),
        ),
        "You treat the angle as degrees: it is in radians.": (
            math.sqrt(a * a + b * b + 2 * a * b * math.cos(math.radians(w))) / 2,
            math.sqrt(a * a + b * b + 2 * a * b * math.cos(math.radians(w))) / (2 * math.cos(math.radians(w) / 2)),
        ),
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
