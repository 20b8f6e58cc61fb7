"""The page of a player: the custom element with its data, a still picture inside it, and the script.

The scripts beside this file are ES modules. Node loads them as they are, for the tests; a page gets them joined into
one script, with the import and export lines taken out, so that it needs no network and no build step.

Chapter: 00.
"""

import base64
import html
import json
import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from mvae_lib.plots.palette import DARK, LIGHT
from mvae_lib.widgets.rolls import Roll
from mvae_lib.widgets.still import still_svg

# In the order in which they need one another.
PLAYER_PARTS = ("numbers", "score", "theme", "synthesiser", "transport", "files", "roll", "player", "element")


def player_html(rolls: tuple[Roll, ...], title: str, tempo: float, loop: bool) -> str:
    """HTML that plays wherever scripts run, and shows the notes everywhere else.

    The same text for the same arguments, byte for byte: no ids, no dates, nothing random, no network.
    """
    score = {"title": title, "tempo": tempo, "loop": loop, "melodies": [roll.to_json() for roll in rolls]}
    return element_html("mvae-player", "score", score, still_svg(rolls, title), alt_text(rolls, title), player_script())


def element_html(element: str, attribute: str, data: dict, picture: str, alt: str, script: str) -> str:
    """A custom element with its data as JSON, inside it a picture (SVG, with a text for it), and its script."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # Between single quotes, the many double quotes of JSON need no escape.
    text = text.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")
    # JupyterLab takes inline SVG out of notebooks that it does not trust, but leaves an image with a data address.
    source = f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"
    image = f'<img src="{source}" alt="{html.escape(alt)}">'
    return f"<{element} data-{attribute}='{text}'>{image}</{element}><script>{script}</script>"


def alt_text(rolls: tuple[Roll, ...], title: str) -> str:
    """The score in words, for a reader who cannot see it."""
    melodies = "; ".join(f"{roll.title}: {roll.about}" if roll.title else roll.about for roll in rolls)
    return f"{title}. Piano roll. {melodies}" if title else f"Piano roll. {melodies}"


@cache
def player_script() -> str:
    """The JavaScript of all players, with the palette set and without comments."""
    palette = {"light": LIGHT._asdict(), "dark": DARK._asdict()}
    palette = f"globalThis.mvaePalette={json.dumps(palette, separators=(',', ':'))};"
    return f"{palette}\n{joined(files(__package__), PLAYER_PARTS)}"


@cache
def widget_module() -> str:
    """The JavaScript module that anywidget loads: the players and the glue to their Python side."""
    return f"{player_script()}\n{script_text(files(__package__), 'widget')}"


def joined(folder: Traversable, parts: tuple[str, ...]) -> str:
    """Modules of `folder` as one script: in a scope of its own, without their import and export lines."""
    text = "\n".join(script_text(folder, part) for part in parts)
    text = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
    return f"(() => {{\n{re.sub('^export ', '', text, flags=re.MULTILINE)}\n}})();"


def script_text(folder: Traversable, name: str) -> str:
    """The text of the script `name`.js, as a page gets it."""
    return without_comments((folder / f"{name}.js").read_text(encoding="utf-8"))


def without_comments(script: str) -> str:
    """A script without the lines that only comment, without indentation and without empty lines.

    Comments at the end of a line stay, since telling them from text would take a parser; our scripts have none.
    """
    stripped = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in stripped if line and not line.startswith("//"))
