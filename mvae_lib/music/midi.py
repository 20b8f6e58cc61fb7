"""MIDI files: melodies written to them and read back exactly, and any file read or refused with a reason.

Time in a MIDI file is counted in ticks, so many a quarter note, and a tempo map says how long a quarter note lasts.
Melodies are counted in ticks here: a 16th note is a 16th note at any tempo. How melodies are found in the files of
others is the subject of `mvae_lib.music.extraction`.

Chapter: 01. Source: the Standard MIDI Files specification 1.0.
"""

import io
import re
import struct
import warnings
from collections.abc import Iterable
from pathlib import Path

import mido
import numpy as np
import pretty_midi

from mvae_lib._files import write_whole
from mvae_lib.music.melody import STEPS_PER_QUARTER, Note, notes_to_tokens, tokens_to_notes

RESOLUTION = 480  # ticks a quarter note in the files written here: a step is exactly 120 of them

# Above these limits a file is taken to be broken. Within them the worst of files takes a few seconds and some 150 MB.
MAX_BYTES = 2**20
MAX_TRACKS = 256
MAX_NOTES = 100_000
MAX_TICKS = 5_000_000  # pretty_midi keeps a table with the time of every single tick
MAX_QUARTERS = 40_000
MAX_HOURS = 4
_ENDLESS_NUMBER = re.compile(rb"[\x80-\xff]{4096}")

MIN_TEMPO, MAX_TEMPO = 4, 1000  # a MIDI file has 24 bits for the microseconds of a quarter note


class MidiError(ValueError):
    """A MIDI file that cannot be used; the message names the file and the reason."""


def tokens_to_midi(
    tokens: np.ndarray, tempo: float = 120.0, program: int = 0, velocity: int = 90, name: str = "melody"
) -> pretty_midi.PrettyMIDI:
    """One melody `[steps]` as a MIDI object of one instrument; `tempo` in quarter notes a minute.

    Raises ValueError for anything but one melody, and for a tempo, program or velocity that MIDI cannot hold.
    """
    return notes_to_midi(tokens_to_notes(tokens), tempo, program, velocity, name)


def notes_to_midi(
    notes: Iterable[Note], tempo: float = 120.0, program: int = 0, velocity: int = 90, name: str = "melody"
) -> pretty_midi.PrettyMIDI:
    """Notes (in steps, polyphony allowed) as a MIDI object of one instrument; `tempo` in quarter notes a minute.

    Raises ValueError for a tempo, program or velocity that MIDI cannot hold.
    """
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise ValueError(f"tempo must lie in {MIN_TEMPO} to {MAX_TEMPO} quarter notes a minute, not {tempo}")
    if not 0 <= program <= 127:
        raise ValueError(f"program must lie in 0 to 127 (General MIDI), not {program}")
    if not 1 <= velocity <= 127:
        raise ValueError(f"velocity must lie in 1 to 127 (0 would end a note), not {velocity}")
    midi = pretty_midi.PrettyMIDI(resolution=RESOLUTION, initial_tempo=tempo, charset="utf-8")
    midi.time_signature_changes.append(pretty_midi.TimeSignature(4, 4, 0.0))
    instrument = pretty_midi.Instrument(program=program, name=name)
    seconds = 60.0 / tempo / STEPS_PER_QUARTER
    for note in notes:
        instrument.notes.append(pretty_midi.Note(velocity, note.pitch, note.start * seconds, note.end * seconds))
    midi.instruments.append(instrument)
    return midi


def midi_to_tokens(midi: pretty_midi.PrettyMIDI, steps: int) -> np.ndarray:
    """The tokens `[steps]` (uint8) of a MIDI object of one melody on the grid of 16ths: undoes `tokens_to_midi`.

    Raises ValueError for several instruments, polyphony, notes off the grid and notes beyond `steps`: such music
    is for `mvae_lib.music.extraction`.
    """
    sounding = [instrument for instrument in midi.instruments if instrument.notes]
    if len(sounding) > 1:
        raise MidiError(f"one melody was expected, not {len(sounding)} instruments; use extract_melodies")
    notes = [
        Note(note.pitch, _step_on_grid(midi, note.start), _step_on_grid(midi, note.end))
        for instrument in sounding
        for note in instrument.notes
    ]
    return notes_to_tokens(notes, steps)


def _step_on_grid(midi: pretty_midi.PrettyMIDI, seconds: float) -> int:
    step, remainder = divmod(int(midi.time_to_tick(seconds)) * STEPS_PER_QUARTER, midi.resolution)
    if remainder:
        raise MidiError(f"a note begins or ends at {seconds:.3f} s, between two 16ths; use extract_melodies")
    return step


def write_midi(midi: pretty_midi.PrettyMIDI, path: str | Path) -> None:
    """Write a MIDI file under a temporary name, then rename it. Raises OSError where the folder cannot be used."""
    buffer = io.BytesIO()
    midi.write(buffer)
    write_whole(path, buffer.getvalue())


