"""Drawings of recurrent networks: the gates of an LSTM cell, and the flat MusicVAE unrolled over its steps.

    lstm_cell()
    unrolled(config.get_config("mel_2bar").model)

Every arrow carries the name of what flows along it; where a size is known, its shape stands beside the name.

Chapter: 05.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvae_lib.models.config import ModelConfig
from mvae_lib.plots import palette, style

_COLUMNS = (1.7, 4.1, 6.5, 11.6)  # of steps 1, 2, 3 and the last one
_HALF_WIDTH, _HALF_HEIGHT = 0.85, 0.36  # of a cell


def lstm_cell(title: str = "") -> Figure:
    """One step of an LSTM: three gates and a candidate make the new cell state, and it makes the new output."""
    figure, ax = plt.subplots(figsize=(style.WIDTH, 4.2))
    ax.set(xlim=(0, 13), ylim=(-0.9, 5.1), title=title)
    ax.axis("off")
    gates = (
        (2.6, "forget gate f\nsigmoid", palette.TEAL),
        (5.1, "input gate i\nsigmoid", palette.TEAL),
        (7.6, "candidate g\ntanh", palette.PLUM),
        (10.1, "output gate o\nsigmoid", palette.TEAL),
    )
    _line(ax, [(0.4, 0), (10.1, 0)])
    ax.text(0.4, -0.12, "x and the previous h", ha="left", va="top")
    for x, name, color in gates:
        _arrow(ax, (x, 0), (x, 0.84))
        _box(ax, x, 1.3, 2.1, 0.92, name, color)
    _circle(ax, 2.6, 4.2, "×")
    _circle(ax, 6.35, 2.9, "×")
    _circle(ax, 6.35, 4.2, "+")
    _box(ax, 8.4, 4.2, 1.1, 0.7, "tanh", palette.MUTED)
    _circle(ax, 10.1, 4.2, "×")
    _arrow(ax, (0.4, 4.2), (2.32, 4.2))
    ax.text(0.4, 4.32, "previous c", ha="left", va="bottom")
    _arrow(ax, (2.6, 1.76), (2.6, 3.9))
    _arrow(ax, (2.88, 4.2), (6.07, 4.2))
    _arrow(ax, (5.1, 1.76), (6.12, 2.72))
    _arrow(ax, (7.6, 1.76), (6.58, 2.72))
    _arrow(ax, (6.35, 3.18), (6.35, 3.92))
    _arrow(ax, (6.63, 4.2), (7.85, 4.2))
    _arrow(ax, (8.95, 4.2), (9.82, 4.2))
    _arrow(ax, (10.1, 1.76), (10.1, 3.92))
    _arrow(ax, (10.38, 4.2), (12.6, 4.2))
    ax.text(12.6, 4.32, "new h", ha="right", va="bottom")
    _line(ax, [(7.2, 4.2), (7.2, 4.85)])
    _arrow(ax, (7.2, 4.85), (12.6, 4.85))
    ax.text(12.6, 4.9, "new c", ha="right", va="bottom")
    return figure


def unrolled(config: ModelConfig, title: str = "") -> Figure:
    """Encoder (both directions), z and flat decoder, each a row of cells, with the shape of what flows between them.

    Raises ValueError for a model with a conductor, which `diagrams.music_vae` draws.
    """
    if config.hierarchical:
        raise ValueError("this drawing is of flat decoders; a conductor is drawn by diagrams.music_vae")
    units, steps, classes = config.encoder_units, config.steps, sum(config.vocab_sizes)
    figure, ax = plt.subplots(figsize=(style.WIDTH, 6.6))
    ax.set(xlim=(-0.1, 15.2), ylim=(-9.5, 1.0), title=title)
    ax.axis("off")
    for x, step in zip(_COLUMNS, (1, 2, 3, steps), strict=True):
        ax.text(x, 0.45, f"x{_subscript(step)}", ha="center", va="center")
        _arrow(ax, (x, 0.15), (x, -0.64))
        _line(ax, [(x - 1.05, -0.25), (x, -0.25)])
        _line(ax, [(x - 1.05, -0.25), (x - 1.05, -1.6), (x - 0.5, -1.6)])
        _arrow(ax, (x - 0.5, -1.6), (x - 0.5, -2.3 + _HALF_HEIGHT))
        _box(ax, x, -1.0, 2 * _HALF_WIDTH, 2 * _HALF_HEIGHT, "LSTM →", palette.TEAL)
        _box(ax, x, -2.3, 2 * _HALF_WIDTH, 2 * _HALF_HEIGHT, "LSTM ←", palette.PLUM)
    _row(ax, -1.0, forwards=True)
    _row(ax, -2.3, forwards=False)
    ax.text(15.2, 0.45, f"one-hot [B, {steps}, {classes}]", ha="right", va="center")
    _line(ax, [(_COLUMNS[-1] + _HALF_WIDTH, -1.0), (14.3, -1.0)])
    _arrow(ax, (14.3, -1.0), (14.3, -3.34))
    ax.text(14.15, -1.65, f"final state\n[B, {units}]", ha="right", va="center")
    _line(ax, [(_COLUMNS[0] - _HALF_WIDTH, -2.3), (0.25, -2.3), (0.25, -3.05), (13.4, -3.05)])
    _arrow(ax, (13.4, -3.05), (13.4, -3.34))
    ax.text(9.05, -2.97, f"final state [B, {units}]", ha="center", va="bottom")
    _box(ax, 13.5, -3.7, 3.2, 2 * _HALF_HEIGHT, f"mu, sigma [B, {config.z_size}]", palette.TEAL)
    _arrow(ax, (11.9, -3.7), (9.7, -3.7), "sample")
    _box(ax, 8.4, -3.7, 2.6, 2 * _HALF_HEIGHT, f"z [B, {config.z_size}]", palette.ACCENT)
    _decoder(ax, config)
    return figure


def _decoder(ax: Axes, config: ModelConfig) -> None:
    y, steps, classes = -6.6, config.steps, sum(config.vocab_sizes)
    _line(ax, [(7.1, -3.7), (0.25, -3.7), (0.25, y)])
    _arrow(ax, (0.25, y), (_COLUMNS[0] - _HALF_WIDTH, y))
    ax.text(0.4, -4.25, "tanh of a linear layer: initial h and c", ha="left", va="center")
    _line(ax, [(8.4, -4.06), (8.4, -4.8)])
    _line(ax, [(_COLUMNS[0] + 0.4, -4.8), (_COLUMNS[-1] + 0.4, -4.8)])
    role = "z at each step, plus a projection of its own (ours)" if config.per_step_z else "z at each step"
    ax.text(8.6, -4.4, role, ha="left", va="center")
    inputs = ("zeros", "x₁", "x₂", f"x{_subscript(steps - 1)}")
    for x, step, token in zip(_COLUMNS, (1, 2, 3, steps), inputs, strict=True):
        _arrow(ax, (x + 0.4, -4.8), (x + 0.4, y + _HALF_HEIGHT))
        ax.text(x - 0.4, -5.35, token, ha="center", va="bottom")
        _arrow(ax, (x - 0.4, -5.4), (x - 0.4, y + _HALF_HEIGHT))
        _box(ax, x, y, 2 * _HALF_WIDTH, 2 * _HALF_HEIGHT, "LSTM", palette.NOTE)
        _arrow(ax, (x, y - _HALF_HEIGHT), (x, -8.0))
        ax.text(x, -8.1, f"softmax\np(x{_subscript(step)})", ha="center", va="top")
    _row(ax, y, forwards=True)
    ax.text(15.2, y, f"h, c\n[B, {config.decoder_units}]", ha="right", va="center")
    ax.text(15.2, -8.1, f"logits\n[B, {steps}, {classes}]", ha="right", va="top")


def _row(ax: Axes, y: float, forwards: bool) -> None:
    """The arrows from cell to cell; between the third and the last one, dots."""
    ends = [(left + _HALF_WIDTH, right - _HALF_WIDTH) for left, right in pairwise(_COLUMNS)]
    for start, end in ends:
        _arrow(ax, *(((start, y), (end, y)) if forwards else ((end, y), (start, y))))
    middle = sum(ends[-1]) / 2
    ax.text(middle, y, " ... ", ha="center", va="center", backgroundcolor=palette.PAPER)


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _box(ax: Axes, x: float, y: float, width: float, height: float, text: str, color: str) -> None:
    corner = (x - width / 2, y - height / 2)
    ax.add_patch(plt.Rectangle(corner, width, height, facecolor=palette.PAPER, edgecolor=color, linewidth=1.8))
    ax.text(x, y, text, ha="center", va="center")


def _circle(ax: Axes, x: float, y: float, sign: str) -> None:
    ax.plot([x], [y], "o", markersize=22, markerfacecolor=palette.PAPER, markeredgecolor=palette.INK)
    ax.text(x, y, sign, ha="center", va="center_baseline")


def _line(ax: Axes, points: list[tuple[float, float]]) -> None:
    ax.plot(*zip(*points, strict=True), color=palette.INK, linewidth=1.2, solid_capstyle="butt", zorder=0)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], label: str = "") -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": palette.INK, "shrinkA": 0, "shrinkB": 0})
    ax.text((start[0] + end[0]) / 2, start[1] + 0.1, label, ha="center", va="bottom")
