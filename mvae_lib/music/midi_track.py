"""The events of one track of a MIDI file: its notes, changes of metre and tempo, and its name.

Chapter: 01. Source: the Standard MIDI Files specification 1.0 and the MIDI 1.0 detailed specification.
"""

from typing import NamedTuple


class Metre(NamedTuple):
    """A change of metre: at which tick, on which track, to what."""

    tick: int
    track: int
    numerator: int
    denominator: int


class Tempo(NamedTuple):
    """A change of tempo: at which tick, on which track, and the microseconds of a quarter note."""

    tick: int
    track: int
    microseconds: int


class Damage(Exception):
    """What is wrong with a track."""


class Track:
    """The events of one track that matter here; `fields` are the columns of its notes."""

    def __init__(self, number: int) -> None:
        self.number, self.name = number, ""
        self.fields: tuple[list[int], ...] = ([], [], [], [], [], [])  # channel, program, pitch, velocity, start, end
        self.metres: list[Metre] = []
        self.tempos: list[Tempo] = []
        self.skipped: list[str] = []

    def read(self, body: bytes, exact: bool) -> None:
        """Take the events of `body`; where its length is not `exact`, up to the end-of-track event only.

        Raises Damage. The loop is written out in one place because it runs for each of up to 500,000 events.
        """
        channels, programs, pitches, velocities, starts, ends = self.fields
        sounding: list[dict[int, int]] = [{} for _ in range(16)]  # of each channel: pitch -> the open note
        restarted: dict[tuple[int, int], int] = {}  # (channel, pitch) -> the tick at which an onset ended an open note
        program, running, ended = [0] * 16, 0, False
        at, tick, size = 0, 0, len(body)
        try:
            while at < size:
                delta = body[at]
                at += 1
                if delta > 0x7F:
                    at, delta = _number(body, at - 1)
                tick += delta
                event = body[at]
                if event > 0x7F:
                    at += 1
                    if event < 0xF0:
                        running = event
                elif running:  # which outlasts system and meta events here
                    event = running
                else:
                    raise Damage("data bytes are where an event should begin")
                channel = event & 15
                if event < 0xA0:
                    pitch, velocity = body[at], body[at + 1]
                    at += 2
                    is_on = event >= 0x90 and velocity > 0
                    if pitch > 0x7F or (is_on and velocity > 0x7F):
                        raise Damage("it has an impossible note: a pitch or velocity over 127")
                    before = sounding[channel].pop(pitch, None)
                    if is_on:
                        if before is not None:
                            ends[before] = restarted[channel, pitch] = tick
                        sounding[channel][pitch] = len(starts)
                        channels.append(channel)
                        programs.append(program[channel])
                        pitches.append(pitch)
                        velocities.append(velocity)
                        starts.append(tick)
                        ends.append(-1)
                    elif before is not None:
                        if restarted.pop((channel, pitch), None) == tick:
                            sounding[channel][pitch] = before  # this note-off is that of the note before
                        else:
                            ends[before] = tick
                elif event < 0xF0:
                    if 0xC0 <= event < 0xE0:  # program change, channel aftertouch: one byte of data
                        if event < 0xD0:
                            program[channel] = body[at] & 0x7F
                        at += 1
                    else:
                        if event & 0xF0 == 0xB0 and body[at] in (120, 123):  # all sound off, all notes off
                            for note in sounding[channel].values():
                                ends[note] = tick
                            sounding[channel].clear()
                        at += 2
                elif event == 0xFF:
                    kind = body[at]
                    at, length = _number(body, at + 1)
                    at += length
                    if at <= size:
                        self._meta(kind, body[at - length : at], tick)
                    if kind == 0x2F and at <= size:
                        ended = True
                        if not exact:
                            break
                elif event in (0xF0, 0xF7):
                    at, length = _number(body, at)
                    at += length
                else:  # other system events have no place in a file
                    at += {0xF1: 1, 0xF2: 2, 0xF3: 1}.get(event, 0)
            if at > size:
                raise IndexError
        except (Damage, IndexError) as error:
            if not ended:  # what follows the end of the track may be anything
                raise (error if isinstance(error, Damage) else Damage("it ends in the middle of an event")) from None
        for notes in sounding:
            for note in notes.values():
                ends[note] = tick

    def _meta(self, kind: int, content: bytes, tick: int) -> None:
        if kind == 0x51:
            if len(content) >= 3 and any(content[:3]):
                self.tempos.append(Tempo(tick, self.number, int.from_bytes(content[:3], "big")))
            else:
                self.skipped.append("tempo")
        elif kind == 0x58:
            if len(content) < 4:
                self.skipped.append("metre")
            elif content[0] and content[1] <= 6:  # a 64th is the shortest beat there is
                self.metres.append(Metre(tick, self.number, content[0], 2 ** content[1]))
            else:
                self.skipped.append("metre")
        elif kind == 0x03 and not self.name:
            self.name = _printable(content)


def _number(body: bytes, at: int) -> tuple[int, int]:
    """(place behind it, value) of a number of variable length, which has at most four bytes."""
    value = 0
    for place in range(at, at + 4):
        byte = body[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return place + 1, value
    raise Damage("a number in it has more than four bytes")


def _printable(content: bytes) -> str:
    """A name in UTF-8 or else in Latin-1, without what a terminal or a page would not show as it is."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
