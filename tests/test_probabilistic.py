"""The drawings of chapter 03: what they name, where the arrows lead, and that nothing covers anything."""

from itertools import combinations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyArrowPatch

from mvae_lib import plots
from mvae_lib.plots import palette, probabilistic


@pytest.fixture(autouse=True)
def figure_style():
    with plt.rc_context():
        plots.set_style()
        yield
    plt.close("all")


def graph():
    return probabilistic.computation_graph(steps=16, classes=90, z_size=2, title="A sentence.")


DRAWINGS = pytest.mark.parametrize(
    "draw", [lambda: probabilistic.graphical_model("A sentence."), graph], ids=["model", "graph"]
)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def arrows(figure, dashed):
    found = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    return [patch for patch in found if (patch.get_linestyle() == "--") is dashed]


@DRAWINGS
def test_no_text_covers_another_and_none_leaves_the_figure(draw):
    figure = draw()
    figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
    for (one, box), (other, beside) in combinations(boxes.items(), 2):
        assert not box.overlaps(beside), (one, other)
    for name, box in boxes.items():
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1, name


@DRAWINGS
def test_the_title_is_shown_and_x_is_the_only_observed_variable(draw):
    figure = draw()
    ax = figure.axes[0]
    assert "A sentence." in (ax.get_title(), ax.get_title(loc="left"))
    fills = [to_hex(patch.get_facecolor()) for patch in ax.patches if isinstance(patch, Circle)]
    assert sorted(fills) == sorted([palette.GRID, palette.PAPER])


def test_generation_is_solid_and_inference_is_dashed():
    figure = probabilistic.graphical_model()
    assert {"$z$", "$x$", r"$\phi$", r"$\theta$", "N melodies"} <= set(texts(figure))
    for dashed, color in ((False, palette.NOTE), (True, palette.ACCENT)):
        colors = [to_hex(patch.get_edgecolor()) for patch in arrows(figure, dashed)]
        assert colors == [color] * 2


def test_shapes_are_those_of_the_model_and_the_noise_gets_no_gradient():
    figure = graph()
    assert any("logits\n[B, 16, 90]" in text for text in texts(figure))
    assert sum("[B, 2]" in text for text in texts(figure)) == 2  # mu and sigma, z
    assert len(arrows(figure, dashed=True)) == 5
    top = max(patch.get_path().get_extents().y1 for patch in arrows(figure, dashed=True))
    noise = max(patch.center[1] for patch in figure.axes[0].patches if isinstance(patch, Circle))
    assert noise - probabilistic._RADIUS > top
