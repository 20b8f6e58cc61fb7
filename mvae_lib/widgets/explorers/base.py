"""What the instruments have in common on the Python side: data for the page, a question, an answer.

Chapter: 08.
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
from mvae_lib.widgets.explorers.page import Json, instrument_html, instrument_module
from mvae_lib.widgets.rolls import check_tempo

Decode = Callable[[Tensor], Tensor]  # z [B, Z] -> tokens [B, T]; the `decode` of any model
Encode = Callable[[np.ndarray], Tensor]  # tokens [B, T] -> z [B, Z]

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Instrument(anywidget.AnyWidget):
    """An instrument on the page: `data` is what it shows, `request` what the page asks, `response` what it gets.

    After every wish, `z` `[Z]` and `tokens` `[T]` are what is heard, for the next cell to use.
    """

    element = traitlets.Unicode().tag(sync=True)
    data = traitlets.Dict().tag(sync=True)
    request = traitlets.Dict().tag(sync=True)
    response = traitlets.Dict().tag(sync=True)
    _esm = traitlets.Unicode().tag(sync=True)

    def __init__(self, decode: Decode, tempo: float, title: str | None, loop: bool) -> None:
        self._decode = decode
        self._frame = {"title": title or "", "tempo": check_tempo(tempo), "loop": loop}
        self.z: Tensor | None = None
        self.tokens: np.ndarray | None = None
        self._requests = 0
        super().__init__()
        self.on_msg(self._take_file)

    @traitlets.default("_esm")
    def _default_esm(self) -> str:
        return instrument_module(self.element)

    def show(self, **data: Any) -> None:
        """Puts new data on the page; for the instruments themselves."""
        self.data = {**self._frame, **data}

    def decode(self, z: Tensor) -> np.ndarray:
        """z `[B, Z]` -> tokens `[B, T]` as an array."""
        with torch.no_grad():
            return np.asarray(self._decode(z).cpu())

    def play(self, z: Tensor) -> np.ndarray:
        """Decodes one z `[Z]` and remembers both."""
        self.z, self.tokens = z, self.decode(z[None])[0]
        return self.tokens

    def send_request(self, **request: Any) -> np.ndarray:
        """Does what the page does by its wish; returns the tokens `[T]` that are then heard."""
        self._requests += 1
        self.request = {**request, "n": f"python {self._requests}"}
        return self.tokens

    def react(self, request: Json) -> Json:
        """The answer to a wish of the page; each instrument has its own."""
        raise NotImplementedError

    def load_file(self, place: str, tokens: np.ndarray, name: str) -> None:
        """A melody `[T]` from a file of that name, for a place of the instrument; each that takes files has its own."""
        raise NotImplementedError

    @traitlets.observe("request")
    def _react(self, change: dict) -> None:
        request = change["new"]
        try:
            self.response = {"n": request.get("n", ""), **self.react(request)}
        except (
            Exception
        ) as error:  # the page says so, or a click would be met by silence; then it is raised all the same
            self.response = {"n": request.get("n", ""), "error": f"{type(error).__name__}: {error}"}
            raise

    def _take_file(self, _: object, content: Json, buffers: list) -> None:
        """A MIDI file from the page: its melody goes to its place, or the page says why there is none."""
        name = content["name"]
        self._requests += 1
        try:
            found = melodies_in_file(bytes(buffers[0]), name, len(self.tokens))
            self.load_file(content["place"], found.tokens[0], Path(name).stem)
        except Exception as error:
            expected = isinstance(error, MidiError)
            words = str(error) if expected else f"{type(error).__name__}: {error}"
            self.response = {"n": f"file {self._requests}", "error": words}
            if expected:
                return
            raise
        count = len(found.tokens)
        note = f"{name}: taken is the first of its {count} windows of this length." if count > 1 else ""
        self.response = {"n": f"file {self._requests}", "note": note}

    def in_words(self) -> str:
        """What it is and shows, in a line; each instrument has its own."""
        raise NotImplementedError

    def picture(self) -> str:
        """A still picture, as SVG, for a page that runs no scripts; each instrument has its own."""
        raise NotImplementedError

    def __repr__(self) -> str:
        named = f"{self.data['title']!r}: " if self.data.get("title") else ""
        return f"<{type(self).__name__} {named}{self.in_words()}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_()
        named = f"{self.data['title']}. " if self.data["title"] else ""
        page = instrument_html(self.element, self.data, self.picture(), f"{named}{self.in_words()}")
        return {_WIDGET_VIEW: data[_WIDGET_VIEW], "text/plain": repr(self), "text/html": page}, metadata


def as_tokens(melody: object) -> np.ndarray:
    """One melody as an array `[T]`. Raises ValueError for another shape."""
    tokens = np.asarray(melody.cpu() if isinstance(melody, Tensor) else melody)
    if tokens.ndim != 1:
        raise ValueError(f"one melody has the shape [steps], not {tokens.shape}")
    return tokens


def encoded(encode: Encode, melodies: Sequence[np.ndarray]) -> Tensor:
    """Melodies `[T]` -> z `[B, Z]` on the CPU."""
    with torch.no_grad():
        return encode(np.stack(melodies)).cpu()
