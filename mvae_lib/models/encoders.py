"""The encoder: tokens -> a Gaussian posterior q(z | x) over the latent vector.

    summary = [h_forward(last step); h_backward(first step)]    of the last of the LSTM's layers
    mu = W_mu summary + b_mu,    sigma = softplus(W_sigma summary + b_sigma)

The summary is made of both directions' *final states*. The output at the last step is not the same thing: there, the
backward direction has read one step only.

An extension of ours, off by default and not in the paper: with `bars`, the LSTM reads each bar by itself, and the
summary is that of all bars side by side. The paper's encoder has to carry the first bar's notes through all later
steps. Here they are one matrix away from mu, and all bars are read at the same time.

Chapter: 02, 03, 07. Source: Roberts et al. 2018, section 3.1; Kingma and Welling 2014 (reparameterization).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from mvae_lib.models.lstm import LSTM, linear
from mvae_lib.models.recurrence import read_tokens
from mvae_lib.models.tracks import DRUM_CLASSES, drum_bits, with_control


class Posterior(NamedTuple):
    """A Gaussian with independent dimensions for each sequence: mean and standard deviation, each `[batch, z]`."""

    mu: Tensor
    sigma: Tensor


def reparameterize(posterior: Posterior, generator: torch.Generator | None) -> Tensor:
    """z = mu + sigma * eps with eps from N(0, I): a sample that gradients pass through, `[batch, z]`.

    The generator lives on the device of the posterior; None is torch's own.
    """
    mu, sigma = posterior
    eps = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + sigma * eps


class BidirectionalEncoder(nn.Module):
    """Tokens -> posterior. It reads one-hot tokens, or the bits of a drum class, with a control signal beside them."""

    def __init__(
        self,
        vocab_sizes: Sequence[int],
        units: int,
        layers: int,
        z_size: int,
        control: int = 0,
        reads_drum_bits: bool = False,
        bars: int = 0,
        steps_per_bar: int = 16,
        generator: torch.Generator | None = None,
    ):
        """`units` in each direction; `control`: depth of the control signal; `reads_drum_bits`: 10 inputs for 512.

        `bars`: of how many bars, each read by itself, a sequence is made; 0, as in the paper: it is read as a whole.
        """
        super().__init__()
        self.bars, self.steps_per_bar = bars, steps_per_bar
        self.vocab_sizes, self.control, self.reads_drum_bits = tuple(vocab_sizes), control, reads_drum_bits
        inputs = (DRUM_CLASSES + 1 if reads_drum_bits else sum(vocab_sizes)) + control
        self.lstm = LSTM(inputs, units, layers, bidirectional=True, generator=generator)
        summary = max(bars, 1) * 2 * units
        self.mu = linear(summary, z_size, generator, std=0.001)
        self.sigma = linear(summary, z_size, generator, std=0.001)  # so sigma starts at softplus(0) = .693

    def forward(self, tokens: Tensor, control: Tensor | None = None) -> Posterior:
        """Tokens `[batch, steps]` (several heads: `[batch, steps, tracks]`) -> mu and sigma, each `[batch, z]`.

        Raises ValueError for other than the encoder's number of bars, where it has one.
        """
        summary = self.by_bar(tokens, control) if self.bars else self.summary(tokens, control)
        dtype = self.mu.weight.dtype  # under autocast too: the KL is a difference that bfloat16 would lose
        return Posterior(self.mu(summary).to(dtype), softplus(self.sigma(summary).to(dtype)))

    def by_bar(self, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """The summaries of all bars, side by side: `[batch, bars * 2 units]`. Raises ValueError as `forward` does."""
        bars, steps = by_bar = (self.bars, self.steps_per_bar)
        if tokens.shape[1] != bars * steps:
            raise ValueError(f"this encoder reads {bars} bars of {steps} steps, and not {tokens.shape[1]} steps")
        control = None if control is None else control.unflatten(1, by_bar).flatten(0, 1)
        return self.summary(tokens.unflatten(1, by_bar).flatten(0, 1), control).unflatten(0, (-1, bars)).flatten(1)

    def summary(self, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """The last layer's final states, forward and backward, side by side: `[batch, 2 units]`."""
        dtype = self.mu.weight.dtype
        if self.reads_drum_bits:
            _, (h, _) = self.lstm(with_control(drum_bits(tokens, dtype), control, self.control))
            return torch.cat([h[-2], h[-1]], -1)
        no_inputs = torch.empty(*tokens.shape[:2], 0, dtype=dtype, device=tokens.device)
        conditioning = with_control(no_inputs, control, self.control) if self.control or control is not None else None
        return read_tokens(self.lstm, tokens, self.vocab_sizes, conditioning).final
