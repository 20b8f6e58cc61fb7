"""The exercises of chapter 08, The hierarchical decoder."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.models.config import ModelConfig
from mvae_lib.models.decoders import FlatDecoder, HierarchicalDecoder
from mvae_lib.music.melody import STEPS_PER_BAR, VOCABULARY


def exercise_1(jacobian: Callable) -> Verdict:
    """`jacobian(W, states)`: d s_T / d s_0 of s_t = tanh(W s_{t-1} + u_t), from s_1 .. s_T: `[T, n]` -> `[n, n]`."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(3, 3, generator=generator, dtype=torch.float64)
        inputs = torch.randn(5, 3, generator=generator, dtype=torch.float64)
        first = torch.randn(3, generator=generator, dtype=torch.float64)
        states = [first]
        for u in inputs:
            states.append(torch.tanh(weight @ states[-1] + u))
        mine, problem = as_array(jacobian(weight.clone(), torch.stack(states[1:])), (3, 3))
        if problem:
            return problem

        def last_state(state: Tensor) -> Tensor:
            for u in inputs:
                state = torch.tanh(weight @ state + u)
            return state

        right = torch.autograd.functional.jacobian(last_state, first).numpy()
        if np.allclose(mine, right):
            return None
        steps = [(1 - state**2)[:, None] * weight for state in states[1:]]
        early = [(1 - state**2)[:, None] * weight for state in states[:-1]]
        wrong = {
            "That is W to the power T: the derivative of tanh, 1 - s_t^2, is missing in each factor.": [weight] * 5,
            "The factors stand in the order of time; the chain rule puts the last step on the left.": steps[::-1],
            "The derivative of tanh belongs to the state that comes out of the step, s_t and not s_{t-1}.": early,
            "You multiplied the columns of W by 1 - s_t^2; row i of W makes component i of the state.": [
                weight * (1 - state**2)[None] for state in states[1:]
            ],
        }
        for words, factors in wrong.items():
            if np.allclose(mine, _product(factors)):
                return words
        if np.allclose(mine, right.T):
            return "That is the transpose: row i of a Jacobian is the gradient of component i of s_T."
        return f"Against automatic differentiation, the largest difference is {np.abs(mine - right).max():.3f}."

    return judge("8.1", diagnose, "The product of the five Jacobians is what automatic differentiation gives.")


def _product(factors: list[Tensor]) -> np.ndarray:
    """J_T ... J_1 from the list J_1 .. J_T."""
    product = torch.eye(len(factors[0]), dtype=factors[0].dtype)
    for factor in factors:
        product = factor @ product
    return product.numpy()


