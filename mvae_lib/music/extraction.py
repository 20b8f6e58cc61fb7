"""Melodies in the files of others: a MIDI file cut into windows of whole bars, and what was left out and why.

Reading (`midi_file`, `midi_track`):

- Every chunk is walked by its length, and every track chunk is a track, whatever the header counts. Where a length is
  wrong, a track ends with its end-of-track event. RIFF (.rmi) and MacBinary wrappers are taken off. Formats 0, 1 and 2.
- A track with an impossible note (a pitch or velocity over 127), or one that ends inside an event, is left out with a
  reason; the file is refused only where no other track has notes. Other irregularities are ignored. Of damaged
  tempo and metre events there is a reason.
- A note ends with its note-off, with the next onset of its pitch on its channel and track, with all-notes-off
  (controllers 120 and 123) or with the track, whatever comes first.
- A file may have 1 MiB, 256 tracks, 512 instruments, 100,000 notes, 20,000 tempo and metre events and 40,000 quarter
  notes (10,000 bars of 4/4); a quarter note may have 1 to 32,767 ticks. Frames per second (SMPTE) have no bars and are
  refused.

Bars (`bars`):

- Time is counted in quarter notes, never in seconds: a change of tempo changes nothing. `cut_at_tempo_changes=True`
  cuts melodies there and loses the bars with a change inside, as the reference implementation does.
- A bar of 16 steps is one of 4/4, 2/2, 8/8, 16/16 or 1/1, or a pair of bars of half that length (2/4, 4/8). A file is
  in 4/4 until it says something else; what stands before a first, late metre event is its pickup and counts back from
  it. Bars of other metres, and bars that a change of metre cuts short, are left out. `assume_metre="4/4"` ignores what
  the file says and counts bars of that metre from its beginning.

Melodies (`lines`, and the windows here):

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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mvae_lib.music.bars import metre_of
from mvae_lib.music.lines import Account, Line, Source, find_lines, skyline
from mvae_lib.music.melody import NO_EVENT, NOTE_OFF, STEPS_PER_BAR, is_note_on
from mvae_lib.music.midi_file import MidiError, Music, Reason, read_bytes, read_music

if TYPE_CHECKING:
    import pretty_midi

__all__ = ["Extraction", "NoMelodyError", "Reason", "Source", "extract_melodies", "melody_from_midi", "skyline"]

MAX_REASONS = 8  # that a message spells out
MAX_WINDOWS = 2**16
MAX_TOKENS = 2**24  # which is 65,536 windows of 16 bars


class NoMelodyError(MidiError):
    """A readable MIDI file without a melody of the length asked for; the message names the file and the reasons.

    `extraction` has the reasons with their counts, and no windows.
    """

    extraction: "Extraction | None" = None


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
        raise _no_melody(f"{label}: no melody of {bars} bar{'s' if bars > 1 else ''} was found", found)
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
        note = int(np.argmax(line.melody_end - line.melody_begin))
        whole = slice(line.melody_begin[note] * STEPS_PER_BAR, line.melody_end[note] * STEPS_PER_BAR)
        longest = max(longest, line.tokens[whole], key=len)
    if not len(longest):
        nothing = Extraction(np.zeros((0, 0), np.uint8), (), tuple(account.reasons), read.note_ons, 0)
        raise _no_melody(f"{label}: no melody was found", nothing)
    return longest.copy()


def _load(
    music: "str | Path | bytes | pretty_midi.PrettyMIDI", assume_metre: str | None, cut_at_tempo_changes: bool
) -> tuple[str, Music, Iterator[Line], Account]:
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
    account = Account(read.reasons)
    return label, read, find_lines(read, account, assume_metre, cut_at_tempo_changes), account


def _bytes_of(midi: "pretty_midi.PrettyMIDI") -> bytes:
    buffer = io.BytesIO()
    try:
        midi.write(buffer)
    except (ValueError, TypeError, OverflowError) as error:
        raise MidiError(f"it holds something that no MIDI file can hold ({error})") from error
    return buffer.getvalue()


def _window_bars(line: Line, bars: int) -> np.ndarray:
    """The first bar of each window that lies in one melody and in which a note begins: `[windows]`."""
    # Of each note, the windows that hold it; the notes are in order of time, so what overlaps is counted once.
    first = np.maximum(line.bar - bars + 1, line.melody_begin)
    last = np.minimum(line.bar, line.melody_end - bars)
    first = np.maximum(first, np.append(0, np.maximum.accumulate(last)[:-1] + 1))
    counts = np.maximum(last - first + 1, 0)
    return np.repeat(first - np.append(0, np.cumsum(counts)[:-1]), counts) + np.arange(counts.sum())


def _windows(line: Line, first_bars: np.ndarray, steps: int) -> np.ndarray:
    """The canonical tokens `[windows, steps]` of the windows that begin in these bars of a line."""
    if not len(first_bars):
        return np.zeros((0, steps), np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(line.tokens, steps)[first_bars * STEPS_PER_BAR]
    begun = np.logical_or.accumulate(is_note_on(windows), axis=1)
    windows[(windows == NOTE_OFF) & ~begun] = NO_EVENT  # the note held over from before
    return windows


def _account_for(
    line: Line, bars: int, kept: np.ndarray, looked_at: np.ndarray, all_starts: np.ndarray, account: Account
) -> int:
    """Count the notes of a line that are in no window that was kept; returns how many are in one."""
    in_kept, in_looked_at, in_any = (_covered(line, first, bars) for first in (kept, looked_at, all_starts))
    longest = int((line.melody_end - line.melody_begin).max())
    short = f"in melodies shorter than the {bars} bars of a window"
    if longest < bars:
        short = f"in melodies shorter than a window (the longest has {longest} of the {bars} bars)"
    account.add("melody too short", line.source, np.count_nonzero(~in_any), short)
    repeated = np.count_nonzero(in_looked_at & ~in_kept)
    account.add("repeated", line.source, repeated, "only in windows that repeat earlier ones")
    beyond = np.count_nonzero(in_any & ~in_looked_at)
    account.add("too many windows", line.source, beyond, "after the first windows, which are as many as are kept")
    return int(np.count_nonzero(in_kept))


def _covered(line: Line, first_bars: np.ndarray, bars: int) -> np.ndarray:
    """Which notes of a line begin in windows of `bars` bars that begin in these bars: `[notes]`."""
    return np.searchsorted(first_bars, line.bar, "right") > np.searchsorted(first_bars, line.bar - bars, "right")


def _no_melody(text: str, found: Extraction) -> NoMelodyError:
    reasons = "; ".join(found.reasons[:MAX_REASONS]) or "it holds no notes"
    more = len(found.reasons) - MAX_REASONS
    error = NoMelodyError(f"{text}; {reasons}" + (f"; and {more} more reasons" if more > 0 else ""))
    error.extraction = found
    return error
