"""Melodies in the files of others: a MIDI file cut into windows of whole bars, and what was left out and why.

Reading (`midi_file`, `midi_track`):

- Every chunk is walked by its length, and every track chunk is a track, whatever the header counts. Where a length is
  wrong, a track ends with its end-of-track event. RIFF (.rmi) and MacBinary wrappers are taken off. Formats 0, 1 and 2.
- A track with an impossible note (a pitch or velocity over 127), or one that ends inside an event, is left out with a
  reason; the file is refused only where no other track has notes. Whatever else is odd is passed over. Of damaged
  tempo and metre events there is a reason.
- A note ends with its note-off, with the next onset of its pitch on its channel and track, with all-notes-off
  (controllers 120 and 123) or with the track, whatever comes first.
- A file may have 1 MiB, 256 tracks, 100,000 notes and 40,000 quarter notes (10,000 bars of 4/4); a quarter note may
  have 1 to 32,767 ticks. Frames per second (SMPTE) have no bars and are refused.

Bars (`bars`):

- Time is counted in quarter notes, never in seconds: a change of tempo changes nothing. `cut_at_tempo_changes=True`
  cuts melodies there and loses the bars with a change inside, as the reference implementation does.
- A bar of 16 steps is one of 4/4, 2/2, 8/8, 16/16 or 1/1, or a pair of bars of half that length (2/4, 4/8). A file is
  in 4/4 until it says something else; what stands before a first, late metre event is its pickup and counts back from
  it. Bars of other metres, and bars that a change of metre cuts short, are left out. `assume_metre="4/4"` ignores what
  the file says and counts bars of that metre from its beginning.

Melodies (here):

- Notes go to the nearest 16th and keep one step at least.
- A line is what one track plays on one channel, whatever its program; drums (channel 10) are left out. Of notes that
  begin together the highest counts, and a note ends where the next one begins. Notes outside A0 to C8 are left out.
- One bar of silence ends a melody. A melody begins and ends with its bars: rests fill up a pickup and a last bar.
- Windows slide by one bar. A note held over from before a window is silent in it. Windows in which no note begins and
  windows that were seen before are dropped, and so is what comes after the first 65,536 windows or 16 Mi tokens.
- Every note-on of the file either begins a note in a window, or is counted in exactly one reason.

Chapter: 01. Source: Roberts et al. 2018, section 5.1, and the public reference implementation.
"""

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvae_lib.music.bars import Bars, find_bars, metre_of, nearest_step
from mvae_lib.music.melody import (
    FIRST_NOTE_ON,
    MAX_PITCH,
    MIN_PITCH,
    NO_EVENT,
    NOTE_OFF,
    STEPS_PER_BAR,
    Note,
    is_note_on,
    pitch_name,
)
from mvae_lib.music.midi_file import DRUM_CHANNEL, MidiError, Music, Reason, read_bytes, read_music

if TYPE_CHECKING:
    import pretty_midi

MAX_NAME = 40  # characters
MAX_REASONS = 8  # that a message spells out
MAX_WINDOWS = 2**16
MAX_TOKENS = 2**24  # which is 65,536 windows of 16 bars


class NoMelodyError(MidiError):
    """A readable MIDI file without a melody of the length asked for; the message names the file and the reasons.

    `extraction` has the reasons with their counts, and no windows.
    """

    extraction: "Extraction | None" = None


class Source(NamedTuple):
    """Where a melody or window begins: the instrument (counted from 0), its name, and the bar (counted from 1).

    An instrument is what one track plays on one channel.
    """

    instrument: int
    name: str
    bar: int


@dataclass(frozen=True)
class Extraction:
    """What a file gave: `tokens` uint8 `[windows, steps]`, the source of each window, and what was left out and why.

    `note_ons` are the note-ons in the file, `notes_used` those that begin a note in a window: the difference is the
    sum of `reason.notes` over `reasons`.
    """

    tokens: np.ndarray
    sources: tuple[Source, ...]
    reasons: tuple[Reason, ...]
    note_ons: int
    notes_used: int


