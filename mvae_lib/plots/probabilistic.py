"""Two drawings of the variational autoencoder: as a graphical model, and as a computation graph.

    graphical_model("The decoder generates x from z; the encoder infers z from x.")
    computation_graph(steps=32, classes=90, z_size=32, title="The gradient reaches theta and phi.")

In both, a circle is a random variable and a shaded circle one that is observed; a box is a deterministic function.

Chapter: 03. Source: Kingma and Welling 2014, figure 1 (the graphical model).
"""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from mvae_lib.plots import palette

_RADIUS = 0.62  # of a circle, in units of the drawing
_HALF = 0.62  # of a box's height


def graphical_model(title: str = "") -> Figure:
    """z and x on a plate of N melodies: solid arrows p(z) p_theta(x | z), dashed arrows q_phi(z | x)."""
    figure, ax = _canvas(18, 5.4, title)
    ax.add_patch(FancyBboxPatch((4.6, 0.35), 8.8, 4.6, facecolor="none", edgecolor=palette.MUTED, linewidth=1.5))
    ax.text(13.2, 0.45, "N melodies", ha="right", va="bottom", color=palette.MUTED)
    _circle(ax, 6.4, 2.9, "$z$")
    _circle(ax, 11.6, 2.9, "$x$", observed=True)
    ax.text(6.4, 1.95, "latent vector", ha="center", va="center")
    ax.text(11.6, 1.95, "melody, observed", ha="center", va="center")
    ax.text(2.0, 2.9, r"$\phi$", ha="center", va="center", fontsize=plt.rcParams["font.size"] + 4)
    ax.text(16.0, 2.9, r"$\theta$", ha="center", va="center", fontsize=plt.rcParams["font.size"] + 4)
    ax.text(2.0, 2.1, "encoder\nparameters", ha="center", va="center")
    ax.text(16.0, 2.1, "decoder\nparameters", ha="center", va="center")
    _arrow(ax, (6.95, 2.6), (11.05, 2.6), palette.NOTE, bend=0.18)  # generation
    _arrow(ax, (15.6, 2.9), (11.6 + _RADIUS, 2.9), palette.NOTE)
    _arrow(ax, (11.05, 3.2), (6.95, 3.2), palette.ACCENT, bend=0.18, dashed=True)  # inference
    _arrow(ax, (2.4, 2.9), (6.4 - _RADIUS, 2.9), palette.ACCENT, dashed=True)
    ax.text(9, 4.2, r"inference: $q_\phi(z \mid x)$", ha="center", va="center", color=palette.ACCENT)
    ax.text(9, 1.35, r"generation: $p(z)\,p_\theta(x \mid z)$", ha="center", va="center", color=palette.NOTE)
    return figure


def computation_graph(steps: int, classes: int, z_size: int, title: str = "") -> Figure:
    """From x to the loss, with the shape at each node; dashed arrows show where the gradient flows back.

    `steps`, `classes` and `z_size` are the sizes that are written into the shapes; B is the batch.
    """
    figure, ax = _canvas(18, 7.1, title)
    _circle(ax, 1.0, 4.4, "$x$", observed=True)
    ax.text(1.0, 3.5, f"[B, {steps}]", ha="center", va="center")
    _box(ax, 3.9, 4.4, 2.6, "encoder\n" + r"parameters $\phi$", palette.ACCENT)
    _box(ax, 7.2, 4.4, 2.2, r"$\mu,\ \sigma$" + f"\n[B, {z_size}]", palette.INK)
    _box(ax, 10.8, 4.4, 3.0, r"$z = \mu + \sigma\,\epsilon$" + f"\n[B, {z_size}]", palette.INK)
    _circle(ax, 10.8, 6.4, r"$\epsilon$")
    ax.text(11.7, 6.4, r"sampled from $N(0, I)$: no gradient", ha="left", va="center")
    _box(ax, 14.3, 4.4, 2.6, "decoder\n" + r"parameters $\theta$", palette.NOTE)
    ax.text(15.5, 2.8, f"logits\n[B, {steps}, {classes}]", ha="left", va="center")
    _box(ax, 7.2, 1.2, 4.2, r"rate: KL$(q_\phi(z|x)\,\|\,p(z))$" + "\n[B]", palette.INK)
    _box(ax, 14.3, 1.2, 4.2, r"distortion: $-\log p_\theta(x|z)$" + "\n[B]", palette.INK)
    _box(ax, 10.75, 1.2, 1.7, "loss", palette.PLUM)
    forward = [
        ((1.0 + _RADIUS, 4.4), (2.6, 4.4)),
        ((5.2, 4.4), (6.1, 4.4)),
        ((8.3, 4.4), (9.3, 4.4)),
        ((10.8, 6.4 - _RADIUS), (10.8, 4.4 + _HALF)),
        ((12.3, 4.4), (13.0, 4.4)),
        ((15.2, 4.4 - _HALF), (15.2, 1.2 + _HALF)),
        ((6.8, 4.4 - _HALF), (6.8, 1.2 + _HALF)),
        ((9.3, 1.2), (9.9, 1.2)),
        ((12.2, 1.2), (11.6, 1.2)),
    ]
    for start, end in forward:
        _arrow(ax, start, end, palette.INK)
    backward = [  # of the gradient
        ((13.9, 1.2 + _HALF), (13.9, 4.4 - _HALF)),
        ((13.5, 4.4 - _HALF), (11.4, 4.4 - _HALF)),
        ((10.2, 4.4 - _HALF), (7.9, 4.4 - _HALF)),
        ((7.6, 1.2 + _HALF), (7.6, 4.4 - _HALF)),
        ((6.5, 4.4 - _HALF), (4.5, 4.4 - _HALF)),
    ]
    for start, end in backward:
        bend = 0.0 if start[0] == end[0] else -0.35
        _arrow(ax, start, end, palette.TEAL, bend=bend, dashed=True)
    ax.text(10.75, 2.75, "dashed: gradient", ha="center", va="center")
    return figure


def _canvas(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """A figure of the style's width without axes, in which one unit is as long to the right as upwards."""
    inches = plt.rcParams["figure.figsize"][0]
    figure, ax = plt.subplots(figsize=(inches, inches * height / width + 0.4))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal", title=title)
    ax.axis("off")
    return figure, ax


def _circle(ax: Axes, x: float, y: float, text: str, observed: bool = False) -> None:
    face = palette.GRID if observed else palette.PAPER
    ax.add_patch(Circle((x, y), _RADIUS, facecolor=face, edgecolor=palette.INK, linewidth=1.8))
    ax.text(x, y, text, ha="center", va="center", fontsize=plt.rcParams["font.size"] + 2)


def _box(ax: Axes, x: float, y: float, width: float, text: str, color: str) -> None:
    corner = (x - width / 2, y - _HALF)
    ax.add_patch(plt.Rectangle(corner, width, 2 * _HALF, facecolor=palette.PAPER, edgecolor=color, linewidth=1.8))
    ax.text(x, y, text, ha="center", va="center")


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str,
    bend: float = 0.0,
    dashed: bool = False,
) -> None:
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=16,
            connectionstyle=f"arc3,rad={bend}",
            linestyle="--" if dashed else "-",
            linewidth=1.8,
            color=color,
            shrinkA=0,
            shrinkB=0,
        )
    )
