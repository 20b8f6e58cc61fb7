"""The two decoders of MusicVAE: flat, and hierarchical (a conductor over bars, a core decoder within each).

**Flat.** At step t the LSTM reads [x_{t-1}, z, control_t]: the previous token as a one-hot vector (all zeros before the
first step), z again at every step, and a control signal if there is one. Its initial state comes from z too.

**Hierarchical.** The conductor is an LSTM whose initial state comes from z and whose input is zeros: its top layer's
output at bar i *is* bar i's embedding. The core decoder takes an embedding exactly as a flat decoder takes z, with the
same weights in every bar, and starts every bar from that embedding alone. So structure beyond a bar has to come from z
through the conductor; of earlier bars, the core decoder reads the last token only. That is why, under
teacher forcing, no bar waits for another: all bars of all sequences are one batch for the core decoder, one fused call
of `steps_per_bar` steps. With several tracks, each has a core decoder of its own, and all share the conductor.

Two ways to run a decoder give the same numbers. `forward` knows all tokens beforehand (teacher forcing) and makes one
fused call. `generate_steps` goes step by step and asks for each token once its logits are computed.

Extensions of ours, off by default and not in the paper. `per_step_z`: each step t reads z + W_t z instead of z, a
linear projection of its own; W_t starts at 0, so that training starts from the paper's model. `per_bar_z`: the same
with one projection per bar; with a conductor, the projection of z is added to the bar's embedding, and training then
starts sooner, because the encoder's gradient need not pass through the conductor. `bar_counter`: a flat decoder also
reads the number of the bar as a one-hot vector. The last two separate what a conductor can do (chapter 08).

Chapter: 05, 08. Source: Roberts et al. 2018, section 3.2, figure 3, and its public reference implementation.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvae_lib.models.config import ModelConfig
from mvae_lib.models.lstm import LSTM, InitialState, linear
from mvae_lib.models.recurrence import read_tokens
from mvae_lib.models.stepping import NextToken, Stepper
from mvae_lib.models.tracks import shift_right, split_tracks, with_control


class FlatDecoder(nn.Module):
    """One LSTM over all steps, with a softmax output for each track."""

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        super().__init__()
        self.vocab_sizes, self.control = config.vocab_sizes, config.control
        units, layers, z_size = config.decoder_units, config.decoder_layers, config.z_size
        self.start = InitialState(z_size, units, layers, generator)
        self.counted_bars, self.steps_per_bar = config.bars if config.bar_counter else 0, config.steps_per_bar
        inputs = sum(config.vocab_sizes) + z_size + self.counted_bars + config.control
        self.lstm = LSTM(inputs, units, layers, generator=generator)
        self.output = linear(units, sum(config.vocab_sizes), generator)
        self.projected_steps = config.steps_per_bar if config.per_bar_z else 1  # that share one projection of z
        self.z_projections = None
        if config.per_step_z or config.per_bar_z:
            self.z_projections = nn.Parameter(torch.zeros(config.steps // self.projected_steps, z_size, z_size))

    def forward(self, z: Tensor, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """Logits `[batch, steps, classes]` from z `[batch, z]`, where step t has read the tokens before t.

        `tokens`: `[batch, steps]`, or `[batch, steps, tracks]` with several tracks. Raises ValueError for a control
        signal that does not fit, and for more steps than z is projected for.
        """
        return self.teacher_forced(z, shift_right(tokens, self.vocab_sizes), control)

    def teacher_forced(self, z: Tensor, previous: Tensor, control: Tensor | None = None) -> Tensor:
        """The same from the previous tokens, of the same shape; `tracks.shift_right` makes them."""
        conditioning = self.conditioning_inputs(z, previous.shape[1], control)  # [batch, steps or 1, z + control]
        hidden = read_tokens(self.lstm, previous, self.vocab_sizes, conditioning, self.start(z))
        return self.output(hidden.at_steps)  # [batch, steps, units] -> [batch, steps, classes]

    def conditioning_inputs(self, z: Tensor, steps: int, control: Tensor | None) -> Tensor:
        """What is read beside the tokens, `[batch, steps, inputs]`; `[batch, 1, inputs]` if all steps are alike."""
        inputs = self.z_at_steps(z, steps)
        if self.counted_bars:
            inputs = torch.cat([inputs, self.bar_numbers(steps).to(z).expand(len(z), -1, -1)], -1)
        inputs = with_control(inputs, control, self.control)
        return inputs[:, :1] if self.z_projections is None and not self.counted_bars and control is None else inputs

    def bar_numbers(self, steps: int) -> Tensor:
        """The bar of each step as a one-hot vector, `[steps, bars]`. Raises ValueError for more bars than it counts."""
        if steps > self.counted_bars * self.steps_per_bar:
            raise ValueError(f"{steps} steps asked for, and this decoder counts {self.counted_bars} bars")
        return torch.eye(self.counted_bars).repeat_interleave(self.steps_per_bar, 0)[:steps]

    def z_at_steps(self, z: Tensor, steps: int) -> Tensor:
        """What each step reads of z: `[batch, steps, z]`; z itself, or z + W z with the projection of step or bar."""
        repeated = z.unsqueeze(1).expand(-1, steps, -1)  # [batch, steps, z]
        if self.z_projections is None:
            return repeated
        hold, known = self.projected_steps, len(self.z_projections) * self.projected_steps
        if steps > known:
            raise ValueError(f"{steps} steps asked for, and this decoder projects z for {known}")
        projections = self.z_projections[: -(-steps // hold)]  # [steps or bars, z, z]
        projected = F.linear(z, projections.flatten(0, 1)).view(len(z), len(projections), -1)
        return repeated + (projected if hold == 1 else projected.repeat_interleave(hold, 1)[:, :steps])

    def generate_steps(
        self, z: Tensor, next_token: NextToken, steps: int, control: Tensor | None = None
    ) -> list[Tensor]:
        """Step after step, each on the tokens that `next_token` has returned: `[batch, steps]` for each track.

        Without gradients. Raises ValueError as `forward` does.
        """
        return self.generate_steps_from(None, self.stepper(), z, next_token, steps, control)

    def stepper(self) -> Stepper:
        """The weights laid out for one step at a time."""
        return Stepper(self.lstm, self.output, self.vocab_sizes)

    @torch.no_grad()
    def generate_steps_from(
        self,
        previous: list[Tensor] | None,
        stepper: Stepper,
        z: Tensor,
        next_token: NextToken,
        steps: int,
        control: Tensor | None = None,
    ) -> list[Tensor]:
        """`generate_steps` after the tokens `previous`, `[batch]` for each track; a `stepper` serves many calls."""
        return stepper.run(self.start(z), self.conditioning_inputs(z, steps, control), steps, next_token, previous)


class HierarchicalDecoder(nn.Module):
    """A conductor over bars, and for each track a core decoder shared by all bars."""

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        super().__init__()
        self.vocab_sizes, self.steps_per_bar = config.vocab_sizes, config.steps_per_bar
        units = config.conductor_units
        self.start = InitialState(config.z_size, units, config.conductor_layers, generator)
        # The reference feeds one zero at each bar. Its weights keep their initial values, but count as parameters.
        self.conductor = LSTM(1, units, config.conductor_layers, generator=generator)
        # A core decoder is a flat decoder of one bar of one track, with the embedding in place of z.
        core = {"steps": config.steps_per_bar, "z_size": units, "conductor_units": 0, "conductor_layers": 0}
        core |= {"per_bar_z": False, "bar_counter": False, "encoder_reads": "one-hot"}
        self.cores = nn.ModuleList(
            FlatDecoder(replace(config, vocab_sizes=(classes,), **core), generator) for classes in config.vocab_sizes
        )
        self.z_projections = None
        if config.per_bar_z:
            self.z_projections = nn.Parameter(torch.empty(config.bars, units, config.z_size))
            nn.init.normal_(self.z_projections, std=config.z_size**-0.5, generator=generator)

    def forward(self, z: Tensor, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """Logits `[batch, steps, classes]` from z `[batch, z]`, where step t has read the token before t.

        `tokens`: `[batch, steps]`, or `[batch, steps, tracks]` with several tracks. Raises ValueError where they are
        not whole bars.
        """
        batch, steps = tokens.shape[:2]
        bars = self.whole_bars(steps)
        embeddings = self.embed(z, bars).flatten(0, 1)  # [batch * bars, units]
        by_bar = (bars, self.steps_per_bar)
        control = None if control is None else control.unflatten(1, by_bar).flatten(0, 1)
        logits = []
        for core, track in zip(self.cores, split_tracks(tokens, self.vocab_sizes), strict=True):
            # Shifted before it is cut into bars: so the first step of a bar reads the last token of the bar before.
            previous = shift_right(track, core.vocab_sizes).unflatten(1, by_bar).flatten(0, 1)  # [batch * bars, 16]
            logits.append(core.teacher_forced(embeddings, previous, control).view(batch, steps, -1))
        return torch.cat(logits, -1)  # [batch, steps, classes of all tracks]

    def embed(self, z: Tensor, bars: int) -> Tensor:
        """z `[batch, z]` -> the bars' embeddings `[batch, bars, units]`.

        Raises ValueError for more bars than z is projected for.
        """
        embeddings, _ = self.conductor(z.new_zeros(len(z), bars, 1), self.start(z))  # [batch, bars, units]
        if self.z_projections is None:
            return embeddings
        if bars > len(self.z_projections):
            raise ValueError(f"{bars} bars asked for, and this decoder projects z for {len(self.z_projections)}")
        return embeddings + F.linear(z, self.z_projections[:bars].flatten(0, 1)).view(embeddings.shape)

    @torch.no_grad()
    def generate_steps(
        self, z: Tensor, next_token: NextToken, steps: int, control: Tensor | None = None
    ) -> list[Tensor]:
        """Step after step, each on the tokens that `next_token` has returned: `[batch, steps]` for each track.

        Raises ValueError as `forward` does.
        """
        embeddings = self.embed(z, self.whole_bars(steps)).unbind(1)  # for each bar [batch, units]
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
