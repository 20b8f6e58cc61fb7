"""Latent constraints: editing with a model that is not trained again.

The model is frozen. Two small networks learn to judge points of its latent space: a **realism critic** tells codes of
real melodies from draws of the prior, an **attribute critic** tells codes of melodies that have a property from those
that have it not. A wish is then a point that the critics like and that is not far from where we began, found by
following the gradient with respect to z:

    minimise over z':  sum over critics of -log sigmoid(critic(z')) + distance_weight * distance(z', z)

A small distance weight grants the wish at any price, a large one keeps the melody.

    realism = train_realism_critic(encode_all(model, train.tokens), torch.Generator().manual_seed(0))
    z = constrain(torch.randn(64, 64), [realism])             # prior draws, moved to where melodies are

Chapter: 08. Source: Engel, Hoffman and Roberts 2018, Latent Constraints: Learning to Generate Conditionally from
Unconditional Generative Models (who train a network to do what the gradient does here).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from mvae_lib.models.posterior import Posterior


class Critic(nn.Module):
    """z `[B, Z]` -> the logit `[B]` of a yes: above 0 it says yes."""

    def __init__(self, z_size: int, hidden: int = 256, generator: torch.Generator | None = None):
        """Two hidden layers of `hidden` units. Start values come from `generator`; None is torch's own."""
        super().__init__()
        seed = torch.randint(2**62, (), generator=generator).item()
        with torch.random.fork_rng(devices=[]):  # the layers draw from torch's own generator only
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
    """A critic that says yes to codes of real melodies (mu and sigma `[N, Z]` of training data), no to prior draws.

    A critic that has seen two clouds only is easily fooled by a search between them. So in each of the `rounds` after
    the first, half of the no-examples are what `constrain` makes of prior draws by the critic so far.
    """
    critic = Critic(posterior.mu.shape[1], generator=generator)
    optimizer = torch.optim.Adam(critic.parameters())
    fooling = None
    for _ in range(rounds):
        for _ in range(updates // rounds):
            yes = _draw(posterior, batch, generator)
            no = torch.randn(yes.shape, generator=generator)
            if fooling is not None:
                rows = torch.randint(len(fooling), (batch // 2,), generator=generator)
                no[: batch // 2] = fooling[rows]
            _update(critic, optimizer, yes, no)
        fooling = constrain(torch.randn(4 * batch, yes.shape[1], generator=generator), [critic], distance_weight=0.0)
    return critic.eval()


def train_attribute_critic(
    posterior: Posterior, has: Tensor, generator: torch.Generator | None, updates: int = 400, batch: int = 256
) -> Critic:
    """A critic that says yes to codes of melodies that have a property: mu and sigma `[N, Z]`, and a boolean `[N]`.

    Yes and no are drawn equally often, however rare the property is. Raises ValueError where all melodies have it or
    none has.
    """
    if has.dtype != torch.bool or has.shape != posterior.mu.shape[:1]:
        raise ValueError(f"`has` is one boolean for each melody [N], not {has.dtype} {[*has.shape]}")
    if has.all() or not has.any():
        raise ValueError("to tell melodies with a property from those without it, there must be both")
    critic = Critic(posterior.mu.shape[1], generator=generator)
    optimizer = torch.optim.Adam(critic.parameters())
    groups = [posterior[rows] for rows in (has, ~has)]
    for _ in range(updates):
        _update(critic, optimizer, *(_draw(group, batch // 2, generator) for group in groups))
    return critic.eval()


def constrain(
    z: Tensor,
    critics: Sequence[Critic],
    distance_weight: float = 0.1,
    steps: int = 100,
    learning_rate: float = 0.05,
    sigma: Tensor | None = None,
) -> Tensor:
    """z `[B, Z]` moved to where all `critics` say yes, but not far: `[B, Z]`, each row by itself.

    The distance is sum over Z of log(1 + (z' - z)^2 / sigma^2), which forgives one long way sooner than many short
    ones. `sigma` `[Z]`, the encoder's mean doubt, makes moving cheap where a code is vague; None: 1 everywhere.
    """
    start = z.detach()
    moved = start.clone().requires_grad_()
    width = torch.ones_like(start[0]) if sigma is None else sigma
    optimizer = torch.optim.Adam([moved], lr=learning_rate)
    for _ in range(steps):
        wishes = sum(softplus(-critic(moved)) for critic in critics)
        distance = torch.log1p(((moved - start) / width).square()).sum(-1)
        (gradient,) = torch.autograd.grad((wishes + distance_weight * distance).sum(), moved)  # not the critics'
        moved.grad = gradient
        optimizer.step()
    return moved.detach()


def _update(critic: Critic, optimizer: torch.optim.Optimizer, yes: Tensor, no: Tensor) -> None:
    """One step on the negative log-likelihood of the right answers."""
    loss = softplus(-critic(yes)).mean() + softplus(critic(no)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _draw(posterior: Posterior, batch: int, generator: torch.Generator | None) -> Tensor:
    """z of `batch` melodies, drawn from their posteriors."""
    rows = torch.randint(len(posterior.mu), (batch,), generator=generator)
    return posterior[rows].sample(generator)
