"""Melodies as engraved music in a notebook: a music21 part, as MusicXML, drawn by Verovio.

    score(tokens, title="Devil's Dream", key="A")

The drawing is an SVG image inside `text/html`: it shows in JupyterLab (trusted or not, light or dark), in a notebook
that is opened again without a kernel, and in exported HTML. It holds no ids and no dates, so that the same melody gives
the same bytes on every machine. Verovio is an optional package (`pip install verovio`): where it is missing, the notes
are listed as text.

Chapter: 01.
"""

import base64
import html
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from xml.etree import ElementTree

import numpy as np
from music21 import key as m21key
from music21 import stream
from music21.analysis.discrete import TemperleyKostkaPayne
from music21.musicxml.m21ToXml import GeneralObjectExporter

from mvae_lib.music.melody import STEPS_PER_BAR
from mvae_lib.music.notation import tokens_to_stream

MISSING = "Scores are drawn by the package verovio, which is not installed here: pip install verovio"
MAX_STEPS = 64 * STEPS_PER_BAR
_OPTIONS = {  # of Verovio; lengths in tenths of a millimetre before scaling
    "xmlIdSeed": 1,
    "svgViewBox": True,
    "svgRemoveXlink": True,
    "svgFormatRaw": True,
    "smuflTextFont": "none",  # no font inside the image
    "header": "none",
    "footer": "none",
    "breaks": "auto",
    "pageWidth": 1900,
    "pageHeight": 60000,
    "adjustPageHeight": True,
    "pageMarginTop": 40,
    "pageMarginBottom": 40,
    "pageMarginLeft": 40,
    "pageMarginRight": 40,
}
_WIDTH = 760  # CSS pixels
_SVG = "{http://www.w3.org/2000/svg}"


