"""A drawing of MusicVAE as a configuration makes it, with the shape of what flows along the arrows.

    music_vae(config.get_config("mel_16bar_hier").model)

Encoder, posterior and z are on top. Below them, the decoder is unrolled: a flat one over steps, a hierarchical one over
bars. The tokens that it reads are drawn as inputs, because they are the second way by which music reaches a step.

Chapter: 05, 08.
"""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvae_lib.models.config import ModelConfig
from mvae_lib.plots import palette, style

Point = tuple[float, float]

_WIDTH, _ROW = 17.8, 2.2  # of the drawing, and from one row to the next, in units of its own: two to an inch
_HALF = 0.55  # of a box's height
_PLACES = (2.6, 8.6, 15.2)  # of the first, the second and the last bar or step
_PART = 5.0  # width of the box of one bar or step
_Z = 16.4  # position of z


def music_vae(config: ModelConfig, title: str = "") -> Figure:
    """From the tokens on top to the logits below: encoder, z, the conductor if there is one, the (core) decoder."""
    rows = 4 if config.hierarchical else 3
    bottom = -_ROW * (rows - 1) - 0.75
    figure, ax = plt.subplots(figsize=(style.WIDTH, (0.85 - bottom) / 2 + 0.3))
    ax.set(xlim=(-0.1, _WIDTH + 0.1), ylim=(bottom, 0.85), title=title)
    ax.axis("off")
    _encoder(ax, config)
    _decoder_under_conductor(ax, config) if config.hierarchical else _flat_decoder(ax, config)
    return figure


def _encoder(ax: Axes, config: ModelConfig) -> None:
    units, z = config.encoder_units, config.z_size
    _box(ax, 1.4, 0, 2.6, f"tokens\n{_shape(config.steps, tracks=len(config.vocab_sizes))}", palette.MUTED)
    _arrow(ax, (2.7, 0), (3.3, 0))
    lstm = _lstm(config.encoder_layers)
    who = f"encoder, bar by bar (ours): {lstm}" if config.bar_encoder else f"bidirectional encoder: {lstm}"
    _box(ax, 6.8, 0, 7.0, f"{who}\n{units} units in each direction", palette.TEAL)
    _arrow(ax, (10.3, 0), (10.9, 0))
    _box(ax, 12.2, 0, 2.6, f"mu, sigma\n[B, {z}]", palette.TEAL)
    _arrow(ax, (13.5, 0), (15.1, 0), "sample")
    _box(ax, _Z, 0, 2.6, f"z\n[B, {z}]", palette.ACCENT)


def _decoder_under_conductor(ax: Axes, config: ModelConfig) -> None:
    conductor, core, tracks = -_ROW, -2 * _ROW, len(config.vocab_sizes)
    line = -_ROW / 2  # on which z is brought to the left
    _line(ax, (_Z, -_HALF), (_Z, line))
    _line(ax, (_Z, line), (_PLACES[0], line))
    _arrow(ax, (_PLACES[0], line), (_PLACES[0], conductor + _HALF))
    ax.text(_PLACES[0] + 0.3, line - 0.08, "initial state: tanh(W z + b)", ha="left", va="top")
    if config.per_bar_z:
        ax.text(_Z - 0.3, line - 0.08, "and a projection of z for each bar (ours)", ha="right", va="top")
    cores = f"{tracks} core decoders" if tracks > 1 else "core decoder"
    lstm, steps = f"{_lstm(config.conductor_layers)}, {config.conductor_units} units", config.steps_per_bar
    for x, bar in zip(_PLACES, (1, 2, config.bars), strict=True):
        _box(ax, x, conductor, _PART, f"conductor, bar {bar}\n{lstm}", palette.PLUM)
        _arrow(ax, (x, conductor - _HALF), (x, core + _HALF), f"embedding\n[B, {config.conductor_units}]", "right")
        _box(ax, x, core, _PART, f"{cores}\n{_lstm(config.decoder_layers)}, {steps} steps", palette.NOTE)
        _reads_and_writes(ax, x, core, (bar - 1) * steps, bar * steps)
    _state(ax, conductor)
    ax.text((_PLACES[1] + _PLACES[2]) / 2, core, "no state\ncrosses", ha="center", va="center", color=palette.MUTED)


