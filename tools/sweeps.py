"""What the tools that train a stored sweep share: their command line, and the writing of the result.

A sweep is read by `mvae_lib.data.sweeps.load_sweep`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from mvae_lib._files import write_whole

FOLDER = Path(__file__).resolve().parents[1] / "datasets" / "sweeps"


def command_line(description: str | None) -> argparse.ArgumentParser:
    """The options of all sweeps: `--collect`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collect", action="store_true", help="train nothing, write the table")
    return parser


def write(name: str, sweep: dict[str, Any], done: int, planned: int) -> None:
    """Write the sweep of that name, whole or not at all, and say how many of its runs there are."""
    path = FOLDER / f"{name}.json"
    FOLDER.mkdir(exist_ok=True)
    write_whole(path, (json.dumps(sweep, indent=1) + "\n").encode("utf-8"))
    print(f"{done} of {planned} runs are in {path.relative_to(FOLDER.parents[1])}")
