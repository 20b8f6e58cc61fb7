"""Latent constraints: editing with a model that is not trained again.

The model is frozen. Two small networks learn to classify latent vectors: a **realism critic** distinguishes encodings
of real melodies from samples of the prior, an **attribute critic** encodings of melodies that have a property from
those of melodies that do not. An edit then is a z that the critics accept and that is not far from the starting point,
found by gradient descent on z:

    minimise over z':  sum over critics of -log sigmoid(critic(z')) + distance_weight * distance(z', z)

A small distance weight favours the critics, a large one keeps the melody.

    critic = train_realism_critic(encode_all(model, train.tokens), torch.Generator().manual_seed(0))
    z = constrain(torch.randn(64, 64), [critic])              # samples of the prior, moved to encodings of melodies

Chapter: 09. Source: Engel, Hoffman and Roberts 2018, Latent Constraints: Learning to Generate Conditionally from
Unconditional Generative Models (who train a network to do what the gradient does here).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from mvae_lib.models.posterior import Posterior


class Critic(nn.Module):
    """z `[B, Z]` -> the logit `[B]` of acceptance: above 0 it accepts."""

    def __init__(self, z_size: int, hidden: int = 256, generator: torch.Generator | None = None):
        """Two hidden layers of `hidden` units. Initial weights come from `generator`; None is torch's own."""
        super().__init__()
        seed = torch.randint(2**62, (), generator=generator).item()
        with torch.random.fork_rng(devices=[]):  # the layers use torch's own generator only
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Linear(z_size, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
            )

    def forward(self, z: Tensor) -> Tensor:
        """One logit for each z."""
        return self.layers(z).squeeze(-1)


def train_realism_critic(
    posterior: Posterior, generator: torch.Generator | None, updates: int = 900, batch: int = 256, rounds: int = 3
) -> Critic:
    """A critic that accepts encodings of real melodies (their mu and sigma `[N, Z]`), and rejects samples of the prior.

    Gradient descent easily finds points between the two sets that a critic wrongly accepts. So in each of the `rounds`
    after the first, half of the negative examples are samples of the prior, moved by `constrain` with the critic so
    far.
    """
    z_size = posterior.mu.shape[1]
    critic = Critic(z_size, generator=generator)
    optimizer = torch.optim.Adam(critic.parameters())
    adversarial = None
    for _ in range(rounds):
        for _ in range(updates // rounds):
            positive = _sample(posterior, batch, generator)
            negative = torch.randn(positive.shape, generator=generator)
            if adversarial is not None:
                rows = torch.randint(len(adversarial), (batch // 2,), generator=generator)
                negative[: batch // 2] = adversarial[rows]
            _update(critic, optimizer, positive, negative)
        adversarial = constrain(torch.randn(4 * batch, z_size, generator=generator), [critic], distance_weight=0.0)
    return critic.eval()


def train_attribute_critic(
    posterior: Posterior, has: Tensor, generator: torch.Generator | None, updates: int = 400, batch: int = 256
) -> Critic:
    """A critic that accepts encodings of melodies that have a property: mu and sigma `[N, Z]`, and a boolean `[N]`.

    Both classes are sampled equally often, however rare the property is. Raises ValueError where all melodies have it
    or none has.
    """
    if has.dtype != torch.bool or has.shape != posterior.mu.shape[:1]:
        raise ValueError(f"`has` is one boolean for each melody [N], not {has.dtype} {[*has.shape]}")
    if has.all() or not has.any():
        raise ValueError("an attribute critic needs melodies with the property and melodies without it")
    critic = Critic(posterior.mu.shape[1], generator=generator)
    optimizer = torch.optim.Adam(critic.parameters())
    groups = [posterior[rows] for rows in (has, ~has)]
    for _ in range(updates):
        _update(critic, optimizer, *(_sample(group, batch // 2, generator) for group in groups))
    return critic.eval()


def constrain(
    z: Tensor,
    critics: Sequence[Critic],
    distance_weight: float = 0.1,
    steps: int = 100,
    learning_rate: float = 0.05,
    sigma: Tensor | None = None,
) -> Tensor:
    """z `[B, Z]` moved to where all `critics` accept it, but not far: `[B, Z]`, each row by itself.

    The distance is sum over Z of log(1 + (z' - z)^2 / sigma^2), which penalizes one large change less than many
    small ones. `sigma` `[Z]`: the mean posterior standard deviation, which sets the scale of each dimension; None: 1.
    """
    start = z.detach()
    moved = start.clone().requires_grad_()
    width = torch.ones_like(start[0]) if sigma is None else sigma
    optimizer = torch.optim.Adam([moved], lr=learning_rate)
    for _ in range(steps):
        rejection = sum(softplus(-critic(moved)) for critic in critics)
        distance = torch.log1p(((moved - start) / width).square()).sum(-1)
        (gradient,) = torch.autograd.grad((rejection + distance_weight * distance).sum(), moved)  # not the critics'
        moved.grad = gradient
        optimizer.step()
    return moved.detach()


def _update(critic: Critic, optimizer: torch.optim.Optimizer, positive: Tensor, negative: Tensor) -> None:
    """One step on the binary cross-entropy."""
    loss = softplus(-critic(positive)).mean() + softplus(critic(negative)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _sample(posterior: Posterior, batch: int, generator: torch.Generator | None) -> Tensor:
    """z of `batch` melodies, sampled from their posteriors."""
    rows = torch.randint(len(posterior.mu), (batch,), generator=generator)
    return posterior[rows].sample(generator)
