"""The information fields of ABC notation (`M:4/4`, `K:D`, `V:1`): which line is one, and what its value means.

Chapter: 01. Source: the ABC standard 2.1, sections 2.2 (tune and file header), 3 (fields) and 4.6 (clefs).
"""

import re

FIELD = re.compile(r"([A-Zmrsw]):(?![|:])(.*)")
ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
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
_KEY = re.compile(r"(?P<tonic>[A-G])(?P<flat>[#b]?)\s*(?P<mode>[A-Za-z]*)")
_CLEF = re.compile(r"(?i:clef\s*=\s*\S+|(?:treble|bass|tenor|alto|perc)[1-5]?(?:[+-]8)?(?!\S))")
_SETTING = re.compile(
    r"\b(?P<name>(?i:clef|middle|transpose|octave|stafflines|(?:sub)?name|s?nm|stem|style|score|sound|shift))"
    r"\s*=\s*(?P<value>\"[^\"]*\"|[^\s\"]+)"
)
_MAX_METRE = 99  # in both places: more is a typing error
_MAX_SHOWN = 120  # characters of a tune in a message


class AbcError(ValueError):
    """ABC text that cannot be read as one melody; the message names the tune and the reason."""


def shown(text: str) -> str:
    """A piece of the tune for a message: its first 120 characters, without control characters."""
    cut = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return "".join(sign if sign.isprintable() else "?" for sign in cut)


def number(digits: str, largest: int) -> int | None:
    """The value of `digits`, or None where it is above `largest`; Python itself refuses more than 4,300 digits."""
    digits = digits.lstrip("0")
    value = int(digits or 0) if len(digits) <= len(str(largest)) else largest + 1
    return value if value <= largest else None


def without_comment(line: str) -> str:
    return re.sub(r"(?<!\\)%.*", "", line)


def without_settings(value: str) -> str:
    """What a `K:` field says of the key alone: clef, transposition and the like cut away."""
    return _SETTING.sub(" ", _CLEF.sub(" ", value)).strip()


def transposition(value: str) -> int:
    """The semitones by which a `K:` or `V:` field moves what follows: `transpose=`, `octave=`, a clef with +8 or -8."""
    clef = _CLEF.search(value)
    semitones = 12 * (clef[0].endswith("+8") - clef[0].endswith("-8")) if clef else 0
    for setting in _SETTING.finditer(value):
        unit = {"transpose": 1, "octave": 12}.get(setting["name"].lower())
        if unit is None:
            continue
        if not re.fullmatch(r"[+-]?\d{1,2}", setting["value"]):
            raise AbcError(f"{shown(setting[0])!r} is not a number of semitones or octaves")
        semitones += unit * int(setting["value"])
    return semitones


def key_signature(key: str) -> dict[str, int]:
    """The altered letters of a key such as `G`, `Em`, `A Mixolydian`, `D exp _b`, `Hp`: `{"F": 1}`; no clefs.

    Raises AbcError if unknown.
    """
    key = without_settings(key)
    if key[:2].upper() == "HP":  # the Highland bagpipe: F and C sharp
        return {"F": 1, "C": 1}
    if key.lower() in ("", "none"):
        return {}
    match = _KEY.match(key)
    mode = match["mode"].lower()[:3] if match else None  # the standard: three letters count, in either case
    if mode != "exp" and mode not in _MODES:
        raise AbcError(f"the key {shown(key)!r} is not one that is known")
    signature = {}
    if mode != "exp":  # "explicit": the accidentals that follow are the whole signature
        sharps = _TONICS[match["tonic"]] + 7 * (match["flat"] == "#") - 7 * (match["flat"] == "b") + _MODES[mode]
        order, sign = ("FCGDAEB", 1) if sharps > 0 else ("BEADGCF", -1)
        signature = {order[i % 7]: sign * (1 + i // 7) for i in range(abs(sharps))}
    for accidental, letter in re.findall(r"(\^\^|\^|__|_|=)([A-Ga-g])", key[match.end() :]):
        signature[letter.upper()] = ACCIDENTALS[accidental]
    return signature


def parse_metre(metre: str) -> tuple[int, int]:
    """`6/8` -> (6, 8), `C` -> (4, 4), `C|` -> (2, 2). Raises AbcError for free or unknown metres."""
    written = {"C": "4/4", "C|": "2/2"}.get(metre.strip(), metre)
    match = re.fullmatch(r"\s*([1-9]\d*)\s*/\s*([1-9]\d*)\s*", written)
    beats, unit = (number(match[place], _MAX_METRE) for place in (1, 2)) if match else (None, None)
    if beats is None or unit is None:
        raise AbcError(f"the metre {shown(metre)!r} is not one that is known")
    return beats, unit
