"""The signs of ABC notation, read one by one: what stands between two bar lines of one written voice.

`abc_notation` unfolds the repeats and lays the result out in time, `abc_fields` reads lines that begin with a letter
and a colon; this module reads the signs of the music. The rules where the standard leaves a choice, or where
files depart from it:

- An empty line ends the tune; what follows, up to the next `X:`, is free text. So is what stands in `%%begintext`.
- One voice: a tune that names two (`V:`) is refused, one that names the same voice again is read.
- `Z4` is four bars of rest, and has to be at the beginning of a bar.
- `+trill+` and `!trill!` are decorations, also with unknown names; a pair of `!` around notes alone is two
  line breaks of an old dialect, a pair of `+` around notes a chord of a still older one.
- Numbers have limits (the constants below), so that a short text cannot ask for hours of work or gigabytes of memory.

Chapter: 01. Source: the ABC standard 2.1, section 4 (the tune body).
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction

from abc_dialects import DYNAMICS, undo_mail_and_plus_signs
from abc_fields import (
    ACCIDENTALS,
    FIELD,
    AbcError,
    key_signature,
    number,
    parse_metre,
    shown,
    transposition,
    without_comment,
    without_settings,
)

from mvae_lib.music.melody import MAX_PITCH, MIN_PITCH

MAX_ENDING = 9
MAX_BARS = 10_000  # bars in a tune as written, rests of several bars counted out
_MAX_LENGTH = 999  # of a note, in unit lengths
_MAX_DIVISOR = 256  # of a unit length, and of a whole note in L:
_MAX_TUPLET = 64  # notes in a tuplet, and notes in whose time they are played

_SEMITONES = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # p notes in the time of q; for 5, 7 and 9 it depends on the metre

_LENGTH = r"(?P<{0}num>\d*)(?P<{0}slash>/*)(?P<{0}den>\d*)"
_NOTE = r"(?P<accidental>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)"
_DECORATION = rf"!(?!(?!(?:{DYNAMICS})!)[\d,'/]*[A-Ga-gz][A-Ga-gz\d,'/]*!)[^!|\s\"\[\]]+!"
TOKEN = re.compile(
    r"(?P<space>[\s`\\$*]+|\[\|\]|y\d*|[()])"  # "[|]" is an invisible line to hang a text on
    rf"|(?P<text>\"[^\"]*\")|(?P<grace>\{{[^}}]*\}}-?)|(?P<decoration>{_DECORATION}|[!.~H-Wh-w])"
    r"|\[(?P<inline>[A-Zr]):(?P<value>[^\]]*)\]"
    r"|(?P<bar>\[\||[:|]+\]?)(?P<ending>\d[\d,-]*)?|\[(?P<volta>\d[\d,-]*)"
    r"|(?P<broken>(?:<+|>+))|(?P<late_tie>-)"
    rf"|\[(?P<chord>[^\]|]+)\]{_LENGTH.format('c')}(?P<ctie>-?)"
    r"|(?P<bars_of_rest>[ZX](?P<bars>\d*))"
    rf"|(?:{_NOTE}|(?P<rest>[zx])){_LENGTH.format('')}(?:\s*(?P<tie>-))?"
)
TUPLET = re.compile(r"\((?P<p>[2-9])(?::(?P<q>\d*))?(?::(?P<r>\d*))?")
_CHORD_NOTE = re.compile(rf"[.~H-Wh-w(]*{_NOTE}{_LENGTH.format('')}(?P<tie>-?)[\s)]*")


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


class Reader:
    """Reads a tune from top to bottom, keeping what is in force: metre, unit, key, accidentals, tuplet."""

    def __init__(self):
        self.metre: tuple[int, int] | None = None
        self.unit: Fraction | None = None
        self.signature: dict[str, int] = {}
        # An accidental holds to the end of its bar in its own octave, as in the printed books. (The ABC standard has it
        # hold in all octaves, unless a directive says otherwise.) A tied note takes its accidental over the bar line.
        self.accidentals: dict[tuple[str, int], int] = {}
        self.carried: dict[tuple[str, int], int] = {}
        self.tuplet, self.tuplet_left = Fraction(1), 0
        self.broken = Fraction(1)
        self.segment: Segment | None = None  # the one being read; none before the header ends
        self.segments: list[Segment] = []
        self.voice: str | None = None
        self.shift = {"K": 0, "V": 0}  # semitones by which a clef or a setting of these fields moves the music

    def read(self, text: str) -> list[Segment]:
        in_body = in_text = False
        for line in undo_mail_and_plus_signs(text).splitlines():
            if not line.strip():
                break
            if line.startswith("%%"):
                in_text = line.startswith("%%begintext") or (in_text and not line.startswith("%%endtext"))
            line = "" if in_text or line.startswith("+:") else without_comment(line)  # +: goes on with a field's text
            if match := FIELD.match(line):
                self.set_field(match[1], match[2])
                if match[1] == "K" and not in_body:
                    in_body = True
                    self.start_body()
            elif in_body:
                self.read_music(line)
        if self.segment is None:
            raise AbcError("it has no key (K:), which ends the header")
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
            match = re.fullmatch(r"1/(\d+)", value)
            if not (match and (divisor := number(match[1], _MAX_DIVISOR))):
                raise AbcError(f"the unit length {shown(value)!r} is not a fraction such as 1/8")
            self.unit = Fraction(4, divisor)
        elif name == "K":
            self.shift["K"] = transposition(value)
            if self.segment is None or without_settings(value):  # a change of clef alone leaves the key
                self.signature = key_signature(value)
        elif name == "V":
            voice = value.split()[0] if value else ""
            if self.voice not in (None, voice):
                raise AbcError("it is written for several voices")
            self.voice, self.shift["V"] = voice, transposition(value)
        elif name == "P" and self.segment:  # a new part
            self.draw_bar(section=True)

    def read_music(self, line: str) -> None:
        position = 0
        while position < len(line):
            if match := TUPLET.match(line, position):
                self.start_tuplet(match)
            elif match := TOKEN.match(line, position):
                self.read_token(match)
            if not match or (match.re is TOKEN and match["bars_of_rest"] and not self.rest_bars(match["bars"])):
                raise AbcError(f"{line[position]!r} in {shown(line.strip())!r} is not ABC that is known here")
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

    def rest_bars(self, bars: str) -> bool:
        """Read `Z4`, four bars of rest; False where it does not stand at the beginning of a bar."""
        if self.segment.events:
            return False
        for last in range(self.counted(bars, MAX_BARS, f"Z{bars}") if bars else 1, 0, -1):
            self.segment.events.append(Event(None, Fraction(4 * self.metre[0], self.metre[1])))
            if last > 1:  # the bar line behind the last one is written
                self.draw_bar()
        return True

    def draw_bar_line(self, line: str) -> None:
        alone = line in (":", ":]")  # a colon that lost its bar line: it ends a bar, or it begins one
        repeat_end = bool(self.segment.events) if alone else ":|" in line or line.startswith("::")
        self.draw_bar(section=line != "|", repeat_end=repeat_end)

    def draw_bar(self, section: bool = False, repeat_end: bool = False) -> None:
        self.accidentals = {}
        if self.segment.events:
            self.segments.append(self.segment)
            if len(self.segments) > MAX_BARS:
                raise AbcError(f"it has more than {MAX_BARS:,} bars")
            self.segment = Segment(self.metre)
        if section and self.segments:
            self.segments[-1].closes = True
        if repeat_end and self.segments:
            self.segments[-1].repeat_end = True
        self.segment.opens |= section

    def start_ending(self, numbers: str) -> None:
        if self.segment.events:
            self.draw_bar()
        self.segment.opens = False  # it belongs to the section before it
        endings: set[int] = set()
        for span in filter(None, numbers.split(",")):
            ends = [number(digits, MAX_ENDING) for digits in span.split("-") if digits]
            if not ends or not all(ends) or ends[0] > ends[-1]:
                raise AbcError(f"the ending {shown(numbers)!r} is not a number from 1 to {MAX_ENDING}")
            endings |= set(range(ends[0], ends[-1] + 1))
        self.segment.endings = frozenset(endings)

    def start_tuplet(self, token: re.Match) -> None:
        p = int(token["p"])
        compound = self.metre[0] % 3 == 0 and self.metre[0] > 3
        q = self.counted(token["q"], _MAX_TUPLET, token[0]) if token["q"] else None
        q = q or _TUPLET_TIME.get(p, 3 if compound else 2)
        self.tuplet = Fraction(q, p)
        self.tuplet_left = self.counted(token["r"], _MAX_TUPLET, token[0]) if token["r"] else p

    def break_rhythm(self, signs: str) -> None:
        if not self.segment.events:
            raise AbcError(f"{shown(signs)!r} has no note before it in its bar")
        if len(signs) > 8:
            raise AbcError(f"{shown(signs)!r} has more than 8 signs")
        short = Fraction(1, 2 ** len(signs))
        first, self.broken = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        self.segment.events[-1].duration *= first

    def length(self, token: re.Match, prefix: str = "") -> Fraction:
        times, slashes, divided = (token[prefix + part] for part in ("num", "slash", "den"))
        if not divided and len(slashes) > 8:
            raise AbcError(f"{shown(token[0])!r} is shorter than 1/{_MAX_DIVISOR} of the unit length")
        numerator = self.counted(times, _MAX_LENGTH, token[0]) if times else 1
        return Fraction(numerator, self.counted(divided, _MAX_DIVISOR, token[0]) if divided else 2 ** len(slashes))

    def counted(self, digits: str, largest: int, what: str) -> int:
        """The number from 1 to `largest` that `digits` say. Raises AbcError."""
        if not digits.strip("0"):
            raise AbcError(f"{shown(what)!r} has no length")
        if not (value := number(digits, largest)):
            raise AbcError(f"{shown(what)!r} has a number above {largest:,}")
        return value

    def pitch(self, token: re.Match) -> int:
        letter = token["letter"].upper()
        octave = 5 + token["letter"].islower() + token["octave"].count("'") - token["octave"].count(",")
        place = (letter, octave)
        if token["accidental"]:
            self.accidentals[place] = ACCIDENTALS[token["accidental"]]
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
            raise AbcError(f"the chord {shown(token[0])!r} cannot be read")
        pitch, _, tied = max(notes)
        length = notes[0][1]  # the standard: a chord is as long as its first note
        self.add(pitch, length * self.length(token, "c"), tied or bool(token["ctie"]))

    def add(self, pitch: int | None, length: Fraction, tied: bool) -> None:
        if pitch is not None and not MIN_PITCH <= (pitch := pitch + sum(self.shift.values())) <= MAX_PITCH:
            raise AbcError(
                f"a note has the MIDI pitch {pitch}, outside {MIN_PITCH} to {MAX_PITCH}, the keys of a piano"
            )
        duration = length * self.unit
        if self.broken != 1:
            duration, self.broken = duration * self.broken, Fraction(1)
        if self.tuplet_left:
            duration *= self.tuplet
            self.tuplet_left -= 1
        self.segment.events.append(Event(pitch, duration, tied))
