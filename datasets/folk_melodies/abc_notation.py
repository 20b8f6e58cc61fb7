"""ABC notation: the text in which thousands of folk tunes are written down, read into notes and bars.

A letter is a note (`C` is C4, `c` C5), a number its length in units of `L:`, and `| : ]` draw the bar lines:

    X:1                     X: starts a tune (its number), K: ends the header
    T:A Hypothetical Reel
    M:C|
    L:1/8
    K:D
    de|f2 fe d2 B2|(3ABA F2 A4:|

`parse_tune` reads one melody as it is played: repeats unfolded, first and second endings taken in turn, ties joined,
grace notes left out, the highest note of a chord kept. Times are exact fractions of a quarter note. What is written for
several voices or cannot be read raises `AbcError`. Words such as "D.C." and the playing order `P:ABA` are not followed.

Chapter: 01. Source: the ABC standard 2.1, section 4 (the tune body).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from abc_fields import FIELD, AbcError, shown, without_comment
from abc_reader import Reader, Segment


class AbcNote(NamedTuple):
    """One sounding note: MIDI pitch, onset and duration in quarter notes."""

    pitch: int
    onset: Fraction
    duration: Fraction


class AbcBar(NamedTuple):
    """The music between two bar lines, as played: onset and length in quarter notes, the metre in force.

    `opens` and `closes` say whether a part of the tune (a repeat, a double bar line) begins or ends here: there a bar
    may rightly be short, because a pickup belongs to the bar before it.
    """

    onset: Fraction
    length: Fraction
    metre: tuple[int, int]
    opens: bool
    closes: bool


@dataclass(frozen=True)
class Tune:
    """One tune: its header as text, and the melody as it is played."""

    number: str
    title: str
    transcriber: str
    metre: str
    key: str
    notes: tuple[AbcNote, ...]
    bars: tuple[AbcBar, ...]


def split_tunes(text: str) -> list[str]:
    """The text of each tune of an ABC book: from its `X:` line to the line before the next, trailing space cut.

    Fields at the head of the file apply to every tune that does not have them itself: they are written behind the
    `X:` line. Raises AbcError where no line begins with `X:`.
    """
    head, *tunes = re.split(r"(?m)^(?=X:)", _plain(text))
    if not tunes:
        raise AbcError("no line begins with X:, which starts a tune; is this ABC notation?")
    fields = _file_header(head)
    return [_with_fields(tune.rstrip(), fields) for tune in tunes]


def _plain(text: str) -> str:
    """Without byte order marks, with line ends of one kind."""
    return text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")


def _file_header(head: str) -> list[str]:
    """The first block of fields before the first tune: an empty line ends it, comments may stand before it."""
    fields: list[str] = []
    for line in head.splitlines():
        match = FIELD.match(line)
        if match and match[1] not in "KPQTVWXsw":  # the standard: these belong to one tune
            fields.append(line)
        elif not match and (fields or (line.strip() and not line.startswith("%"))) and not line.startswith("%"):
            break
    return fields


def _with_fields(tune: str, fields: list[str]) -> str:
    own = read_header(tune)
    missing = [line for line in fields if not own.get(line[0])]
    first, *rest = tune.split("\n")
    return "\n".join([first, *missing, *rest])


def read_header(text: str) -> dict[str, str]:
    """The first value of each header field of a tune; several `Z:` lines are joined with "; "."""
    header: dict[str, str] = {}
    transcribers: list[str] = []
    for line in _plain(text).splitlines():
        if match := FIELD.match(line):
            name, value = match[1], without_comment(match[2]).strip()
            header[name] = header.get(name) or value
            if name == "Z" and value:
                transcribers.append(value)
            if name == "K":
                break
        elif not line.strip():
            break
    return header | {"Z": "; ".join(transcribers)} if transcribers else header


def parse_tune(text: str) -> Tune:
    """The melody of one tune's ABC text, as it is played. Raises AbcError for what cannot be read.

    Chapter: 01.
    """
    header = read_header(text)
    name = f"tune X:{shown(header.get('X', '?'))} ({shown(header.get('T', 'no title'))})"
    try:
        notes, bars = _laid_out(_unfolded(Reader().read(_plain(text))))
    except AbcError as error:
        raise AbcError(f"{name}: {error}") from None
    texts = [header.get(field, "") for field in "XTZMK"]
    return Tune(*texts, notes=notes, bars=bars)


def _unfolded(segments: list[Segment]) -> Iterator[Segment]:
    """The segments in the order of playing, section by section: a section ends at a repeat or a double bar line."""
    section: list[Segment] = []
    for segment in segments:
        if section and segment.opens:
            yield from _played(section)
            section = []
        section.append(segment)
    yield from _played(section)


def _played(section: list[Segment]) -> Iterator[Segment]:
    starts = [i for i, segment in enumerate(section) if segment.endings]
    if not starts:
        yield from section * (1 + section[-1].repeat_end)
        return
    common = section[: starts[0]]
    endings = [section[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
    seen: set[int] = set()
    for ending in endings:
        if seen & ending[0].endings:
            raise AbcError("an ending has the number of an earlier one, and the end of that one is not marked")
        seen |= ending[0].endings
    if seen != set(range(1, max(seen) + 1)) or max(seen) == 1:
        raise AbcError(f"its repeat has the endings {sorted(seen)}, not 1, 2 and so on")
    for number in sorted(seen):
        yield from common
        yield from next(ending for ending in endings if number in ending[0].endings)


def _laid_out(played: Iterator[Segment]) -> tuple[tuple[AbcNote, ...], tuple[AbcBar, ...]]:
    notes: list[AbcNote] = []
    bars: list[AbcBar] = []
    now, tied = Fraction(0), False
    for segment in played:
        start = now
        for event in segment.events:
            if event.pitch is not None:
                if tied and notes[-1].pitch == event.pitch:
                    notes[-1] = notes[-1]._replace(duration=notes[-1].duration + event.duration)
                else:
                    notes.append(AbcNote(event.pitch, now, event.duration))
            tied = event.tied and event.pitch is not None
            now += event.duration
        bars.append(AbcBar(start, now - start, segment.metre, segment.opens, segment.closes))
    return tuple(notes), tuple(bars)
