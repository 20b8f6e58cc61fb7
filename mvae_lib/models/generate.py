"""Free-running decoding, in which a decoder reads its own tokens, and scheduled sampling.

A *sampler* takes one track's logits `[batch, classes]` and returns its tokens `[batch]`. `greedy` is one;
`temperature(0.8, generator)` and `top_p(0.9, generator)` make one; `make_sampler` makes the one that options ask for.

Scheduled sampling replaces the true previous token by a sample of the model's own, with a probability that rises in
training. A sample has no gradient. So the tokens can be sampled first, without gradients, and a teacher-forced pass
over the mixture then gives, in fused calls, the logits and gradients that sampling within the pass would give.

Chapter: 05. Source: Bengio et al. 2015, Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks;
Holtzman et al. 2020, The Curious Case of Neural Text Degeneration (top-p).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from mvae_lib.models.stepping import NextToken
from mvae_lib.models.tracks import join_tracks, split_tracks, start_of_sequence

Sampler = Callable[[Tensor], Tensor]


class Decoder(Protocol):
    """What flat and hierarchical decoders have in common."""

    vocab_sizes: tuple[int, ...]

    def __call__(self, z: Tensor, tokens: Tensor, control: Tensor | None = None) -> Tensor: ...

    def generate_steps(
        self, z: Tensor, next_token: NextToken, steps: int, control: Tensor | None = None
    ) -> list[Tensor]: ...


def greedy(logits: Tensor) -> Tensor:
    """The most likely class: `[batch, classes]` -> `[batch]`."""
    return logits.argmax(-1)


def temperature(value: float, generator: torch.Generator | None = None) -> Sampler:
    """A sampler from softmax(logits / value). Raises ValueError for a temperature of 0 or below."""
    if value <= 0:
        raise ValueError(f"a temperature is above 0, not {value}; for the most likely class, use greedy")

    def sample(logits: Tensor) -> Tensor:
        probabilities = torch.softmax(logits.float() / value, -1)
        return torch.multinomial(probabilities, 1, generator=generator).squeeze(-1)

    return sample


def top_p(mass: float, generator: torch.Generator | None = None, temperature: float = 1.0) -> Sampler:
    """A sampler among the fewest classes whose probabilities reach `mass` together (1: all classes).

    Raises ValueError for a mass outside (0, 1] or a temperature of 0 or below.
    """
    if not 0 < mass <= 1:
        raise ValueError(f"top-p needs a probability mass above 0 and at most 1, not {mass}")
    if temperature <= 0:
        raise ValueError(f"a temperature is above 0, not {temperature}; for the most likely class, use greedy")

    def sample(logits: Tensor) -> Tensor:
        ordered, classes = torch.softmax(logits.float() / temperature, -1).sort(-1, descending=True)
        before = ordered.cumsum(-1) - ordered
        kept = ordered * (before < mass)
        kept[..., 0] = ordered[..., 0]  # rounding must not leave nothing to choose from
        return classes.gather(-1, torch.multinomial(kept, 1, generator=generator)).squeeze(-1)

    return sample


def make_sampler(
    temperature_value: float | None = None, mass: float | None = None, generator: torch.Generator | None = None
) -> Sampler:
    """Greedy where neither is given; else sampling at that temperature (None: 1), of the top probability `mass`."""
    if mass is not None:
        return top_p(mass, generator, 1.0 if temperature_value is None else temperature_value)
    return greedy if temperature_value is None else temperature(temperature_value, generator)


def generate(
    decoder: Decoder, z: Tensor, steps: int, sampler: Sampler = greedy, control: Tensor | None = None
) -> Tensor:
    """Decode z `[batch, z]` on the decoder's own tokens: `[batch, steps]`, or `[batch, steps, tracks]`."""
    return join_tracks(decoder.generate_steps(z, lambda track, step, logits: sampler(logits), steps, control))


def scheduled_sampling(
    decoder: Decoder,
    z: Tensor,
    tokens: Tensor,
    probability: float,
    generator: torch.Generator | None,
    control: Tensor | None = None,
) -> Tensor:
    """`tokens`, of which each step of each sequence has been replaced, with `probability`, by the model's own sample.

    Shapes as in `generate`. What the decoder reads is the mixture so far, as in Bengio et al., figure 1; the tracks of
    one step are replaced together.
    """
    replaced = torch.rand(tokens.shape[:2], generator=generator, device=tokens.device) < probability
    truth, sample = split_tracks(tokens.long(), decoder.vocab_sizes), temperature(1.0, generator)

    def next_token(track: int, step: int, logits: Tensor) -> Tensor:
        return torch.where(replaced[:, step], sample(logits), truth[track][:, step])

    return join_tracks(decoder.generate_steps(z, next_token, tokens.shape[1], control))


def word_dropout(
    tokens: Tensor, vocab_sizes: Sequence[int], probability: float, generator: torch.Generator | None
) -> Tensor:
    """`tokens`, of which each step is replaced, with `probability`, by the start-of-sequence input: read as zeros.

    Shapes as in `generate`; the tracks of one step are dropped together. A decoder that cannot rely on the previous
    tokens has to take more from z. Raises ValueError for a probability outside 0 to 1. Source: Bowman et al. 2016,
    section 3.2.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability lies between 0 and 1, not {probability}")
    dropped = torch.rand(tokens.shape[:2], generator=generator, device=tokens.device) < probability
    start = start_of_sequence(vocab_sizes, tokens.device)
    return torch.where(dropped if tokens.ndim == 2 else dropped.unsqueeze(-1), start, tokens.long())
