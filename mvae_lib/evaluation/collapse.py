"""Posterior collapse: how to diagnose that a decoder ignores z, and word dropout against it.

A KL above zero does not show that the decoder uses z. So the report also has the parts of the rate (the mutual
information of z and the melody, the dependence between the dimensions, the KL of each dimension from the prior) and the
swap cost: by how much the distortion rises with shuffled z, the latent vector of another melody. It is 0 for a decoder
that ignores z.

Chapter: 07. Source: Bowman et al. 2016 (word dropout); Hoffman and Johnson 2016 and Chen et al. 2018 (the parts of the
KL); Burda et al. 2016 (active units).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mvae_lib.evaluation.metrics import onset_accuracy
from mvae_lib.models import generate
from mvae_lib.models.autoencoder import VAE
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.music.melody import VOCABULARY
from mvae_lib.training.objectives import active_units, decompose_kl, gaussian_kl, reconstruction

START_OF_SEQUENCE = VOCABULARY  # read as an input of zeros, as before the first step (see `tracks.shift_right`)


def word_dropout(tokens: Tensor, probability: float, generator: torch.Generator | None) -> Tensor:
    """`models.generate.word_dropout` of melodies `[B, T]`: what is dropped becomes `START_OF_SEQUENCE`.

    For the tokens that a decoder *reads*; what it has to predict stays whole. Raises ValueError for a probability
    outside 0 to 1.
    """
    return generate.word_dropout(tokens, (VOCABULARY,), probability, generator)


class CollapseReport(NamedTuple):
    """How much the decoder uses z: means over the melodies, in nats per melody unless said otherwise."""

    distortion: float  # -log p(x | z), z sampled from the melody's own posterior
    rate: float  # KL(q(z | x) || p(z)), about the sum of the next three
    mutual_information: float  # between z and the melody that it encodes
    total_correlation: float  # how far the dimensions of z are from independent
    dimension_wise_kl: float  # how far each dimension, over all melodies, is from the prior
    active_units: int  # dimensions whose mu varies over the melodies
    swap_cost: float  # how much the distortion rises with shuffled z (that of another melody)
    onset_accuracy: float  # share of the true note-ons, decoded from mu on the decoder's own tokens, 0 to 1

    @property
    def negative_elbo(self) -> float:
        """distortion + rate: an upper bound on -log p(x), nats per melody."""
        return self.distortion + self.rate


@torch.no_grad()
def diagnose(
    model: MusicVAE | VAE, tokens: Tensor, generator: torch.Generator | None, information_windows: int = 1024
) -> CollapseReport:
    """All of `CollapseReport` for a model of melodies on tokens `[B, T]`; the same generator gives the same numbers.

    The parts of the KL compare all pairs, so they are estimated from `information_windows` melodies chosen at random
    where there are more; no mutual information above the log of their number can be seen. Raises ValueError for fewer
    than two melodies, of which none could be another's.
    """
    if len(tokens) < 2:
        raise ValueError(f"z is swapped between melodies: at least two are needed, not {len(tokens)}")
    posterior = model.encode(tokens)
    z = posterior.sample(generator)
    order = torch.randperm(len(tokens), generator=generator, device=tokens.device)
    another = torch.empty_like(order).scatter_(0, order, order.roll(1))  # never a melody's own
    distortion, swapped = (reconstruction(model.logits(part, tokens), tokens).mean() for part in (z, z[another]))
    some = order[:information_windows]
    parts = decompose_kl(z[some], posterior.mu[some], posterior.sigma[some])
    decoded = model.decode(posterior.mu)
    return CollapseReport(
        float(distortion),
        float(gaussian_kl(*posterior).mean()),
        *(float(part.mean()) for part in parts),
        int(active_units(posterior.mu).sum()),
        float(swapped - distortion),
        onset_accuracy(decoded.cpu().numpy(), tokens.cpu().numpy()),
    )
