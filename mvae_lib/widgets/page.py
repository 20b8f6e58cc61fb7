"""The page of a player: the custom element with its data, a still picture inside it, and the script.

Chapter: 00.
"""

import base64
import html
import json
from functools import cache
from importlib.resources import files

from mvae_lib.plots.palette import DARK, LIGHT
from mvae_lib.widgets.rolls import Roll
from mvae_lib.widgets.still import still_svg


def player_html(rolls: tuple[Roll, ...], title: str, tempo: float, loop: bool) -> str:
    """HTML that plays wherever scripts run, and shows the notes everywhere else.

    The same text for the same arguments, byte for byte: no ids, no dates, nothing random, no network.
    """
    score = {"title": title, "tempo": tempo, "loop": loop, "melodies": [roll.to_json() for roll in rolls]}
    data = json.dumps(score, ensure_ascii=False, separators=(",", ":"))
    # Between single quotes, the many double quotes of JSON need no escape.
    data = data.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")
    # JupyterLab takes inline SVG out of notebooks that it does not trust, but leaves an image with a data address.
    picture = base64.b64encode(still_svg(rolls).encode()).decode()
    image = f'<img src="data:image/svg+xml;base64,{picture}" alt="{html.escape(alt_text(rolls, title))}">'
    return f"<mvae-player data-score='{data}'>{image}</mvae-player><script>{player_script()}</script>"


def alt_text(rolls: tuple[Roll, ...], title: str) -> str:
    """The score in words, for a reader who cannot see it."""
    melodies = "; ".join(f"{roll.title}: {roll.about}" if roll.title else roll.about for roll in rolls)
    return f"{title}. Piano roll. {melodies}" if title else f"Piano roll. {melodies}"


@cache
def player_script() -> str:
    """The JavaScript of all players, with the palette set and without comments."""
    palette = {"light": LIGHT._asdict(), "dark": DARK._asdict()}
    return f"globalThis.mvaePalette={json.dumps(palette, separators=(',', ':'))};\n{_script('player.js')}"


@cache
def widget_module() -> str:
    """The JavaScript module that anywidget loads: the players and the glue to their Python side."""
    return f"{player_script()}\n{_script('widget.js')}"


def _script(name: str) -> str:
    return without_comments((files(__package__) / name).read_text(encoding="utf-8"))


def without_comments(script: str) -> str:
    """A script without the lines that only comment, without indentation and without empty lines.

    Comments at the end of a line stay, since telling them from text would take a parser; our scripts have none.
    """
    stripped = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in stripped if line and not line.startswith("//"))
