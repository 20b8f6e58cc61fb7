import io
import itertools

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from mvae_lib import plots
from mvae_lib.plots import course, palette, style
from mvae_lib.plots.pictures import TOLERANCE, compact_png


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_piano_roll_draws_each_note_where_it_sounds():
    tokens = np.array([41, 0, 0, 0, 1, 0, 43, 0], np.uint8)
    ax = plots.piano_roll(tokens, title="two notes")
    spans = [
        (bar.get_x(), round(bar.get_x() + bar.get_width()), bar.get_y() + bar.get_height() / 2) for bar in ax.patches
    ]
    assert spans == [(0, 4, 60), (6, 8, 62)]
    assert "two notes" in (ax.get_title(), ax.get_title(loc="left"))


def test_silence_is_an_empty_roll_and_no_error():
    assert len(plots.piano_roll(np.zeros(32, np.uint8)).patches) == 0


def test_a_grid_hides_the_axes_that_no_melody_needs():
    figure = plots.piano_rolls(np.full((3, 16), 41), ["a", "b", "c"])
    assert [ax.get_visible() for ax in figure.axes] == [True, True, True, False]


def test_bars_are_labelled_with_their_values_and_one_is_highlighted():
    ax = plots.labelled_bars(["real", "random"], [1.5, 5.25], "title", "nats", highlight=1)
    assert {text.get_text() for text in ax.texts} == {"1.50", "5.25"}
    assert ax.patches[0].get_facecolor() != ax.patches[1].get_facecolor()


def test_grouped_bars_label_every_series_in_every_group():
    ax = plots.grouped_bars(["steps", "onsets"], {"a": [0.5, 0.25], "b": [0.75, 1.0]}, "title")
    assert {text.get_text() for text in ax.texts} == {"0.50", "0.25", "0.75", "1.00"}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    centres = [bar.get_x() + bar.get_width() / 2 for bar in ax.patches]
    assert len(set(centres)) == 4
    assert {round(centre) for centre in centres} == {0, 1}


def test_the_plane_shows_the_hull_what_is_above_it_and_the_prices():
    ax = plots.rate_distortion([0, 1, 2, 3], [30, 20, 19, 10], list("abcd"), "title", tangents=[1, 100])
    *lagrangian, hull = ax.lines
    assert hull.get_xydata().tolist() == [[0, 30], [1, 20], [3, 10]]
    above = [tuple(color) for color in ax.collections[0].get_facecolor()]
    assert above.count(above[2]) == 1
    for line, beta in zip(lagrangian, [1, 100], strict=True):
        (x0, y0), (x1, y1) = line.get_xydata()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(-beta)
    assert [text.get_text() for text in ax.texts] == list("abcd")


def test_a_figure_becomes_the_bytes_of_a_picture_and_is_closed():
    figure = plots.piano_roll(np.full(16, 41)).figure
    assert plots.as_png(figure).startswith(b"\x89PNG")
    assert not plt.fignum_exists(figure.number)


@pytest.fixture
def course_style():
    with plt.rc_context():
        plots.set_style()
        yield


def opened(png):
    return Image.open(io.BytesIO(png))


@pytest.mark.parametrize("size", [(9, 3.6), (7.5, 2.8), (4, 4)])
def test_every_picture_is_wide_enough_for_a_projector_whatever_its_size_in_inches(course_style, size):
    figure, ax = plt.subplots(figsize=size)
    ax.plot([1, 2])
    assert opened(plots.figure_png(figure)).size[0] >= 1400
    assert plt.rcParams["font.size"] >= 12 and figure.dpi >= 160


def test_the_accent_colour_and_the_paper_are_stored_exactly(course_style):
    figure, ax = plt.subplots()
    ax.bar([0, 1], [1, 2], color=[palette.ACCENT, palette.PLUM])
    for number, color in enumerate(palette.SERIES):
        ax.axhline(number / 2, color=color)
    ax.set(title="Letters of many shades", xlabel="steps")
    picture = opened(plots.figure_png(figure))
    assert picture.mode == "P"
    shown = {color for _, color in picture.convert("RGB").getcolors(256)}
    wanted = {tuple(int(color[i : i + 2], 16) for i in (1, 3, 5)) for color in (*palette.SERIES, palette.PAPER)}
    assert wanted <= shown


def test_no_pixel_moves_by_more_than_the_tolerance_and_many_colours_are_left_alone(course_style):
    figure, ax = plt.subplots()
    ax.plot([0, 2, 1], label="a line")
    ax.legend()
    file = io.BytesIO()
    figure.savefig(file, format="png")
    before, after = (
        np.asarray(opened(png).convert("RGB"), int) for png in (file.getvalue(), compact_png(file.getvalue()))
    )
    assert np.abs(before - after).max() <= TOLERANCE
    assert len(compact_png(file.getvalue())) < len(file.getvalue()) / 2
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert np.array_equal(np.asarray(opened(compact_png(file.getvalue()))), noise)


