"""Results of trainings that are too long for a chapter: stored as JSON, with the command that makes them again.

    sweep = load_sweep("decoder_ablation")
    print(sweep["command"])

The files are in `datasets/sweeps`. Each holds its command, the configuration of every run and what was measured.

Chapter: 08.
"""

import json
from pathlib import Path
from typing import Any


def sweeps_folder() -> Path:
    """Where the files lie: in a checkout or in the installed package. Raises FileNotFoundError."""
    here = Path(__file__).resolve().parents[1]
    places = (here.parent / "datasets" / "sweeps", here / "shipped" / "sweeps")
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"the stored sweeps are in neither {places[0]} nor {places[1]}")


def load_sweep(name: str) -> dict[str, Any]:
    """The sweep of that name. Raises ValueError that lists the names there are."""
    names = sorted(path.stem for path in sweeps_folder().glob("*.json"))
    if name not in names:
        raise ValueError(f"no sweep is called {name!r}; there are: {', '.join(names) or 'none'}")
    return json.loads((sweeps_folder() / f"{name}.json").read_text(encoding="utf-8"))