def read_midi(path: str | Path) -> pretty_midi.PrettyMIDI:
    """The MIDI file at `path`, in format 0 or 1 and within the limits above.

    Raises MidiError, naming the file and the reason, for every file that is missing, broken or absurd.
    """
    path = Path(path)
    try:
        file = _parse(_read_bytes(path))
        _check_limits(file)
        return _interpret(file)
    except MidiError as error:
        raise MidiError(f"{path}: {error}") from error.__cause__


def _read_bytes(path: Path) -> bytes:
    if not path.exists():
        raise MidiError("there is no such file")
    if not path.is_file():
        raise MidiError("this is a folder or a device, not a file")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise MidiError(f"{size:,} bytes are more than the {MAX_BYTES:,} that are read")
        return path.read_bytes()
    except OSError as error:
        raise MidiError(f"it cannot be read ({error.strerror})") from error


def _parse(data: bytes) -> mido.MidiFile:
    """The events of a file, once its header makes sense; mido checks the events but hardly the header."""
    if not data:
        raise MidiError("the file is empty")
    if not data.startswith(b"MThd"):
        raise MidiError(f"not a MIDI file: it begins with {data[:4]!r} and not with {b'MThd'!r}")
    if len(data) < 14:
        raise MidiError("the file ends in the middle of its header")
    _, form, tracks, division = struct.unpack(">LHHH", data[4:14])
    if form not in (0, 1):
        raise MidiError(f"format {form} is not one of the formats that hold a piece of music (0 and 1)")
    if not 1 <= tracks <= MAX_TRACKS:
        raise MidiError(f"the header announces {tracks} tracks, and 1 to {MAX_TRACKS} are read")
    if not 1 <= division < 0x8000:
        raise MidiError(f"the header's division is {division}, which is no number of ticks a quarter note")
    if _ENDLESS_NUMBER.search(data):  # mido would assemble one number from it, in time that grows as the square
        raise MidiError("more than 4,000 bytes in a row belong to no event")
    try:
        try:
            return mido.MidiFile(file=io.BytesIO(data), charset="utf-8")
        except UnicodeDecodeError:
            return mido.MidiFile(file=io.BytesIO(data), charset="latin-1")  # which gives a character to every byte
    except EOFError as error:
        raise MidiError("the file ends in the middle of a track") from error
    except Exception as error:  # mido does not promise which exception a broken file raises: ten kinds have been seen
        raise MidiError(f"a track is broken ({error or type(error).__name__})") from error


def _check_limits(file: mido.MidiFile) -> None:
    ticks = max(sum(event.time for event in track) for track in file.tracks)
    quarters = ticks / file.ticks_per_beat
    if ticks > MAX_TICKS or quarters > MAX_QUARTERS:
        raise MidiError(
            f"{ticks:,} ticks ({quarters:,.0f} quarter notes) are more than the {MAX_TICKS:,} ticks and "
            f"{MAX_QUARTERS:,} quarter notes that are read; the file is broken, or holds hours of silence"
        )
    notes = sum(event.type == "note_on" and event.velocity > 0 for track in file.tracks for event in track)
    if notes > MAX_NOTES:
        raise MidiError(f"{notes:,} notes are more than the {MAX_NOTES:,} that are read")
    if any(event.type == "set_tempo" and event.tempo == 0 for track in file.tracks for event in track):
        raise MidiError("a quarter note is given no time at all (a tempo of 0 microseconds)")


def _interpret(file: mido.MidiFile) -> pretty_midi.PrettyMIDI:
    """`file` as notes and instruments, with the tempo, metre and key changes of all its tracks."""
    changes, now = mido.MidiTrack(), 0
    for tick, change in sorted(_changes(file), key=lambda change: change[0]):
        changes.append(change.copy(time=tick - now))
        now = tick
    changes.append(mido.MetaMessage("end_of_track"))
    # pretty_midi reads changes from the first track only, warns of those in others, and fails at an empty track.
    file.tracks[:] = [changes, *filter(None, file.tracks)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            midi = pretty_midi.PrettyMIDI(mido_object=file, charset=file.charset)
        except Exception as error:  # as with mido: no list of what a broken file raises here is complete
            raise MidiError(f"its events make no sense ({error or type(error).__name__})") from error
    if len(midi.instruments) > MAX_TRACKS:
        raise MidiError(f"{len(midi.instruments)} instruments are more than the {MAX_TRACKS} that are read")
    hours = midi.get_end_time() / 3600
    if hours > MAX_HOURS:
        raise MidiError(f"it lasts {hours:,.1f} hours, which is more than the {MAX_HOURS} that are read")
    return midi


def _changes(file: mido.MidiFile) -> Iterable[tuple[int, mido.MetaMessage]]:
    for track in file.tracks:
        tick = 0
        for event in track:
            tick += event.time
            if event.type in ("set_tempo", "time_signature", "key_signature"):
                yield tick, event
