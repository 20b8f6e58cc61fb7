"""A decoder's LSTM one step at a time: each step reads the tokens of the step before.

The same numbers as the fused call, for the case in which the next input is not known beforehand. What can be done
before the first step is done there: the weights are laid out, and what is the same at every step is projected into the
gates once. A token is one row of the input weights, not a product with a one-hot vector. In the loop everything is
written in place, because with large batches most of the time would go into fresh memory; so there are no gradients.

Chapter: 05, 08.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mvae_lib.models.lstm import LSTM, State

# (track, step, logits [batch, classes of the track]) -> that track's token, [batch]; it is fed to the next step
NextToken = Callable[[int, int, Tensor], Tensor]
_PROJECTED_AT_ONCE = 2**21  # numbers, 8 MiB: beyond, what every step adds is cheaper to compute than to fetch


class Stepper:
    """An LSTM that reads [one-hot token of each track, further inputs], with the dense layer that gives the logits."""

    @torch.no_grad()
    def __init__(self, lstm: LSTM, output: nn.Linear, vocab_sizes: Sequence[int]):
        """Lays the weights out as [inputs, 4 units], twice as fast for one sequence as their transposed view.

        Not those of the further inputs: they are used too seldom to save the time that it takes.
        """
        self.vocab_sizes, self.dtype = tuple(vocab_sizes), _working_dtype(output.weight)
        layers = [[weight.to(self.dtype) for weight in layer] for layer in lstm.all_weights]
        first, *above = [inputs for inputs, *_ in layers]
        self.rows = (
            first[:, : sum(vocab_sizes)].t().contiguous().split(self.vocab_sizes)
        )  # for each track [classes, 4 units]
        self.conditioning = first[:, sum(vocab_sizes) :].t()  # [further inputs, 4 units]
        self.above = [inputs.t().contiguous() for inputs in above]  # [units, 4 units]
        self.recurrent = [recurrent.t().contiguous() for _, recurrent, *_ in layers]
        self.biases = [constant + trained for *_, constant, trained in layers]
        self.output = output.weight.t().contiguous().to(self.dtype)  # [units, classes]
        self.output_bias = output.bias.to(self.dtype)

    @torch.no_grad()
    def run(
        self,
        state: State,
        conditioning: Tensor,
        steps: int,
        next_token: NextToken,
        previous: Sequence[Tensor] | None = None,
    ) -> list[Tensor]:
        """Each track's tokens, `[batch, steps]`, from the LSTM's initial state.

        `conditioning` `[batch, steps, inputs]`, or `[batch, 1, inputs]` where they are the same at every step;
        `previous`: each track's token `[batch]` before the first step, if there is one.
        """
        written = []
        with torch.inference_mode():  # a tenth faster than no_grad for one sequence
            h, c = (list(layers.to(self.dtype, copy=True)) for layers in state)
            conditioning, gates = conditioning.to(self.dtype), Gates(h[0])
            constants = self._constants(conditioning, steps)
            for step in range(steps):
                gates.read(self.rows, previous)
                if constants is None:
                    gates.all += self.biases[0]
                    gates.all.addmm_(conditioning[:, step], self.conditioning)
                else:
                    gates.all += constants[step]
                gates.step(self.recurrent[0], h[0], c[0])
                for layer, inputs in enumerate(self.above, 1):
                    torch.addmm(self.biases[layer], h[layer - 1], inputs, out=gates.all)
                    gates.step(self.recurrent[layer], h[layer], c[layer])
                logits = torch.addmm(self.output_bias, h[-1], self.output)
                tracks = logits.split(self.vocab_sizes, 1) if len(self.vocab_sizes) > 1 else [logits]
                previous = [next_token(track, step, part) for track, part in enumerate(tracks)]
                written.append(previous)
        return [torch.stack(track, 1) for track in zip(*written, strict=True)]

    def _constants(self, conditioning: Tensor, steps: int) -> list[Tensor] | None:
        """What bias and further inputs add to the gates at each step, in one product; None where it would be large."""
        batch, kinds = conditioning.shape[:2]  # kinds: 1 where all steps are alike, else one for each step
        if kinds > 1 and batch * kinds * len(self.biases[0]) > _PROJECTED_AT_ONCE:
            return None
        product = torch.addmm(self.biases[0], conditioning.transpose(0, 1).flatten(0, 1), self.conditioning)
        return list(product.view(kinds, batch, -1)) * (steps // kinds)


def _working_dtype(weight: Tensor) -> torch.dtype:
    """Autocast does not cover operations in place: its conversion is done here by hand."""
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype


class Gates:
    """Room for the four gates of a batch, `all`: `[batch, 4 units]`, in PyTorch's order i, f, g, o."""

    def __init__(self, h: Tensor):
        units = h.shape[1]
        self.all = h.new_empty(len(h), 4 * units)
        self.i, self.f, self.g, self.o = self.all.split(units, 1)
        self.i_and_f = self.all[:, : 2 * units]

    def read(self, rows: Sequence[Tensor], tokens: Sequence[Tensor] | None) -> None:
        """Set `all` to the sum of the tokens' rows: what a product with their one-hot vectors would give."""
        if tokens is None:
            self.all.zero_()
            return
        torch.index_select(rows[0], 0, tokens[0], out=self.all)
        for more, token in zip(rows[1:], tokens[1:], strict=True):
            self.all += more[token]

    def step(self, recurrent: Tensor, h: Tensor, c: Tensor) -> None:
        """The LSTM's equations (see `lstm.py`), in place: `all` holds W x + b, and h and c become h' and c'."""
        self.all.addmm_(h, recurrent)
        self.i_and_f.sigmoid_()
        c.mul_(self.f).addcmul_(self.i, self.g.tanh_())
        torch.tanh(c, out=h).mul_(self.o.sigmoid_())
