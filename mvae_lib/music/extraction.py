"""Melodies in the files of others: a MIDI file cut into windows of whole bars, and why a part of it gave none.

The rules, all of them audible choices:

- Time is counted in quarter notes, never in seconds, and notes go to the nearest 16th; a note keeps one step at least.
- Only 4/4 and 2/2 have 16 steps a bar. The file is cut where metre or tempo change; a bar with a change inside is lost.
- Every instrument but the drums is a line of its own. Of notes that begin together the highest counts, and a note ends
  where the next one begins.
- One bar of silence ends a melody. A melody begins and ends with its bars: rests fill up a pickup and a last bar.
- Windows slide by one bar. A note held over from before a window is silent in it. Windows in which no note begins and
  windows that were seen before are dropped.

Chapter: 01. Source: Roberts et al. 2018, section 5.1, and the public reference implementation.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pretty_midi

from mvae_lib.music.melody import (
    MAX_PITCH,
    MIN_PITCH,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    Note,
    canonical,
    is_note_on,
    notes_to_tokens,
    pitch_name,
)
from mvae_lib.music.midi import MidiError, read_midi

_QUARTERS_PER_BAR = STEPS_PER_BAR // STEPS_PER_QUARTER
_METRES = ((4, 4), (2, 2))
MAX_REASONS = 8  # that a message spells out


class NoMelodyError(MidiError):
    """A readable MIDI file without a melody of the length asked for; the message names the file and the reasons."""


class Source(NamedTuple):
    """Where a melody or window begins: the instrument (counted from 0), its name, and the bar (counted from 1)."""

    instrument: int
    name: str
    bar: int


@dataclass(frozen=True)
class Extraction:
    """What a file gave: `tokens` uint8 `[windows, steps]`, the source of each window, and what gave nothing and why."""

    tokens: np.ndarray
    sources: tuple[Source, ...]
    reasons: tuple[str, ...]


class _Section(NamedTuple):
    """Whole bars of one metre and one tempo: the tick and the number of the first one, and how many they are."""

    tick: int
    first_bar: int
    bars: int


class _Melody(NamedTuple):
    source: Source
    tokens: np.ndarray


def extract_melodies(music: str | Path | pretty_midi.PrettyMIDI, bars: int = 2) -> Extraction:
    """All distinct windows of `bars` bars of the melodies in a MIDI file.

    Raises NoMelodyError with the reasons where there is none, and MidiError for a file that cannot be read.

    Chapter: 01.
    """
    if bars < 1:
        raise ValueError(f"a window needs at least 1 bar, not {bars}")
    melodies, reasons, label = _load(music)
    steps = bars * STEPS_PER_BAR
    windows: dict[bytes, Source] = {}
    longest: dict[Source, int] = {}
    for melody in melodies:
        instrument = melody.source._replace(bar=0)
        longest[instrument] = max(longest.get(instrument, 0), len(melody.tokens) // STEPS_PER_BAR)
        for bar, window in _windows(melody.tokens, steps):
            windows.setdefault(window.tobytes(), melody.source._replace(bar=melody.source.bar + bar))
    for instrument, length in longest.items():
        if length < bars:
            reasons.append(f"{_name(instrument)}: its longest melody has {length} of the {bars} bars of a window")
    if not windows:
        raise NoMelodyError(f"{label}: no melody of {bars} bars was found; {_listed(reasons)}")
    tokens = np.frombuffer(b"".join(windows), np.uint8).reshape(-1, steps).copy()
    return Extraction(tokens, tuple(windows.values()), tuple(reasons))


def melody_from_midi(music: str | Path | pretty_midi.PrettyMIDI) -> np.ndarray:
    """The longest melody in a MIDI file (the first of them), in whole bars: `[steps]`, uint8.

    Raises NoMelodyError with the reasons where there is none, and MidiError for a file that cannot be read.
    """
    melodies, reasons, label = _load(music)
    if not melodies:
        raise NoMelodyError(f"{label}: no melody was found; {_listed(reasons)}")
    return max(melodies, key=lambda melody: len(melody.tokens)).tokens


def skyline(notes: Iterable[Note]) -> list[Note]:
    """The highest of the notes that begin together, each ending no later than the next begins; in order of time."""
    highest: dict[int, Note] = {}
    for note in notes:
        highest[note.start] = max(note, highest.get(note.start, note))  # tuples: by pitch, then by length
    line = [highest[start] for start in sorted(highest)]
    followers = [note.start for note in line[1:]] + [line[-1].end] if line else []
    return [note._replace(end=min(note.end, start)) for note, start in zip(line, followers, strict=True)]


def _load(music: str | Path | pretty_midi.PrettyMIDI) -> tuple[list[_Melody], list[str], str]:
    """The melodies of a file or MIDI object, the reasons why parts of it gave none, and how to call it in messages."""
    given = isinstance(music, pretty_midi.PrettyMIDI)
    midi, label = (music, "this MIDI object") if given else (read_midi(music), str(music))
    if not any(instrument.notes for instrument in midi.instruments):
        return [], ["it holds no notes"], label
    if all(instrument.is_drum for instrument in midi.instruments if instrument.notes):
        return [], ["it holds only drums"], label
    sections, reasons = _sections(midi)
    melodies = []
    for index, instrument in enumerate(midi.instruments):
        source = Source(index, instrument.name, 0)
        if instrument.is_drum:
            reasons.append(f"{_name(source)}: drums")
            continue
        notes = [note for note in instrument.notes if MIN_PITCH <= note.pitch <= MAX_PITCH]
        if lost := len(instrument.notes) - len(notes):
            piano = f"{pitch_name(MIN_PITCH)} to {pitch_name(MAX_PITCH)}"
            reasons.append(f"{_name(source)}: {lost} of {len(instrument.notes)} notes lie outside {piano}")
        found = list(_melodies(midi, notes, sections, source)) if notes else []
        if notes and not found and sections:
            reasons.append(f"{_name(source)}: no note begins in a whole bar of 4/4 or 2/2 in one tempo")
        melodies += found
    return melodies, reasons, label


def _listed(reasons: list[str]) -> str:
    more = len(reasons) - MAX_REASONS
    return "; ".join(reasons[:MAX_REASONS]) + (f"; and {more} more reasons" if more > 0 else "")


def _name(source: Source) -> str:
    return f"instrument {source.instrument}" + (f" ({source.name[:40]})" if source.name else "")


def _sections(midi: pretty_midi.PrettyMIDI) -> tuple[list[_Section], list[str]]:
    """The stretches of 4/4 and 2/2 in one tempo, and sentences on all that lies outside them."""
    end = max(_tick(midi, note.end) for instrument in midi.instruments for note in instrument.notes)
    metres = _metres(midi, end)
    tempo_changes = np.array([_tick(midi, seconds) for seconds in midi.get_tempo_changes()[0][1:]], np.int64)
    sections, reasons, bar = [], [], 1
    for (start, numerator, denominator), (stop, *_) in pairwise(metres):
        count = -((start - stop) * denominator // (4 * numerator * midi.resolution))  # rounded up
        if (numerator, denominator) in _METRES:
            within = tempo_changes[slice(*np.searchsorted(tempo_changes, (start, stop)))]
            cuts = [0, *_step(within - start, midi.resolution) / STEPS_PER_BAR]
            whole = _step(stop - start, midi.resolution) // STEPS_PER_BAR
            cuts.append(whole if stop < end else count + 1)  # the last note may round into one more bar
            for left, right in pairwise(cuts):
                first, last = int(np.ceil(left)), int(right)
                if first < last:
                    tick = start + first * _QUARTERS_PER_BAR * midi.resolution
                    sections.append(_Section(tick, bar + first, last - first))
        else:
            where = "throughout" if len(metres) == 2 else f"from bar {bar} to bar {bar + count - 1}"
            reasons.append(f"it is in {numerator}/{denominator} {where}, and only 4/4 and 2/2 have 16 steps a bar")
        bar += count
    if changes := np.count_nonzero(tempo_changes < end):
        reasons.append(f"its tempo changes ({changes} in all), and melodies are cut there")
    return sections, reasons


def _metres(midi: pretty_midi.PrettyMIDI, end: int) -> list[tuple[int, int, int]]:
    """(tick, numerator, denominator) of each change of metre before tick `end`, and the `end` itself as the last one.

    A file is in 4/4 until it says something else; saying the same again on a bar line changes nothing.
    """
    said = {0: (4, 4)}
    for change in sorted(midi.time_signature_changes, key=lambda change: change.time):
        said[_tick(midi, change.time)] = (change.numerator, change.denominator)
    metres: list[tuple[int, int, int]] = []
    for tick, (numerator, denominator) in sorted(said.items()):
        if metres and metres[-1][1:] == (numerator, denominator):
            quarters = (tick - metres[-1][0]) * denominator
            if quarters % (4 * numerator * midi.resolution) == 0:
                continue
        if tick < end:
            metres.append((tick, numerator, denominator))
    return [*metres, (end, 0, 1)]


def _melodies(
    midi: pretty_midi.PrettyMIDI, notes: list[pretty_midi.Note], sections: list[_Section], source: Source
) -> Iterator[_Melody]:
    """The melodies of one instrument, in order of time."""
    notes = sorted(notes, key=lambda note: note.start)
    starts = np.array([_tick(midi, note.start) for note in notes])
    ends = np.array([_tick(midi, note.end) for note in notes])
    pitches = [note.pitch for note in notes]
    # A note that comes a little early (by less than half a step) belongs to the section that it rounds into.
    half_step = midi.resolution / (2 * STEPS_PER_QUARTER)
    begin = np.array([section.tick for section in sections])
    length = np.array([section.bars * STEPS_PER_BAR * 2 * half_step for section in sections])
    edges = np.searchsorted(starts, [begin - half_step, begin + length - half_step])
    for index in np.flatnonzero(edges[0] < edges[1]):
        section, within = sections[index], slice(*edges[:, index])
        steps = section.bars * STEPS_PER_BAR
        first = _step(starts[within] - section.tick, midi.resolution)
        last = np.clip(_step(ends[within] - section.tick, midi.resolution), first + 1, steps)
        line = skyline(map(Note, pitches[within], first.tolist(), last.tolist()))
        for melody in _split_at_silence(line):
            bar = melody[0].start // STEPS_PER_BAR
            bars = -(-melody[-1].end // STEPS_PER_BAR) - bar
            shift = bar * STEPS_PER_BAR
            shifted = [note._replace(start=note.start - shift, end=note.end - shift) for note in melody]
            where = source._replace(bar=section.first_bar + bar)
            yield _Melody(where, notes_to_tokens(shifted, bars * STEPS_PER_BAR))


def _split_at_silence(line: list[Note]) -> Iterator[list[Note]]:
    begin = 0
    for index in range(1, len(line)):
        if line[index].start - line[index - 1].end >= STEPS_PER_BAR:
            yield line[begin:index]
            begin = index
    if line:
        yield line[begin:]


def _windows(tokens: np.ndarray, steps: int) -> Iterator[tuple[int, np.ndarray]]:
    """(bar, canonical tokens) of each window in which a note begins."""
    if len(tokens) < steps:
        return
    windows = np.lib.stride_tricks.sliding_window_view(tokens, steps)[::STEPS_PER_BAR]
    for bar, window in enumerate(canonical(windows)):
        if is_note_on(window).any():
            yield bar, window


def _tick(midi: pretty_midi.PrettyMIDI, seconds: float) -> int:
    return int(midi.time_to_tick(seconds))


def _step(ticks, resolution: int):
    """The nearest step (an int or an integer array), rounding up in the middle."""
    return (2 * STEPS_PER_QUARTER * ticks + resolution) // (2 * resolution)
