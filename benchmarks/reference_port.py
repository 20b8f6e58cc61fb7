"""MusicVAE written in two slower ways, on the very weights of an `mvae_lib` model: what its speed is measured against.

`ReferenceLoop` is the structure of the public reference implementation without cuDNN: every LSTM, those of
the encoder included, is a loop of cells, one step after the other, over [one-hot token, z]. The hierarchical decoder
loops over the bars and, in each, over the steps.

`PlainPort` is what most PyTorch versions do: `nn.LSTM` over [one-hot token, z] and a call for each bar, one after the
other, because each bar starts from a state of its own. Free-running, it is an `nn.LSTM` called for one step at a time.

Both give the numbers that the library gives; a test checks this. Melody models only: one track and no control signal.

Source: Roberts et al. 2018, section 3, and its public reference implementation.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus

from mvae_lib.models.decoders import FlatDecoder
from mvae_lib.models.musicvae import MusicVAE, Output
from mvae_lib.models.posterior import Posterior, reparameterize

State = list[tuple[Tensor, Tensor]]  # h and c of each layer, each [batch, units]


class Port(nn.Module):
    """What both have in common: the model's parts around the LSTMs, and the way through them."""

    def __init__(self, model: MusicVAE):
        """Shares the weights of `model`. Raises ValueError for a model of several tracks or with a control signal."""
        super().__init__()
        if len(model.config.vocab_sizes) > 1 or model.config.control:
            raise ValueError("the ports are written for melodies: one track and no control signal")
        self.model, self.config = model, model.config

    def forward(self, tokens: Tensor, generator: torch.Generator | None) -> Output:
        """Encode, sample z, decode with teacher forcing, as `MusicVAE.forward`."""
        hot = one_hot(tokens.long(), self.config.vocab_sizes[0]).float()
        encoder = self.model.encoder
        summary = self.summary(
            encoder.lstm, hot.unflatten(1, (self.config.bars if self.config.bar_encoder else 1, -1)).flatten(0, 1)
        ).view(len(hot), -1)
        posterior = Posterior(encoder.mu(summary).float(), softplus(encoder.sigma(summary).float()))
        z = reparameterize(posterior, generator)
        previous = torch.cat([torch.zeros_like(hot[:, :1]), hot[:, :-1]], 1)
        bars, decoder = self.embeddings(z, tokens.shape[1])
        spans = previous.split(tokens.shape[1] // len(bars), 1)
        logits = [self.bar(decoder, z_bar, span) for z_bar, span in zip(bars, spans, strict=True)]
        return Output(torch.cat(logits, 1), posterior, z)

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """z `[batch, z]` -> tokens `[batch, steps]`, greedily, each step on the tokens before it."""
        bars, decoder = self.embeddings(z, self.config.steps)
        previous, written = z.new_zeros(len(z), self.config.vocab_sizes[0]), []
        for z_bar in bars:
            steps = self.config.steps // len(bars)
            step_of, z_steps = self.stepwise(decoder, z_bar), decoder.z_at_steps(z_bar, steps)
            for step in range(steps):
                logits = step_of(torch.cat([previous, z_steps[:, step]], 1))
                written.append(logits.argmax(-1))
                previous = one_hot(written[-1], self.config.vocab_sizes[0]).to(z.dtype)
        return torch.stack(written, 1)

    def embeddings(self, z: Tensor, steps: int) -> tuple[list[Tensor], FlatDecoder]:
        """What takes the place of z in each bar, and the decoder that writes it; a flat decoder has one long bar."""
        decoder = self.model.decoder
        if not self.config.hierarchical:
            return [z], decoder
        bars = steps // self.config.steps_per_bar
        outputs = self.conduct(decoder.conductor, z.new_zeros(len(z), bars, 1), decoder.start(z))
        if decoder.z_projections is not None:
            outputs = [out + z @ projection.T for out, projection in zip(outputs, decoder.z_projections, strict=False)]
        return outputs, decoder.cores[0]


class ReferenceLoop(Port):
    """Every LSTM as a loop of cells over the steps."""

    def summary(self, lstm: nn.LSTM, inputs: Tensor) -> Tensor:
        """Both directions' final states of the last layer `[batch, 2 units]`; layer by layer, step by step."""
        outputs = list(inputs.unbind(1))
        zeros = inputs.new_zeros(len(inputs), lstm.hidden_size)
        for layer in range(lstm.num_layers):
            forward, backward = (cell(lstm, f"l{layer}{way}") for way in ("", "_reverse"))
            ahead, _ = run([forward], outputs, [(zeros, zeros)])
            behind, _ = run([backward], outputs[::-1], [(zeros, zeros)])
            outputs = [torch.cat(both, 1) for both in zip(ahead, behind[::-1], strict=True)]
        return torch.cat([ahead[-1], behind[-1]], 1)

    def conduct(self, lstm: nn.LSTM, inputs: Tensor, start: tuple[Tensor, Tensor]) -> list[Tensor]:
        """The conductor's output for each bar."""
        return run(cells(lstm), list(inputs.unbind(1)), by_layer(start))[0]

    def bar(self, decoder: FlatDecoder, z: Tensor, previous: Tensor) -> Tensor:
        """Teacher-forced logits `[batch, steps, classes]` of one bar (of all steps, in a flat decoder)."""
        z_steps = decoder.z_at_steps(z, previous.shape[1]).unbind(1)
        inputs = [torch.cat(both, 1) for both in zip(previous.unbind(1), z_steps, strict=True)]
        outputs, _ = run(cells(decoder.lstm), inputs, by_layer(decoder.start(z)))
        return torch.stack([decoder.output(output) for output in outputs], 1)

    def stepwise(self, decoder: FlatDecoder, z: Tensor) -> Callable[[Tensor], Tensor]:
        """A function from one step's input to its logits `[batch, classes]`; it keeps the state."""
        layers, state = cells(decoder.lstm), by_layer(decoder.start(z))

        def step(inputs: Tensor) -> Tensor:
            nonlocal state
            (output,), state = run(layers, [inputs], state)
            return decoder.output(output)

        return step


class PlainPort(Port):
    """`nn.LSTM` wherever the next input is known; bars one after the other."""

    def summary(self, lstm: nn.LSTM, inputs: Tensor) -> Tensor:
        """As in `ReferenceLoop`."""
        _, (h, _) = lstm(inputs)
        return torch.cat([h[-2], h[-1]], 1)

    def conduct(self, lstm: nn.LSTM, inputs: Tensor, start: tuple[Tensor, Tensor]) -> list[Tensor]:
        """As in `ReferenceLoop`."""
        return list(lstm(inputs, start)[0].unbind(1))

    def bar(self, decoder: FlatDecoder, z: Tensor, previous: Tensor) -> Tensor:
        """As in `ReferenceLoop`."""
        inputs = torch.cat([previous, decoder.z_at_steps(z, previous.shape[1])], 2)
        return decoder.output(decoder.lstm(inputs, decoder.start(z))[0])

    def stepwise(self, decoder: FlatDecoder, z: Tensor) -> Callable[[Tensor], Tensor]:
        """As in `ReferenceLoop`."""
        state = decoder.start(z)

        def step(inputs: Tensor) -> Tensor:
            nonlocal state
            output, state = decoder.lstm(inputs.unsqueeze(1), state)
            return decoder.output(output[:, 0])

        return step


def cell(lstm: nn.LSTM, suffix: str) -> Callable[[Tensor, tuple[Tensor, Tensor]], tuple[Tensor, Tensor]]:
    """One layer and direction of an LSTM as PyTorch's own cell (that of `nn.LSTMCell`), on the same weights."""
    weights = [getattr(lstm, f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    return lambda inputs, state: torch.lstm_cell(inputs, state, *weights)


def cells(lstm: nn.LSTM) -> list[Callable]:
    """A cell for each layer of an LSTM of one direction."""
    return [cell(lstm, f"l{layer}") for layer in range(lstm.num_layers)]


def by_layer(start: tuple[Tensor, Tensor]) -> State:
    """h and c `[layers, batch, units]` as a list over the layers."""
    return list(zip(*start, strict=True))


def run(layers: list[Callable], inputs: list[Tensor], state: State) -> tuple[list[Tensor], State]:
    """A stack of cells over the steps: the top layer's output at each step, and the last state."""
    outputs = []
    for x in inputs:
        following = []
        for layer, of_layer in zip(layers, state, strict=True):
            h, c = layer(x, of_layer)
            following.append((h, c))
            x = h
        state = following
        outputs.append(x)
    return outputs, state
