"""Two melodies, a slider from one to the other, and the whole path as a strip. Chapter: 09."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
import traitlets

from mvae_lib.latent import Interpolation, lerp, slerp
from mvae_lib.widgets.explorers.base import Decode, Encode, Explorer, as_tokens, encoded
from mvae_lib.widgets.explorers.page import Json
from mvae_lib.widgets.rolls import MAX_MELODIES, Representation

INTERPOLATIONS: Mapping[str, Interpolation] = MappingProxyType({"arc": slerp, "line": lerp})


class Blender(Explorer):
    """From one melody to another: `start` and `end` are tokens `[T]`. A MIDI file can be dropped on the name of either.

    `steps`: the melodies of the strip, both ends among them. `interpolations`: how to go between two z, under the names
    that the page shows. The ends are played as the model reconstructs them.

    Raises ValueError for melodies of different lengths and for fewer than 2 or more than 32 steps.

    Chapter: 09.
    """

    element = traitlets.Unicode("mvae-blender").tag(sync=True)

    def __init__(
        self,
        start: np.ndarray,
        end: np.ndarray,
        encode: Encode,
        decode: Decode,
        titles: Sequence[str] = ("first melody", "last melody"),
        steps: int = 9,
        interpolations: Mapping[str, Interpolation] = INTERPOLATIONS,
        tempo: float = 120.0,
        title: str | None = None,
        representation: str | Representation = "melody",
    ) -> None:
        ends = [as_tokens(start, representation), as_tokens(end, representation)]
        if ends[0].shape != ends[1].shape:
            raise ValueError(f"both melodies have one length, not {len(ends[0])} and {len(ends[1])} steps")
        if not 2 <= steps <= MAX_MELODIES:
            raise ValueError(f"the strip has 2 to {MAX_MELODIES} steps, not {steps}")
        if len(titles) != 2:
            raise ValueError(f"two melodies have two titles, not {len(titles)}")
        self._encode, self._interpolations, self._count, self._ends = encode, dict(interpolations), steps, ends
        self._titles = [str(name) for name in titles]
        super().__init__(decode, tempo, title, loop=True, representation=representation)
        self._lay_out()

    def _lay_out(self) -> None:
        self.ends = encoded(self._encode, self._ends)  # [2, Z]
        t = torch.linspace(0, 1, self._count)
        self.paths = {name: self.decode(way(*self.ends, t)) for name, way in self._interpolations.items()}
        self.z, self.tokens = self.ends[0], next(iter(self.paths.values()))[0]
        paths = [self.clips(path) for path in self.paths.values()]
        self.show(names=self._titles, ways=list(self._interpolations), paths=paths, reads=self.reads_files)

    def blend(self, t: float, way: str | None = None) -> np.ndarray:
        """What the slider does at `t`, 0 to 1, on the `way` of that name (None: the first): tokens `[T]`."""
        return self.send_request(t=float(t), way=0 if way is None else list(self._interpolations).index(way))

    def react(self, request: Json) -> Json:
        """What is decoded at t of the way."""
        way = list(self._interpolations.values())[request["way"]]
        self.play(way(*self.ends, request["t"]))
        return {"clip": self.clip(self.tokens), "t": request["t"], "way": request["way"]}

    def load_file(self, place: str, tokens: np.ndarray, name: str) -> None:
        """A melody from a file takes the place of the "start" or the "finish"."""
        index = ("start", "finish").index(place)
        self._ends[index], self._titles[index] = tokens, name
        self._lay_out()

    def in_words(self) -> str:
        """From where to where."""
        return f"a way of {self._count} steps from {self._titles[0]} to {self._titles[1]}"

    def picture(self) -> str:
        """The strip."""
        path = next(iter(self.paths.values()))
        return self.still(path, [f"{100 * i / (len(path) - 1):.0f} %" for i in range(len(path))])
