"""A square between four melodies. Chapter: 09."""

from collections.abc import Sequence

import numpy as np
import torch
import traitlets

from mvae_lib.latent import Interpolation, latent_grid, latent_plane, slerp
from mvae_lib.widgets.explorers.base import Decode, Encode, Explorer, as_tokens, encoded
from mvae_lib.widgets.explorers.page import Json
from mvae_lib.widgets.rolls import Representation

MAX_FIELDS = 15


class MelodyPad(Explorer):
    """Four melodies `[4, T]` in the corners (reading order), and their blends between them.

    A MIDI file that is dropped on a quarter of the pad takes the place of the melody in its corner. `rows`, `columns`:
    the fields that are decoded beforehand and shown. `interpolation`: how to go between two z.

    Raises ValueError for another number of melodies, and for fewer than 2 or more than 15 rows or columns.

    Chapter: 09.
    """

    element = traitlets.Unicode("mvae-pad").tag(sync=True)

    def __init__(
        self,
        melodies: Sequence[np.ndarray] | np.ndarray,
        encode: Encode,
        decode: Decode,
        titles: Sequence[str] = ("A", "B", "C", "D"),
        rows: int = 5,
        columns: int = 5,
        interpolation: Interpolation = slerp,
        tempo: float = 120.0,
        title: str | None = None,
        representation: str | Representation = "melody",
    ) -> None:
        corners = [as_tokens(melody, representation) for melody in melodies]
        if len(corners) != 4 or len(titles) != 4:
            raise ValueError(f"a pad has four melodies and four titles, not {len(corners)} and {len(titles)}")
        if len({len(melody) for melody in corners}) > 1:
            raise ValueError("all four melodies have one length")
        if not (2 <= rows <= MAX_FIELDS and 2 <= columns <= MAX_FIELDS):
            raise ValueError(f"a pad has 2 to {MAX_FIELDS} rows and columns, not {rows} and {columns}")
        self._encode, self._interpolation, self._shape, self._corners = encode, interpolation, (rows, columns), corners
        self._titles = [str(name) for name in titles]
        super().__init__(decode, tempo, title, loop=True, representation=representation)
        self._lay_out()

    def _lay_out(self) -> None:
        self.corners = encoded(self._encode, self._corners)  # [4, Z]
        z = latent_grid(self.corners, *self._shape, self._interpolation)
        tokens = self.decode(z.flatten(0, 1))
        self.grid = tokens.reshape(*self._shape, *tokens.shape[1:])  # [rows, columns, T]
        self.z, self.tokens = self.corners[0], self.grid[0, 0]
        self.show(names=self._titles, grid=[self.clips(row) for row in self.grid], reads=self.reads_files)

    def go(self, x: float, y: float) -> np.ndarray:
        """What a press on that place does: from the left and from the top, 0 to 1 each. Returns the tokens `[T]`."""
        return self.send_request(x=float(x), y=float(y))

    def react(self, request: Json) -> Json:
        """What is decoded at a place."""
        self.play(
            latent_plane(self.corners, *(torch.tensor(request[name]) for name in ("x", "y")), self._interpolation)
        )
        return {"clip": self.clip(self.tokens), "x": request["x"], "y": request["y"]}

    def load_file(self, place: str, tokens: np.ndarray, name: str) -> None:
        """A melody from a file takes the place of a corner, "0" to "3"."""
        self._corners[int(place)], self._titles[int(place)] = tokens, name
        self._lay_out()

    def in_words(self) -> str:
        """The names of the corners."""
        return f"a pad between {', '.join(self._titles)}"

    def picture(self) -> str:
        """The four melodies in the corners."""
        corners = self.grid[[0, 0, -1, -1], [0, -1, 0, -1]]
        return self.still(corners, self._titles)