@dataclass(frozen=True)
class _Line:
    """The melodies of one instrument on the common axis of its `bars`.

    `start` `[notes]` has the step of each onset, `bar_of_note` its bar counted from `first_bar`; `tokens` `[steps]` the
    whole line from that bar on; `melody` `[bars]` the number of the melody that each bar belongs to (-1: none).
    """

    source: Source
    bars: Bars
    first_bar: int
    bar_of_note: np.ndarray
    tokens: np.ndarray
    melody: np.ndarray

    def melody_bars(self) -> np.ndarray:
        """How many bars each melody has: `[melodies]`."""
        return np.bincount(self.melody[self.melody >= 0])


class _Account:
    """The reasons so far."""

    def __init__(self, reasons: Iterable[Reason]) -> None:
        self.reasons = list(reasons)

    def add(self, kind: str, notes: int, text: str) -> None:
        """`text` with the notes in place of {}; nothing where there are none."""
        if notes:
            self.reasons.append(Reason(kind, int(notes), text.format(f"{notes} note{'s' if notes > 1 else ''}")))


def extract_melodies(
    music: "str | Path | bytes | pretty_midi.PrettyMIDI",
    bars: int = 2,
    *,
    assume_metre: str | None = None,
    cut_at_tempo_changes: bool = False,
) -> Extraction:
    """All distinct windows of `bars` bars of the melodies in a MIDI file (a path, its bytes, or a MIDI object).

    Raises NoMelodyError with the reasons where there is none, MidiError for a file that cannot be read, and ValueError
    for `bars` under 1 and for an `assume_metre` without bars of 16 or 8 steps.

    Chapter: 01.
    """
    if bars < 1:
        raise ValueError(f"a window needs at least 1 bar, not {bars}")
    label, read, lines, account = _load(music, assume_metre, cut_at_tempo_changes)
    steps = bars * STEPS_PER_BAR
    room = min(MAX_WINDOWS, max(1, MAX_TOKENS // steps))
    windows: dict[bytes, Source] = {}
    used = 0
    for line in lines:
        starts = _window_bars(line, bars)
        looked_at, room = starts[:room], max(0, room - len(starts))
        kept = []
        numbers = line.bars.file_bar(line.first_bar + looked_at)
        for bar, number, window in zip(looked_at, numbers.tolist(), _windows(line, looked_at, steps), strict=True):
            if (key := window.tobytes()) not in windows:
                windows[key] = line.source._replace(bar=number)
                kept.append(bar)
        used += _account_for(line, bars, np.array(kept, np.int64), looked_at, starts, account)
    tokens = np.frombuffer(b"".join(windows), np.uint8).reshape(-1, steps).copy()
    found = Extraction(tokens, tuple(windows.values()), tuple(account.reasons), read.note_ons, used)
    if not windows:
        raise _nothing(f"{label}: no melody of {bars} bar{'s' if bars > 1 else ''} was found", found)
    return found


def melody_from_midi(
    music: "str | Path | bytes | pretty_midi.PrettyMIDI",
    *,
    assume_metre: str | None = None,
    cut_at_tempo_changes: bool = False,
) -> np.ndarray:
    """The longest melody in a MIDI file (the first of them), in whole bars: `[steps]`, uint8.

    Raises as `extract_melodies` does.
    """
    label, read, lines, account = _load(music, assume_metre, cut_at_tempo_changes)
    longest = np.zeros(0, np.uint8)
    for line in lines:
        lengths = line.melody_bars()
        first = int(np.argmax(line.melody == lengths.argmax()))
        whole = slice(first * STEPS_PER_BAR, (first + int(lengths.max())) * STEPS_PER_BAR)
        longest = max(longest, line.tokens[whole], key=len)
    if not len(longest):
        nothing = Extraction(np.zeros((0, 0), np.uint8), (), tuple(account.reasons), read.note_ons, 0)
        raise _nothing(f"{label}: no melody was found", nothing)
    return longest.copy()


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


def _load(
    music: "str | Path | bytes | pretty_midi.PrettyMIDI", assume_metre: str | None, cut_at_tempo_changes: bool
) -> tuple[str, Music, Iterator[_Line], _Account]:
    """How to call the file, what it holds, its lines, and the reasons, which grow as the lines are taken."""
    if assume_metre is not None:
        metre_of(assume_metre)
    try:
        if isinstance(music, str | Path):
            label = str(music)
            read = read_music(read_bytes(music))
        elif isinstance(music, bytes):
            label = "these bytes"
            read = read_music(music)
        else:
            label = "this MIDI object"
            read = read_music(_bytes_of(music))
    except MidiError as error:
        raise MidiError(f"{label}: {error}") from error.__cause__
    account = _Account(read.reasons)
    return label, read, _lines(read, account, assume_metre, cut_at_tempo_changes), account


def _bytes_of(midi: "pretty_midi.PrettyMIDI") -> bytes:
    buffer = io.BytesIO()
    try:
        midi.write(buffer)
    except (ValueError, TypeError, OverflowError) as error:
        raise MidiError(f"it holds something that no MIDI file can hold ({error})") from error
    return buffer.getvalue()


def _lines(music: Music, account: _Account, assume_metre: str | None, cut: bool) -> Iterator[_Line]:
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
            account.add("drums", len(rows), f"{_name(source)}: {{}} of drums")
            continue
        scope = track if music.independent else 0
        if scope not in bars_of_track:
            bars_of_track = {scope: find_bars(music, scope, assume_metre, cut)}
        notes = music.notes[rows]
        in_range = (notes["pitch"] >= MIN_PITCH) & (notes["pitch"] <= MAX_PITCH)
        piano = f"{pitch_name(MIN_PITCH)} to {pitch_name(MAX_PITCH)}"
        outside = f"{_name(source)}: {{}} of {len(notes)} lie outside {piano}"
        account.add("outside the piano", len(notes) - np.count_nonzero(in_range), outside)
        line = _line(notes[in_range], bars_of_track[scope], source, account, lost, cut)
        if line:
            yield line
    for metre, count in lost.items():
        hint = "and a melody needs bars of 16 (or 8, in pairs); assume_metre='4/4' counts bars of 4/4 in spite of it"
        account.add("metre", count, f"{metre}, {hint} ({{}})")


def _line(
    notes: np.ndarray, bars: Bars, source: Source, account: _Account, lost: Counter[str], cut: bool
) -> _Line | None:
    """The line of one instrument's `notes`, or None where no bar of 16 steps has any."""
    stretch, step = bars.place(notes["start"])
    refused, count = np.unique(bars.refused[stretch], return_counts=True)
    lost.update({bars.metres[metre]: int(n) for metre, n in zip(refused, count, strict=True) if metre >= 0})
    inside = (step >= 0) & (step < bars.count[stretch] * STEPS_PER_BAR)
    why = "a change of metre or tempo" if cut else "a change of metre"
    in_cut_bars = np.count_nonzero(~inside & (bars.refused[stretch] < 0))
    account.add("bar cut short", in_cut_bars, f"{_name(source)}: {{}} in bars that {why} cuts short")
    if not inside.any():
        return None
    notes, stretch, step = notes[inside], stretch[inside], step[inside]
    end = nearest_step(notes["end"] - bars.tick[stretch], bars.division)
    end = np.clip(end, step + 1, bars.count[stretch] * STEPS_PER_BAR)
    base = bars.base[stretch] * STEPS_PER_BAR
    kept, end = _skyline(notes["pitch"], base + step, base + end)
    account.add("below the highest", len(notes) - len(kept), f"{_name(source)}: {{}} begin together with a higher one")
    return _on_axis(notes["pitch"][kept], (base + step)[kept], end, bars, source)


def _on_axis(pitch: np.ndarray, start: np.ndarray, end: np.ndarray, bars: Bars, source: Source) -> _Line:
    """The monophonic notes of a line, in order of time, as tokens; cut into melodies at a bar of silence."""
    cuts = np.flatnonzero(start[1:] - end[:-1] >= STEPS_PER_BAR)
    begin = np.append(0, start[cuts + 1] // STEPS_PER_BAR)  # bar of each melody
    begin[0] = first_bar = start[0] // STEPS_PER_BAR
    stop = -(-np.append(end[cuts], end[-1]) // STEPS_PER_BAR)
    total = int(stop[-1] - first_bar)
    edges = np.zeros((2, total + 1), np.int64)
    edges[0, begin - first_bar] = 1
    edges[1, stop - first_bar] = 1
    begun, ended = edges.cumsum(axis=1)[:, :-1]
    melody = np.where(begun > ended, begun - 1, -1)
    start, end = start - first_bar * STEPS_PER_BAR, end - first_bar * STEPS_PER_BAR
    tokens = np.zeros(total * STEPS_PER_BAR + 1, np.uint8)
    tokens[end] = NOTE_OFF
    tokens[start] = pitch - MIN_PITCH + FIRST_NOTE_ON
    return _Line(source, bars, int(first_bar), start // STEPS_PER_BAR, tokens[:-1], melody)


def _window_bars(line: _Line, bars: int) -> np.ndarray:
    """The first bar of each window that lies in one melody and in which a note begins: `[windows]`."""
    if len(line.melody) < bars:
        return np.zeros(0, np.int64)
    first, last = line.melody[: len(line.melody) - bars + 1], line.melody[bars - 1 :]
    onsets = np.append(0, np.cumsum(np.bincount(line.bar_of_note, minlength=len(line.melody))))
    return np.flatnonzero((first >= 0) & (first == last) & (onsets[bars:] > onsets[:-bars]))


def _windows(line: _Line, first_bars: np.ndarray, steps: int) -> np.ndarray:
    """The canonical tokens `[windows, steps]` of the windows that begin in these bars of a line."""
    if not len(first_bars):
        return np.zeros((0, steps), np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(line.tokens, steps)[first_bars * STEPS_PER_BAR]
    begun = np.logical_or.accumulate(is_note_on(windows), axis=1)
    windows[(windows == NOTE_OFF) & ~begun] = NO_EVENT  # the note held over from before
    return windows


def _account_for(
    line: _Line, bars: int, kept: np.ndarray, looked_at: np.ndarray, all_starts: np.ndarray, account: _Account
) -> int:
    """Count the notes of a line that are in no window that was kept; returns how many are in one."""
    in_kept, in_looked_at, in_any = (_covered(line, first, bars) for first in (kept, looked_at, all_starts))
    name, longest = _name(line.source), int(line.melody_bars().max())
    short = f"{name}: {{}} in melodies shorter than a window (the longest has {longest} of the {bars} bars)"
    if longest >= bars:
        short = f"{name}: {{}} in melodies shorter than the {bars} bars of a window"
    account.add("melody too short", np.count_nonzero(~in_any), short)
    repeated = f"{name}: {{}} only in windows that repeat earlier ones"
    account.add("repeated", np.count_nonzero(in_looked_at & ~in_kept), repeated)
    beyond = f"{name}: {{}} after the first windows, which are as many as are kept"
    account.add("too many windows", np.count_nonzero(in_any & ~in_looked_at), beyond)
    return int(np.count_nonzero(in_kept))


def _covered(line: _Line, first_bars: np.ndarray, bars: int) -> np.ndarray:
    """Which notes of a line begin in windows of `bars` bars that begin in these bars: `[notes]`."""
    edges = np.zeros(len(line.melody) + 1, np.int64)
    edges[first_bars] += 1
    edges[first_bars + bars] -= 1
    return np.cumsum(edges)[line.bar_of_note] > 0


def _nothing(text: str, found: Extraction) -> NoMelodyError:
    reasons = "; ".join(map(str, found.reasons[:MAX_REASONS])) or "it holds no notes"
    more = len(found.reasons) - MAX_REASONS
    error = NoMelodyError(f"{text}; {reasons}" + (f"; and {more} more reasons" if more > 0 else ""))
    error.extraction = found
    return error


def _name(source: Source) -> str:
    return f"instrument {source.instrument}" + (f" ({source.name})" if source.name else "")
