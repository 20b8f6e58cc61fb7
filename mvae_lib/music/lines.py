"""The monophonic lines of a MIDI file on the grid of 16ths; the rules are in `mvae_lib.music.extraction`.

Chapter: 01. Source: Roberts et al. 2018, section 5.1, and the public reference implementation.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mvae_lib.music.bars import Bars, find_bars, nearest_step
from mvae_lib.music.melody import FIRST_NOTE_ON, MAX_PITCH, MIN_PITCH, NOTE_OFF, STEPS_PER_BAR, Note, pitch_name
from mvae_lib.music.midi_file import DRUM_CHANNEL, Music, Reason

MAX_NAME = 40  # characters of an instrument's name


class Source(NamedTuple):
    """Where a melody or window begins: the instrument (counted from 0), its name, and the bar (counted from 1).

    An instrument is what one track plays on one channel.
    """

    instrument: int
    name: str
    bar: int


@dataclass(frozen=True)
class Line:
    """The melodies of one instrument on the common axis of its `bars`, from `first_bar` on.

    `tokens` `[steps]` is the whole line. Of each note, in order of time: the bar `[notes]` in which it begins, and the
    bars `melody_begin` and `melody_end` (half open) of its melody, all counted from `first_bar`.
    """

    source: Source
    bars: Bars
    first_bar: int
    tokens: np.ndarray
    bar: np.ndarray
    melody_begin: np.ndarray
    melody_end: np.ndarray


class Account:
    """The reasons so far."""

    def __init__(self, reasons: Iterable[Reason]) -> None:
        self.reasons = list(reasons)

    def add(self, kind: str, source: Source, notes: int, text: str) -> None:
        """A reason for so many notes of an instrument; nothing where there are none."""
        if notes:
            count = f"{notes} note{'s' if notes > 1 else ''}"
            self.reasons.append(Reason(kind, notes, f"{in_words(source)}: {count} {text}"))


def find_lines(music: Music, account: Account, assume_metre: str | None, cut: bool) -> Iterator[Line]:
    """The line of each instrument that has melodies."""
    key = music.notes["track"] * 16 + music.notes["channel"]
    in_order = np.argsort(key, kind="stable")
    instruments, firsts = np.unique(key[in_order], return_index=True)
    bars_of_track: dict[int, Bars] = {}
    lost: Counter[str] = Counter()  # to metres without bars of 16 steps, over all instruments
    for index, rows in enumerate(np.split(in_order, firsts[1:]) if len(instruments) else []):
        track, channel = divmod(int(instruments[index]), 16)
        source = Source(index, music.names[track][:MAX_NAME], 0)
        if channel == DRUM_CHANNEL:
            account.add("drums", source, len(rows), "of drums")
            continue
        scope = track if music.independent else 0
        if scope not in bars_of_track:
            bars_of_track = {scope: find_bars(music, scope, assume_metre, cut)}
        notes = music.notes[rows]
        in_range = (notes["pitch"] >= MIN_PITCH) & (notes["pitch"] <= MAX_PITCH)
        piano = f"{pitch_name(MIN_PITCH)} to {pitch_name(MAX_PITCH)}"
        outside = f"of {len(notes)} lie outside {piano}"
        account.add("outside the piano", source, np.count_nonzero(~in_range), outside)
        line = _line(notes[in_range], bars_of_track[scope], source, account, lost, cut)
        if line:
            yield line
    for metre, count in lost.items():
        hint = "and a melody needs bars of 16, or of 8 in pairs; assume_metre='4/4' counts bars of 4/4 in spite of it"
        account.reasons.append(Reason("metre", count, f"{metre}, {hint} ({count} notes)"))


def _line(
    notes: np.ndarray, bars: Bars, source: Source, account: Account, lost: Counter[str], cut: bool
) -> Line | None:
    """The line of one instrument's `notes`, or None where no bar of 16 steps has any."""
    stretch, step = bars.place(notes["start"])
    refused, count = np.unique(bars.refused[stretch], return_counts=True)
    lost.update({bars.metres[metre]: int(n) for metre, n in zip(refused, count, strict=True) if metre >= 0})
    inside = (step >= 0) & (step < bars.count[stretch] * STEPS_PER_BAR)
    why = "in bars that a change of metre or tempo cuts short" if cut else "in bars that a change of metre cuts short"
    account.add("bar cut short", source, np.count_nonzero(~inside & (bars.refused[stretch] < 0)), why)
    if not inside.any():
        return None
    notes, stretch, step = notes[inside], stretch[inside], step[inside]
    end = nearest_step(notes["end"] - bars.tick[stretch], bars.division)
    end = np.clip(end, step + 1, bars.count[stretch] * STEPS_PER_BAR)
    base = bars.base[stretch] * STEPS_PER_BAR
    kept, end = _skyline(notes["pitch"], base + step, base + end)
    account.add("below the highest", source, len(notes) - len(kept), "begin together with a higher one")
    return _on_axis(notes["pitch"][kept], (base + step)[kept], end, bars, source)


def _on_axis(pitch: np.ndarray, start: np.ndarray, end: np.ndarray, bars: Bars, source: Source) -> Line:
    """The monophonic notes of a line, in order of time, as tokens; cut into melodies at a bar of silence."""
    first_bar = int(start[0]) // STEPS_PER_BAR
    start, end = start - first_bar * STEPS_PER_BAR, end - first_bar * STEPS_PER_BAR
    cuts = np.flatnonzero(start[1:] - end[:-1] >= STEPS_PER_BAR) + 1
    notes = np.diff(cuts, prepend=0, append=len(start))  # of each melody
    begin = np.repeat(start[np.append(0, cuts)] // STEPS_PER_BAR, notes)
    stop = np.repeat(-(-end[np.append(cuts, len(end)) - 1] // STEPS_PER_BAR), notes)
    tokens = np.zeros(int(stop[-1]) * STEPS_PER_BAR + 1, np.uint8)
    tokens[end] = NOTE_OFF
    tokens[start] = pitch - MIN_PITCH + FIRST_NOTE_ON
    return Line(source, bars, first_bar, tokens[:-1], start // STEPS_PER_BAR, begin, stop)


def skyline(notes: Iterable[Note]) -> list[Note]:
    """The highest of the notes that begin together, each ending no later than the next begins; in order of time."""
    notes = list(notes)
    if not notes:
        return []
    pitch, start, end = np.array(notes, np.int64).T
    kept, ends = _skyline(pitch, start, end)
    return [notes[index]._replace(end=int(end)) for index, end in zip(kept, ends, strict=True)]


def _skyline(pitch: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the notes that `skyline` keeps, in order of time, and their ends."""
    order = np.lexsort((end, pitch, start))
    last_at_step = np.append(np.diff(start[order]) > 0, True)
    kept = order[last_at_step]
    return kept, np.minimum(end[kept], np.append(start[kept][1:], end[kept][-1]))


def in_words(source: Source) -> str:
    return f"instrument {source.instrument}" + (f" ({source.name})" if source.name else "")
