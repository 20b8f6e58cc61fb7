"""Is everything installed? Verdicts in words, the same on every machine where all is well.

Chapter: 00.
"""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

import numpy as np
from packaging.requirements import Requirement

from mvae_lib.data.folk import folk_melodies
from mvae_lib.data.splits import SPLITS
from mvae_lib.music.audio import SAMPLE_RATE, synthesize
from mvae_lib.music.melody import note_on
from mvae_lib.widgets import Player, play


@dataclass(frozen=True)
class Report:
    """One line a check: (what was checked, is it fine, what was found or what to do)."""

    lines: tuple[tuple[str, bool, str], ...]

    @property
    def fine(self) -> bool:
        """True when every check passed."""
        return all(fine for _, fine, _ in self.lines)

    def __repr__(self) -> str:
        rows = [f"{'✔' if fine else '✘'} {name:9} {found}" for name, fine, found in self.lines]
        return "\n".join([*rows, "All is well." if self.fine else "Something is missing; see the lines with ✘."])


def check_installation() -> Report:
    """Try the Python version, the packages, the data, the sound and the widgets, and say in words what was found."""
    checks: dict[str, Callable[[], str]] = {
        "Python": _python,
        "packages": _packages,
        "data": _data,
        "sound": _sound,
        "players": _players,
    }
    lines = []
    for name, check in checks.items():
        try:
            lines.append((name, True, check()))
        except Exception as error:  # a broken installation may fail in any way, and the report must still be printed
            lines.append((name, False, f"{type(error).__name__}: {error}"))
    return Report(tuple(lines))


def _python() -> str:
    if not (3, 11) <= sys.version_info < (3, 14):
        raise RuntimeError(f"this is {sys.version.split()[0]}; the course needs 3.11 to 3.13")
    return "the version is supported (3.11 to 3.13)"


def _packages() -> str:
    needed = [Requirement(line) for line in requires("mvae-lib") or []]
    needed = [requirement for requirement in needed if not requirement.marker]
    for requirement in needed:
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            raise RuntimeError(f"{requirement.name} is not installed; run `make lab` again") from None
        if not requirement.specifier.contains(found.split("+")[0], prereleases=True):
            raise RuntimeError(f"{requirement} is needed, and {found} is installed; run `make lab` again")
    for name in ("torch", "matplotlib", "sklearn"):
        importlib.import_module(name)
    return f"all {len(needed)} are here, in versions that fit"


def _data() -> str:
    counts = {bars: sum(len(folk_melodies(bars, split)) for split in SPLITS) for bars in (2, 16)}
    return f"{counts[2]:,} windows of 2 bars and {counts[16]:,} of 16 bars, undamaged"


def _sound() -> str:
    tokens = np.zeros(16, np.uint8)
    tokens[8] = note_on(69)
    silence, tone = np.split(synthesize(tokens, tempo=120), 2)
    loudest = np.abs(np.fft.rfft(tone)).argmax() * SAMPLE_RATE / len(tone)
    if silence.any() or abs(loudest - 440) > 2:
        raise RuntimeError(f"A4 should sound at 440 Hz after a silence, and sounds at {loudest:.0f} Hz")
    return "A4 comes out at 440 Hz, after a silence that is silent"


def _players() -> str:
    scale = [note_on(pitch) for pitch in (60, 64, 67, 72)]
    player = Player(scale)
    player.tempo = 90.0
    if "<mvae-player" not in play(scale)._repr_mimebundle_()["text/html"]:
        raise RuntimeError("play() gave no player; install the course again")
    return "both kinds are made; whether your browser sounds, you hear below"
