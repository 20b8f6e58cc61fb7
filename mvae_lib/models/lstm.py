"""The reference's LSTM on PyTorch's fused kernels: one trained bias, a forget bias of +1, Glorot initial weights.

    i, f, o = sigmoid(W x + U h + b),  f with + 1        g = tanh(W x + U h + b)
    c' = f c + i g                                       h' = o tanh(c')

PyTorch adds two biases where the reference has one. The one on the input side is frozen here and holds the constant:
1 for the forget gate, 0 elsewhere. So the fused kernels (cuDNN on a GPU) run as they are, a state_dict is that of
`torch.nn.LSTM`, and `requires_grad` is True for what is trained.

Chapter: 05, 08. Source: Hochreiter and Schmidhuber 1997; Gers et al. 2000 (forget gate); Roberts et al. 2018 and its
public reference implementation (initial weights, one bias, initial state from z).
"""

import math

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]  # h and c, each [layers, batch, units]
FORGET_BIAS = 1.0  # a new cell remembers: sigmoid(1) = .73 of the cell state is kept at each step


class LSTM(nn.LSTM):
    """`torch.nn.LSTM`, batch first, with the reference's initial weights and biases (`generator` None: torch's own)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        generator: torch.Generator | None = None,
    ):
        super().__init__(input_size, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional)
        self.reset_parameters(generator)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(not name.startswith("bias_ih"))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Kernels uniform after Glorot and Bengio 2010 over [x, h] -> all four gates; biases 0, the forget bias 1."""
        for name, parameter in self.named_parameters():
            if name.startswith("weight_ih"):
                recurrent = getattr(self, name.replace("weight_ih", "weight_hh"))
                limit = math.sqrt(6 / (parameter.shape[1] + recurrent.shape[1] + parameter.shape[0]))
                nn.init.uniform_(parameter, -limit, limit, generator=generator)
                nn.init.uniform_(recurrent, -limit, limit, generator=generator)
            elif name.startswith("bias"):
                nn.init.zeros_(parameter)
                if name.startswith("bias_ih"):
                    parameter[self.hidden_size : 2 * self.hidden_size] = FORGET_BIAS


def linear(inputs: int, outputs: int, generator: torch.Generator | None, std: float | None = None) -> nn.Linear:
    """A dense layer with bias 0 and a kernel sampled from N(0, std), or uniform after Glorot where no std is given."""
    layer = nn.Linear(inputs, outputs)
    if std is None:
        nn.init.xavier_uniform_(layer.weight, generator=generator)
    else:
        nn.init.normal_(layer.weight, std=std, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


class InitialState(nn.Module):
    """z (or a bar's embedding) -> an LSTM's initial state: one dense layer and tanh, for c and h of all layers."""

    def __init__(self, z_size: int, units: int, layers: int, generator: torch.Generator | None = None):
        super().__init__()
        self.units, self.layers = units, layers
        self.linear = linear(z_size, layers * 2 * units, generator, std=0.001)

    def forward(self, z: Tensor) -> State:
        """`[batch, z]` -> h and c, each `[layers, batch, units]`."""
        state = torch.tanh(self.linear(z)).view(-1, self.layers, 2, self.units).permute(2, 1, 0, 3).contiguous()
        c, h = state  # the order of the reference, layer by layer
        return h, c
