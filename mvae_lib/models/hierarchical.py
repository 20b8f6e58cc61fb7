"""The hierarchical decoder: a conductor turns z into one embedding a bar, and a core decoder turns each into its bar.

The conductor is an LSTM whose first state comes from z and whose input is zeros: its top layer's output at bar i *is*
bar i's embedding. The core decoder takes an embedding exactly as a flat decoder takes z, with the same weights in every
bar, and starts every bar from that embedding alone. So whatever lasts longer than a bar has to come from z through the
conductor; the last token of the bar before is all that crosses the bar line.

That is why, under teacher forcing, no bar waits for another: all bars of all sequences are one batch for the core
decoder, one fused call of `steps_per_bar` steps.

With several heads, each track has a core decoder of its own, and all of them share the conductor.

An extension of ours, off by default and not in the paper: with `z_bars`, a linear map of z is added to each bar's
embedding. Training then starts sooner, because the encoder's gradient need not pass through the conductor.

Chapter: 07. Source: Roberts et al. 2018, section 3.2, figure 3 and its public reference implementation.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvae_lib.models.decoders import FlatDecoder
from mvae_lib.models.lstm import LSTM, InitialState
from mvae_lib.models.stepping import NextToken
from mvae_lib.models.tracks import shift_right, split_tracks


class HierarchicalDecoder(nn.Module):
    """A conductor over bars, and for each track a core decoder shared by all bars."""

    def __init__(
        self,
        z_size: int,
        vocab_sizes: Sequence[int],
        units: int,
        layers: int,
        conductor_units: int,
        conductor_layers: int,
        steps_per_bar: int = 16,
        control: int = 0,
        z_bars: int = 0,
        z_steps: int = 0,
        generator: torch.Generator | None = None,
    ):
        """`units` and `layers` of each core decoder; `z_bars`: for how many bars z has a linear map of its own."""
        super().__init__()
        self.vocab_sizes, self.steps_per_bar = tuple(vocab_sizes), steps_per_bar
        self.start = InitialState(z_size, conductor_units, conductor_layers, generator)
        # The reference feeds one zero at each bar. Its weights stay as drawn, but they count as parameters.
        self.conductor = LSTM(1, conductor_units, conductor_layers, generator=generator)
        self.cores = nn.ModuleList(
            FlatDecoder(conductor_units, (classes,), units, layers, control, z_steps, generator)
            for classes in vocab_sizes
        )
        self.z_projections = None
        if z_bars:
            self.z_projections = nn.Parameter(torch.empty(z_bars, conductor_units, z_size))
            nn.init.normal_(self.z_projections, std=z_size**-0.5, generator=generator)

    def embed(self, z: Tensor, bars: int) -> Tensor:
        """z `[batch, z]` -> the bars' embeddings `[batch, bars, units]`. Raises ValueError for bars beyond `z_bars`."""
        embeddings, _ = self.conductor(z.new_zeros(len(z), bars, 1), self.start(z))
        if self.z_projections is None:
            return embeddings
        if bars > len(self.z_projections):
            raise ValueError(f"{bars} bars asked for, and this decoder projects z for {len(self.z_projections)}")
        return embeddings + F.linear(z, self.z_projections[:bars].flatten(0, 1)).view(embeddings.shape)

    def forward(self, z: Tensor, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """Logits `[batch, steps, classes]` from z `[batch, z]`, where step t has read the token before t.

        `tokens`: `[batch, steps]`, or `[batch, steps, tracks]` with several heads. Raises ValueError where they are
        not whole bars.
        """
        batch, steps = tokens.shape[:2]
        bars = self.whole_bars(steps)
        embeddings = self.embed(z, bars).flatten(0, 1)
        by_bar = (bars, self.steps_per_bar)
        control = None if control is None else control.unflatten(1, by_bar).flatten(0, 1)
        logits = []
        for core, track in zip(self.cores, split_tracks(tokens, self.vocab_sizes), strict=True):
            # Shifted before it is cut into bars: so the first step of a bar reads the last token of the bar before.
            previous = shift_right(track, core.vocab_sizes).unflatten(1, by_bar).flatten(0, 1)
            logits.append(core.teacher_forced(embeddings, previous, control).view(batch, steps, -1))
        return torch.cat(logits, -1)

    @torch.no_grad()
    def generate_steps(
        self, z: Tensor, next_token: NextToken, steps: int, control: Tensor | None = None
    ) -> list[Tensor]:
        """Step after step, each on the tokens that `next_token` has returned: `[batch, steps]` for each track.

        Raises ValueError as `forward` does.
        """
        embeddings = self.embed(z, self.whole_bars(steps)).unbind(1)
        bars_control = [None] * len(embeddings) if control is None else control.split(self.steps_per_bar, 1)
        written = []
        for track, core in enumerate(self.cores):
            stepper, bars = core.stepper(), []
            for bar, (embedding, bar_control) in enumerate(zip(embeddings, bars_control, strict=True)):

                def next_in_bar(_, step, logits, track=track, first=bar * self.steps_per_bar):
                    return next_token(track, first + step, logits)

                last = [bars[-1][:, -1]] if bars else None
                bars += core.generate_steps_from(last, stepper, embedding, next_in_bar, self.steps_per_bar, bar_control)
            written.append(torch.cat(bars, 1))
        return written

    def whole_bars(self, steps: int) -> int:
        """How many bars `steps` are. Raises ValueError where the last one is not whole."""
        bars, rest = divmod(steps, self.steps_per_bar)
        if rest or not bars:
            raise ValueError(f"{steps} steps are not whole bars of {self.steps_per_bar}; pad or cut the sequences")
        return bars
