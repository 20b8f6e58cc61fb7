"""The player in two forms: `play` for output that needs no kernel, `Player` for control from Python. Chapter: 00."""

from collections.abc import Sequence
from dataclasses import dataclass

import anywidget
import traitlets

from mvae_lib.widgets.page import player_html, widget_module
from mvae_lib.widgets.rolls import Melody, Representation, Roll, check_tempo, make_rolls
from mvae_lib.widgets.text import printable

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class PlayerOutput:
    """What `play` returns: as the last value of a cell it becomes a player that needs no kernel."""

    rolls: tuple[Roll, ...]
    title: str
    tempo: float
    loop: bool

    def __repr__(self) -> str:
        return _in_words("play", self.rolls, self.title, self.tempo)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": player_html(self.rolls, self.title, self.tempo, self.loop)}


def play(
    melody: Melody,
    titles: Sequence[str] | None = None,
    tempo: float = 120.0,
    loop: bool = False,
    title: str | None = None,
    representation: str | Representation = "melody",
) -> PlayerOutput:
    """A player for one melody, or a strip of several; `tempo` in quarter notes per minute.

    One melody: tokens `[steps]` (array, tensor or list of integers), a list of `Note`s, or a PrettyMIDI. A strip: a
    list of those, or tokens `[melodies, steps]`, with one of `titles` for each. Tokens of another `representation` (its
    name or the object) are played as its `to_midi` says, each of its tracks in a lane of its own: tokens
    `[steps, tracks]`, or `[sequences, steps, tracks]` for a strip. Raises TypeError or ValueError that says what cannot
    be played.

    Chapter: 00.
    """
    rolls = make_rolls(melody, titles, representation)
    return PlayerOutput(rolls, printable(title or ""), check_tempo(tempo), bool(loop))


class Player(anywidget.AnyWidget):
    """A player on the page that Python can drive; the arguments are those of `play`.

    `tempo` and `loop` can be set on either side. `playing` and `position` (in beats) are what the page reports: set
    them by `play`, `pause` and `seek`, which act on the views that are on the page.

    Chapter: 09.
    """

    title = traitlets.Unicode().tag(sync=True)
    melodies = traitlets.List().tag(sync=True)
    tempo = traitlets.Float(120.0).tag(sync=True)
    loop = traitlets.Bool(False).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    position = traitlets.Float(0.0).tag(sync=True)
    _esm = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        melody: Melody,
        titles: Sequence[str] | None = None,
        tempo: float = 120.0,
        loop: bool = False,
        title: str | None = None,
        representation: str | Representation = "melody",
    ) -> None:
        self._representation = representation
        self._rolls = make_rolls(melody, titles, representation)
        melodies = [roll.to_json() for roll in self._rolls]
        super().__init__(melodies=melodies, tempo=tempo, loop=loop, title=printable(title or ""))

    @traitlets.default("_esm")
    def _default_esm(self) -> str:
        return widget_module()

    @traitlets.validate("tempo")
    def _valid_tempo(self, proposal: dict) -> float:
        return check_tempo(proposal["value"])

    def show(self, melody: Melody, titles: Sequence[str] | None = None) -> None:
        """Swaps the notes; while it plays, the new ones continue at the same beat."""
        self._rolls = make_rolls(melody, titles, self._representation)
        self.melodies = [roll.to_json() for roll in self._rolls]

    def play(self) -> None:
        """Starts from the position of the playhead."""
        self.send({"do": "play"})

    def pause(self) -> None:
        """Stops, and leaves the playhead where it is."""
        self.send({"do": "pause"})

    def seek(self, beat: float) -> None:
        """Moves the playhead to `beat` (quarter notes from the start)."""
        self.send({"do": "seek", "beat": float(beat)})

    def __repr__(self) -> str:
        return _in_words("Player", self._rolls, self.title, self.tempo)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_()
        page = player_html(self._rolls, self.title, self.tempo, self.loop)
        return {_WIDGET_VIEW: data[_WIDGET_VIEW], "text/plain": repr(self), "text/html": page}, metadata


def _in_words(name: str, shown: tuple[Roll, ...], title: str, tempo: float) -> str:
    named = f"{title!r}: " if title else ""
    what = shown[0].about if len(shown) == 1 else f"{len(shown)} melodies"
    return f"<{name} {named}{what}, tempo {tempo:g}>"