def test_transparent_paper_becomes_white():
    file = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(file, "PNG")
    assert opened(compact_png(file.getvalue())).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_long_titles_and_labels_are_broken_into_lines_that_fit(course_style):
    figure, axes = plt.subplots(1, 3)
    for ax in axes:
        ax.set(title="A title that is far too long for a panel", ylabel="a quantity with a very long name, " * 3)
    figure.suptitle("One sentence that is too long for a single line of the figure " * 3, x=0.01, ha="left")
    short = axes[0].set_xlabel("steps")
    style.fit_texts(figure)
    assert short.get_text() == "steps"
    figure.draw_without_rendering()
    for ax, beside in itertools.pairwise(axes):
        title = next(style._titles(ax))
        assert "\n" in title.get_text()
        assert title.get_window_extent().x1 <= beside.bbox.x0
    assert figure.texts[0].get_window_extent().x1 <= figure.bbox.x1


def test_the_text_for_those_who_cannot_see_names_titles_axes_and_series(course_style):
    figure, (left, right) = plt.subplots(1, 2)
    left.plot([1, 2], label="flat")
    left.legend()
    left.set(title="The loss falls", xlabel="updates", ylabel="nats per step")
    dots = right.scatter([1], [1], c=[1.0])
    figure.colorbar(dots, ax=right, label="onsets per bar")
    right.set(xlabel="updates")
    assert plots.alt_text(figure) == (
        "The loss falls. Horizontal axis: updates. Vertical axis: nats per step. Series: flat. Colour: onsets per bar."
    )


def test_a_line_for_each_series_begins_at_bar_1():
    ax = plots.by_bar({"flat": [0.5, 0.25, 0.125], "hierarchical": [0.5, 0.5, 0.5]}, "title", "share")
    assert [list(line.get_xdata()) for line in ax.lines] == [[1, 2, 3]] * 2
    assert ax.get_ylim()[0] == 0
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["flat", "hierarchical"]


def test_similarity_matrices_share_one_scale_and_count_bars_from_1():
    figure = plots.similarity_matrices({"a": np.eye(16), "b": np.ones((16, 16))}, "title")
    images = [ax.images[0] for ax in figure.axes if ax.images]
    assert [image.get_clim() for image in images] == [(0, 1)] * 2
    assert list(images[0].axes.get_xticks()) == [1, 5, 9, 13]
    assert images[0].get_extent() == [0.5, 16.5, 16.5, 0.5]


def test_along_draws_a_line_for_many_numbers_and_a_level_for_one():
    panels = {"up": {"path": [1, 2, 3], "real": [1.5]}, "down": {"path": [3, 2, 1]}}
    figure = plots.along([0, 0.5, 1], panels, "title", "share")
    first, second = figure.axes
    assert first.lines[0].get_xydata().tolist() == [[0, 1], [0.5, 2], [1, 3]]
    assert set(first.lines[1].get_ydata()) == {1.5}
    titles = [ax.get_title() or ax.get_title(loc="left") for ax in (first, second)]  # left, once the style is set
    assert titles == ["up", "down"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["path", "real"]
    assert "Series: path, real." in plots.alt_text(figure)


def test_effects_show_each_number_and_frame_the_diagonal():
    matrix = np.array([[10.0, -0.5], [0.04, 1.0], [0.1, 0.2]])
    figure = plots.effects({"added": matrix, "subtracted": -matrix}, ["a", "b", "random"], ["a", "b"], "title")
    added, subtracted = figure.axes
    assert [text.get_text() for text in added.texts] == ["+10.0", "-.5", "+1.0", "+.1", "+.2"]
    assert [patch.get_xy() for patch in subtracted.patches] == [(-0.5, -0.5), (0.5, 0.5)]
    assert [label.get_text() for label in added.get_yticklabels()] == ["a", "b", "random"]


def test_a_number_grid_writes_each_number_where_it_belongs_and_no_minus_zero():
    ax = plots.number_grid(np.array([[-0.01, 2.0], [-3.0, 0.5]]), ["a", "b"], [1, 2], "title", signed=True)
    assert {text.get_position(): text.get_text() for text in ax.texts} == {
        (0, 0): "0.0",
        (1, 0): "2.0",
        (0, 1): "-3.0",
        (1, 1): "0.5",
    }
    plots.number_grid(np.zeros((1, 2)), ["a"], [1, 2], "all alike")


def test_the_map_of_the_course_shows_every_chapter_in_order_within_its_box(course_style):
    figure = plots.course_map()
    figure.draw_without_rendering()
    ax = figure.axes[0]
    words = plots.alt_text(figure)
    places = [words.index(f"{chapter.number:02} {chapter.title}") for chapter in course.CHAPTERS]
    assert places == sorted(places) and len(places) == 10
    boxes = [box.get_window_extent() for box in ax.patches if isinstance(box, plt.Rectangle)]
    assert len(boxes) == 10
    in_boxes = [text for text in ax.texts if text.get_text() and text.get_color() == palette.INK]
    assert len(in_boxes) == 20
    for text in in_boxes:
        extent = text.get_window_extent()
        assert any(box.x0 < extent.x0 and extent.x1 < box.x1 for box in boxes), text.get_text()
