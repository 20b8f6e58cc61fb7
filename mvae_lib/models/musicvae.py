"""The models that learners meet by name.

Chapter: 07 (MusicVAE). Source: Roberts et al. 2018, section 3, figure 2.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mvae_lib.models.config import ModelConfig
from mvae_lib.models.decoders import FlatDecoder
from mvae_lib.models.encoders import BidirectionalEncoder, Posterior, reparameterize
from mvae_lib.models.generate import Sampler, generate, greedy, scheduled_sampling
from mvae_lib.models.hierarchical import HierarchicalDecoder
from mvae_lib.models.lstm import FORGET_BIAS


class Output(NamedTuple):
    """What a pass over a batch gives: all that the objectives ask for."""

    logits: Tensor  # [batch, steps, classes]
    posterior: Posterior  # mu and sigma, each [batch, z]
    z: Tensor  # [batch, z], the sample that the logits were decoded from


class MusicVAE(nn.Module):
    """A recurrent VAE: bidirectional encoder, Gaussian latent vector, flat or hierarchical decoder.

    Tokens have the shape `[batch, steps]` (several heads: `[batch, steps, tracks]`), in any integer type. A control
    signal `[batch, steps, depth]` is given if, and only if, the configuration has one. Generators live on the model's
    device; None is torch's own.
    """

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        """Start values come from `generator`, on the CPU; move the model with `.to(device)` afterwards."""
        super().__init__()
        self.config = config
        self.encoder = BidirectionalEncoder(
            config.vocab_sizes,
            config.encoder_units,
            config.encoder_layers,
            config.z_size,
            config.control,
            reads_drum_bits=config.encoder_reads == "drum-bits",
            bars=config.bars if config.bar_encoder else 0,
            steps_per_bar=config.steps_per_bar,
            generator=generator,
        )
        if config.hierarchical:
            self.decoder = HierarchicalDecoder(
                config.z_size,
                config.vocab_sizes,
                config.decoder_units,
                config.decoder_layers,
                config.conductor_units,
                config.conductor_layers,
                config.steps_per_bar,
                config.control,
                z_bars=config.bars if config.per_bar_z else 0,
                z_steps=config.steps_per_bar if config.per_step_z else 0,
                generator=generator,
            )
        else:
            self.decoder = FlatDecoder(
                config.z_size,
                config.vocab_sizes,
                config.decoder_units,
                config.decoder_layers,
                config.control,
                z_steps=config.steps if config.per_step_z else 0,
                generator=generator,
            )
        if config.scaled_init:
            scale_start_values(self, generator)
        if config.chrono_init:
            start_with_long_memory(self, generator)

    def forward(
        self,
        tokens: Tensor,
        generator: torch.Generator | None,
        sampling_probability: float = 0.0,
        control: Tensor | None = None,
    ) -> Output:
        """Encode, draw z, decode: what a training step needs.

        With probability `sampling_probability`, the decoder reads its own sample in place of a true previous token.
        """
        posterior = self.encode(tokens, control)
        z = reparameterize(posterior, generator)
        read = tokens
        if sampling_probability > 0:
            read = scheduled_sampling(self.decoder, z, tokens, sampling_probability, generator, control)
        return Output(self.decoder(z, read, control), posterior, z)

    def encode(self, tokens: Tensor, control: Tensor | None = None) -> Posterior:
        """q(z | x): mu and sigma, each `[batch, z]`."""
        return self.encoder(tokens, control)

    def logits(self, z: Tensor, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """Teacher forcing: the logits of each step given z and the tokens before it, `[batch, steps, classes]`.

        On tokens that the model has decoded from the same z, these are the logits it chose them by.
        """
        return self.decoder(z, tokens, control)

    def decode(
        self, z: Tensor, choice: Sampler = greedy, steps: int | None = None, control: Tensor | None = None
    ) -> Tensor:
        """z `[batch, z]` -> tokens, each step on the model's own tokens before it; `steps` (None: as configured).

        `choice`: `greedy`, or what `decoding.temperature` and `decoding.top_p` make. Raises ValueError for steps that
        the decoder cannot write.
        """
        return generate(self.decoder, z, self.config.steps if steps is None else steps, choice, control)

    def sample(
        self,
        n: int,
        generator: torch.Generator | None,
        choice: Sampler = greedy,
        steps: int | None = None,
        control: Tensor | None = None,
    ) -> Tensor:
        """`n` sequences of tokens from latent vectors drawn from the prior."""
        weight = self.encoder.mu.weight
        z = torch.randn(n, self.config.z_size, generator=generator, device=weight.device, dtype=weight.dtype)
        return self.decode(z, choice, steps, control)

    @torch.no_grad()
    def reconstruct(self, tokens: Tensor, choice: Sampler = greedy, control: Tensor | None = None) -> Tensor:
        """Tokens -> mu -> tokens, free-running: what the model remembers of each sequence; the same shape."""
        return self.decode(self.encode(tokens, control).mu, choice, tokens.shape[1], control)


@torch.no_grad()
def scale_start_values(model: MusicVAE, generator: torch.Generator | None) -> None:
    """Start values of ours, not the reference's, for training runs of minutes instead of days.

    Glorot's rule is made for inputs of variance 1, and a one-hot vector of n classes has 1 / n: so the kernels that
    read tokens are drawn sqrt(n) times as wide. The reference also lets z start almost silent (kernels of .001), on its
    way out of the encoder and into the decoder. Here it speaks from the first update on, with sigma starting at 1 / e.
    """
    decoder, lstm = model.decoder, model.encoder.lstm
    flat = list(decoder.cores) if isinstance(decoder, HierarchicalDecoder) else [decoder]
    readers = [(part.lstm.weight_ih_l0, part.vocab_sizes) for part in flat]
    if not model.encoder.reads_drum_bits:
        readers += [(weight, model.config.vocab_sizes) for weight in (lstm.weight_ih_l0, lstm.weight_ih_l0_reverse)]
    for weight, vocab_sizes in readers:
        for columns, classes in zip(weight[:, : sum(vocab_sizes)].split(vocab_sizes, 1), vocab_sizes, strict=True):
            columns *= math.sqrt(classes)
    starts = [part.start.linear for part in flat] + ([decoder.start.linear] if decoder not in flat else [])
    for layer in (model.encoder.mu, *starts):
        nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.constant_(model.encoder.sigma.bias, math.log(math.expm1(math.exp(-1))))  # softplus of it is 1 / e


@torch.no_grad()
def start_with_long_memory(model: MusicVAE, generator: torch.Generator | None) -> None:
    """Forget gates that start at time scales up to the length that an LSTM runs over, and input gates to match.

    The reference's forget bias of 1 halves a cell's content every 2 steps. Ours here, not MusicVAE's: b_f = log(u - 1)
    with u uniform on (2, length), b_i = -b_f. Source: Tallec and Ollivier 2018, Can Recurrent Neural Networks Warp
    Time?, section 3.
    """
    config, decoder = model.config, model.decoder
    lstms = [(model.encoder.lstm, config.steps_per_bar if config.bar_encoder else config.steps)]
    if config.hierarchical:
        lstms += [(decoder.conductor, config.bars), *((core.lstm, config.steps_per_bar) for core in decoder.cores)]
    else:
        lstms += [(decoder.lstm, config.steps)]
    for lstm, length in lstms:
        units = lstm.hidden_size
        for name, bias in lstm.named_parameters():
            if name.startswith("bias_hh"):
                forget = torch.empty(units).uniform_(1, length - 1, generator=generator).log()
                bias[:units], bias[units : 2 * units] = -forget, forget - FORGET_BIAS


def count_parameters(model: nn.Module) -> int:
    """How many numbers are trained; the constant second bias of each LSTM is not, as in the reference."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
