"""Line and arc between two latent vectors.

The prior's points lie near a sphere of radius sqrt(Z). A straight line between two of them leaves that shell, and
halfway z is shorter than those the decoder was trained on; an arc keeps the length. How much that matters depends on
the model, which is why both are here.

Chapter: 09. Source: Shoemake 1985, Animating Rotation with Quaternion Curves; White 2016, Sampling Generative Networks;
Roberts et al. 2018, section 5.3 (the arc, between two mu).
"""

import torch
from torch import Tensor

MIN_SINE = 1e-3  # below it line and arc between parallel vectors are equal to 7 digits, which is all that float32 has


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


def _norm(vectors: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)


def _position(start: Tensor, end: Tensor, t: Tensor | float) -> Tensor:
    """`t` with an axis of length 1 for Z."""
    if start.shape[-1:] != end.shape[-1:] or not start.ndim:
        raise ValueError(f"two points of one space have the shapes [..., Z], not {[*start.shape]} and {[*end.shape]}")
    return torch.as_tensor(t, dtype=start.dtype, device=start.device).unsqueeze(-1)
