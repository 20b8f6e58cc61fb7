"""The signs of ABC notation, read one by one: what stands between two bar lines of one written voice.

`mvae_lib.abc_notation` unfolds the repeats and lays the result out in time; this module knows what each sign means.

Chapter: 01. Source: the ABC standard 2.1, section 4 (the tune body).
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction

_SEMITONES = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
_ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_TONICS = dict(zip("FCGDAEB", range(-1, 6), strict=True))  # sharps of the major key; "b" takes 7 away, "#" adds 7
_MODES = {
    "": 0,
    "maj": 0,
    "ion": 0,
    "m": -3,
    "min": -3,
    "aeo": -3,
    "mix": -1,
    "dor": -2,
    "phr": -4,
    "lyd": 1,
    "loc": -5,
}
_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # p notes in the time of q; for 5, 7 and 9 it depends on the metre

_LENGTH = r"(?P<{0}num>\d*)(?P<{0}slash>/*)(?P<{0}den>\d*)"
_NOTE = r"(?P<accidental>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)"
TOKEN = re.compile(
    r"(?P<space>[\s`\\$*]+|\[\|\]|y\d*|[()])"  # "[|]" is an invisible line to hang a text on
    r"|(?P<text>\"[^\"]*\")|(?P<grace>\{[^}]*\}-?)|(?P<decoration>![\w.+<>():]+!|[!.~H-Wh-w])"
    r"|\[(?P<inline>[A-Z]):(?P<value>[^\]]*)\]"
    r"|(?P<bar>\[\||[:|]+\]?)(?P<ending>\d[\d,-]*)?|\[(?P<volta>\d[\d,-]*)"
    r"|(?P<broken>(?:<+|>+))|(?P<late_tie>-)"
    rf"|\[(?P<chord>[^\]|]+)\]{_LENGTH.format('c')}(?P<ctie>-?)"
    rf"|(?:{_NOTE}|(?P<rest>[zx])){_LENGTH.format('')}(?:\s*(?P<tie>-))?"
)
TUPLET = re.compile(r"\((?P<p>[2-9])(?::(?P<q>\d*))?(?::(?P<r>\d*))?")
_CHORD_NOTE = re.compile(rf"[.~H-Wh-w(]*{_NOTE}{_LENGTH.format('')}(?P<tie>-?)[\s)]*")
_MAILED = re.compile(r"(?m)^((?![A-Za-z]:).*)=(?:20)?[ ]*\n")  # a line of music that e-mail broke in two
FIELD = re.compile(r"([A-Zmrsw]):(?![|:])(.*)")


class AbcError(ValueError):
    """ABC text that cannot be read as one melody; the message names the tune and the reason."""


@dataclass
class Event:
    pitch: int | None  # None is a rest
    duration: Fraction
    tied: bool = False


@dataclass
class Segment:
    """What is written between two bar lines."""

    metre: tuple[int, int]
    events: list[Event] = field(default_factory=list)
    endings: frozenset[int] = frozenset()
    opens: bool = False
    closes: bool = False
    repeat_end: bool = False


def key_signature(key: str) -> dict[str, int]:
    """The altered letters of a key such as `G`, `Em`, `A Mixolydian`, `Hp`: `{"F": 1}`. Raises AbcError if unknown."""
    if key[:2].upper() == "HP":  # the Highland bagpipe: F and C sharp
        return {"F": 1, "C": 1}
    match = re.match(r"(?P<tonic>[A-G])(?P<flat>[#b]?)\s*(?P<mode>[A-Za-z]*)(?P<extra>(?:\s*(?:\^|_|=)[A-Ga-g])*)", key)
    mode = match["mode"].lower()[:3] if match else None  # the standard: three letters count, in either case
    if key.lower() in ("", "none"):
        return {}
    if mode not in _MODES:
        raise AbcError(f"the key {key!r} is not one that is known")
    sharps = _TONICS[match["tonic"]] + 7 * (match["flat"] == "#") - 7 * (match["flat"] == "b") + _MODES[mode]
    order, sign = ("FCGDAEB", 1) if sharps > 0 else ("BEADGCF", -1)
    signature = {order[i % 7]: sign * (1 + i // 7) for i in range(abs(sharps))}
    for accidental, letter in re.findall(r"(\^|_|=)([A-Ga-g])", match["extra"]):
        signature[letter.upper()] = _ACCIDENTALS[accidental]
    return signature


def parse_metre(metre: str) -> tuple[int, int]:
    """`6/8` -> (6, 8), `C` -> (4, 4), `C|` -> (2, 2). Raises AbcError for free or unknown metres."""
    metre = {"C": "4/4", "C|": "2/2"}.get(metre.strip(), metre)
    if not (match := re.fullmatch(r"\s*([1-9]\d*)\s*/\s*([1-9]\d*)\s*", metre)):
        raise AbcError(f"the metre {metre!r} is not one that is known")
    return int(match[1]), int(match[2])


def mended(text: str) -> str:
    """A tune with `=` and long lines as before e-mail, and the chords +ceg+ of the oldest dialect as [ceg]."""
    text = _MAILED.sub(r"\1", text).replace("=3D", "=")
    lines = (line if FIELD.match(line) else re.sub(r"\+([^+|\s]+)\+", r"[\1]", line) for line in text.splitlines())
    return "\n".join(lines)


def without_comment(line: str) -> str:
    return re.sub(r"(?<!\\)%.*", "", line)


class Reader:
    """Reads a tune from top to bottom, keeping what is in force: metre, unit, key, accidentals, tuplet."""

    def __init__(self):
        self.metre: tuple[int, int] | None = None
        self.unit: Fraction | None = None
        self.signature: dict[str, int] = {}
        # An accidental holds to the end of its bar in its own octave, as in the printed books. (The ABC standard has it
        # hold in all octaves, unless told otherwise.) A tied note takes its accidental over the bar line.
        self.accidentals: dict[tuple[str, int], int] = {}
        self.carried: dict[tuple[str, int], int] = {}
        self.tuplet, self.tuplet_left = Fraction(1), 0
        self.broken = Fraction(1)
        self.segment: Segment | None = None  # the one being read; none before the header ends
        self.segments: list[Segment] = []

    def read(self, text: str) -> list[Segment]:
        in_body = False
        for line in mended(text).splitlines():
            line = without_comment(line)
            if match := FIELD.match(line):
                self.set_field(match[1], match[2])
                if match[1] == "K" and not in_body:
                    in_body = True
                    self.start_body()
            elif in_body:
                self.read_music(line)
        self.draw_bar(section=True)
        if not any(event.pitch is not None for segment in self.segments for event in segment.events):
            raise AbcError("it has no notes")
        return self.segments

    def start_body(self) -> None:
        if self.metre is None:
            raise AbcError("it has no metre (M:)")
        if self.unit is None:
            self.unit = Fraction(1, 2) if Fraction(*self.metre) >= Fraction(3, 4) else Fraction(1, 4)
        self.segment = Segment(self.metre, opens=True)

    def set_field(self, name: str, value: str) -> None:
        value = value.strip()
        if name == "M":
            self.metre = parse_metre(value)
            if self.segment and not self.segment.events:
                self.segment.metre = self.metre
        elif name == "L":
            if not re.fullmatch(r"1/[1-9]\d*", value):
                raise AbcError(f"the unit length {value!r} is not a fraction such as 1/8")
            self.unit = 4 * Fraction(value)
        elif name == "K":
            self.signature = key_signature(value)
        elif name == "V":
            raise AbcError("it is written for several voices")
        elif name == "P" and self.segment:  # a new part
            self.draw_bar(section=True)

    def read_music(self, line: str) -> None:
        position = 0
        while position < len(line):
            if match := TUPLET.match(line, position):
                self.start_tuplet(match)
            elif match := TOKEN.match(line, position):
                self.read_token(match)
            else:
                raise AbcError(f"{line[position]!r} in {line.strip()!r} is not ABC that is known here")
            position = match.end()

    def read_token(self, token: re.Match) -> None:
        if token["inline"]:
            self.set_field(token["inline"], token["value"])
        elif token["bar"]:
            self.draw_bar_line(token["bar"])
            if token["ending"]:
                self.start_ending(token["ending"])
        elif token["volta"]:
            self.start_ending(token["volta"])
        elif token["broken"]:
            self.break_rhythm(token["broken"])
        elif token["late_tie"] and self.segment.events:  # c>-d, with the sign after the broken rhythm
            self.segment.events[-1].tied = True
        elif token["chord"]:
            self.add_chord(token)
        elif token["rest"]:
            self.add(None, self.length(token), tied=False)
        elif token["letter"]:
            self.add(self.pitch(token), self.length(token), tied=bool(token["tie"]))

    def draw_bar_line(self, line: str) -> None:
        alone = line in (":", ":]")  # a colon that lost its bar line: it ends a bar, or it begins one
        repeat_end = bool(self.segment.events) if alone else ":|" in line or line.startswith("::")
        self.draw_bar(section=line != "|", repeat_end=repeat_end)

    def draw_bar(self, section: bool = False, repeat_end: bool = False) -> None:
        self.accidentals = {}
        if self.segment.events:
            self.segments.append(self.segment)
            self.segment = Segment(self.metre)
        if section and self.segments:
            self.segments[-1].closes = True
        if repeat_end and self.segments:
            self.segments[-1].repeat_end = True
        self.segment.opens |= section

    def start_ending(self, numbers: str) -> None:
        if self.segment.events:
            self.draw_bar()
        spans = [[int(n) for n in span.split("-") if n] for span in numbers.strip(",-").split(",")]
        self.segment.opens = False  # it belongs to the section before it
        self.segment.endings = frozenset(n for span in spans if span for n in range(span[0], span[-1] + 1))
        if max(self.segment.endings) > 9:
            raise AbcError(f"the ending {numbers!r} is not a number from 1 to 9")

    def start_tuplet(self, token: re.Match) -> None:
        p = int(token["p"])
        compound = self.metre[0] % 3 == 0 and self.metre[0] > 3
        q = int(token["q"] or _TUPLET_TIME.get(p, 3 if compound else 2))
        self.tuplet, self.tuplet_left = Fraction(q, p), int(token["r"] or p)

    def break_rhythm(self, signs: str) -> None:
        if not self.segment.events:
            raise AbcError(f"{signs!r} has no note before it in its bar")
        short = Fraction(1, 2 ** len(signs))
        first, self.broken = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        self.segment.events[-1].duration *= first

    def length(self, token: re.Match, prefix: str = "") -> Fraction:
        times, slashes, divided = (token[prefix + part] for part in ("num", "slash", "den"))
        numerator, denominator = int(times or 1), int(divided) if divided else 2 ** len(slashes)
        if numerator == 0 or denominator == 0:
            raise AbcError(f"{token[0]!r} has no length")
        return Fraction(numerator, denominator)

    def pitch(self, token: re.Match) -> int:
        letter = token["letter"].upper()
        octave = 5 + token["letter"].islower() + token["octave"].count("'") - token["octave"].count(",")
        place = (letter, octave)
        if token["accidental"]:
            self.accidentals[place] = _ACCIDENTALS[token["accidental"]]
        unmarked = self.carried.get(place, self.signature.get(letter, 0))
        alter = self.accidentals.get(place, unmarked)
        self.carried = {place: alter} if token["tie"] else {}
        return 12 * octave + _SEMITONES[letter] + alter

    def add_chord(self, token: re.Match) -> None:
        notes, position = [], 0
        while match := _CHORD_NOTE.match(token["chord"], position):
            notes.append((self.pitch(match), self.length(match), bool(match["tie"])))
            position = match.end()
        if not notes or position < len(token["chord"]):
            raise AbcError(f"the chord {token[0]!r} cannot be read")
        pitch, _, tied = max(notes)
        length = notes[0][1]  # the standard: a chord is as long as its first note
        self.add(pitch, length * self.length(token, "c"), tied or bool(token["ctie"]))

    def add(self, pitch: int | None, length: Fraction, tied: bool) -> None:
        duration = length * self.unit
        if self.broken != 1:
            duration, self.broken = duration * self.broken, Fraction(1)
        if self.tuplet_left:
            duration *= self.tuplet
            self.tuplet_left -= 1
        self.segment.events.append(Event(pitch, duration, tied))
