"""The posterior q(z | x): a Gaussian with independent dimensions, and the reparameterized sample.

    z = mu + sigma * eps,    eps ~ N(0, I)

Chapter: 03, 04. Source: Kingma and Welling 2014, Auto-Encoding Variational Bayes, section 2.4 and appendix B.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mvae_lib.models.gaussian import gaussian_kl_by_dimension, log_normal


@dataclass(frozen=True, eq=False)
class Posterior:
    """A diagonal Gaussian for each example: mean and standard deviation, each `[batch, z]`.

    `mu, sigma = posterior` takes it apart; `posterior[rows]` selects examples by an index, a slice or a mask.
    """

    mu: Tensor
    sigma: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.mu, self.sigma))

    def __len__(self) -> int:
        return len(self.mu)

    def __getitem__(self, rows: int | slice | Tensor | Sequence[int]) -> "Posterior":
        return Posterior(self.mu[rows], self.sigma[rows])

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One z of each example, which gradients pass through: `[batch, z]`."""
        return reparameterize(self, generator)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z | x), the sum over the dimensions: z `[batch, z]` -> `[batch]`, z `[k, batch, z]` -> `[k, batch]`."""
        return log_normal(z, self.mu, self.sigma).sum(-1)

    def kl(self, other: "Posterior | None" = None) -> Tensor:
        """KL(q || other) of each example, in nats: `[batch]`. `other`: None is the prior N(0, I)."""
        return self.kl_by_dimension(other).sum(-1)

    def kl_by_dimension(self, other: "Posterior | None" = None) -> Tensor:
        """The same of each dimension: `[batch, z]`."""
        if other is None:
            return gaussian_kl_by_dimension(self.mu, self.sigma)
        return gaussian_kl_by_dimension(self.mu, self.sigma, other.mu, other.sigma)

    @staticmethod
    def cat(parts: Sequence["Posterior"]) -> "Posterior":
        """The posteriors of several batches as one."""
        return Posterior(torch.cat([part.mu for part in parts]), torch.cat([part.sigma for part in parts]))


def reparameterize(posterior: Posterior, generator: torch.Generator | None = None) -> Tensor:
    """z = mu + sigma * eps with eps from N(0, I): a sample that gradients pass through, `[batch, z]`.

    The generator lives on the device of the posterior; None is torch's own.
    """
    mu, sigma = posterior
    eps = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + sigma * eps
