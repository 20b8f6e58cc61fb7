"""The course's colours, shared by plots and players, so that a note has one colour wherever it is drawn.

Every colour that carries meaning has a contrast of at least 3 : 1 against its paper, text at least 4.5 : 1
(WCAG 2.2, 1.4.3 and 1.4.11), and the series stay apart for readers with colour-vision deficiencies.

Chapter: all.
"""

from typing import NamedTuple

PAPER = "#ffffff"
INK = "#1f2430"  # text and axes
MUTED = "#5b6270"  # secondary text
GRID = "#d9dce3"
NOTE = "#1b6ca8"  # notes, and the first series of a plot
ACCENT = "#d95f02"  # what the reader should look at: the playhead, the sounding note, the second series
PLUM = "#4d1a4a"
TEAL = "#159a86"
VIOLET = "#9440ee"
SERIES = (NOTE, ACCENT, PLUM, TEAL, VIOLET)


class Theme(NamedTuple):
    """What a piano roll needs to be drawn on light or on dark paper."""

    paper: str
    shade: str  # the rows of the black keys, and the buttons
    grid: str  # beats
    bar: str  # bar lines and borders
    ink: str
    muted: str
    accent: str
    keys: str
    bass: str
    drums: str


LIGHT = Theme(PAPER, "#f1f2f6", GRID, "#858b99", INK, MUTED, ACCENT, keys=NOTE, bass=PLUM, drums=TEAL)
DARK = Theme(
    paper="#1c1e24",
    shade="#272a33",
    grid="#3a3e4a",
    bar="#7c8394",
    ink="#eceef3",
    muted="#a9afbd",
    accent="#ff8a3d",
    keys="#6db6f2",
    bass="#f4d58d",
    drums="#e0559a",
)
