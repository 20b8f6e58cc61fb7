"""MIDI files as bytes, for the tests: made by hand, because no library writes what is wrong with files of others."""

import struct
from collections.abc import Iterable

END = b"\x00\xff\x2f\x00"
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)  # C major
DIVISION = 480


def number(value: int) -> bytes:
    """A number of variable length."""
    data = [value & 0x7F]
    while value := value >> 7:
        data.append(value & 0x7F | 0x80)
    return bytes(reversed(data))


def chunk(name: bytes, content: bytes, length: int | None = None) -> bytes:
    return name + struct.pack(">L", len(content) if length is None else length) + content


def header(tracks: int, form: int = 1, division: int = DIVISION, more: bytes = b"") -> bytes:
    return chunk(b"MThd", struct.pack(">HHH", form, tracks, division) + more)


def track(content: bytes, length: int | None = None) -> bytes:
    return chunk(b"MTrk", content, length)


def smf(*tracks: bytes, form: int = 1, division: int = DIVISION, count: int | None = None) -> bytes:
    """A MIDI file from the contents of its tracks."""
    return header(len(tracks) if count is None else count, form, division) + b"".join(map(track, tracks))


def melody(
    pitches: Iterable[int] = SCALE,
    ticks: int = DIVISION,
    channel: int = 0,
    velocities: tuple[int, int] = (0x50, 0x40),
) -> bytes:
    """Notes one after the other, each with a note-on and a note-off event of these velocities."""
    on, off = velocities
    return b"".join(
        bytes([0, 0x90 | channel, p, on]) + number(ticks) + bytes([0x80 | channel, p, off]) for p in pitches
    )


def meta(kind: int, content: bytes, delta: int = 0) -> bytes:
    return number(delta) + bytes([0xFF, kind]) + number(len(content)) + content


def metre(numerator: int, power: int, delta: int = 0) -> bytes:
    return meta(0x58, bytes([numerator, power, 24, 8]), delta)
