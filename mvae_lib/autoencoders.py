"""The feed-forward autoencoder of the first chapters: a melody -> a point z of a low-dimensional space -> a melody.

No recurrence and no teacher forcing: all steps are read at once, and all are decoded at once and independently given z.
That makes it fast, and keeps every weakness that it shows a weakness of the *latent space*.

Chapter: 02. Source: Hinton and Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks; for music
Roberts et al. 2018, section 2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mvae_lib.melody import VOCABULARY


@dataclass(frozen=True)
class AutoencoderConfig:
    """The sizes of a feed-forward autoencoder."""

    steps: int = 32  # two bars, the unit of MusicVAE's smaller models
    latent: int = 32  # one number a step: far less than a melody's 32 classes, enough to rebuild most of them
    embedding: int = 32  # a learned vector for each of the 90 classes, smaller than one-hot and as expressive
    hidden: int = 512  # wide enough to fit, small enough for a minute of training on two cores


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


@torch.no_grad()
def decode_greedy(model: Autoencoder, z: Tensor) -> Tensor:
    """The most probable class of each step: `[B, Z]` -> tokens `[B, T]`."""
    return model.decode(z).argmax(-1)