class _Toy(NamedTuple):
    """A core decoder of a few random numbers, which remembers well."""

    start: Callable[[Tensor], Tensor]
    step: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def _toy(generator: torch.Generator) -> _Toy:
    first, again, recurrent, table, output = (
        torch.randn(*shape, generator=generator) for shape in ((4, 8), (4, 8), (8, 8), (VOCABULARY + 1, 8), (8, 90))
    )

    def step(token: Tensor, embedding: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = torch.tanh(state @ recurrent + table[token] + embedding @ again)
        return state @ output, state

    return _Toy(lambda embedding: torch.tanh(embedding @ first), step)


def _written(
    embeddings: Tensor, toy: _Toy, new_state: bool = True, new_token: bool = False, own: bool = True
) -> Tensor:
    """The toy's melody; `new_state` and `new_token` at each bar line; `own`: each bar has its own embedding."""
    tokens, nothing = [], torch.full((len(embeddings),), VOCABULARY)
    token, state = nothing, toy.start(embeddings[:, 0])
    for bar in range(embeddings.shape[1]):
        embedding = embeddings[:, bar if own else 0]
        state = toy.start(embedding) if new_state else state
        token = nothing if new_token else token
        for _ in range(STEPS_PER_BAR):
            logits, state = toy.step(token, embedding, state)
            token = logits.argmax(-1)
            tokens.append(token)
    return torch.stack(tokens, 1)


def exercise_3(write: Callable) -> Verdict:
    """`write(embeddings, start, step)`: free-running, bar after bar: `[B, bars, C]` -> `[B, 16 bars]`."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        embeddings, toy = torch.randn(3, 4, 4, generator=generator), _toy(generator)
        mine, problem = as_array(write(embeddings.clone(), *toy), (3, 4 * STEPS_PER_BAR))
        if problem:
            return problem
        wrong = {
            "The state crosses the bar line: begin every bar with `state = start(embedding)`.": {"new_state": False},
            "Every bar begins with no token: the last token of the bar before is what crosses the bar line.": {
                "new_token": True
            },
            "All bars are written from the first embedding: bar n takes embeddings[:, n].": {"own": False},
        }
        for words, mistake in wrong.items():
            if np.array_equal(mine, _written(embeddings, toy, **mistake)):
                return words
        right = _written(embeddings, toy).numpy()
        if np.array_equal(mine, right):
            return None
        bar = int((mine != right).any(0).argmax()) // STEPS_PER_BAR + 1
        return f"The melody differs from bar {bar} on: begin with token {VOCABULARY}, and feed each step its own token."

    return judge("8.3", diagnose, "The state starts anew in every bar, and the token goes on.")


def exercise_2(reads: Callable) -> Verdict:
    """`reads(logits, z, tokens, step)`: which tokens the logits of that step depend on, a mask `[T]`."""

    def diagnose() -> str | None:
        steps, step, bar = 12, 6, 4
        for decoder, z, tokens in _decoders(steps, bar):
            mine, problem = as_array(reads(decoder, z.clone(), tokens.clone(), step), (steps,))
            if problem:
                return problem
            at = np.arange(steps)
            right = (at < step) & (at >= (0 if isinstance(decoder, FlatDecoder) else bar - 1))
            if np.array_equal(mine.astype(bool), right):
                continue
            if np.array_equal(mine, at >= right.argmax()):
                return "A changed token stays changed while you try the next one: change a fresh copy each time."
            if np.array_equal(mine, at < steps - 1):
                return "You compared the logits of all steps; compare those of `step` alone."
            if (mine & ~right & (at >= step)).any():
                return (
                    "A step's logits are made before its own token and the later ones are known; yours depend on them."
                )
            if not mine[tokens[0].numpy() == 0].any() and right[tokens[0].numpy() == 0].any():
                return "Where the token was 0 before, setting it to 0 changes nothing: take one that differs from it."
            kind, mine = ("flat" if isinstance(decoder, FlatDecoder) else "hierarchical"), np.flatnonzero(mine).tolist()
            return (
                f"For my {kind} decoder, with bars of {bar} steps, step {step} does not read {mine} and nothing else."
            )
        return None

    praise = "A flat decoder reads all tokens before; a hierarchical one its own bar and one token more."
    return judge("8.2", diagnose, praise)


@torch.no_grad()
def _decoders(steps: int, bar: int) -> list[tuple[nn.Module, Tensor, Tensor]]:
    """A hierarchical and a flat decoder with wide random weights, and for each z `[1, 4]` and tokens `[1, steps]`."""
    generator = torch.Generator().manual_seed(0)
    sizes = ModelConfig(steps, z_size=4, decoder_units=8, decoder_layers=1, steps_per_bar=bar)
    hierarchical = HierarchicalDecoder(replace(sizes, conductor_units=8, conductor_layers=1), generator)
    made = []
    for decoder in (hierarchical, FlatDecoder(sizes, generator)):
        for parameter in decoder.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
        tokens = torch.randint(2, VOCABULARY, (1, steps), generator=generator)
        tokens[0, [1, 5]] = 0
        made.append((decoder, torch.randn(1, 4, generator=generator), tokens))
    return made


class _Core(nn.Module):
    """A flat decoder as chapter 05 builds it, of embeddings of 6 numbers."""

    def __init__(self, units: int = 7, z_size: int = 6):
        super().__init__()
        self.start = nn.Linear(z_size, 2 * units)
        self.lstm = nn.LSTM(VOCABULARY + z_size, units, batch_first=True)
        self.output = nn.Linear(units, VOCABULARY)

    def forward(self, z: Tensor, tokens: Tensor) -> Tensor:
        previous = _previous(tokens)
        return self.read(z, previous)[0]

    def read(self, z: Tensor, previous: Tensor, state: tuple | None = None, swapped: bool = False) -> tuple:
        """Logits of the steps that read `previous` `[B, steps, V]`, and the state after them."""
        c, h = torch.tanh(self.start(z)).chunk(2, -1)
        c, h = (h, c) if swapped else (c, h)
        state = (h[None].contiguous(), c[None].contiguous()) if state is None else state
        read = torch.cat([previous, z[:, None].expand(-1, previous.shape[1], -1)], -1)
        hidden, state = self.lstm(read, state)
        return self.output(hidden), state


def _previous(tokens: Tensor) -> Tensor:
    """`[B, T]` -> one-hot vectors of the tokens before each step, `[B, T, V]`; zeros before the first."""
    return F.pad(F.one_hot(tokens.long(), VOCABULARY).float(), (0, 0, 1, 0))[:, :-1]


def _bar_after_bar(core: _Core, embeddings: Tensor, tokens: Tensor, mistake: str = "") -> Tensor:
    """What `hierarchical_logits` should return, or what it returns with a usual mistake."""
    previous, logits, state = _previous(tokens), [], None
    if mistake == "not shifted":
        previous = F.one_hot(tokens, VOCABULARY).float()
    for bar, read in enumerate(previous.split(STEPS_PER_BAR, 1)):
        if mistake == "own forward":
            read = _previous(tokens[:, bar * STEPS_PER_BAR : (bar + 1) * STEPS_PER_BAR])
        embedding = embeddings[:, 0 if mistake == "first embedding" else bar]
        state = state if mistake == "state" else None
        written, state = core.read(embedding, read, state, mistake == "swapped")
        logits.append(written)
    return torch.cat(logits, 1)


_IN_WORDS = {
    "own forward": "The first step of every bar reads zeros, as if the melody began there: shift the whole melody by "
    "one step first and cut it into bars then, so that one token crosses each bar line.",
    "state": "The state crosses the bar line: begin each bar with tanh(core.start(embedding)).",
    "first embedding": "All bars are decoded from the first embedding: bar n takes embeddings[:, n].",
    "swapped": "h and c of the core decoder are exchanged: core.start gives c first, and nn.LSTM takes (h, c).",
    "not shifted": "Each step reads the token that it is to predict: shift the melody by one step first.",
}


def _diagnose_conductor(made: nn.Module, z: Tensor, bars: int, units: int) -> str | None:
    """What is wrong with the embeddings of a Conductor, or None."""
    for name in ("start", "lstm"):
        if not isinstance(getattr(made, name, None), nn.Module):
            return f"Name the layers as chapter 05 does: the Conductor has no layer called {name!r}."
    mine, problem = as_array(made(z, bars), (len(z), bars, units))
    if problem:
        return f"Conductor: {problem}"
    zeros, linear = z.new_zeros(len(z), bars, 1), made.start(z)
    c, h = torch.tanh(linear).chunk(2, -1)
    states = {
        None: (h, c),
        "h and c are exchanged: the first half of start(z) is c, and nn.LSTM takes (h, c).": (c, h),
        "The initial state is tanh of the linear layer, and the tanh is missing.": linear.chunk(2, -1)[::-1],
        "The LSTM starts from zeros: its initial state comes from z.": (0 * h, 0 * c),
    }
    for words, (h, c) in states.items():
        out, _ = made.lstm(zeros, (h[None].contiguous(), c[None].contiguous()))
        if np.allclose(mine, out, atol=1e-5):
            return words and f"Conductor: {words}"
    return "Conductor: the embeddings are the LSTM's outputs at each bar, with zeros [batch, bars, 1] as its input."


def exercise_4(conductor: Callable, hierarchical_logits: Callable) -> Verdict:
    """`Conductor(z_size, units)` and `hierarchical_logits(conductor, core, z, tokens)` -> `[B, T, V]`."""

    @torch.no_grad()
    def diagnose() -> str | None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made, core = conductor(5, 6), _Core()
            for parameter in [*made.parameters(), *core.parameters()]:
                parameter.normal_(0, 0.5)
            z, tokens = torch.randn(3, 5), torch.randint(0, VOCABULARY, (3, 4 * STEPS_PER_BAR))
        problem = _diagnose_conductor(made, z, 4, 6)
        if problem:
            return problem
        mine, problem = as_array(hierarchical_logits(made, core, z, tokens.clone()), (*tokens.shape, VOCABULARY))
        if problem:
            return f"hierarchical_logits: {problem}"
        embeddings = made(z, 4)
        if np.allclose(mine, _bar_after_bar(core, embeddings, tokens), atol=1e-5):
            return None
        for mistake, words in _IN_WORDS.items():
            if np.allclose(mine, _bar_after_bar(core, embeddings, tokens, mistake), atol=1e-5):
                return f"hierarchical_logits: {words}"
        different = np.abs(mine - _bar_after_bar(core, embeddings, tokens).numpy()).max((0, 2)) > 1e-5
        return f"hierarchical_logits: the logits differ from step {int(different.argmax()) + 1} on."

    return judge("8.4", diagnose, "Batched over the bars, your logits are those of the bars one after another.")
