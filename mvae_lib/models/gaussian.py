"""Densities and divergences of Gaussians with independent dimensions, in nats.

Chapter: 03. Source: Kingma and Welling 2014, appendix B.
"""

import math

import torch
from torch import Tensor


def log_normal(z: Tensor, mu: Tensor | float = 0.0, sigma: Tensor | float = 1.0) -> Tensor:
    """log N(z; mu, sigma^2) of each dimension; the three broadcast. The defaults are the prior."""
    sigma = torch.as_tensor(sigma, dtype=z.dtype, device=z.device)
    return -(((z - mu) / sigma).square() + math.log(2 * math.pi)) / 2 - sigma.log()


def gaussian_kl_by_dimension(
    mu: Tensor, sigma: Tensor, prior_mu: Tensor | None = None, prior_sigma: Tensor | None = None
) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)) of each dimension: (mu^2 + sigma^2 - 1) / 2 - log sigma. `[batch, z]`.

    With a prior of another mean and standard deviation, the same of the variables measured in its units.
    """
    if prior_mu is not None:
        mu, sigma = (mu - prior_mu) / prior_sigma, sigma / prior_sigma
    return (mu.square() + sigma.square() - 1) / 2 - sigma.log()
