"""Figures: piano rolls and the few charts that the chapters share, in the course's one palette.

Chapter: all. A figure's title states what it shows; the sentence after it in the chapter says the same in words for
readers who cannot see it.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from mvae_lib.evaluation.rate_distortion import lower_hull
from mvae_lib.music.melody import STEPS_PER_BAR, pitch_name, tokens_to_notes
from mvae_lib.plots import palette, style


def piano_roll(tokens: np.ndarray, ax: Axes | None = None, title: str = "", color: str = palette.NOTE) -> Axes:
    """Draw one melody `[steps]`: time in steps to the right, pitch upwards, a line at each bar and each octave's C."""
    ax = ax or plt.gca()
    tokens = np.asarray(tokens)
    notes = tokens_to_notes(tokens)
    low = min((note.pitch for note in notes), default=60) - 2
    high = max((note.pitch for note in notes), default=72) + 2
    for c in range(-(-low // 12) * 12, high + 1, 12):
        ax.axhline(c, color=palette.GRID, linewidth=0.8)
    for note in notes:
        ax.barh(note.pitch, note.end - note.start - 0.15, left=note.start, height=0.85, color=color)
    ax.set(xlim=(0, len(tokens)), ylim=(low, high), title=title)
    ax.xaxis.set_major_locator(MultipleLocator(STEPS_PER_BAR))
    ax.xaxis.set_minor_locator(MultipleLocator(4))
    ax.grid(axis="x", which="major", color=palette.MUTED, linewidth=0.8)
    ax.grid(axis="x", which="minor", linewidth=0.6)
    ax.set_yticks([low + 2, high - 2], [pitch_name(low + 2), pitch_name(high - 2)])
    return ax


def piano_rolls(melodies: Sequence[np.ndarray], titles: Sequence[str], columns: int = 2) -> Figure:
    """A grid of piano rolls with their titles, row by row."""
    rows = -(-len(melodies) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(style.WIDTH, 1.9 * rows), squeeze=False)
    for ax in axes.flat[len(melodies) :]:
        ax.set_visible(False)
    for ax, tokens, title in zip(axes.flat, melodies, titles, strict=False):
        piano_roll(tokens, ax, title)
    return figure


def labelled_bars(names: Sequence[str], values: Sequence[float], title: str, unit: str, highlight: int = -1) -> Axes:
    """Horizontal bars, first name on top, each with its value beside it; the bar `highlight` in the accent colour."""
    _, ax = plt.subplots(figsize=(style.WIDTH, 0.9 + 0.42 * len(names)))
    colors = [palette.ACCENT if i == highlight % len(names) else palette.NOTE for i in range(len(names))]
    bars = ax.barh(names, values, color=colors, height=0.7)
    ax.bar_label(bars, [f"{value:.2f}" for value in values], padding=4)
    ax.invert_yaxis()
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set(title=title, xlabel=unit)
    return ax


def grouped_bars(groups: Sequence[str], series: dict[str, Sequence[float]], title: str) -> Axes:
    """For each group one bar of every series, with its value on top; shares between 0 and 1."""
    _, ax = plt.subplots()
    width = 0.8 / len(series)
    for i, (name, values) in enumerate(series.items()):
        bars = ax.bar(np.arange(len(groups)) + (i + 0.5) * width - 0.4, values, width, label=name)
        ax.bar_label(bars, [f"{value:.2f}" for value in values], padding=1)
    ax.set_xticks(range(len(groups)), groups)
    ax.set(title=title, ylim=(0, 1.1), yticks=[0, 0.5, 1])
    ax.legend(ncols=len(series), loc="upper right")
    return ax


def scatter_by_value(points: np.ndarray, values: np.ndarray, title: str, label: str, ax: Axes | None = None) -> Axes:
    """Points `[N, 2]` coloured by a number each, with the scale beside them."""
    ax = ax or plt.gca()
    dots = ax.scatter(*np.asarray(points).T, c=values, s=12, cmap="viridis", linewidths=0)
    ax.figure.colorbar(dots, ax=ax, label=label)
    ax.set(title=title, xticks=[], yticks=[])
    return ax


def rate_distortion(
    rate: Sequence[float], distortion: Sequence[float], names: Sequence[str], title: str, tangents: Sequence[float] = ()
) -> Axes:
    """Models as points on the plane of rate and distortion (nats per melody), with their lower hull.

    A point above the hull has the accent colour. For each beta of `tangents`, the line of slope -beta that touches the
    hull: on it, distortion + beta * rate is the lowest of all models. Chapter: 06.
    """
    _, ax = plt.subplots(figsize=(style.WIDTH, 4.8))
    rate, distortion = np.asarray(rate, float), np.asarray(distortion, float)
    hull = lower_hull(rate, distortion)
    reach = 0.12 * max(np.ptp(rate), 1.0)
    for beta in tangents:
        best = (distortion + beta * rate).argmin()
        ends = rate[best] + np.array([-reach, reach]) / np.hypot(1, beta)
        line = distortion[best] - beta * (ends - rate[best])
        ax.plot(ends, line, color=palette.MUTED, linewidth=1.5, linestyle="--", zorder=1)
    ax.plot(rate[hull], distortion[hull], color=palette.NOTE, zorder=2)
    colors = [palette.NOTE if i in hull else palette.ACCENT for i in range(len(rate))]
    ax.scatter(rate, distortion, color=colors, zorder=3)
    for i, name in enumerate(names):  # nothing is drawn below the hull, and nothing right of what is above it
        place = {"xytext": (-5, -13), "ha": "right"} if i in hull else {"xytext": (7, 3)}
        ax.annotate(name, (rate[i], distortion[i]), textcoords="offset points", **place)
    ax.set(title=title, xlabel="rate, nats per melody", ylabel="distortion, nats per melody")
    ax.margins(x=0.08, y=0.12)
    ax.grid()
    return ax


def number_grid(
    values: np.ndarray, rows: Sequence[object], columns: Sequence[object], title: str, signed: bool = False
) -> Axes:
    """A table `[rows, columns]` as a picture: each number in a cell that is the darker the larger the number is.

    `signed`: two colours, one for each sign, and white for 0. Chapter: 06.
    """
    values = np.asarray(values, float)
    _, ax = plt.subplots(figsize=(style.WIDTH, 1 + 0.45 * len(rows)))
    depth = np.sqrt(np.abs(values) / max(np.abs(values).max(), 1e-12))  # the root, so that small ones differ too
    scale = {"cmap": "PuOr", "vmin": -1, "vmax": 1} if signed else {"cmap": "Blues", "vmin": 0, "vmax": 1}
    ax.imshow(depth * np.sign(values) if signed else depth, aspect="auto", **scale)
    for (i, j), value in np.ndenumerate(values):
        color = palette.PAPER if depth[i, j] > 0.75 else palette.INK
        ax.text(j, i, f"{value:.1f}".replace("-0.0", "0.0"), ha="center", va="center", color=color)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.set(title=title)
    return ax


def as_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG, and closed: for a `widgets.Image` whose pictures are drawn beforehand."""
    png = style.figure_png(figure)
    plt.close(figure)
    return png


def by_bar(series: dict[str, Sequence[float]], title: str, unit: str, ax: Axes | None = None) -> Axes:
    """One line per series over the positions of the bars in a melody, counted from 1; the scale begins at 0."""
    ax = ax or plt.gca()
    for name, values in series.items():
        ax.plot(range(1, len(values) + 1), values, marker="o", markersize=6, label=name)
    ax.set(title=title, xlabel="bar", ylabel=unit)
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MultipleLocator(4, offset=1))
    ax.grid(axis="y")
    ax.legend()
    return ax


def similarity_matrices(matrices: dict[str, np.ndarray], title: str) -> Figure:
    """Matrices `[bars, bars]` side by side on one scale from 0 to 1, light for alike; bars are counted from 1."""
    figure, axes = plt.subplots(1, len(matrices), figsize=(style.WIDTH, 3.6), squeeze=False)
    for ax, (name, matrix) in zip(axes.flat, matrices.items(), strict=True):
        bars = len(matrix)
        image = ax.imshow(matrix, vmin=0, vmax=1, cmap="viridis", extent=(0.5, bars + 0.5, bars + 0.5, 0.5))
        ax.set_title(name, fontsize=style.TEXT)
        ax.set(xticks=range(1, bars + 1, 4), yticks=range(1, bars + 1, 4))
    axes[0, 0].set(xlabel="bar", ylabel="bar")
    figure.colorbar(image, ax=axes, label="similarity", shrink=0.8)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def along(x: Sequence[float], panels: dict[str, dict[str, Sequence[float]]], title: str, xlabel: str) -> Figure:
    """Panels side by side over one scale: under each panel's name (what is measured, with its unit) its lines by name.

    A line of one number is horizontal: a reference value. The legend, below, is that of the first panel.
    """
    figure, axes = plt.subplots(1, len(panels), squeeze=False)
    for ax, (measure, lines) in zip(axes.flat, panels.items(), strict=True):
        for name, values in lines.items():
            if len(values) == 1:
                ax.axhline(values[0], color=palette.MUTED, linewidth=1.5, linestyle="--", label=name)
            else:
                ax.plot(x, values, marker="o", markersize=6, label=name)
        ax.set_title(measure, fontsize=style.TEXT)
        ax.set_xlabel(xlabel)
        ax.grid(axis="y")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def effects(matrices: dict[str, np.ndarray], rows: Sequence[str], columns: Sequence[str], title: str) -> Figure:
    """Matrices `[rows, columns]` of positive and negative numbers as numbers on colours, above one another.

    What is below .1 in size has its colour and no number, so that the rest can be seen. The first rows, one for each
    column, belong to the columns: their diagonal has a frame.
    """
    figure, axes = plt.subplots(
        len(matrices), 1, figsize=(style.WIDTH, 1 + (0.9 + 0.36 * len(rows)) * len(matrices)), squeeze=False
    )
    for ax, (name, matrix) in zip(axes.flat, matrices.items(), strict=True):
        ax.imshow(matrix, vmin=-2, vmax=2, cmap="PuOr_r", aspect="auto")
        for row, column in np.ndindex(matrix.shape):
            value = matrix[row, column]
            if abs(value) < 0.1 and row != column:
                continue
            ink = "white" if abs(value) > 1 else palette.INK
            number = f"{value:+.1f}".replace("+0.", "+.").replace("-0.", "-.")
            ax.text(column, row, number, ha="center", va="center", color=ink)
            if row == column:
                ax.add_patch(
                    plt.Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=palette.INK, clip_on=False)
                )
        ax.set_title(name, fontsize=style.TEXT)
        ax.set_xticks(range(len(columns)), [column.replace(" ", "\n", 1) for column in columns])
        ax.set_yticks(range(len(rows)), rows)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    figure.suptitle(title, x=0.01, ha="left")
    return figure
