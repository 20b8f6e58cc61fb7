"""A map of melodies: a click plays one, a drag moves through the space between them. Chapter: 09."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import traitlets
from numpy.typing import ArrayLike
from torch import Tensor

from mvae_lib.latent import from_map
from mvae_lib.widgets.explorers.base import Decode, Explorer
from mvae_lib.widgets.explorers.page import Json
from mvae_lib.widgets.explorers.pictures import map_svg
from mvae_lib.widgets.rolls import Representation

MAX_POINTS = 2000  # more cannot be distinguished, and make a notebook large
MAX_GROUPS = 5  # as many as there are colours

Locate = Callable[[Tensor], Tensor]  # places [B, 2] of the map -> z [B, Z]


class LatentMap(Explorer):
    """Melodies as points of a plane, to be clicked, and a plane between them, to move through.

    `points` `[N, 2]`: a projection (PCA, t-SNE, two dimensions of z) of `z` `[N, Z]`. `titles` `[N]`. `color` `[N]`:
    numbers, or names of at most five groups; `label` says what it is. `locate` leads from places of the map `[B, 2]` to
    z `[B, Z]`: by default to the mean of the four nearest points' z, weighted by nearness; with PCA, you may prefer
    `lambda places: torch.from_numpy(pca.inverse_transform(places)).float()`. All points are decoded at once when the
    map is made, so that a map without Python can play them.

    Raises ValueError for arrays that do not belong together, for points that are not finite, and for more than 2,000.

    Chapter: 09.
    """

    element = traitlets.Unicode("mvae-map").tag(sync=True)

    def __init__(
        self,
        points: ArrayLike,
        z: Tensor,
        decode: Decode,
        titles: Sequence[str] | None = None,
        color: ArrayLike | None = None,
        label: str = "",
        locate: Locate | None = None,
        tempo: float = 120.0,
        title: str | None = None,
        representation: str | Representation = "melody",
    ) -> None:
        self.points = np.asarray(points, float)
        self.latents = z.detach()
        self.titles = [f"melody {i}" for i in range(len(z))] if titles is None else [str(name) for name in titles]
        self._check()
        places = torch.from_numpy(self.points).to(z.dtype)
        self._locate = locate or (lambda where: from_map(places, self.latents, where, min(4, len(places))))
        self._low = self.points.min(0)
        span = self.points.max(0) - self._low
        self._span = np.where(span > 0, span, 1.0)
        super().__init__(decode, tempo, title, loop=False, representation=representation)
        self.all_tokens = self.decode(self.latents)
        self.z, self.tokens = self.latents[0], self.all_tokens[0]
        names = list(dict.fromkeys(self.titles))
        number = {name: index for index, name in enumerate(names)}
        self.show(
            points=((self.points - self._low) / self._span).round(4).tolist(),
            titles=names,
            titleOf=[number[name] for name in self.titles],
            clips=self.clips(self.all_tokens),
            **_colors(color, label, len(z)),
        )

    def _check(self) -> None:
        n = len(self.latents)
        if self.points.shape != (n, 2) or self.latents.ndim != 2 or len(self.titles) != n:
            shapes = f"points {self.points.shape}, z {tuple(self.latents.shape)}, {len(self.titles)} titles"
            raise ValueError(f"a map has a point [N, 2] and a title [N] for each z [N, Z], not {shapes}")
        if not 1 <= n <= MAX_POINTS:
            raise ValueError(
                f"a map shows 1 to {MAX_POINTS:,} melodies, not {n:,}; choose some: data.sample(500, seed=0)"
            )
        if not np.isfinite(self.points).all():
            raise ValueError("a point of the map is not finite")

    def pick(self, point: int) -> np.ndarray:
        """What a click on that point does; returns the tokens `[T]`."""
        return self.send_request(point=int(point))

    def go(self, x: float, y: float) -> np.ndarray:
        """What a drag to that place (in the units of `points`) does; returns the tokens `[T]`."""
        across, up = (np.array([x, y]) - self._low) / self._span
        return self.send_request(x=float(across), y=float(up))

    def react(self, request: Json) -> Json:
        """A point's melody, or what is decoded at a place."""
        if "point" in request:
            point = request["point"]
            self.z, self.tokens = self.latents[point], self.all_tokens[point]
            return {"point": point, "clip": self.clip(self.tokens), "title": self.titles[point]}
        place = self._low + np.array([request["x"], request["y"]]) * self._span
        where = torch.from_numpy(place).to(self.latents.dtype)
        self.play(self._locate(where[None])[0])
        near = np.square((self.points - place) / self._span).sum(1).argmin()
        title = f"between melodies, near “{self.titles[near]}”"
        return {"clip": self.clip(self.tokens), "title": title, "x": request["x"], "y": request["y"]}

    def in_words(self) -> str:
        """How many melodies there are."""
        return f"a map of {len(self.latents)} melodies"

    def picture(self) -> str:
        """The points in their colours."""
        return map_svg(self.data)


def _colors(color: ArrayLike | None, label: str, n: int) -> Json:
    """What the page needs to colour the points: a number for each group, or a share between low and high."""
    if color is None:
        return {}
    color = np.asarray(color)
    if color.shape != (n,):
        raise ValueError(f"`color` is one number or name for each melody: {color.shape} for {n} melodies")
    if np.issubdtype(color.dtype, np.number):
        known = color[np.isfinite(color)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        shares = (color - low) / ((high - low) or 1.0)
        of = [round(float(share), 3) if np.isfinite(share) else None for share in shares]
        return {"ramp": {"label": label, "low": low, "high": high, "of": of}}
    names, of = np.unique(color.astype(str), return_inverse=True)
    if len(names) > MAX_GROUPS:
        raise ValueError(f"{len(names)} groups are more than the {MAX_GROUPS} colours; join some, or give numbers")
    return {"groups": {"label": label, "names": names.tolist(), "of": of.tolist()}}
