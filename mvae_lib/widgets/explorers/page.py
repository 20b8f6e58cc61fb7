"""The page of an explorer: a custom element with its data, a still picture inside it, and the scripts.

Chapter: 09.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from mvae_lib.music.melody import check_tokens
from mvae_lib.plots import palette
from mvae_lib.widgets.page import element_html, joined, player_script, script_text
from mvae_lib.widgets.rolls import Representation, as_representation, make_rolls

FIRST_LETTER = 35  # of the 90 letters that stand for the classes; clips.js has the same

# The series of the plots on light paper; on dark paper, colours as far apart for every eye.
SERIES = {
    "light": palette.SERIES,
    "dark": (palette.DARK.keys, palette.DARK.accent, palette.DARK.bass, palette.DARK.drums, "#9a6cf0"),
}

Json = dict[str, Any]

_SCRIPTS = files("mvae_lib.widgets")


def clip(tokens: np.ndarray, representation: str | Representation = "melody") -> str | Json:
    """One melody `[steps]` as a text of a letter per step, which is a tenth of what its notes would take.

    Tokens of another representation come as the notes of their roll.
    """
    if as_representation(representation) is not None:
        return make_rolls([tokens], representation=representation)[0].to_json()
    tokens = check_tokens(tokens)
    if tokens.ndim != 1:
        raise ValueError(f"one melody has the shape [steps], not {tokens.shape}")
    return "".join(chr(FIRST_LETTER + token) for token in tokens.tolist())


def clips(tokens: np.ndarray, representation: str | Representation = "melody") -> list[str | Json]:
    """Melodies `[B, steps]` as texts; of another representation, sequences as the notes of their rolls."""
    return [clip(melody, representation) for melody in np.asarray(tokens)]


def explorer_html(element: str, data: Json, picture: str, alt: str) -> str:
    """HTML that plays wherever scripts run, and shows a picture (SVG, with a text for it) everywhere else."""
    return element_html(element, "instrument", data, picture, alt, explorer_script(element))


@cache
def explorer_script(element: str) -> str:
    """The JavaScript of one kind of explorer, with that of the players before it."""
    series = f"globalThis.mvaeSeries={json.dumps(SERIES, separators=(',', ':'))};"
    own = [f"explorers/{part}" for part in ("clips", "places", "explorer", element.removeprefix("mvae-"))]
    return "\n".join([player_script(), series, joined(_SCRIPTS, ("numbers", "theme", *own))])


@cache
def explorer_module(element: str) -> str:
    """The JavaScript module that anywidget loads: the script and the glue to the Python side."""
    return f"{explorer_script(element)}\n{script_text(_SCRIPTS, 'explorers/glue')}"