def _flat_decoder(ax: Axes, config: ModelConfig) -> None:
    decoder, line = -_ROW, -_ROW / 2
    _line(ax, (_Z, -_HALF), (_Z, line))
    _line(ax, (_Z, line), (_PLACES[0], line))
    lstm = f"{_lstm(config.decoder_layers)}, {config.decoder_units} units"
    for x, step in zip(_PLACES, (1, 2, config.steps), strict=True):
        _arrow(ax, (x, line), (x, decoder + _HALF))
        _box(ax, x, decoder, _PART, f"decoder, step {step}\n{lstm}", palette.NOTE)
        _reads_and_writes(ax, x, decoder, step - 1, step)
    _state(ax, decoder)
    ax.text(_PLACES[0] + 0.3, line + 0.08, f"initial state, and {_read_of_z(config)} at each step", va="bottom")


def _read_of_z(config: ModelConfig) -> str:
    """What a flat decoder reads beside the previous token."""
    read = "z"
    if config.per_step_z:
        read = "z with a projection for each step (ours)"
    elif config.per_bar_z:
        read = "z with a projection for each bar (ours)"
    return f"{read} and the bar's number (ours)" if config.bar_counter else read


def _reads_and_writes(ax: Axes, x: float, y: float, first: int, last: int) -> None:
    """Below a decoder's box: the previous tokens `first` .. `last` - 1 that it reads, the steps that it writes."""
    low = y - _ROW
    for side, name, start, end in (
        (-1.3, f"reads\n{_span(first, last - 1)}", low + _HALF, y - _HALF),
        (1.3, f"logits\n{_span(first + 1, last)}", y - _HALF, low + _HALF),
    ):
        _arrow(ax, (x + side, start), (x + side, end))
        _box(ax, x + side, low, 2.4, name, palette.MUTED)


def _span(first: int, last: int) -> str:
    return f"token {first}" if first == last else f"{first} to {last}"


def _state(ax: Axes, y: float) -> None:
    """The LSTM's state from the first place to the second, and on to the last."""
    one, two, last = _PLACES
    _arrow(ax, (one + _PART / 2, y), (two - _PART / 2, y), "h, c")
    _arrow(ax, (two + _PART / 2, y), (last - _PART / 2, y), "h, c, ...")


def _box(ax: Axes, x: float, y: float, width: float, text: str, color: str) -> None:
    corner = (x - width / 2, y - _HALF)
    ax.add_patch(plt.Rectangle(corner, width, 2 * _HALF, facecolor=palette.PAPER, edgecolor=color, linewidth=1.8))
    ax.text(x, y, text, ha="center", va="center")


def _line(ax: Axes, start: Point, end: Point) -> None:
    ax.plot(*zip(start, end, strict=True), color=palette.INK, linewidth=1.2)


def _arrow(ax: Axes, start: Point, end: Point, label: str = "", side: str = "above") -> None:
    """An arrow with its label above it, or to the right of it."""
    look = {"arrowstyle": "-|>", "color": palette.INK, "shrinkA": 0, "shrinkB": 0, "linewidth": 1.2}
    ax.annotate("", end, start, arrowprops=look)
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    if side == "above":
        ax.text(x, y + 0.1, label, ha="center", va="bottom")
    else:
        ax.text(x + 0.2, y, label, ha="left", va="center")


def _shape(steps: int, tracks: int = 1) -> str:
    return f"[B, {steps}, {tracks}]" if tracks > 1 else f"[B, {steps}]"


def _lstm(layers: int) -> str:
    return f"{layers}-layer LSTM" if layers > 1 else "LSTM"
