"""The feed-forward models of the first chapters: a melody -> a point z of a low-dimensional space -> a melody.

No recurrence and no teacher forcing: all steps are read at once, and all are decoded at once and independently given z.
That makes them fast, and keeps every weakness that they show a weakness of the *latent space*.

The `Autoencoder` encodes a melody as a point. The `VAE` is the same network with a distribution in place of the point;
it has the methods of `MusicVAE`, so that `training`, `evaluation` and `decoding` serve both.

Chapter: 02 (Autoencoder), 03 (VAE). Source: Hinton and Salakhutdinov 2006, Reducing the Dimensionality of Data with
Neural Networks; Kingma and Welling 2014, Auto-Encoding Variational Bayes; for music Roberts et al. 2018, section 2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mvae_lib.models.encoders import Posterior, reparameterize
from mvae_lib.models.generate import Sampler, greedy
from mvae_lib.models.musicvae import Output
from mvae_lib.music.melody import VOCABULARY


@dataclass(frozen=True)
class AutoencoderConfig:
    """The sizes of a feed-forward autoencoder or VAE."""

    steps: int = 32  # two bars, the unit of MusicVAE's smaller models
    latent: int = 32  # one number a step: far less than a melody's 32 classes, enough to rebuild most of them
    embedding: int = 32  # a learned vector for each of the 90 classes, smaller than one-hot and as expressive
    hidden: int = 512  # wide enough to fit, small enough for a minute of training on two cores

    @property
    def z_size(self) -> int:
        """`latent`, under the name that it has in `configs.ModelConfig`."""
        return self.latent

    @property
    def vocab_sizes(self) -> tuple[int, ...]:
        """One track, a melody's; as in `configs.ModelConfig`."""
        return (VOCABULARY,)

    @property
    def control(self) -> int:
        """No control signal; as in `configs.ModelConfig`."""
        return 0


class Autoencoder(nn.Module):
    """tokens `[B, T]` -> z `[B, Z]` -> logits `[B, T, V]`."""

    def __init__(self, config: AutoencoderConfig | None = None):
        super().__init__()
        self.config = c = config or AutoencoderConfig()
        self.embed = nn.Embedding(VOCABULARY, c.embedding)
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(c.steps * c.embedding, c.hidden),
            nn.ReLU(),
            nn.Linear(c.hidden, c.hidden),
            nn.ReLU(),
            nn.Linear(c.hidden, c.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(c.latent, c.hidden),
            nn.ReLU(),
            nn.Linear(c.hidden, c.hidden),
            nn.ReLU(),
            nn.Linear(c.hidden, c.steps * c.embedding),
            nn.Unflatten(1, (c.steps, c.embedding)),
            nn.Linear(c.embedding, VOCABULARY),
        )

    def encode(self, tokens: Tensor) -> Tensor:
        """The code of each melody: `[B, T]` -> `[B, Z]`."""
        return self.encoder(self.embed(tokens))

    def decode(self, z: Tensor) -> Tensor:
        """Logits of every step, independent of one another given z: `[B, Z]` -> `[B, T, V]`."""
        return self.decoder(z)

    def forward(self, tokens: Tensor) -> Tensor:
        """The logits of the reconstruction: `[B, T]` -> `[B, T, V]`."""
        return self.decode(self.encode(tokens))


class VAE(nn.Module):
    """tokens `[B, T]` -> q(z | x) -> z `[B, Z]` -> logits `[B, T, V]`: the autoencoder with a Gaussian for a code."""

    def __init__(self, config: AutoencoderConfig | None = None, generator: torch.Generator | None = None):
        """Start values come from `generator`; None is torch's own."""
        super().__init__()
        self.config = c = config or AutoencoderConfig()
        seed = torch.randint(2**62, (), generator=generator).item()
        with torch.random.fork_rng(devices=[]):  # the layers draw from torch's own generator only
            torch.manual_seed(seed)
            halves = Autoencoder(c)
            self.embed, self.encoder, self.decoder = halves.embed, halves.encoder, halves.decoder
            self.encoder[-1] = nn.Linear(c.hidden, 2 * c.latent)

    def forward(self, tokens: Tensor, generator: torch.Generator | None, sampling_probability: float = 0.0) -> Output:
        """Encode, draw z, decode. No step reads another's token, so `sampling_probability` has nothing to replace."""
        posterior = self.encode(tokens)
        z = reparameterize(posterior, generator)
        return Output(self.logits(z), posterior, z)

    def encode(self, tokens: Tensor) -> Posterior:
        """q(z | x): mu and sigma, each `[B, Z]`."""
        mu, raw = self.encoder(self.embed(tokens.long())).chunk(2, -1)
        return Posterior(mu, nn.functional.softplus(raw))

    def logits(self, z: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Logits of every step, independent of one another given z, and so of `tokens`: `[B, Z]` -> `[B, T, V]`."""
        return self.decoder(z)

    @torch.no_grad()
    def decode(self, z: Tensor, choice: Sampler = greedy, steps: int | None = None) -> Tensor:
        """z `[B, Z]` -> tokens `[B, T]`. Raises ValueError for another number of `steps` than it was made for."""
        if steps not in (None, self.config.steps):
            raise ValueError(f"this model writes {self.config.steps} steps, not {steps}")
        logits = self.logits(z)
        return choice(logits.flatten(0, 1)).view(logits.shape[:2])

    def sample(self, n: int, generator: torch.Generator | None, choice: Sampler = greedy) -> Tensor:
        """`n` melodies from latent vectors drawn from the prior, `[n, T]`."""
        return self.decode(torch.randn(n, self.config.latent, generator=generator), choice)

    def reconstruct(self, tokens: Tensor, choice: Sampler = greedy) -> Tensor:
        """Tokens -> mu -> tokens; the same shape."""
        with torch.no_grad():
            return self.decode(self.encode(tokens).mu, choice)


@torch.no_grad()
def decode_greedy(model: Autoencoder, z: Tensor) -> Tensor:
    """The most probable class of each step: `[B, Z]` -> tokens `[B, T]`."""
    return model.decode(z).argmax(-1)
