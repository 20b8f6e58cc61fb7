"""What the explorers have in common on the Python side: data for the page, a request, a response.

Chapter: 09.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import torch
import traitlets
from torch import Tensor

from mvae_lib.music.midi import MidiError
from mvae_lib.widgets.explorers.dropped import melodies_in_file
from mvae_lib.widgets.explorers.page import Json, clip, clips, explorer_html, explorer_module
from mvae_lib.widgets.rolls import Representation, as_representation, check_tempo, make_rolls
from mvae_lib.widgets.still import still_svg
from mvae_lib.widgets.text import printable, printable_data

Decode = Callable[[Tensor], Tensor]  # z [B, Z] -> tokens [B, T]; the `decode` of any model
Encode = Callable[[np.ndarray], Tensor]  # tokens [B, T] -> z [B, Z]

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Explorer(anywidget.AnyWidget):
    """An explorer on the page: `data` is what it shows, `request` what the page asks for, `response` what it gets.

    After every request, `z` `[Z]` and `tokens` `[T]` are what is played, for the next cell to use. Tokens are those of
    the `representation` (its name or the object); of several tracks they are `[T, tracks]` wherever `[T]` is written.
    """

    element = traitlets.Unicode().tag(sync=True)
    data = traitlets.Dict().tag(sync=True)
    request = traitlets.Dict().tag(sync=True)
    response = traitlets.Dict().tag(sync=True)
    _esm = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        decode: Decode,
        tempo: float,
        title: str | None,
        loop: bool,
        representation: str | Representation = "melody",
    ) -> None:
        self._decode = decode
        self.representation = representation
        self._frame = {"title": title or "", "tempo": check_tempo(tempo), "loop": loop}
        self.z: Tensor | None = None
        self.tokens: np.ndarray | None = None
        self._requests = 0
        super().__init__()
        self.on_msg(self._read_file)

    @traitlets.default("_esm")
    def _default_esm(self) -> str:
        return explorer_module(self.element)

    def show(self, **data: Any) -> None:
        """Puts new data on the page; for the explorers themselves."""
        self.data = printable_data({**self._frame, **data})

    @property
    def reads_files(self) -> bool:
        """Whether a MIDI file can take the place of a melody: only melodies are read from files."""
        return as_representation(self.representation) is None

    def clip(self, tokens: np.ndarray) -> str | Json:
        """Tokens `[T]` as the page gets them."""
        return clip(tokens, self.representation)

    def clips(self, tokens: np.ndarray) -> list[str | Json]:
        """Tokens `[B, T]` as the page gets them."""
        return clips(tokens, self.representation)

    def still(self, tokens: Sequence[np.ndarray], titles: Sequence[str] | None = None) -> str:
        """A still picture, as SVG, of sequences `[T]` under the explorer's title."""
        rolls = make_rolls(list(tokens), titles, self.representation)
        return still_svg(rolls, self.data["title"])

    def decode(self, z: Tensor) -> np.ndarray:
        """z `[B, Z]` -> tokens `[B, T]` as an array."""
        with torch.no_grad():
            return np.asarray(self._decode(z).cpu())

    def play(self, z: Tensor) -> np.ndarray:
        """Decodes one z `[Z]` and remembers both."""
        self.z, self.tokens = z, self.decode(z[None])[0]
        return self.tokens

    def send_request(self, **request: Any) -> np.ndarray:
        """Does what a request of the page does; returns the tokens `[T]` that are then played."""
        self._requests += 1
        self.request = {**request, "n": f"python {self._requests}"}
        return self.tokens

    def react(self, request: Json) -> Json:
        """The response to a request of the page; each explorer has its own."""
        raise NotImplementedError

    def load_file(self, place: str, tokens: np.ndarray, name: str) -> None:
        """A melody `[T]` from a file of that name, for a place of the explorer; each that reads files has its own."""
        raise NotImplementedError

    @traitlets.observe("request")
    def _react(self, change: dict) -> None:
        request = change["new"]
        try:
            self._respond(request.get("n", ""), **self.react(request))
        except Exception as error:  # the page says so, or a click would do nothing; then it is raised all the same
            self._respond(request.get("n", ""), error=f"{type(error).__name__}: {error}")
            raise

    def _respond(self, number: str, **response: Any) -> None:
        self.response = printable_data({"n": number, **response})

    def _read_file(self, _: object, content: Json, buffers: list) -> None:
        """A MIDI file from the page: its melody goes to its place, or the page says why there is none."""
        name = content["name"]
        self._requests += 1
        try:
            found = melodies_in_file(bytes(buffers[0]), name, len(self.tokens))
            self.load_file(content["place"], found.tokens[0], printable(Path(name).stem))
        except Exception as error:
            expected = isinstance(error, MidiError)
            words = str(error) if expected else f"{type(error).__name__}: {error}"
            self._respond(f"file {self._requests}", error=words)
            if expected:
                return
            raise
        count = len(found.tokens)
        note = f"{name}: this is the first of its {count} windows of this length." if count > 1 else ""
        self._respond(f"file {self._requests}", note=note)

    def in_words(self) -> str:
        """A description in one line; each explorer has its own."""
        raise NotImplementedError

    def picture(self) -> str:
        """A still picture, as SVG, for a page that runs no scripts; each explorer has its own."""
        raise NotImplementedError

    def __repr__(self) -> str:
        named = f"{self.data['title']!r}: " if self.data.get("title") else ""
        return printable(f"<{type(self).__name__} {named}{self.in_words()}>")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_()
        named = f"{self.data['title']}. " if self.data["title"] else ""
        page = explorer_html(self.element, self.data, self.picture(), printable(f"{named}{self.in_words()}"))
        return {_WIDGET_VIEW: data[_WIDGET_VIEW], "text/plain": repr(self), "text/html": page}, metadata


def as_tokens(melody: object, representation: str | Representation = "melody") -> np.ndarray:
    """One melody as an array `[T]`, or `[T, tracks]`. Raises ValueError for another shape."""
    tokens = np.asarray(melody.cpu() if isinstance(melody, Tensor) else melody)
    kind = as_representation(representation)
    tracks = len(kind.vocab_sizes) if kind else 1
    if tokens.ndim != (1 if tracks == 1 else 2):
        what = "melody has the shape [steps]" if tracks == 1 else f"sequence has the shape [steps, {tracks}]"
        raise ValueError(f"one {what}, not {tokens.shape}")
    return tokens


def encoded(encode: Encode, melodies: Sequence[np.ndarray]) -> Tensor:
    """Melodies `[T]` -> z `[B, Z]` on the CPU."""
    with torch.no_grad():
        return encode(np.stack(melodies)).cpu()
