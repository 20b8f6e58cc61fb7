"""Places in the latent space: ways between melodies, slices through several, the neighbourhood of one.

The prior's points lie near a sphere of radius sqrt(Z). A straight line between two of them leaves that shell, and
half-way the decoder reads a z shorter than any it has met; an arc keeps the length. How much that matters depends on
the model, which is why both are here.

    slerp(z[0], z[1], torch.linspace(0, 1, 7))               # [7, Z], seven points from one melody to another
    slerp(start, end, torch.linspace(0, 1, 7)[:, None])      # [7, B, Z], the same for a batch of pairs
    path_through(z[:3], steps=4)                             # [9, Z], from the first through the second to the third
    slice_grid(z[:4], rows=5, columns=5)                     # [5, 5, Z], a melody in each corner

Chapter: 08. Source: Shoemake 1985, Animating Rotation with Quaternion Curves; White 2016, Sampling Generative Networks;
Roberts et al. 2018, section 5.3 (the arc, between two mu).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from mvae_lib.models.encoders import Posterior

Interpolation = Callable[[Tensor, Tensor, Tensor], Tensor]  # lerp or slerp

MIN_SINE = 1e-3  # below it line and arc between parallel vectors are equal to 7 digits, which is all that float32 has


@torch.no_grad()
def encode_all(model: nn.Module, tokens: np.ndarray, batch: int = 512) -> Posterior:
    """The posterior of every melody, in batches: tokens `[N, T]` -> mu and sigma, each `[N, Z]`, on the CPU."""
    device = next(model.parameters()).device
    parts = [model.encode(rows.to(device)) for rows in torch.from_numpy(np.asarray(tokens)).split(batch)]
    mu, sigma = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    return Posterior(mu, sigma)


def lerp(start: Tensor, end: Tensor, t: Tensor | float) -> Tensor:
    """The straight line: start `[..., Z]` at t = 0, end `[..., Z]` at t = 1, both exactly.

    `t` has the batch's axes, or axes that broadcast with them: `[points]` for two points `[Z]`, `[points, 1]` for two
    batches `[B, Z]`. Raises ValueError for points of different spaces.
    """
    t = _position(start, end, t)
    return (1 - t) * start + t * end


def slerp(start: Tensor, end: Tensor, t: Tensor | float) -> Tensor:
    """The arc: sin((1 - t) w) / sin w * start + sin(t w) / sin w * end, w being the angle between the two.

    Shapes, ends and errors as in `lerp`. Between points of equal length all of the arc has that length. Where no arc is
    defined, or it is the line (a zero vector; parallel or opposite vectors, sin w near 0), that pair of the batch gets
    the line, which between opposite points passes through 0.
    """
    t = _position(start, end, t)
    a_length, b_length = _norm(start), _norm(end)
    a, b = start / a_length.where(a_length > 0, 1), end / b_length.where(b_length > 0, 1)
    w = 2 * torch.atan2(_norm(a - b), _norm(a + b))  # the arc cosine of a . b loses half of a small angle's digits
    curved = (torch.sin(w) > MIN_SINE) & (a_length > 0) & (b_length > 0)
    sine = torch.sin(w).where(curved, 1)
    from_start = torch.where(curved, torch.sin((1 - t) * w) / sine, 1 - t)
    from_end = torch.where(curved, torch.sin(t * w) / sine, t)
    return from_start * start + from_end * end


def piecewise_path(stops: Tensor, steps: int, way: Interpolation = slerp) -> Tensor:
    """A way through several melodies: stops `[K, Z]` -> `[(K - 1) * steps + 1, Z]`.

    Every leg has `steps` equal steps; the path is at each stop exactly, at the indices 0, `steps`, 2 `steps`, ...
    Raises ValueError for fewer than two stops or less than one step.
    """
    if stops.ndim != 2 or len(stops) < 2:
        raise ValueError(f"a path leads through at least two stops [K, Z], not {[*stops.shape]}")
    if steps < 1:
        raise ValueError(f"a leg has at least one step, not {steps}")
    t = torch.arange(steps, dtype=stops.dtype, device=stops.device)[:, None] / steps
    legs = way(stops[:-1], stops[1:], t)  # [steps, K - 1, Z]
    return torch.cat([legs.transpose(0, 1).flatten(0, 1), stops[-1:]])


def latent_plane(corners: Tensor, across: Tensor, down: Tensor, way: Interpolation = slerp) -> Tensor:
    """Points of the surface between melodies: `across` and `down` `[...]`, each 0 to 1 -> `[..., Z]`.

    Four corners `[4, Z]` in reading order (top left, top right, bottom left, bottom right), or three `[3, Z]`, of which
    the last is the whole bottom edge. First across on the upper and the lower edge, then down between the two: with
    `lerp` this is bilinear. Every corner is met exactly. Raises ValueError for another number of corners.
    """
    if corners.ndim != 2 or len(corners) not in (3, 4):
        raise ValueError(f"a slice has three or four corners [3 or 4, Z], not {[*corners.shape]}")
    upper = way(corners[0], corners[1], across)
    lower = way(corners[2], corners[-1], across)  # of three corners: from the last one to itself
    return way(upper, lower, down)


def latent_grid(corners: Tensor, rows: int, columns: int, way: Interpolation = slerp) -> Tensor:
    """Evenly spaced points of `latent_plane`: corners `[3 or 4, Z]` -> `[rows, columns, Z]`."""
    down, across = (
        torch.linspace(0, 1, count, dtype=corners.dtype, device=corners.device) for count in (rows, columns)
    )
    return latent_plane(corners, *torch.meshgrid(across, down, indexing="xy"), way)


def similar(posterior: Posterior, n: int, generator: torch.Generator | None, scale: float = 1.0) -> Tensor:
    """Neighbours of melodies, as near as the encoder's own doubt: mu and sigma `[B, Z]` -> `[n, B, Z]`.

    mu + scale * sigma * eps. With a scale of 1 these are draws from the posterior, which a trained decoder reads as the
    same melody or nearly; above it they begin to vary.
    """
    mu, sigma = posterior
    return mu + scale * sigma * _noise(n, mu, generator)


def at_distance(mu: Tensor, radius: float, n: int, generator: torch.Generator | None) -> Tensor:
    """Neighbours at one distance in random directions: mu `[B, Z]` -> `[n, B, Z]`, each `radius` away from its mu."""
    eps = _noise(n, mu, generator)
    return mu + radius * eps / _norm(eps)


def from_map(points: Tensor, z: Tensor, places: Tensor, neighbours: int = 4) -> Tensor:
    """A z for any place of a two-dimensional map: points `[N, D]` of z `[N, Z]`, places `[..., D]` -> `[..., Z]`.

    The mean of the `neighbours` nearest points' z, each weighted by one over its squared distance: on a point this is
    the point's own z. A map has lost most directions; this way back works for every projection, also for those that
    have no inverse. Raises ValueError where there are fewer points than `neighbours`.
    """
    if not 1 <= neighbours <= len(points):
        raise ValueError(f"{neighbours} neighbours among {len(points)} points: ask for 1 to {len(points)}")
    squared = (places[..., None, :] - points).square().sum(-1)  # [..., N]
    nearest, index = squared.topk(neighbours, largest=False)
    tiny = torch.finfo(nearest.dtype).tiny
    # Relative to the nearest, so that no weight overflows; on a point the others' weights vanish.
    weight = nearest[..., :1].clamp(min=tiny) / nearest.clamp(min=tiny)
    weight = weight / weight.sum(-1, keepdim=True)
    return (weight[..., None] * z[index]).sum(-2)


def _noise(n: int, mu: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(n, *mu.shape, generator=generator, dtype=mu.dtype, device=mu.device)


def _norm(vectors: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)


def _position(start: Tensor, end: Tensor, t: Tensor | float) -> Tensor:
    """`t` with an axis of length 1 for Z."""
    if start.shape[-1:] != end.shape[-1:] or not start.ndim:
        raise ValueError(f"two points of one space have the shapes [..., Z], not {[*start.shape]} and {[*end.shape]}")
    return torch.as_tensor(t, dtype=start.dtype, device=start.device).unsqueeze(-1)
