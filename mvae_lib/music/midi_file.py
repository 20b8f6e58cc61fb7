"""A Standard MIDI File as notes in ticks: any file that players accept, or one sentence on why not.

The rules by which a file is read are in `mvae_lib.music.extraction`. This is a reader of our own, because no library
read all of the 47 MIDI files with known defects: symusic 0.6 refused 6 and lost notes of 5 more without a warning
(no note-off, track length 0, a header that counts too few tracks, running status after a system-exclusive event),
miditoolkit 1.0 and pretty_midi 0.2.11 (both over mido) refused 16 and 17 and lost notes of 3 and 4. None reports how
many note-ons a file has, so none can say what was left out; and a repair before parsing needs the same walk through the
chunks.

Chapter: 01. Source: the Standard MIDI Files specification 1.0 and the MIDI 1.0 detailed specification.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvae_lib.music.formats import name_format
from mvae_lib.music.midi_track import Damage, Metre, Tempo, Track

# What lies above these limits is refused. Within them the worst took 1 s of processor time and 120 MB in all.
MAX_BYTES = 2**20
MAX_TRACKS = 256
MAX_INSTRUMENTS = 512  # an instrument is what one track plays on one channel
MAX_NOTES = 100_000
MAX_CHANGES = 20_000  # of metre and tempo together
MAX_QUARTERS = 40_000  # quarter notes to the last onset: 10,000 bars of 4/4

DRUM_CHANNEL = 9  # counted from 0
NOTE = np.dtype([(name, "i8") for name in ("track", "channel", "program", "pitch", "velocity", "start", "end")])


class MidiError(ValueError):
    """A MIDI file that cannot be used; the message names the file and the reason."""


class Reason(str):
    """A sentence on why some notes of a file were left out; `kind` is the same in each file, `notes` counts them."""

    kind: str
    notes: int

    def __new__(cls, kind: str, notes: int, text: str) -> "Reason":
        reason = super().__new__(cls, text)
        reason.kind, reason.notes = kind, int(notes)
        return reason

    def __getnewargs__(self) -> tuple[str, int, str]:
        return self.kind, self.notes, str(self)


@dataclass(frozen=True)
class Music:
    """What a file holds: `notes` of dtype NOTE `[notes]` in the file's order, with `start` and `end` in ticks.

    `division` is the ticks of a quarter note, `names` the name of each track, `independent` whether each track has a
    time of its own (format 2). `note_ons` counts the note-ons in the file: `len(notes)` and those that
    `reasons` account for (damaged tracks); `reasons` also name tempo and metre events that had to be skipped.
    """

    notes: np.ndarray
    names: tuple[str, ...]
    metres: tuple[Metre, ...]
    tempos: tuple[Tempo, ...]
    division: int
    independent: bool
    note_ons: int
    reasons: tuple[Reason, ...]


def read_music(data: bytes) -> Music:
    """The notes of a MIDI file's bytes.

    Raises MidiError (without the file's name) for another format, for a file beyond the limits, and where every track
    that holds notes is damaged.
    """
    data = _unwrapped(data)
    if len(data) < 14:
        raise MidiError("the file ends in the middle of its header")
    form, _, division = struct.unpack(">HHH", data[8:14])
    if division >= 0x8000:
        raise MidiError(
            "it counts time in frames per second (SMPTE) and not in quarter notes, so that it has no bars; "
            "export it again with ticks per quarter note (PPQ)"
        )
    if division == 0:
        raise MidiError("its header gives a quarter note no ticks at all")
    tracks, reasons = [], []
    for number, (start, end, exact) in enumerate(_track_chunks(data)):
        if number == MAX_TRACKS:
            raise MidiError(f"it has more than the {MAX_TRACKS} tracks that are read")
        track = Track(number)
        try:
            track.read(data[start:end], exact)
        except Damage as error:
            lost = len(track.fields[0])
            words = f"track {number + 1} is damaged ({error}) and was left out, with {lost} notes before the damage"
            reasons.append(Reason("damaged track", lost, words))
            track.fields = ([], [], [], [], [], [])
        tracks.append(track)
    if not tracks:
        raise MidiError("it holds no track")
    notes = _notes(tracks)
    if reasons and not len(notes):
        raise MidiError("; ".join(reasons[:3]))
    _check_limits(notes, division, sum(len(track.metres) + len(track.tempos) for track in tracks))
    np.minimum(notes["end"], MAX_QUARTERS * division, out=notes["end"])  # a note held for hours
    np.maximum(notes["end"], notes["start"], out=notes["end"])
    note_ons = len(notes) + sum(reason.notes for reason in reasons)
    for what, count in Counter(what for track in tracks for what in track.skipped).items():
        words = f"{count} damaged {what} event{'s were' if count > 1 else ' was'} skipped"
        reasons.append(Reason(f"damaged {what} event", 0, words))
    return Music(
        notes=notes,
        names=tuple(track.name for track in tracks),
        metres=tuple(metre for track in tracks for metre in track.metres),
        tempos=tuple(tempo for track in tracks for tempo in track.tempos),
        division=division,
        independent=form == 2,
        note_ons=note_ons,
        reasons=tuple(reasons),
    )


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file, no more than MAX_BYTES. Raises MidiError (without the file's name) where it has none."""
    path = Path(path)
    try:
        if path.is_dir():
            raise MidiError("this is a folder; name one of the files in it")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MidiError("there is no such file") from None
    except (OSError, ValueError) as error:  # a ValueError where the name holds a NUL
        if isinstance(error, MidiError):
            raise
        raise MidiError(f"it cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(data) > MAX_BYTES and not name_format(data):
        raise MidiError(f"it has more than the {MAX_BYTES:,} bytes that are read")
    return data


def _unwrapped(data: bytes) -> bytes:
    """`data` from the header of the MIDI file on, which RIFF (.rmi) and MacBinary files wrap."""
    if not data:
        raise MidiError("the file is empty")
    if data.startswith(b"RIFF") and data[8:12] == b"RMID" and b"MThd" in data:
        return data[data.index(b"MThd") :]
    if data[0] == 0 and data[128:132] == b"MThd":
        return data[128:]
    if not data.startswith(b"MThd"):
        begins = f"a file that begins with {data[:4]!r} and not with {b'MThd'!r}"
        raise MidiError(f"not a MIDI file but {name_format(data) or begins}")
    return data


def _track_chunks(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """(start, end, exact) of the content of each track; not `exact` where a wrong length made `end` a guess."""
    at = 14
    while True:
        if not _is_chunk(data, at):
            at = data.find(b"MTrk", at)
        if not 0 <= at <= len(data) - 8:
            return
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] == b"MTrk":
            exact = end == len(data) or _is_chunk(data, end)
            if not exact:
                next_track = data.find(b"MTrk", at + 8)
                end = next_track if next_track >= 0 else len(data)
            yield at + 8, end, exact
        at = end


def _is_chunk(data: bytes, at: int) -> bool:
    """Whether a chunk begins here: a track, or four characters and a length that fits into the file."""
    if data[at : at + 4] == b"MTrk":
        return at + 8 <= len(data)
    words, fits = data[at : at + 4], at + 8 + int.from_bytes(data[at + 4 : at + 8], "big") <= len(data)
    return at + 8 <= len(data) and fits and words.isascii() and words.decode().isprintable()


def _notes(tracks: list[Track]) -> np.ndarray:
    notes = np.zeros(sum(len(track.fields[0]) for track in tracks), NOTE)
    first = 0
    for track in tracks:
        rows = notes[first : first + len(track.fields[0])]
        rows["track"] = track.number
        for name, column in zip(NOTE.names[1:], track.fields, strict=True):
            rows[name] = column
        first += len(rows)
    return notes


def _check_limits(notes: np.ndarray, division: int, changes: int) -> None:
    if changes > MAX_CHANGES:
        raise MidiError(f"{changes:,} tempo and metre events are more than the {MAX_CHANGES:,} that are read")
    if len(notes) > MAX_NOTES:
        raise MidiError(f"{len(notes):,} notes are more than the {MAX_NOTES:,} that are read")
    instruments = len(np.unique(notes["track"] * 16 + notes["channel"]))
    if instruments > MAX_INSTRUMENTS:
        raise MidiError(f"{instruments} channels of tracks are more than the {MAX_INSTRUMENTS} that are read")
    quarters = int(notes["start"].max(initial=0)) / division
    if quarters > MAX_QUARTERS:
        raise MidiError(
            f"its last note begins after {quarters:,.0f} quarter notes, and {MAX_QUARTERS:,} are read; "
            "the file is broken, or holds hours of silence"
        )
