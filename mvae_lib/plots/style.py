"""The look of all figures: one call, `set_style()`, beside the imports of a notebook.

Text of 12 pt on a figure 9 inches wide, stored at 160 dpi or more and 1,440 pixels wide or more, so that it can be read
from the last row of a lecture room. The paper is white in JupyterLab's light and dark theme alike. A title that is too
long for its place is broken into lines, and the picture of a figure carries a text for readers who cannot see it.

Chapter: all.
"""

import io
import math
import textwrap
from collections.abc import Iterator

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from mvae_lib.plots import palette
from mvae_lib.plots.pictures import compact_png

WIDTH, HEIGHT = 9.0, 3.6  # of a figure, in inches
TEXT, TITLE = 12, 13  # in points
DPI = 160
PIXELS = 1440  # a picture is at least so wide; a narrow figure gets more pixels per inch


def set_style() -> None:
    """Give all figures of a notebook the course's look; call it once, beside the imports."""
    plt.rcParams.update(
        {
            "figure.figsize": (WIDTH, HEIGHT),
            "figure.dpi": DPI,
            "figure.facecolor": palette.PAPER,
            "figure.titlesize": TITLE,
            "figure.constrained_layout.use": True,
            "savefig.dpi": "figure",
            "savefig.facecolor": palette.PAPER,
            "axes.facecolor": palette.PAPER,
            "axes.prop_cycle": plt.cycler(color=palette.SERIES),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": palette.MUTED,
            "axes.titlesize": TITLE,
            "axes.titlelocation": "left",
            "axes.labelcolor": palette.INK,
            "axes.axisbelow": True,
            "grid.color": palette.GRID,
            "lines.linewidth": 2,
            "text.color": palette.INK,
            "xtick.color": palette.MUTED,
            "ytick.color": palette.MUTED,
            "font.size": TEXT,
            "legend.frameon": False,
        }
    )
    _show_in_notebook()


def figure_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG, cut to what is drawn, at least PIXELS wide and at least at DPI."""
    fit_texts(figure)
    file = io.BytesIO()
    inches = figure.get_tightbbox().width + 2 * plt.rcParams["savefig.pad_inches"]
    dpi = max(DPI, math.ceil(PIXELS / inches))
    figure.savefig(file, format="png", dpi=dpi, bbox_inches="tight", facecolor=figure.get_facecolor())
    return compact_png(file.getvalue())


def alt_text(figure: Figure) -> str:
    """What the figure says in words: its titles, the quantities on its axes, its series; a drawing, its texts."""
    sentences = [figure.get_suptitle()]
    for ax in figure.axes:
        if not ax.get_visible():
            continue
        if ax.get_label() == "<colorbar>":
            sentences.append(_labelled("Colour", ax.get_ylabel() or ax.get_xlabel()))
            continue
        sentences += [text.get_text() for text in _titles(ax)]
        if not ax.axison:  # a drawing
            sentences += [text.get_text() for text in ax.texts]
            continue
        sentences.append(_labelled("Horizontal axis", ax.get_xlabel()))
        sentences.append(_labelled("Vertical axis", ax.get_ylabel()))
        sentences.append(_series([ax.get_legend()]))
    sentences.append(_series(figure.legends))
    one_line = dict.fromkeys(" ".join(sentence.split()) for sentence in sentences)  # what panels share is said once
    return " ".join(line if line.endswith((".", "?")) else f"{line}." for line in one_line if line)


def fit_texts(figure: Figure) -> None:
    """Break each title and axis label that is too long for its place into lines."""
    figure.draw_without_rendering()  # lays the axes out, so that their places are known
    for text in figure.texts:
        if text.get_text() == figure.get_suptitle():
            _fit(text, figure.bbox.width * 0.98)
    for ax in figure.axes:
        for text in _titles(ax):
            _fit(text, _right_limit(figure, ax) - ax.bbox.x0)
        _fit(ax.xaxis.label, max(ax.bbox.width, 0.2 * figure.bbox.width))
        _fit(ax.yaxis.label, max(ax.bbox.height, 0.4 * figure.bbox.height))


def _show_in_notebook() -> None:
    """Have IPython show a figure as `figure_png`, with `alt_text` in the metadata of the output."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return
    plt.switch_backend(plt.get_backend())  # now, because on its first use the backend puts its own formatter there
    formatter = shell.display_formatter.formatters["image/png"]
    formatter.for_type(Figure, lambda figure: (figure_png(figure), {"alt": alt_text(figure)}) if figure.axes else None)


def _labelled(what: str, name: str) -> str:
    return f"{what}: {name}" if name else ""


def _series(legends: list[Legend | None]) -> str:
    names = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    return _labelled("Series", ", ".join(names))


def _titles(ax: Axes) -> Iterator[Text]:
    texts = {id(text) for text in ax.texts}
    for child in ax.get_children():
        if isinstance(child, Text) and id(child) not in texts and child.get_text():
            yield child


def _right_limit(figure: Figure, ax: Axes) -> float:
    """How far to the right a title of `ax` may reach: to the next axes beside it, or to the edge of the figure."""
    beside = [
        other.bbox.x0
        for other in figure.axes
        if other.get_label() != "<colorbar>"
        and other.bbox.x0 >= ax.bbox.x1
        and other.bbox.y0 < ax.bbox.y1
        and ax.bbox.y0 < other.bbox.y1
    ]
    return min(beside, default=figure.bbox.x1) - 0.01 * figure.bbox.width


def _fit(text: Text, available: float) -> None:
    words = text.get_text()
    box = text.get_window_extent()
    length = box.height if text.get_rotation() == 90 else box.width
    if "\n" in words or "$" in words or length <= available:
        return
    text.set_text(textwrap.fill(words, max(int(len(words) * available / length), 10), break_long_words=False))