class VerovioMissing(ImportError):
    """The optional package verovio is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Score:
    """A melody that a notebook shows as engraved music; `description` names its notes, for screen readers."""

    part: stream.Part
    title: str | None
    key: str  # in words, such as "A major"; "" where none was found

    @cached_property
    def description(self) -> str:
        """The key, the metre and the notes of each bar: 'A major, 4/4. Bar 1: A5 G♯5 A5.'"""
        bars = []
        for number, bar in enumerate(self.part.getElementsByClass(stream.Measure), 1):
            begun = [note for note in bar.notes if note.tie is None or note.tie.type == "start"]
            bars.append(
                f"Bar {number}: {' '.join(note.pitch.unicodeNameWithOctave for note in begun) or 'no new note'}."
            )
        return " ".join([f"{self.key}, 4/4." if self.key else "4/4.", *bars])

    @cached_property
    def svg(self) -> str:
        """The drawing, without ids and dates. Raises VerovioMissing."""
        if find_spec("verovio") is None:
            raise VerovioMissing(MISSING)
        import verovio  # an optional package

        verovio.enableLog(verovio.LOG_OFF)
        toolkit = verovio.toolkit()
        toolkit.setOptions(_OPTIONS)
        if not toolkit.loadData(GeneralObjectExporter().parse(self.part).decode("utf-8")):
            raise RuntimeError(
                "Verovio cannot read the MusicXML that music21 wrote; are their versions as in constraints.txt?"
            )
        return _plain_svg(toolkit.renderToSVG(1))

    def __repr__(self) -> str:
        bars = len(self.part.getElementsByClass(stream.Measure))
        title = f" {self.title!r}" if self.title else ""
        return f"<score{title}: {', '.join(filter(None, [self.key, f'{bars} bars' if bars > 1 else '1 bar']))}>"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        title = f"<div><b>{html.escape(self.title)}</b></div>" if self.title else ""
        described = html.escape(self.description)
        try:
            image = base64.b64encode(self.svg.encode("utf-8")).decode("ascii")
            shown = f'<img src="data:image/svg+xml;base64,{image}" width="{_WIDTH}" alt="Score in {described}">'
        except VerovioMissing as missing:
            shown = f"<div>{html.escape(str(missing))}</div><div>{described}</div>"
        return {"text/plain": repr(self), "text/html": f"<div>{title}{shown}</div>"}


def score(tokens: np.ndarray, title: str | None = None, key: str | None = None) -> Score:
    """One melody `[steps]` as engraved music, for a notebook to show.

    `key` is a key such as "A major", "F#m", "Bb" or "A Dorian"; None estimates it from the notes, as `estimate_key`
    does. The key decides the signature at the left
    and how black keys are spelt. Raises ValueError for anything but one melody of at most 64 bars, and for an unknown
    key.

    Chapter: 01.
    """
    tokens = np.asarray(tokens)
    if tokens.ndim == 1 and len(tokens) > MAX_STEPS:
        raise ValueError(
            f"a score shows at most {MAX_STEPS // STEPS_PER_BAR} bars ({MAX_STEPS} steps), not {len(tokens)} steps"
        )
    part = tokens_to_stream(tokens, key or estimate_key(tokens), bpm=None)
    signature = part.recurse().getElementsByClass(m21key.Key).first()
    return Score(part, title, f"{signature.tonic.unicodeName} {signature.mode}" if signature else "")


def estimate_key(tokens: np.ndarray) -> str | None:
    """The likeliest of the 24 major and minor keys of a melody `[steps]`, such as "A major"; None without a note.

    It is the key whose profile correlates best with how long each pitch class sounds, with the profiles of Temperley,
    Kostka and Payne. Of music21's five sets of profiles these find the printed key signature most often: for 150
    windows of the validation split in 78 % (2 bars) and 91 % (16 bars); those of Krumhansl in 69 % and 83 %.
    """
    part = tokens_to_stream(tokens, bpm=None)
    if not part.recurse().notes:
        return None
    found = TemperleyKostkaPayne().getSolution(part)
    return f"{found.tonic.name.replace('-', 'b')} {found.mode}"


def _plain_svg(svg: str) -> str:
    """Verovio's drawing as a small one that looks the same: flat, without ids and classes, on a white ground.

    Lines of one width become one path, polygons another; a glyph has a place, its outline the scale.
    """
    root = ElementTree.fromstring(svg)
    width, height = root.get("viewBox").split()[2:]
    inner = root.find(f"{_SVG}svg")
    page = inner.find(f"{_SVG}g")
    if any(group.get("transform") for group in page.iter(f"{_SVG}g") if group is not page):
        raise RuntimeError("this version of Verovio draws otherwise than the one in constraints.txt")
    for parent in list(page.iter()):
        parent[:] = [child for child in parent if "placeholder" not in child.get("class", "")]  # Verovio hides these
    outlines = {glyph.get("id"): glyph[0].get("d") for glyph in root.iterfind(f"{_SVG}defs/*")}
    names: dict[tuple[str, str], str] = {}  # (glyph, scale): its short name
    lines: dict[str, list[str]] = {}
    polygons, rest = [], []
    for element in page.iter():
        kind = element.tag.removeprefix(_SVG)
        if kind == "path" and set(element.keys()) == {"d", "stroke-width"}:
            lines.setdefault(element.get("stroke-width"), []).append(_short(element.get("d")))
        elif kind == "polygon":
            polygons.append(f"M{element.get('points')}z")
        elif kind == "use":
            x, y, scale = re.fullmatch(r"translate\((.+), (.+)\) scale\((.+), .+\)", element.get("transform")).groups()
            name = names.setdefault((element.get("href")[1:], scale), f"g{len(names)}")
            rest.append(f'<use href="#{name}" x="{x}" y="{y}"/>')
        elif kind == "text":
            x, y = (next((part.get(name) for part in element.iter() if part.get(name)), "0") for name in "xy")
            anchor = 'text-anchor="middle"' if element.get("text-anchor") == "middle" else ""
            size = next(part.get("font-size") for part in element.iter() if part.get("font-size", "0px") != "0px")
            words = html.escape("".join(element.itertext()).strip())
            rest.append(f'<text x="{x}" y="{y}" font-size="{size}" {anchor} stroke="none">{words}</text>')
        elif kind not in ("g", "tspan"):
            kept = {name: value for name, value in element.attrib.items() if name not in ("id", "class")}
            rest.append(" ".join([f"<{kind}", *(f'{name}="{value}"' for name, value in kept.items()), "/>"]))
    glyphs = [
        f'<path id="{name}" transform="scale({scale},-{scale})" d="{outlines[glyph]}"/>'
        for (glyph, scale), name in names.items()
    ]
    drawn = [f'<path stroke-width="{thick}" d="{"".join(parts)}"/>' for thick, parts in lines.items()]
    size = f'width="{width}" height="{height}"'
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size}>',
            f"<defs>{''.join(glyphs)}</defs>",
            f'<rect {size} fill="#fff"/>',
            f'<svg viewBox="{inner.get("viewBox")}" font-family="Times, serif" stroke="#000">',
            f'<g transform="{page.get("transform")}">',
            *drawn,
            f'<path d="{"".join(polygons)}"/>' if polygons else "",
            *rest,
            "</g></svg></svg>",
        ]
    )


def _short(line: str) -> str:
    """An upright or level line with one number less: 'M10 5 L10 20' -> 'M10 5V20'."""
    line = re.sub(r"^M(\S+) (\S+) L\1 (\S+)$", r"M\1 \2V\3", line)
    return re.sub(r"^M(\S+) (\S+) L(\S+) \2$", r"M\1 \2H\3", line)
