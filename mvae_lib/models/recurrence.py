"""An LSTM over known tokens: on a GPU by the fused call, on a CPU by fewer operations than the fused call makes.

The input weights' product with a one-hot vector is one of their columns, and what z adds to the gates is the same at
every step. PyTorch's LSTM knows neither; for a decoder that is more than half of its products. So on a CPU

- a token is looked up, and what all steps share is projected once;
- each step writes its gates in place, and they become their own gradients on the way back;
- the gradient of the recurrent weights is one product after the loop instead of one at each step.

Both ways give the same numbers (`tests/test_recurrence.py`). Under autocast, and off the CPU, it is the fused call.

Chapter: 07. Source: Hochreiter and Schmidhuber 1997; the gradients are those of backpropagation through time.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mvae_lib.models.lstm import LSTM, State
from mvae_lib.models.tracks import one_hot, split_tracks


class Hidden(NamedTuple):
    """What an LSTM's last layer makes of a sequence; both directions lie side by side."""

    at_steps: Tensor  # [batch, steps, directions * units]
    final: Tensor  # [batch, directions * units]: each direction's own last step


def read_tokens(
    lstm: LSTM,
    tokens: Tensor,
    vocab_sizes: Sequence[int],
    conditioning: Tensor | None = None,
    state: State | None = None,
) -> Hidden:
    """An LSTM whose inputs are [one-hot token of each track, further inputs], over all steps.

    `tokens`: `[batch, steps]` or `[batch, steps, tracks]`, where the class after a track's last one is an input of
    zeros; `conditioning`: `[batch, steps, inputs]`, or `[batch, 1, inputs]` where they are the same at every step;
    `state`: None for zeros, which is what a bidirectional LSTM starts from. Gradients can be taken once, not twice.
    """
    weight = lstm.weight_ih_l0
    if weight.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return _fused(lstm, one_hot(tokens, vocab_sizes, weight.dtype), conditioning, state)
    return _by_hand(lstm, tokens, vocab_sizes, conditioning, state)


def _fused(lstm: LSTM, vectors: Tensor, conditioning: Tensor | None, state: State | None) -> Hidden:
    if conditioning is not None:
        vectors = torch.cat([vectors, conditioning.expand(-1, vectors.shape[1], -1)], -1)
    at_steps, (h, _) = lstm(vectors, state)
    return Hidden(at_steps, torch.cat(list(h[-2:] if lstm.bidirectional else h[-1:]), -1))


def _by_hand(
    lstm: LSTM, tokens: Tensor, vocab_sizes: Sequence[int], conditioning: Tensor | None, state: State | None
) -> Hidden:
    tokens = torch.stack(split_tracks(tokens.long(), vocab_sizes)).transpose(1, 2)  # [tracks, steps, batch]
    weights, directions = lstm.all_weights, 2 if lstm.bidirectional else 1
    zeros = lstm.weight_ih_l0.new_zeros(tokens.shape[2], lstm.hidden_size)
    below = None
    for layer in range(lstm.num_layers):
        outputs = []
        for direction in range(directions):
            inputs, recurrent, *biases = weights[layer * directions + direction]
            h, c = (zeros, zeros) if state is None else (part[layer] for part in state)
            read, rows, added = tokens.flip(1) if direction else tokens, [], None
            if layer == 0:
                *by_track, rest = inputs.t().split([*vocab_sizes, inputs.shape[1] - sum(vocab_sizes)])
                rows = [torch.cat([track, track.new_zeros(1, track.shape[1])]) for track in by_track]
                rows[0] = rows[0] + sum(biases)
                if conditioning is not None:
                    added = (conditioning @ rest).transpose(0, 1)
                    added = added.flip(0) if direction else added
            else:
                added = (below.flip(0) if direction else below) @ inputs.t() + sum(biases)
            outputs.append(_Recurrence.apply(read, added, recurrent, h, c, *rows))
        below = torch.cat([outputs[0], *(output.flip(0) for output in outputs[1:])], -1)
    return Hidden(below.transpose(0, 1), torch.cat([output[-1] for output in outputs], -1))


class _Recurrence(torch.autograd.Function):
    """One direction of one layer, time first: h after each step, `[steps, batch, units]`."""

    @staticmethod
    def forward(
        ctx: Any, tokens: Tensor, added: Tensor | None, recurrent: Tensor, h: Tensor, c: Tensor, *rows: Tensor
    ) -> Tensor:
        """Where there are rows, a step's gates are the sum of its tokens' rows; `added` has 1 or all steps."""
        steps, batch = tokens.shape[1:] if rows else added.shape[:2]
        units = h.shape[1]
        gates = h.new_empty(steps, batch, 4 * units)
        hs, cs = h.new_empty(steps + 1, batch, units), h.new_empty(steps + 1, batch, units)
        hs[0], cs[0] = h, c
        transposed = recurrent.t().contiguous()
        for step, gate in enumerate(gates):
            if rows:
                torch.index_select(rows[0], 0, tokens[0, step], out=gate)
                for table, track in zip(rows[1:], tokens[1:], strict=True):
                    gate += table[track[step]]
                if added is not None:
                    gate += added[step if len(added) > 1 else 0]
            else:
                gate.copy_(added[step])
            gate.addmm_(hs[step], transposed)
            i, f, g, o = gate.split(units, 1)
            gate[:, : 2 * units].sigmoid_()
            g.tanh_()
            o.sigmoid_()
            torch.mul(cs[step], f, out=cs[step + 1]).addcmul_(i, g)
            torch.tanh(cs[step + 1], out=hs[step + 1]).mul_(o)
        ctx.save_for_backward(tokens, recurrent, hs, cs, gates)
        ctx.added_steps = 0 if added is None else len(added)
        ctx.table_sizes = [len(table) for table in rows]
        return hs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hs: Tensor) -> tuple[Tensor | None, ...]:
        tokens, recurrent, hs, cs, gates = ctx.saved_tensors
        units = hs.shape[2]
        d_gates = gates.clone()  # a second backward pass over a kept graph needs the gates again
        dh, dc = d_hs[-1].clone(), torch.zeros_like(hs[0])
        tanh_c, a, b = torch.empty_like(dc), torch.empty_like(dc), torch.empty_like(dc)
        for step in reversed(range(len(gates))):
            gate = d_gates[step]
            i, f, g, o = gate.split(units, 1)
            torch.tanh(cs[step + 1], out=tanh_c)
            torch.mul(dh, o, out=a)  # what h' = o tanh(c') passes on
            dc.add_(a).addcmul_(a, tanh_c.square(), value=-1)
            o.neg_().add_(1).mul_(a.mul_(tanh_c))  # each gate times (1 - gate) times what reaches it
            torch.mul(dc, i, out=a)
            torch.mul(a, g, out=b)
            i.neg_().add_(1).mul_(b)
            g.mul_(b).neg_().add_(a)  # a (1 - g^2)
            dc *= f
            f.neg_().add_(1).mul_(cs[step]).mul_(dc)
            dh = torch.addmm(d_hs[step - 1], gate, recurrent) if step else gate @ recurrent
        flat = d_gates.flatten(0, 1)
        d_rows = [
            flat.new_zeros(size, flat.shape[1]).index_add_(0, track.flatten(), flat)
            for size, track in zip(ctx.table_sizes, tokens if ctx.table_sizes else [], strict=True)
        ]
        d_added = {0: None, 1: d_gates.sum(0, keepdim=True)}.get(ctx.added_steps, d_gates)
        return None, d_added, flat.t() @ hs[:-1].flatten(0, 1), dh, dc, *d_rows
