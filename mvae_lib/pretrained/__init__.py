"""The trained models that come with the course, by name; they need no network.

    model = load_pretrained("mel_2bar")
    print(card("mel_2bar")["test"])            # what it does on melodies that it has not seen

Each is a folder of float16 weights, with a card of how it was trained (`make train-NAME`) and how well it does.

Chapter: 03 on.
"""

import json
from pathlib import Path
from typing import Any

from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.training.checkpoints import load_model

FOLDER = Path(__file__).parent
CARD = "card.json"
NAMES = ("mel_2bar", "mel_2bar_lokl", "mel_2bar_ae", "mel_16bar_flat", "mel_16bar_hier_projected", "mel_16bar_hier")


def list_pretrained() -> list[str]:
    """The names of the shipped models."""
    return list(NAMES)


def load_pretrained(name: str) -> MusicVAE:
    """The shipped model of that name, in float32, in evaluation mode. Raises ValueError that lists the names."""
    return load_model(_folder(name))


def card(name: str) -> dict[str, Any]:
    """How the model was trained and what it does on the test split. Raises ValueError that lists the names."""
    return json.loads((_folder(name) / CARD).read_text(encoding="utf-8"))


def _folder(name: str) -> Path:
    if name not in NAMES:
        raise ValueError(f"no shipped model is called {name!r}; there are: {', '.join(NAMES)}")
    return FOLDER / name
