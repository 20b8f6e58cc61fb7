"""MusicVAE: a bidirectional LSTM encoder, a Gaussian latent vector, and a flat or a hierarchical decoder.

A batch goes through this file from the top to the bottom; the two decoders are in `decoders.py`, the LSTM in `lstm.py`.

    summary = [h_forward(last step); h_backward(first step)]    of the last of the encoder's layers
    mu = W_mu summary + b_mu,    sigma = softplus(W_sigma summary + b_sigma)
    z = mu + sigma * eps,        logits = decoder(z, tokens)

The summary is made of both directions' *final states*. The output at the last step is not the same thing: there, the
backward direction has read one step only.

An extension of ours, off by default and not in the paper: with `bar_encoder`, the LSTM reads each bar by itself, and
the summary is that of all bars side by side. The paper's encoder has to keep the first bar's notes in its state
through all later steps. Here mu is a linear function of every bar's summary, and all bars are read at the same time.

Chapter: 05, 08. Source: Roberts et al. 2018, section 3, figure 2, and its public reference implementation.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from mvae_lib.models.config import ModelConfig
from mvae_lib.models.decoders import FlatDecoder, HierarchicalDecoder
from mvae_lib.models.generate import Sampler, generate, scheduled_sampling, word_dropout
from mvae_lib.models.latent_model import LatentModel, Output
from mvae_lib.models.lstm import LSTM, linear
from mvae_lib.models.posterior import Posterior
from mvae_lib.models.recurrence import read_tokens
from mvae_lib.models.tracks import DRUM_CLASSES, drum_bits, with_control


class BidirectionalEncoder(nn.Module):
    """Tokens -> posterior. It reads one-hot tokens, or the bits of a drum class, with a control signal beside them."""

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        super().__init__()
        self.config = config
        classes = DRUM_CLASSES + 1 if config.encoder_reads == "drum-bits" else sum(config.vocab_sizes)
        inputs, units = classes + config.control, config.encoder_units
        self.lstm = LSTM(inputs, units, config.encoder_layers, bidirectional=True, generator=generator)
        summary = (config.bars if config.bar_encoder else 1) * 2 * units
        self.mu = linear(summary, config.z_size, generator, std=0.001)
        self.sigma = linear(summary, config.z_size, generator, std=0.001)  # so sigma starts at softplus(0) = .693

    def forward(self, tokens: Tensor, control: Tensor | None = None) -> Posterior:
        """Tokens `[batch, steps]` (several tracks: `[batch, steps, tracks]`) -> mu and sigma, each `[batch, z]`.

        Raises ValueError for other than the encoder's number of bars, where it reads bars by themselves.
        """
        read = self.summary_by_bar if self.config.bar_encoder else self.summary
        summary = read(tokens, control)  # [batch, 2 units], or [batch, bars * 2 units]
        dtype = self.mu.weight.dtype  # under autocast too: the KL is a difference that bfloat16 would lose
        return Posterior(self.mu(summary).to(dtype), softplus(self.sigma(summary).to(dtype)))  # [batch, z] each

    def summary(self, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """The last layer's final states, forward and backward, side by side: `[batch, 2 units]`."""
        dtype = self.mu.weight.dtype
        if self.config.encoder_reads == "drum-bits":
            bits = drum_bits(tokens, dtype)  # [batch, steps, 10]
            _, (h, _) = self.lstm(with_control(bits, control, self.config.control))  # h [2 layers, batch, units]
            return torch.cat([h[-2], h[-1]], -1)
        no_inputs = torch.empty(*tokens.shape[:2], 0, dtype=dtype, device=tokens.device)
        signal = with_control(no_inputs, control, self.config.control)  # [batch, steps, control]
        return read_tokens(self.lstm, tokens, self.config.vocab_sizes, signal if signal.shape[-1] else None).final

    def summary_by_bar(self, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """The summaries of all bars, side by side: `[batch, bars * 2 units]`. Raises ValueError as `forward` does."""
        bars, steps = by_bar = (self.config.bars, self.config.steps_per_bar)
        if tokens.shape[1] != bars * steps:
            raise ValueError(f"this encoder reads {bars} bars of {steps} steps, and not {tokens.shape[1]} steps")
        control = None if control is None else control.unflatten(1, by_bar).flatten(0, 1)
        summaries = self.summary(tokens.unflatten(1, by_bar).flatten(0, 1), control)  # [batch * bars, 2 units]
        return summaries.unflatten(0, (-1, bars)).flatten(1)


class MusicVAE(LatentModel):
    """A recurrent VAE; see `LatentModel` for encode, decode, sample, reconstruct and interpolate.

    Tokens have the shape `[batch, steps]` (several tracks: `[batch, steps, tracks]`), in any integer type.
    """

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        """Initial weights come from `generator`, on the CPU; move the model with `.to(device)` afterwards."""
        super().__init__()
        self.config = config
        self.encoder = BidirectionalEncoder(config, generator)
        self.decoder = (HierarchicalDecoder if config.hierarchical else FlatDecoder)(config, generator)
        if config.scaled_init:
            scale_initial_weights(self, generator)

    def forward(
        self,
        tokens: Tensor,
        generator: torch.Generator | None = None,
        sampling_probability: float = 0.0,
        control: Tensor | None = None,
        dropout: float = 0.0,
    ) -> Output:
        """Encode, sample z, decode: what a training step needs.

        With probability `sampling_probability`, the decoder reads its own sample in place of a true previous token;
        with probability `dropout`, zeros (see `word_dropout`).
        """
        posterior = self.posterior(tokens, control)  # mu and sigma, each [batch, z]
        z = posterior.sample(generator)  # [batch, z]
        read = tokens  # [batch, steps]
        if sampling_probability > 0:
            read = scheduled_sampling(self.decoder, z, tokens, sampling_probability, generator, control)
        if dropout > 0:
            read = word_dropout(read, self.config.vocab_sizes, dropout, generator)
        return Output(self.logits(z, read, control), posterior, z)  # logits [batch, steps, classes]

    def posterior(self, tokens: Tensor, control: Tensor | None = None) -> Posterior:
        """q(z | x): mu and sigma, each `[batch, z]`."""
        return self.encoder(tokens, control)

    def logits(self, z: Tensor, tokens: Tensor, control: Tensor | None = None) -> Tensor:
        """Teacher forcing: the logits of each step given z and the tokens before it, `[batch, steps, classes]`.

        On tokens that the model has decoded from the same z, these are the logits it chose them by.
        """
        return self.decoder(z, tokens, control)

    def generate(self, z: Tensor, sampler: Sampler, steps: int, control: Tensor | None = None) -> Tensor:
        """z `[batch, z]` -> tokens, each step on the model's own tokens before it.

        Raises ValueError for steps that the decoder cannot write.
        """
        return generate(self.decoder, z, steps, sampler, control)


@torch.no_grad()
def scale_initial_weights(model: MusicVAE, generator: torch.Generator | None) -> None:
    """Initial weights of ours, not the reference's, for training runs of minutes instead of days.

    Glorot's rule is made for inputs of variance 1, and a one-hot vector of n classes has 1 / n: so the kernels that
    read tokens are sampled from a range sqrt(n) times as wide. The reference also starts with kernels of .001 on the
    way out of the encoder and into the decoder, so that z has hardly any influence. Here it has some from the first
    update on, and sigma starts at 1 / e.
    """
    decoder, lstm = model.decoder, model.encoder.lstm
    flat = list(decoder.cores) if isinstance(decoder, HierarchicalDecoder) else [decoder]
    readers = [(part.lstm.weight_ih_l0, part.vocab_sizes) for part in flat]
    if model.config.encoder_reads == "one-hot":
        readers += [(weight, model.config.vocab_sizes) for weight in (lstm.weight_ih_l0, lstm.weight_ih_l0_reverse)]
    for weight, vocab_sizes in readers:
        for columns, classes in zip(weight[:, : sum(vocab_sizes)].split(vocab_sizes, 1), vocab_sizes, strict=True):
            columns *= math.sqrt(classes)
    starts = [part.start.linear for part in flat] + ([decoder.start.linear] if decoder not in flat else [])
    for layer in (model.encoder.mu, *starts):
        nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.constant_(model.encoder.sigma.bias, math.log(math.expm1(math.exp(-1))))  # softplus of it is 1 / e


def count_parameters(model: nn.Module) -> int:
    """How many numbers are trained; the constant second bias of each LSTM is not, as in the reference."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
