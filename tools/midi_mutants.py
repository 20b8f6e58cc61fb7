"""Random damage to MIDI files, for `tools/fuzz_readers.py` and the test that runs a part of it."""

import io
import struct
from collections.abc import Iterator
from itertools import pairwise

import mido
import numpy as np
import pretty_midi

from mvae_lib.music.melody import canonical
from mvae_lib.music.midi import tokens_to_midi


def saved(file: mido.MidiFile | pretty_midi.PrettyMIDI) -> bytes:
    buffer = io.BytesIO()
    file.write(buffer) if isinstance(file, pretty_midi.PrettyMIDI) else file.save(file=buffer)
    return buffer.getvalue()


def short_melody() -> bytes:
    tokens = np.zeros(64, np.uint8)
    tokens[::4] = np.arange(40, 56)
    return saved(tokens_to_midi(tokens, name="short"))


def long_melody() -> bytes:
    generator = np.random.default_rng(3)
    tokens = canonical(generator.choice([0, 0, 1, 40, 44, 47, 52], 512).astype(np.uint8))
    return saved(tokens_to_midi(tokens, tempo=97, name="longer, with a ♭ in its name"))


def many_kinds_of_event() -> bytes:
    first = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name="everything"),
            mido.MetaMessage("time_signature", numerator=4, denominator=4),
            mido.MetaMessage("key_signature", key="F#m"),
            mido.MetaMessage("set_tempo", tempo=400_000),
            mido.MetaMessage("sequence_number", number=3),
            mido.MetaMessage("smpte_offset", hours=1),
            mido.MetaMessage("copyright", text="nobody"),
            mido.MetaMessage("marker", text="A", time=960),
            mido.MetaMessage("set_tempo", tempo=500_000, time=2880),
            mido.MetaMessage("time_signature", numerator=3, denominator=4, time=1920),
            mido.MetaMessage("sequencer_specific", data=(1, 2, 3)),
        ]
    )
    second = mido.MidiTrack([mido.Message("program_change", program=40), mido.Message("sysex", data=(1, 2, 3, 4))])
    for pitch in (60, 64, 67, 72, 71, 69, 65, 62) * 3:
        second += [
            mido.Message("note_on", note=pitch, velocity=80),
            mido.Message("note_on", note=pitch - 12, velocity=60),
            mido.Message("pitchwheel", pitch=100, time=20),
            mido.Message("control_change", control=64, value=127, time=20),
            mido.Message("aftertouch", value=3),
            mido.Message("polytouch", note=pitch, value=9),
            mido.Message("note_off", note=pitch, velocity=0, time=200),
            mido.Message("note_on", note=pitch - 12, velocity=0),
            mido.MetaMessage("lyrics", text="la"),
        ]
    drums = mido.MidiTrack()
    for _ in range(16):
        drums += [mido.Message("note_on", channel=9, note=36), mido.Message("note_off", channel=9, note=36, time=240)]
    return saved(mido.MidiFile(type=1, ticks_per_beat=240, tracks=[first, second, drums]))


def format_0_with_long_rests() -> bytes:
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=600_000)])
    for pitch in (50, 55, 57, 62):
        track += [mido.Message("note_on", note=pitch, time=20_000), mido.Message("note_off", note=pitch, time=130)]
    return saved(mido.MidiFile(type=0, ticks_per_beat=96, tracks=[track]))


ORIGINALS = (short_melody, long_melody, many_kinds_of_event, format_0_with_long_rests)


def flip_bits(data, generator):
    for place in generator.integers(0, len(data), generator.integers(1, 9)):
        data[place] ^= 1 << generator.integers(0, 8)


def overwrite(data, generator):
    start = generator.integers(0, len(data))
    length = generator.integers(1, 17)
    data[start : start + length] = generator.bytes(length)


def cut_off(data, generator):
    del data[generator.integers(0, len(data)) :]


def insert(data, generator):
    place = generator.integers(0, len(data) + 1)
    data[place:place] = generator.bytes(generator.integers(1, 33))


def insert_events(data, generator):
    place = generator.integers(22, len(data) + 1)
    event = bytes([0, 0x90, *generator.integers(0, 128, 2), 0, 0xFF, 0x51, 3, *generator.integers(0, 3, 3)])
    data[place:place] = event[: generator.choice([4, 11])]
    repair_lengths(data)


def delete(data, generator):
    start = generator.integers(0, len(data))
    del data[start : start + generator.integers(1, 33)]


def delete_and_repair_lengths(data, generator):
    start = generator.integers(22, len(data))
    del data[start : start + generator.choice([1, 3, 4, 8])]
    repair_lengths(data)


def repair_lengths(data):
    """Set each track's length so that it ends at the next one: the reader then reads the events inside."""
    tracks = [place for place in range(len(data)) if data[place : place + 4] == b"MTrk"]
    for start, end in pairwise([*tracks, len(data)]):
        data[start + 4 : start + 8] = struct.pack(">L", end - start - 8)


def change_values(data, generator):
    """Other pitches, times, tempos, metres: a value stays a value, and a status byte a status byte."""
    for place in generator.integers(22, len(data), generator.integers(1, 9)):
        if data[place] < 0x80:
            data[place] = generator.choice([0, 1, 2, 64, 127, generator.integers(0, 128)])


def lie_about_chunk_length(data, generator):
    chunks = [place for place in range(len(data)) if data[place : place + 4] in (b"MThd", b"MTrk")]
    place = generator.choice(chunks) + 4
    length = struct.unpack(">L", data[place : place + 4])[0]
    lies = (0, length - 1, length + 1, length // 2, length * 2 + 9, 2**31, 2**32 - 1)
    data[place : place + 4] = struct.pack(">L", generator.choice(lies))


def lie_about_time_or_length(data, generator):
    # A number of variable length goes on while its bytes have the top bit set, so this may start one anywhere.
    place = generator.integers(14, len(data))
    lie = generator.choice(
        [b"\xff\xff\xff\x7f", b"\x8f\x7f", b"\xff" * 300 + b"\x7f", b"\x80\x80\x00", b"\xc0\x80\x00"]
    )
    data[place : place + generator.integers(0, 2)] = lie


def lie_in_header(data, generator):
    place = 8 + 2 * generator.integers(0, 3)
    data[place : place + 2] = struct.pack(">H", generator.choice([0, 1, 2, 3, 255, 0x7FFF, 0x8000, 0xE728, 0xFFFF]))


KINDS = (
    flip_bits,
    overwrite,
    cut_off,
    insert,
    insert_events,
    delete,
    delete_and_repair_lengths,
    change_values,
    lie_about_chunk_length,
    lie_about_time_or_length,
    lie_in_header,
)


def mutants(of_each_kind: int) -> Iterator[bytes]:
    """So many mutants of each kind of each original, the same in each call."""
    for original in ORIGINALS:
        data = original()
        for number, kind in enumerate(KINDS):
            generator = np.random.default_rng([len(data), number])
            for _ in range(of_each_kind):
                mutant = bytearray(data)
                kind(mutant, generator)
                yield bytes(mutant)
