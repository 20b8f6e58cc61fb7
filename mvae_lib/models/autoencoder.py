"""The feed-forward models of the first chapters: a melody -> a point z of a low-dimensional space -> a melody.

No recurrence and no teacher forcing: all steps are read at once, and all are decoded at once and independently given z.
That makes them fast, and a reconstruction depends on z alone.

The `Autoencoder` encodes a melody as a point. The `VAE` is the same network with a Gaussian in place of the point. It
is a `LatentModel`, as MusicVAE is, so that training, evaluation and checkpoints serve both.

Chapter: 02 (Autoencoder), 03 (VAE). Source: Hinton and Salakhutdinov 2006, Reducing the Dimensionality of Data with
Neural Networks; Kingma and Welling 2014, Auto-Encoding Variational Bayes; for music Roberts et al. 2018, section 2.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from mvae_lib.models.generate import Sampler
from mvae_lib.models.latent_model import LatentModel, Output
from mvae_lib.models.posterior import Posterior
from mvae_lib.music.melody import STEPS_PER_BAR, VOCABULARY


@dataclass(frozen=True)
class AutoencoderConfig:
    """The sizes of a feed-forward autoencoder or VAE. Raises ValueError for a size below 1."""

    steps: int = 32  # two bars, the unit of MusicVAE's smaller models
    latent: int = 32  # one number for each step: far less than a melody's 90 classes, enough for most melodies
    embedding: int = 32  # a learned vector for each of the 90 classes, smaller than one-hot and as expressive
    hidden: int = 512  # wide enough to fit, small enough for a minute of training on two cores

    def __post_init__(self):
        for item in fields(self):
            if not 1 <= getattr(self, item.name) <= 65_536:
                raise ValueError(f"{item.name} must lie in 1 to 65536, not {getattr(self, item.name)}")

    @property
    def z_size(self) -> int:
        """`latent`, under the name that it has in `config.ModelConfig`."""
        return self.latent

    @property
    def representation(self) -> str:
        """A melody; this and the next four as in `config.ModelConfig`."""
        return "melody"

    @property
    def vocab_sizes(self) -> tuple[int, ...]:
        return (VOCABULARY,)

    @property
    def control(self) -> int:
        return 0

    @property
    def steps_per_bar(self) -> int:
        return STEPS_PER_BAR

    @property
    def bars(self) -> int:
        return self.steps // STEPS_PER_BAR


class Autoencoder(nn.Module):
    """tokens `[batch, steps]` -> z `[batch, z]` -> logits `[batch, steps, classes]`."""

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
        """The latent vector of each melody: `[batch, steps]` -> `[batch, z]`."""
        return self.encoder(self.embed(tokens))

    def decode(self, z: Tensor) -> Tensor:
        """Logits of every step, independent of one another given z: `[batch, z]` -> `[batch, steps, classes]`."""
        return self.decoder(z)

    def forward(self, tokens: Tensor) -> Tensor:
        """The logits of the reconstruction: `[batch, steps]` -> `[batch, steps, classes]`."""
        return self.decode(self.encode(tokens))


class VAE(LatentModel):
    """tokens `[batch, steps]` -> q(z | x) -> z `[batch, z]` -> logits `[batch, steps, classes]`."""

    def __init__(self, config: AutoencoderConfig | None = None, generator: torch.Generator | None = None):
        """Initial weights come from `generator`; None is torch's own."""
        super().__init__()
        self.config = c = config or AutoencoderConfig()
        seed = torch.randint(2**62, (), generator=generator, device="cpu").item()
        with torch.random.fork_rng(devices=[]):  # the layers use torch's own generator only
            torch.manual_seed(seed)
            halves = Autoencoder(c)
            self.embed, self.encoder, self.decoder = halves.embed, halves.encoder, halves.decoder
            self.encoder[-1] = nn.Linear(c.hidden, 2 * c.latent)

    def forward(
        self,
        tokens: Tensor,
        generator: torch.Generator | None = None,
        sampling_probability: float = 0.0,
        control: Tensor | None = None,
    ) -> Output:
        """Encode, sample z, decode. No step reads another's token, so `sampling_probability` has nothing to replace."""
        posterior = self.posterior(tokens)  # mu and sigma, each [batch, z]
        z = posterior.sample(generator)  # [batch, z]
        return Output(self.logits(z), posterior, z)

    def posterior(self, tokens: Tensor, control: Tensor | None = None) -> Posterior:
        """q(z | x): mu and sigma, each `[batch, z]`."""
        mu, raw = self.encoder(self.embed(tokens.long())).chunk(2, -1)
        return Posterior(mu, nn.functional.softplus(raw))

    def logits(self, z: Tensor, tokens: Tensor | None = None, control: Tensor | None = None) -> Tensor:
        """Logits of every step, independent of one another given z, and so of `tokens`: `[batch, steps, classes]`."""
        return self.decoder(z)

    def generate(self, z: Tensor, sampler: Sampler, steps: int, control: Tensor | None = None) -> Tensor:
        """z `[batch, z]` -> tokens `[batch, steps]`. Raises ValueError for another number of steps than configured."""
        if steps != self.config.steps:
            raise ValueError(f"this model writes {self.config.steps} steps, not {steps}")
        logits = self.logits(z)
        return sampler(logits.flatten(0, 1)).view(logits.shape[:2])


@torch.no_grad()
def decode_greedy(model: Autoencoder, z: Tensor) -> Tensor:
    """The most likely class of each step: `[batch, z]` -> tokens `[batch, steps]`."""
    return model.decode(z).argmax(-1)
