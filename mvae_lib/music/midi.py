"""MIDI files as pretty_midi objects: melodies written to them and read back exactly, and the files of others.

Time in a MIDI file is counted in ticks per quarter note, and a tempo map says how long a quarter note lasts.
Melodies are counted in ticks here: a 16th note is a 16th note at any tempo. How melodies are found in the files of
others is the subject of `mvae_lib.music.extraction`.

Chapter: 01. Source: the Standard MIDI Files specification 1.0.
"""

import io
from collections.abc import Iterable
from pathlib import Path

import mido
import numpy as np
import pretty_midi

from mvae_lib._files import write_whole
from mvae_lib.music.melody import STEPS_PER_QUARTER, Note, notes_to_tokens, tokens_to_notes
from mvae_lib.music.midi_file import DRUM_CHANNEL, MidiError, Music, read_bytes, read_music

__all__ = ["MidiError", "midi_to_tokens", "notes_to_midi", "read_midi", "tokens_to_midi", "write_midi"]

RESOLUTION = 480  # ticks per quarter note in the files written here: a step is exactly 120 of them

MAX_TICKS = 5_000_000  # pretty_midi keeps a table with the time of every single tick
MIN_TEMPO, MAX_TEMPO = 4, 1000  # a MIDI file has 24 bits for the microseconds of a quarter note


def tokens_to_midi(
    tokens: np.ndarray, tempo: float = 120.0, program: int = 0, velocity: int = 90, name: str = "melody"
) -> pretty_midi.PrettyMIDI:
    """One melody `[steps]` as a MIDI object of one instrument; `tempo` in quarter notes per minute.

    Raises ValueError for anything but one melody, and for a tempo, program or velocity that MIDI cannot hold.
    """
    return notes_to_midi(tokens_to_notes(tokens), tempo, program, velocity, name)


def notes_to_midi(
    notes: Iterable[Note], tempo: float = 120.0, program: int = 0, velocity: int = 90, name: str = "melody"
) -> pretty_midi.PrettyMIDI:
    """Notes (in steps, polyphony allowed) as a MIDI object of one instrument; `tempo` in quarter notes per minute.

    Raises ValueError for a tempo, program or velocity that MIDI cannot hold.
    """
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise ValueError(f"tempo must lie in {MIN_TEMPO} to {MAX_TEMPO} quarter notes per minute, not {tempo}")
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
    """The notes, instruments, changes of tempo and of metre of a MIDI file, read as `mvae_lib.music.extraction` says.

    Raises MidiError, naming the file and the reason, for every file that is missing, broken or absurd.
    """
    try:
        music = read_music(read_bytes(path))
    except MidiError as error:
        raise MidiError(f"{path}: {error}") from error.__cause__
    return _as_pretty_midi(music)


def _as_pretty_midi(music: Music) -> pretty_midi.PrettyMIDI:
    """Our notes with pretty_midi's times; an instrument is what one track plays on one channel with one program."""
    division = music.division
    ticks = int(music.notes["end"].max(initial=0))
    if division % STEPS_PER_QUARTER or ticks > MAX_TICKS:  # a grid that is finer, or lies between the 16ths
        division = RESOLUTION if ticks * RESOLUTION <= MAX_TICKS * music.division else STEPS_PER_QUARTER * 30

    def rescaled(tick: int) -> int:
        return (2 * tick * division + music.division) // (2 * music.division)

    changes = [
        *(
            (metre.tick, mido.MetaMessage("time_signature", numerator=metre.numerator, denominator=metre.denominator))
            for metre in music.metres
        ),
        *((tempo.tick, mido.MetaMessage("set_tempo", tempo=tempo.microseconds)) for tempo in music.tempos),
        (ticks, mido.MetaMessage("end_of_track")),
    ]
    track, now = mido.MidiTrack(), 0
    for tick, change in sorted(changes, key=lambda change: change[0]):
        if tick <= ticks:
            track.append(change.copy(time=rescaled(tick) - now))
            now = rescaled(tick)
    changes_only = mido.MidiFile(ticks_per_beat=division, tracks=[track])
    midi = pretty_midi.PrettyMIDI(mido_object=changes_only, charset="utf-8")  # in which names are written again
    instruments: dict[tuple[int, int, int], pretty_midi.Instrument] = {}
    for number, channel, program, pitch, velocity, start, end in music.notes.tolist():
        key = number, channel, program
        if key not in instruments:
            instruments[key] = pretty_midi.Instrument(program, channel == DRUM_CHANNEL, music.names[number])
        first, last = rescaled(start), rescaled(end)
        last = last if last > first else first + division // STEPS_PER_QUARTER  # a note of no length gets a step
        times = midi.tick_to_time(first), midi.tick_to_time(last)
        instruments[key].notes.append(pretty_midi.Note(velocity, pitch, *times))
    midi.instruments.extend(instruments.values())
    return midi
