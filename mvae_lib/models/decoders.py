"""The flat decoder: z -> the logits of every step, and one step at a time where each token feeds the next.

At step t the LSTM reads [x_{t-1}, z, control_t]: the previous token as a one-hot vector (all zeros before the first
step), z again at every step, and a control signal if there is one. Its first state comes from z too.

Two ways to run it give the same numbers. `forward` knows all tokens beforehand (teacher forcing) and makes one fused
call. `generate_steps` asks for each token when its logits are there, and goes step by step.

An extension of ours, off by default and not in the paper: with `z_steps`, each step t reads z + W_t z instead of z, a
linear view of its own. W_t starts at 0, so that training starts from the paper's model.

Chapter: 06, 07. Source: Roberts et al. 2018, section 3.2 and its public reference implementation.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvae_lib.models.lstm import LSTM, InitialState, linear
from mvae_lib.models.recurrence import read_tokens
from mvae_lib.models.stepping import NextToken, Stepper
from mvae_lib.models.tracks import shift_right, with_control


class FlatDecoder(nn.Module):
    """One LSTM over all steps, with a softmax head for each track."""

    def __init__(
        self,
        z_size: int,
        vocab_sizes: Sequence[int],
        units: int,
        layers: int,
        control: int = 0,
        z_steps: int = 0,
        generator: torch.Generator | None = None,
    ):
        """`z_steps`: for how many steps z has a linear map of its own; 0, as in the paper, for none."""
        super().__init__()
        self.vocab_sizes, self.control = tuple(vocab_sizes), control
        self.start = InitialState(z_size, units, layers, generator)
        self.lstm = LSTM(sum(vocab_sizes) + z_size + control, units, layers, generator=generator)
        self.output = linear(units, sum(vocab_sizes), generator)
        self.z_projections = nn.Parameter(torch.zeros(z_steps, z_size, z_size)) if z_steps else None

    def forward(self, z: Tensor, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """Logits `[batch, steps, classes]` from z `[batch, z]`, where step t has read the tokens before t.

        `tokens`: `[batch, steps]`, or `[batch, steps, tracks]` with several heads. Raises ValueError for a control
        signal that does not fit, and for more steps than the step-wise maps of z are made for.
        """
        return self.teacher_forced(z, shift_right(tokens, self.vocab_sizes), control)

    def teacher_forced(self, z: Tensor, previous: Tensor, control: Tensor | None = None) -> Tensor:
        """The same from the previous tokens, of the same shape; `tracks.shift_right` says what stands for none."""
        conditioning = self.conditioning_inputs(z, previous.shape[1], control)
        return self.output(read_tokens(self.lstm, previous, self.vocab_sizes, conditioning, self.start(z)).at_steps)

    def conditioning_inputs(self, z: Tensor, steps: int, control: Tensor | None) -> Tensor:
        """What is read beside the tokens, `[batch, steps, inputs]`; `[batch, 1, inputs]` if all steps are alike."""
        conditioning = with_control(self.z_at_steps(z, steps), control, self.control)
        return conditioning[:, :1] if self.z_projections is None and control is None else conditioning

    def z_at_steps(self, z: Tensor, steps: int) -> Tensor:
        """What each step reads of z: `[batch, steps, z]`; z itself, or z + W_t z with step-wise maps."""
        repeated = z.unsqueeze(1).expand(-1, steps, -1)
        if self.z_projections is None:
            return repeated
        if steps > len(self.z_projections):
            raise ValueError(f"{steps} steps asked for, and this decoder projects z for {len(self.z_projections)}")
        maps = self.z_projections[:steps]
        return repeated + F.linear(z, maps.flatten(0, 1)).view(repeated.shape)

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
