"""Where the bars of 16 steps lie in a MIDI file, in ticks; the rules are in `mvae_lib.music.extraction`.

Chapter: 01.
"""

import math
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mvae_lib.music.melody import STEPS_PER_BAR, STEPS_PER_QUARTER
from mvae_lib.music.midi_file import Music

_QUARTERS_PER_BAR = STEPS_PER_BAR // STEPS_PER_QUARTER


@dataclass(frozen=True)
class Bars:
    """The stretches of a file, `[stretches]` each: where one begins (in ticks), and the whole bars of 16 steps in it.

    A stretch without such bars has 0 of them, and `refused` is the number of its metre in `metres` (else -1).
    `number` is the number of its first bar as the file counts, and `per_bar` of the file's bars (2 in 2/4) make 16
    steps. `base` places the bars of all stretches on one axis, with a bar of silence between stretches.
    """

    tick: np.ndarray
    count: np.ndarray
    number: np.ndarray
    per_bar: np.ndarray
    refused: np.ndarray
    base: np.ndarray
    metres: tuple[str, ...]  # as text: "it is in 3/4 throughout: 12 steps per bar"
    division: int

    def place(self, ticks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(stretch, step in it) of each tick; a tick less than half a step early belongs to the next stretch."""
        stretch = np.searchsorted(self._early(self.tick), 2 * STEPS_PER_QUARTER * ticks, side="right") - 1
        stretch = np.maximum(stretch, 0)
        return stretch, nearest_step(ticks - self.tick[stretch], self.division)

    def _early(self, ticks: np.ndarray) -> np.ndarray:
        return 2 * STEPS_PER_QUARTER * ticks - self.division

    def file_bar(self, bar: np.ndarray) -> np.ndarray:
        """The number in the file of bars on the common axis."""
        owner = np.searchsorted(self.base, bar, side="right") - 1  # the last of those that share a base has the bars
        return self.number[owner] + (bar - self.base[owner]) * self.per_bar[owner]


def nearest_step(ticks: np.ndarray, division: int) -> np.ndarray:
    """The nearest 16th of each time, rounding up in the middle."""
    return (2 * STEPS_PER_QUARTER * ticks + division) // (2 * division)


def metre_of(text: str) -> tuple[int, int]:
    """'4/4' -> (4, 4). Raises ValueError for anything but a metre with 16 or (in pairs) 8 steps per bar."""
    found = re.fullmatch(r"\s*(\d{1,3})\s*/\s*(\d{1,3})\s*", text) if isinstance(text, str) else None
    numerator, denominator = map(int, found.groups()) if found else (0, 1)
    if denominator == 0 or _bars_in_16_steps(numerator, denominator) is None:
        raise ValueError(f"assume_metre is a metre with 16 or 8 steps per bar, such as '4/4' or '2/4', not {text!r}")
    return numerator, denominator


def find_bars(music: Music, track: int, assume_metre: str | None = None, cut_at_tempo_changes: bool = False) -> Bars:
    """The bars of 16 steps of a track (which differ between tracks in files of format 2 only)."""
    own = music.notes["track"] == track if music.independent else slice(None)
    end = max(1, int(music.notes["end"][own].max(initial=0)))
    changes = _metre_changes(music, track, end, assume_metre)
    tempos = _tempo_changes(music, track) if cut_at_tempo_changes else np.zeros(0, np.int64)
    bar_ticks = _QUARTERS_PER_BAR * music.division
    rows: list[tuple[int, int, int, int, int]] = []  # tick, count, number, per_bar, refused
    places: dict[tuple[int, int], list[tuple[int, int]]] = {}  # of each refused metre: its first and last bars
    indexes: dict[tuple[int, int], int] = {}
    number = 1
    for (start, numerator, denominator), (stop, *_) in pairwise([*changes, (end, 0, 1)]):
        length = -((start - stop) * denominator // (4 * numerator * music.division))  # in bars, rounded up
        per_bar = _bars_in_16_steps(numerator, denominator)
        if per_bar is None:
            places.setdefault((numerator, denominator), []).append((number, number + length - 1))
            rows.append((start, 0, number, 1, indexes.setdefault((numerator, denominator), len(indexes))))
        else:
            within = tempos[slice(*np.searchsorted(tempos, (start, stop)))]
            cuts = [0, *(nearest_step(within - start, music.division) / STEPS_PER_BAR).tolist()]
            whole = nearest_step(stop - start, music.division) // STEPS_PER_BAR
            cuts.append(whole if stop < end else whole + 2)  # the last note may round into one more bar
            for left, right in pairwise(cuts):
                first, last = math.ceil(left), int(right)
                rows.append((start + first * bar_ticks, max(0, last - first), number + first * per_bar, per_bar, -1))
        number += length
    tick, count, first_number, per_bar, refused = np.array(rows, np.int64).T
    base = np.cumsum(np.where(count > 0, count + 1, 0))
    base = np.concatenate([[0], base[:-1]])
    metres = tuple(_in_words(metre, where, len(changes) == 1) for metre, where in places.items())
    return Bars(tick, count, first_number, per_bar, refused, base, metres, music.division)


def _bars_in_16_steps(numerator: int, denominator: int) -> int | None:
    """How many bars of this metre make 16 steps: 1, 2, or None where neither does."""
    steps = 16 * numerator / denominator
    return {STEPS_PER_BAR: 1, STEPS_PER_BAR // 2: 2}.get(steps)


def _metre_changes(music: Music, track: int, end: int, assume: str | None) -> list[tuple[int, int, int]]:
    """(tick, numerator, denominator) of each change of metre before the tick `end`.

    An event that repeats the metre on a bar line, or gives a bar of the same length, has no effect.
    """
    if assume is not None:
        return [(0, *metre_of(assume))]
    said = {
        metre.tick: (metre.numerator, metre.denominator)
        for metre in sorted(music.metres, key=lambda metre: metre.tick)
        if not music.independent or metre.track == track
    }
    bar_ticks = _QUARTERS_PER_BAR * music.division
    first = min(said, default=0)
    half_step = music.division // (2 * STEPS_PER_QUARTER)
    if first > 0 and _bars_in_16_steps(*said[first]):
        # What stands before the first metre is a pickup, or bars that are counted back from it.
        start = first + (half_step - first) // bar_ticks * bar_ticks
        said = {start: said[first]} | said
    elif first > 0 or not said:
        said = {0: (4, 4)} | said
    changes: list[tuple[int, int, int]] = []
    for tick, (numerator, denominator) in sorted(said.items()):
        if changes:
            before, *metre = changes[-1]
            on_bar_line = (tick - before) * metre[1] % (4 * metre[0] * music.division) == 0
            if on_bar_line and numerator * metre[1] == metre[0] * denominator:
                continue
        if tick < end:
            changes.append((tick, numerator, denominator))
    return changes


def _tempo_changes(music: Music, track: int) -> np.ndarray:
    """The ticks at which the tempo changes to another one, after the beginning: `[changes]`."""
    said = {
        tempo.tick: tempo.microseconds
        for tempo in sorted(music.tempos, key=lambda tempo: tempo.tick)
        if not music.independent or tempo.track == track
    }
    changes, now = [], said.pop(0, 500_000)  # 120 quarter notes per minute, where a file says nothing
    for tick, microseconds in sorted(said.items()):
        if microseconds != now:
            changes.append(tick)
            now = microseconds
    return np.array(changes, np.int64)


def _in_words(metre: tuple[int, int], where: list[tuple[int, int]], throughout: bool) -> str:
    numerator, denominator = metre
    first, last = where[0]
    place = "throughout" if throughout else f"from bar {first} to bar {last}"
    more = f" and in {len(where) - 1} more places" if len(where) > 1 else ""
    return f"it is in {numerator}/{denominator} {place}{more}: {16 * numerator / denominator:g} steps per bar"
