"""A drawing of the course: its chapters, what each one is about, and the order in which they build on one another.

    course_map()

Chapter: 00.
"""

import textwrap
from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvae_lib.plots import palette, style


class Chapter(NamedTuple):
    """A chapter as the README, the notebook and the drawing name it."""

    number: int
    title: str
    about: str  # in a few words, a line each


class Part(NamedTuple):
    """Chapters with a common subject, a row of the drawing."""

    title: str
    color: str
    chapters: tuple[Chapter, ...]


PARTS = (
    Part(
        "Music",
        palette.MUTED,
        (
            Chapter(0, "Start here", "between two melodies,\ninstallation check"),
            Chapter(1, "Music as data", "tokens, splits,\nn-gram model"),
        ),
    ),
    Part(
        "Latent variables",
        palette.NOTE,
        (
            Chapter(2, "Autoencoders and their holes", "reconstruction, PCA,\nlatent sizes"),
            Chapter(3, "The variational autoencoder", "prior, posterior, ELBO"),
            Chapter(4, "The reparameterization trick", "gradients through\nrandom samples"),
        ),
    ),
    Part(
        "Sequences",
        palette.ACCENT,
        (
            Chapter(5, "Two bars with an LSTM", "teacher forcing,\nMusicVAE's flat model"),
            Chapter(6, "beta-VAE, rate and distortion", "distortion saved per\nnat of rate"),
            Chapter(7, "Posterior collapse", "decoders that ignore z,\nand remedies"),
        ),
    ),
    Part(
        "MusicVAE",
        palette.PLUM,
        (
            Chapter(8, "The hierarchical decoder", "sixteen bars,\nconductor and core"),
            Chapter(9, "Playing the latent space", "interpolation, attributes,\nexplorers"),
        ),
    ),
)
CHAPTERS = tuple(chapter for part in PARTS for chapter in part.chapters)
_BOX, _GAP = 2.75, 0.35  # the width of a box, and between two boxes
_HEIGHT, _ROW = 1.0, 1.6  # the height of a box, and from row to row
_ENTRY = 1.9  # where an arrow from the row above enters a box, from its left edge


def course_map() -> Figure:
    """All chapters in order, a row for each part; the arrows lead from a chapter to the one that builds on it."""
    figure, ax = plt.subplots(figsize=(style.WIDTH, 6.2))
    ax.set(
        xlim=(-0.03, 3 * _BOX + 2 * _GAP + 0.03),
        ylim=(-_ROW * (len(PARTS) - 1) - _HEIGHT / 2 - 0.03, _HEIGHT / 2 + 0.35),
    )
    ax.set_title("The course leads from autoencoders to MusicVAE in nine steps, each built on the one before")
    ax.axis("off")
    last = None
    for row, part in enumerate(PARTS):
        y = -_ROW * row
        ax.text(0, y + _HEIGHT / 2 + 0.07, part.title, ha="left", va="bottom", color=part.color, weight="bold")
        for column, chapter in enumerate(part.chapters):
            x = column * (_BOX + _GAP)
            _box(ax, x, y, chapter, part.color)
            if last is not None:
                _arrow(ax, last, (x, y))
            last = (x, y)
    return figure


def _box(ax: Axes, x: float, y: float, chapter: Chapter, color: str) -> None:
    corner = (x, y - _HEIGHT / 2)
    ax.add_patch(plt.Rectangle(corner, _BOX, _HEIGHT, facecolor=palette.PAPER, edgecolor=color, linewidth=2))
    title = textwrap.fill(f"{chapter.number:02} {chapter.title}", 24)
    ax.text(x + 0.1, y + _HEIGHT / 2 - 0.08, title, ha="left", va="top", weight="bold", linespacing=1.1)
    ax.text(x + 0.1, y - _HEIGHT / 2 + 0.08, chapter.about, ha="left", va="bottom", linespacing=1.1)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From the right edge of a box to the left edge of the next; to the next row by the space between the rows."""
    arrow = {"arrowstyle": "-|>", "color": palette.INK, "shrinkA": 0, "shrinkB": 0}
    if start[1] == end[1]:
        ax.annotate("", end, (start[0] + _BOX, start[1]), arrowprops=arrow)
        return
    bottom, top = start[1] - _HEIGHT / 2, end[1] + _HEIGHT / 2
    between, out, entry = (bottom + top) / 2, start[0] + _BOX / 2, end[0] + _ENTRY
    ax.plot([out, out, entry], [bottom, between, between], color=palette.INK, linewidth=1)
    ax.annotate("", (entry, top), (entry, between), arrowprops=arrow)
