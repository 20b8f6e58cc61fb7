"""A slider for each attribute of a melody: the requested change and the measured one. Chapter: 09."""

from collections.abc import Mapping

import numpy as np
import torch
import traitlets
from torch import Tensor

from mvae_lib.latent.attribute_vectors import AttributeVector, Measure
from mvae_lib.music.attributes import ATTRIBUTES
from mvae_lib.widgets.explorers.base import Decode, Encode, Explorer, as_tokens, encoded
from mvae_lib.widgets.explorers.page import Json
from mvae_lib.widgets.rolls import Representation

POSITIONS = (-1.0, -0.5, 0.0, 0.5, 1.0)  # of a slider, as shares of its reach, that are decoded beforehand


class AttributeMixer(Explorer):
    """A melody `[T]` that is moved along several attribute vectors at once.

    A slider's strength of 1 requests the vector's whole gap, which the page shows in the attribute's unit; beside it
    stands by how much the *decoded* melody has changed, against the melody as the model reconstructs it. `reach`: the
    largest strength. `measures`: those of `music.attributes` under the vectors' names, unless others are given.

    Raises ValueError for a vector without a measure.

    Chapter: 09.
    """

    element = traitlets.Unicode("mvae-mixer").tag(sync=True)

    def __init__(
        self,
        melody: np.ndarray,
        encode: Encode,
        decode: Decode,
        vectors: Mapping[str, AttributeVector],
        measures: Mapping[str, Measure] = ATTRIBUTES,
        reach: float = 1.0,
        tempo: float = 120.0,
        title: str | None = None,
        representation: str | Representation = "melody",
    ) -> None:
        missing = [name for name in vectors if name not in measures]
        if missing or not vectors:
            raise ValueError(f"a mixer needs vectors, each with a measure of its name; none for: {', '.join(missing)}")
        self.names = list(vectors)
        self._measures = [measures[name] for name in vectors]
        self._directions = torch.stack([vector.direction for vector in vectors.values()])  # [A, Z]
        super().__init__(decode, tempo, title, loop=True, representation=representation)
        self.start = encoded(encode, [as_tokens(melody, representation)])[0]  # [Z]
        self.play(self.start)
        self._base = self._measured(self.tokens[None])[:, 0]  # [A]
        self.changes = dict.fromkeys(self.names, 0.0)
        strengths = reach * torch.tensor(POSITIONS)
        alone = torch.eye(len(vectors))[:, None] * strengths[:, None]  # [A, positions, A]
        tokens = self.decode(self._moved(alone).flatten(0, 1))
        changes = (self._measured(tokens) - self._base[:, None]).T.reshape(*alone.shape)
        self.show(
            names=self.names,
            gaps=[vector.gap for vector in vectors.values()],
            reach=reach,
            clip=self.clip(self.tokens),
            positions=strengths.tolist(),
            alone=[self.clips(row) for row in tokens.reshape(*alone.shape[:2], *tokens.shape[1:])],
            changes=[[_numbers(change) for change in row] for row in changes],
        )

    def _moved(self, strengths: Tensor) -> Tensor:
        """Strengths `[..., A]` -> z `[..., Z]`."""
        return self.start + strengths @ self._directions

    def _measured(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens `[B, T]` -> `[A, B]`."""
        return np.stack([measure(tokens) for measure in self._measures])

    def mix(self, **strengths: float) -> np.ndarray:
        """What the sliders do, those not named being at 0: mix(**{"note density": 1.0}). Returns the tokens `[T]`."""
        unknown = set(strengths) - set(self.names)
        if unknown:
            raise ValueError(f"there is no slider {', '.join(sorted(unknown))}; there are: {', '.join(self.names)}")
        return self.send_request(strengths=[float(strengths.get(name, 0.0)) for name in self.names])

    def react(self, request: Json) -> Json:
        """What is decoded with the sliders at these strengths, and by how much each attribute has changed."""
        self.play(self._moved(torch.tensor(request["strengths"], dtype=self.start.dtype)))
        changes = self._measured(self.tokens[None])[:, 0] - self._base
        self.changes = dict(zip(self.names, changes.tolist(), strict=True))
        return {"clip": self.clip(self.tokens), "strengths": request["strengths"], "changes": _numbers(changes)}

    def in_words(self) -> str:
        """The names of the sliders."""
        return f"a mixer with sliders for {', '.join(self.names)}"

    def picture(self) -> str:
        """The melody as it was."""
        return self.still([self.decode(self.start[None])[0]])


def _numbers(changes: np.ndarray) -> list[float | None]:
    """For JSON, which has no NaN."""
    return [round(float(change), 4) if np.isfinite(change) else None for change in changes]
