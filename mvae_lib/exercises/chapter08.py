"""The exercises of chapter 08, The hierarchical decoder."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.models.config import ModelConfig
from mvae_lib.models.decoders import FlatDecoder, HierarchicalDecoder
from mvae_lib.music.melody import STEPS_PER_BAR, VOCABULARY
from mvae_lib.music.structure import self_similarity


def exercise_1(bar_similarity: Callable) -> Verdict:
    """`bar_similarity(a, b)`: of the steps at which either bar begins a note, the share where both begin the same."""

    def diagnose() -> str | None:
        a, b = np.zeros((2, STEPS_PER_BAR), np.uint8)
        a[[0, 2, 4, 6, 10, 14]] = 40, 42, 44, 45, 49, 1
        b[[0, 2, 5, 6, 14]] = 40, 42, 44, 47, 1  # two notes alike, one later, one higher, one absent; a note-off alike
        mine, problem = as_array(bar_similarity(a.copy(), b.copy()), ())
        if problem:
            return problem
        if np.isclose(mine, (a == b).mean()):
            return "That is the share of equal steps: holds count, and most steps are holds."
        if np.isclose(mine, 3 / 7):
            return "A note-off (class 1) begins no note: do not count it, neither above nor below."
        if mine in (2 / 5, 2 / 4):
            return "You asked where *one* of the bars begins a note; a note that only the other has counts too."
        if np.isclose(mine, 2 / 3):
            return "You asked where *both* begin a note; a note that only one of them has counts too."
        right = self_similarity(np.concatenate([a, b])[None])[0, 0, 1]
        if not np.isclose(mine, right):
            return f"Expected {right:.3f} in my small example, got {mine:.3f}."
        empty = np.asarray(bar_similarity(0 * a, 0 * a))
        return None if np.isclose(empty, 1) else "Two bars without a note-on are alike: return 1 for them, not 0 / 0."

    return judge(
        "8.1",
        diagnose,
        "In my example two notes of six are alike: a third, where step accuracy would say three quarters.",
    )


def exercise_2(previous_by_bar: Callable) -> Verdict:
    """`previous_by_bar(tokens)`: what each step reads, cut into bars: `[B, T]` -> `[B, bars, 16]`; 90 for nothing."""

    def diagnose() -> str | None:
        tokens = torch.arange(2, 2 + 2 * 48).view(2, 48) % VOCABULARY
        mine, problem = as_array(previous_by_bar(tokens.clone()), (2, 3, STEPS_PER_BAR))
        if problem:
            return problem
        bars = tokens.view(2, 3, STEPS_PER_BAR).numpy()
        nothing, shifted = np.full((2, 1), VOCABULARY), np.roll(tokens.numpy(), 1, 1)
        right = np.concatenate([nothing, shifted[:, 1:]], 1).reshape(bars.shape)
        if np.array_equal(mine, bars):
            return "Each step reads the token that it is to predict: shift by one step first."
        if np.array_equal(mine, np.roll(tokens.numpy(), -1, 1).reshape(bars.shape)):
            return "Shifted the wrong way: each step would read the token after it."
        if np.array_equal(mine, shifted.reshape(bars.shape)):
            return "torch.roll goes round: the first step of the melody reads its last token, and should read 90."
        if np.array_equal(mine[:, :, 1:], bars[:, :, :-1]) and (mine[:, 1:, 0] == mine[:, :1, 0]).all():
            return "The first step of every bar reads nothing: shift first and cut then, so that a token crosses."
        if np.array_equal(mine, right):
            return None
        if np.array_equal(mine.reshape(2, -1)[:, 1:], right.reshape(2, -1)[:, 1:]):
            return f"There is no start token: before the first step stands {VOCABULARY}, which is read as zeros."
        if np.array_equal(mine, np.swapaxes(right.reshape(2, STEPS_PER_BAR, 3), 1, 2)):
            return "The steps are dealt out to the bars one by one; a bar is 16 steps in a row."
        return "That is not the token before each step, cut into bars."

    return judge("8.2", diagnose, "Shifted first, cut afterwards: one token crosses each bar line.")


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
    """`write(embeddings, start, step)`: bar after bar, on its own tokens: `[B, bars, C]` -> `[B, 16 bars]`."""

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


def exercise_4(reads: Callable) -> Verdict:
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
    return judge("8.4", diagnose, praise)


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
