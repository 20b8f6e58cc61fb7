"""ABC notation as the standard has it, from what e-mail did to it and from the plus signs of old dialects.

Chapter: 01. Source: the ABC standard 2.1, section 10 (outdated syntax).
"""

import re

from abc_fields import FIELD

DYNAMICS = r"f{1,4}|[0-5]"  # decorations that look like notes
_MAILED = re.compile(  # a line of music that e-mail broke in two; an empty line after it stays one
    r"(?m)^((?![A-Za-z]:).*)=(?:20)?[ ]*(?:(\n)(?=[ \t]*$)|\n)"
)
_PLUS = re.compile(r"\+([^+|\s]+)\+")


def undo_mail_and_plus_signs(text: str) -> str:
    """A tune with `=` and long lines as before e-mail, old +ceg+ as the chord [ceg], old +trill+ as !trill!."""
    text = _MAILED.sub(r"\1\2", text).replace("=3D", "=")
    return "\n".join(line if FIELD.match(line) else _PLUS.sub(_without_plus, line) for line in text.splitlines())


def _without_plus(match: re.Match) -> str:
    inside = match[1]
    is_chord = re.search("[A-Ga-g]", inside) and re.fullmatch(r"[\^_=A-Ga-g\d,'/]+", inside)
    return f"[{inside}]" if is_chord and not re.fullmatch(DYNAMICS, inside) else f"!{inside}!"
