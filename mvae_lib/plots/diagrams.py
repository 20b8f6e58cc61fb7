"""A drawing of MusicVAE as a configuration makes it, with the shape of what flows along each arrow.

    music_vae(config.get_config("mel_16bar_hier_projected").model)

Chapter: 08.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvae_lib.models.config import ModelConfig
from mvae_lib.plots import palette, style

_WIDTH, _ROW = 15.0, 2.0  # of the drawing, and from one row to the next, in units of its own
_HALF = 0.45  # of a box's height
_BARS = (1.3, 4.7, 8.1, 13.7)  # positions of bars 1, 2, 3 and the last one
_Z = 14.2  # position of z


def music_vae(config: ModelConfig, title: str = "") -> Figure:
    """From the tokens above to the logits below: encoder, z, the conductor if there is one, the (core) decoder."""
    rows = 4 if config.hierarchical else 3
    figure, ax = plt.subplots(figsize=(style.WIDTH, 1.45 * rows))
    ax.set(xlim=(-0.2, _WIDTH + 0.2), ylim=(-_ROW * (rows - 1) - 0.6, 0.9), title=title)
    ax.axis("off")
    _encoder(ax, config)
    _decoder_under_conductor(ax, config) if config.hierarchical else _flat_decoder(ax, config)
    return figure


def _encoder(ax: Axes, config: ModelConfig) -> None:
    units, z = config.encoder_units, config.z_size
    _box(ax, 1.1, 0, 2.2, f"tokens\n{_shape(config.steps, tracks=len(config.vocab_sizes))}", palette.MUTED)
    _arrow(ax, (2.2, 0), (2.9, 0))
    who = "encoder (ours), bar by bar" if config.bar_encoder else "encoder"
    lstm = f"{who}: {_layers(config.encoder_layers)}LSTM\n{units} forwards, {units} backwards"
    _box(ax, 5.5, 0, 5.2, lstm, palette.TEAL)
    _arrow(ax, (8.1, 0), (9.8, 0), f"[B, {(config.bars if config.bar_encoder else 1) * 2 * units}]")
    _box(ax, 10.9, 0, 2.2, f"mu, sigma\n[B, {z}]", palette.TEAL)
    _arrow(ax, (12, 0), (13.4, 0), "sample")
    _box(ax, _Z, 0, 1.6, f"z\n[B, {z}]", palette.ACCENT)
    _arrow(ax, (_Z, -_HALF), (_Z, _HALF - _ROW))


def _decoder_under_conductor(ax: Axes, config: ModelConfig) -> None:
    units, conductor, core = config.conductor_units, -_ROW, -2 * _ROW
    lstm = f"conductor: {_layers(config.conductor_layers)}LSTM, {units} units, {config.bars} steps, one for each bar"
    _box(ax, _WIDTH / 2, conductor, _WIDTH, lstm, palette.PLUM)
    role = "initial state, and a projection for each bar (ours)" if config.per_bar_z else "initial state"
    ax.text(_Z - 0.2, conductor / 2, role, ha="right", va="center")
    numbers = (1, 2, 3, config.bars)
    cores = f"{len(config.vocab_sizes)} core decoders" if len(config.vocab_sizes) > 1 else "core decoder"
    for x, bar in zip(_BARS, numbers, strict=True):
        _arrow(ax, (x, conductor - _HALF), (x, core + _HALF), f"bar {bar}: [B, {units}]", "left" if x > 12 else "right")
        _box(ax, x, core, 2.4, f"{cores}\n{config.steps_per_bar} steps", palette.NOTE)
        _arrow(ax, (x, core - _HALF), (x, core - _ROW + _HALF))
    for (x, following), label in zip(pairwise(_BARS), ("token", "token", "..."), strict=True):
        _arrow(ax, (x + 1.2, core), (following - 1.2, core), label, dashed=True)
    _box(ax, _WIDTH / 2, core - _ROW, _WIDTH, f"logits {_shape(config.steps, sum(config.vocab_sizes))}", palette.MUTED)


def _flat_decoder(ax: Axes, config: ModelConfig) -> None:
    lstm = f"decoder: {_layers(config.decoder_layers)}LSTM, {config.decoder_units} units, {config.steps} steps"
    ax.text(_Z - 0.2, -_ROW / 2, "initial state, and part of the input at each step", ha="right", va="center")
    _box(ax, _WIDTH / 2, -_ROW, _WIDTH, lstm, palette.NOTE)
    _arrow(ax, (_WIDTH / 2, -_ROW - _HALF), (_WIDTH / 2, _HALF - 2 * _ROW))
    _box(ax, _WIDTH / 2, -2 * _ROW, _WIDTH, f"logits {_shape(config.steps, sum(config.vocab_sizes))}", palette.MUTED)


def _box(ax: Axes, x: float, y: float, width: float, text: str, color: str) -> None:
    corner = (x - width / 2, y - _HALF)
    ax.add_patch(plt.Rectangle(corner, width, 2 * _HALF, facecolor=palette.PAPER, edgecolor=color, linewidth=1.8))
    ax.text(x, y, text, ha="center", va="center")


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    label: str = "",
    side: str = "above",
    dashed: bool = False,
) -> None:
    style = {
        "arrowstyle": "-|>",
        "color": palette.INK,
        "linestyle": "--" if dashed else "-",
        "shrinkA": 0,
        "shrinkB": 0,
    }
    ax.annotate("", end, start, arrowprops=style)
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    if side == "above":
        ax.text(x, y + 0.12, label, ha="center", va="bottom")
    else:
        gap, align = (0.12, "left") if side == "right" else (-0.12, "right")
        ax.text(x + gap, y, label, ha=align, va="center")


def _shape(steps: int, classes: int = 0, tracks: int = 1) -> str:
    sizes = ["B", str(steps)] + ([str(tracks)] if tracks > 1 else []) + ([str(classes)] if classes else [])
    return f"[{', '.join(sizes)}]"


def _layers(number: int) -> str:
    return f"{number} layers of " if number > 1 else ""
