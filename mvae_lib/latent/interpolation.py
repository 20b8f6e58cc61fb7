"""Points of the latent space: paths through several melodies, planes between them, points of a map.

    slerp(z[0], z[1], torch.linspace(0, 1, 7))               # [7, Z], seven points from one melody to another
    slerp(start, end, torch.linspace(0, 1, 7)[:, None])      # [7, B, Z], the same for a batch of pairs
    piecewise_path(z[:3], steps=4)                           # [9, Z], from the first through the second to the third
    latent_grid(z[:4], rows=5, columns=5)                    # [5, 5, Z], a melody in each corner

Line and arc themselves (`lerp`, `slerp`) are in `models.interpolate`, since every model interpolates.

Chapter: 09. Source: Roberts et al. 2018, section 5.3 (the arc, between two mu).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from mvae_lib.models.interpolate import lerp, slerp
from mvae_lib.models.posterior import Posterior

__all__ = ["Interpolation", "encode_all", "from_map", "latent_grid", "latent_plane", "lerp", "piecewise_path", "slerp"]

Interpolation = Callable[[Tensor, Tensor, Tensor], Tensor]  # lerp or slerp


@torch.no_grad()
def encode_all(model: nn.Module, tokens: np.ndarray, batch: int = 512) -> Posterior:
    """The posterior of every melody, in batches: tokens `[N, T]` -> mu and sigma, each `[N, Z]`, on the CPU."""
    device = next(model.parameters()).device
    parts = [model.encode(rows.to(device)) for rows in torch.from_numpy(np.asarray(tokens)).split(batch)]
    whole = Posterior.cat(parts)
    return Posterior(whole.mu.cpu(), whole.sigma.cpu())


def piecewise_path(stops: Tensor, steps: int, interpolation: Interpolation = slerp) -> Tensor:
    """A path through several melodies: stops `[K, Z]` -> `[(K - 1) * steps + 1, Z]`.

    Every segment has `steps` equal steps; the path is at each stop exactly, at the indices 0, `steps`, 2 `steps`, ...
    Raises ValueError for fewer than two stops or less than one step.
    """
    if stops.ndim != 2 or len(stops) < 2:
        raise ValueError(f"a path leads through at least two stops [K, Z], not {[*stops.shape]}")
    if steps < 1:
        raise ValueError(f"a segment has at least one step, not {steps}")
    t = torch.arange(steps, dtype=stops.dtype, device=stops.device)[:, None] / steps
    segments = interpolation(stops[:-1], stops[1:], t)  # [steps, K - 1, Z]
    return torch.cat([segments.transpose(0, 1).flatten(0, 1), stops[-1:]])


def latent_plane(corners: Tensor, across: Tensor, down: Tensor, interpolation: Interpolation = slerp) -> Tensor:
    """Points of the surface between melodies: `across` and `down` `[...]`, each 0 to 1 -> `[..., Z]`.

    Four corners `[4, Z]` in reading order (top left, top right, bottom left, bottom right), or three `[3, Z]`, of which
    the last is the whole bottom edge. First across on the upper and the lower edge, then down between the two: with
    `lerp` this is bilinear. Every corner is met exactly. Raises ValueError for another number of corners.
    """
    if corners.ndim != 2 or len(corners) not in (3, 4):
        raise ValueError(f"a slice has three or four corners [3 or 4, Z], not {[*corners.shape]}")
    upper = interpolation(corners[0], corners[1], across)
    lower = interpolation(corners[2], corners[-1], across)  # of three corners: from the last one to itself
    return interpolation(upper, lower, down)


def latent_grid(corners: Tensor, rows: int, columns: int, interpolation: Interpolation = slerp) -> Tensor:
    """Evenly spaced points of `latent_plane`: corners `[3 or 4, Z]` -> `[rows, columns, Z]`."""
    down, across = (
        torch.linspace(0, 1, count, dtype=corners.dtype, device=corners.device) for count in (rows, columns)
    )
    return latent_plane(corners, *torch.meshgrid(across, down, indexing="xy"), interpolation)


def from_map(points: Tensor, z: Tensor, places: Tensor, neighbours: int = 4) -> Tensor:
    """A z for any place of a two-dimensional map: points `[N, D]` of z `[N, Z]`, places `[..., D]` -> `[..., Z]`.

    The mean of the `neighbours` nearest points' z, each weighted by one over its squared distance: on a point this is
    the point's own z. A projection loses most directions; this inverse works for every projection, also
    for those that have none of their own. Raises ValueError where there are fewer points than `neighbours`.
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
