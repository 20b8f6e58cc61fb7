"""The page of an instrument: a custom element with its data, a still picture inside it, and the scripts.

Chapter: 08.
"""

import base64
import html
import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from mvae_lib.music.melody import check_tokens
from mvae_lib.plots import palette
from mvae_lib.widgets.page import player_script, without_comments

VERSION = 1  # of the scripts beside this file; raise it with every change of theirs: the newest in a page wins
FIRST_LETTER = 35  # of the 90 letters that stand for the classes; instrument.js has the same

# The series of the plots on light paper; on dark paper, colours as far apart for every eye.
SERIES = {
    "light": palette.SERIES,
    "dark": (palette.DARK.keys, palette.DARK.accent, palette.DARK.bass, palette.DARK.drums, "#9a6cf0"),
}

Json = dict[str, Any]


def clip(tokens: np.ndarray) -> str:
    """One melody `[steps]` as a text of a letter a step, which is a tenth of what its notes would take."""
    tokens = check_tokens(tokens)
    if tokens.ndim != 1:
        raise ValueError(f"one melody has the shape [steps], not {tokens.shape}")
    return "".join(chr(FIRST_LETTER + token) for token in tokens.tolist())


def clips(tokens: np.ndarray) -> list[str]:
    """Melodies `[B, steps]` as texts."""
    return [clip(melody) for melody in np.asarray(tokens)]


def instrument_html(element: str, data: Json, picture: str, alt: str) -> str:
    """HTML that plays wherever scripts run, and shows a picture (SVG, with a text for it) everywhere else."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")
    source = f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}"
    image = f'<img src="{source}" alt="{html.escape(alt)}">'
    return f"<{element} data-instrument='{text}'>{image}</{element}><script>{instrument_script(element)}</script>"


@cache
def instrument_script(element: str) -> str:
    """The JavaScript of one kind of instrument, with that of the players before it."""
    constants = {"version": VERSION, "series": SERIES}
    constants = f"globalThis.mvaeInstruments_={json.dumps(constants, separators=(',', ':'))};"
    scripts = [_script("instrument.js"), _script(f"{element.removeprefix('mvae-')}.js")]
    return "\n".join([player_script(), constants, *scripts])


@cache
def instrument_module(element: str) -> str:
    """The JavaScript module that anywidget loads: the script and the glue to the Python side."""
    return f"{instrument_script(element)}\n{_script('glue.js')}"


def _script(name: str) -> str:
    return without_comments((files(__package__) / name).read_text(encoding="utf-8"))
