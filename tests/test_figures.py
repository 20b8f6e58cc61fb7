import xml.etree.ElementTree as ET

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from tools import figures, notebooks


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Rate (nats per melody) falls", "rate-nats-per-melody-falls"),
        ("β below 1: naïve", "below-1-naive"),
        ("$$", "figure"),
        ("word " * 40, "word-word-word-word-word-word-word-word-word-word-word-word"),
    ],
)
def test_a_title_becomes_a_file_name(title, name):
    assert figures.slug(title) == name and len(name) < figures.NAME_LENGTH


def test_every_shown_figure_of_a_notebook_is_saved_once_with_a_speaking_name(tmp_path):
    cells = [
        new_markdown_cell("# A chapter"),
        new_code_cell("import matplotlib.pyplot as plt\nfrom mvae_lib import plots\nplots.set_style()"),
        new_code_cell("plt.plot([3, 2, 1])\nplt.title('The loss falls')\nplt.xlabel('updates')\nplt.show()"),
        new_code_cell("figure, axes = plt.subplots(1, 2)\nfigure.suptitle('Two panels')\nplt.show()"),
        new_code_cell("_ = plots.piano_roll([41, 0, 0, 0])"),  # shown at the end of the cell, without plt.show()
    ]
    path = tmp_path / "03_tiny.ipynb"
    notebooks.write(new_notebook(cells=cells), path)
    before = path.read_bytes()
    found = figures.export(path, tmp_path / "out")
    folder = tmp_path / "out" / "03_tiny"
    names = ["01_the-loss-falls", "02_two-panels", "03_figure"]
    assert [file.name for file in found] == [f"{name}.svg" for name in names]
    for name in names:
        assert ET.parse(folder / f"{name}.svg").getroot().tag.endswith("svg")
        assert Image.open(folder / f"{name}.png").size[0] >= notebooks.MIN_FIGURE_WIDTH
    assert "The loss falls. Horizontal axis: updates." in (folder / "index.md").read_text(encoding="utf-8")
    assert path.read_bytes() == before

    svg = found[0].read_bytes()
    assert [file.name for file in figures.export(path, tmp_path / "out")] == [f"{name}.svg" for name in names]
    assert found[0].read_bytes() == svg  # the same bytes again, and no second set beside the first
