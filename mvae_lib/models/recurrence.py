"""One call of `nn.LSTM` over one-hot tokens, by fewer operations where that is faster. Not needed to read the models.

`read_tokens` computes what `_fused` computes, and `_fused` is a call of `nn.LSTM`. `nn.LSTM` does not use that the
product of the input weights with a one-hot vector is one of their columns, and that an input which is the same at every
step needs to be projected only once. `_by_hand` uses both. It also writes the gates in place, where they later become
their own gradients, and takes the gradient of the recurrent weights in one product after the loop. Against that, each
step costs some fifteen calls from Python. `by_hand_is_faster` says where it is faster; `python -m
benchmarks.recurrence` measures it, and the table that decided it is in `benchmarks/README.md`.

Chapter: 08. Source: Hochreiter and Schmidhuber 1997; the gradients are those of backpropagation through time.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mvae_lib.models.lstm import LSTM, State
from mvae_lib.models.tracks import one_hot, split_tracks

ROWS_BY_HAND = 512  # from so many rows on, `_by_hand` is at least 1.3 times as fast as `nn.LSTM` on all CPUs measured


class Hidden(NamedTuple):
    """The output of an LSTM's last layer; both directions lie side by side."""

    at_steps: Tensor  # [batch, steps, directions * units]
    final: Tensor  # [batch, directions * units]: each direction's own last step


def read_tokens(
    lstm: LSTM,
    tokens: Tensor,
    vocab_sizes: Sequence[int],
    conditioning: Tensor | None = None,
    state: State | None = None,
) -> Hidden:
    """An LSTM whose inputs are [one-hot token of each track, conditioning], over all steps.

    `tokens`: `[batch, steps]` or `[batch, steps, tracks]`, where the class after a track's last one is an input of
    zeros; `conditioning`: `[batch, steps, inputs]`, or `[batch, 1, inputs]` where it is the same at every step;
    `state`: None for zeros, which is what a bidirectional LSTM starts from.
    """
    if by_hand_is_faster(tokens, conditioning):
        return _by_hand(lstm, tokens, vocab_sizes, conditioning, state)
    return _fused(lstm, one_hot(tokens, vocab_sizes, lstm.weight_ih_l0.dtype), conditioning, state)


def by_hand_is_faster(tokens: Tensor, conditioning: Tensor | None) -> bool:
    """Whether `_by_hand` was at least 1.3 times as fast, on one thread and on two, with AVX2 and with AVX-512.

    That is: on a CPU in full precision, with many rows and a conditioning that is the same at every step. The core
    decoder of a hierarchical model is of this kind, with all bars of all sequences in one batch.
    """
    full_precision_cpu = tokens.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    alike = conditioning is not None and conditioning.shape[1] == 1
    return full_precision_cpu and alike and len(tokens) >= ROWS_BY_HAND


def _fused(lstm: LSTM, vectors: Tensor, conditioning: Tensor | None, state: State | None) -> Hidden:
    if conditioning is not None:
        vectors = torch.cat([vectors, conditioning.expand(-1, vectors.shape[1], -1)], -1)  # [batch, steps, all inputs]
    at_steps, (h, _) = lstm(vectors, state)
    return Hidden(at_steps, torch.cat(list(h[-2:] if lstm.bidirectional else h[-1:]), -1))


def _by_hand(
    lstm: LSTM, tokens: Tensor, vocab_sizes: Sequence[int], conditioning: Tensor | None, state: State | None
) -> Hidden:
    tokens = torch.stack(split_tracks(tokens.long(), vocab_sizes)).transpose(1, 2)  # [tracks, steps, batch]
    weights, directions = lstm.all_weights, 2 if lstm.bidirectional else 1
    zeros = lstm.weight_ih_l0.new_zeros(tokens.shape[2], lstm.hidden_size)
    below = None  # [steps, batch, directions * units], the output of the layer below
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


def _step_by_step(
    tokens: Tensor, added: Tensor | None, recurrent: Tensor, h: Tensor, c: Tensor, *rows: Tensor
) -> Tensor:
    """What `_Recurrence` computes, in operations that can be differentiated any number of times."""
    hs = []
    for step in range(tokens.shape[1] if rows else len(added)):
        gates = h @ recurrent.t() + sum(table[track[step]] for table, track in zip(rows, tokens, strict=False))
        if added is not None:
            gates = gates + added[step if len(added) > 1 else 0]
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        hs.append(h)
    return torch.stack(hs)


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
        ctx.save_for_backward(hs, cs, gates, tokens, added, recurrent, h, c, *rows)
        return hs[1:]

    @staticmethod
    def backward(ctx: Any, d_hs: Tensor) -> tuple[Tensor | None, ...]:
        hs, cs, gates, *inputs = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient's own gradient will be asked for (`create_graph`)
            wanted = [place for place, needed in enumerate(ctx.needs_input_grad) if needed]
            gradients = torch.autograd.grad(
                _step_by_step(*inputs), [inputs[place] for place in wanted], d_hs, create_graph=True
            )
            return tuple(dict(zip(wanted, gradients, strict=True)).get(place) for place in range(len(inputs)))
        tokens, added, recurrent, _, _, *rows = inputs
        d_gates, dh, dc = _through_time(gates, hs, cs, recurrent, d_hs)
        flat = d_gates.flatten(0, 1)
        d_rows = [
            torch.zeros_like(table).index_add_(0, track.flatten(), flat)
            for table, track in zip(rows, tokens if rows else [], strict=True)
        ]
        d_added = None if added is None else d_gates.sum(0, keepdim=True) if len(added) == 1 else d_gates
        return None, d_added, flat.t() @ hs[:-1].flatten(0, 1), dh, dc, *d_rows


def _through_time(gates: Tensor, hs: Tensor, cs: Tensor, recurrent: Tensor, d_hs: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the gates before their nonlinearities `[steps, batch, 4 units]`, of the first h and of c."""
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
    return d_gates, dh, dc
