"""The drawings of MusicVAE: the parts that a configuration has, and texts that can be read."""

from itertools import combinations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from mvae_lib.models import config as configs
from mvae_lib.plots import diagrams, style


@pytest.fixture(autouse=True)
def closed():
    style.set_style()
    yield
    plt.close("all")


def words(name):
    figure = diagrams.music_vae(configs.get_config(name).model, "a title")
    return figure.axes[0], [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def test_the_hierarchical_model_is_unrolled_over_bars_with_the_conductors_state_and_an_embedding_for_each_core():
    ax, texts = words("hierdec-mel_16bar")
    conductor = [text for text in texts if text.startswith("conductor")]
    assert conductor == [f"conductor, bar {bar}\n2-layer LSTM, 1024 units" for bar in (1, 2, 16)]
    assert texts.count("core decoder\n2-layer LSTM, 16 steps") == 3
    assert texts.count("embedding\n[B, 1024]") == 3
    assert {"h, c", "h, c, ...", "no state\ncrosses"} <= set(texts)
    assert "initial state: tanh(W z + b)" in texts
    assert ax.get_title(loc="left") == "a title"


def test_the_tokens_that_a_bar_reads_begin_with_the_last_one_of_the_bar_before():
    _, texts = words("mel_16bar_hier")
    assert [text for text in texts if text.startswith("reads")] == [
        "reads\n0 to 15",
        "reads\n16 to 31",
        "reads\n240 to 255",
    ]
    assert [text for text in texts if text.startswith("logits")] == [
        "logits\n1 to 16",
        "logits\n17 to 32",
        "logits\n241 to 256",
    ]


def test_what_is_ours_is_named_as_ours_and_nothing_of_the_papers_is():
    texts = words("mel_16bar_hier_projected")[1]
    assert "and a projection of z for each bar (ours)" in texts
    assert any(text.startswith("encoder, bar by bar (ours)") for text in texts)
    assert any("a projection for each step (ours)" in text for text in words("mel_2bar")[1])
    for name in ("hierdec-mel_16bar", "mel_16bar_hier", "mel_16bar_flat"):
        assert not any("(ours)" in text for text in words(name)[1])


def test_a_trio_has_a_core_for_each_track():
    _, texts = words("hierdec-trio_16bar")
    assert texts.count("3 core decoders\n2-layer LSTM, 16 steps") == 3
    assert "tokens\n[B, 256, 3]" in texts


def test_a_flat_model_is_unrolled_over_steps_and_has_no_conductor():
    _, texts = words("mel_16bar_flat")
    assert [text for text in texts if text.startswith("decoder")] == [
        f"decoder, step {step}\nLSTM, 424 units" for step in (1, 2, 256)
    ]
    assert "initial state, and z at each step" in texts
    assert not any("conductor" in text for text in texts)


def test_the_bars_number_is_drawn_where_a_flat_decoder_reads_it():
    model = configs.ModelConfig(steps=64, decoder_layers=1, bar_counter=True, per_bar_z=True)
    texts = [text.get_text() for text in diagrams.music_vae(model).axes[0].texts]
    assert any("a projection for each bar (ours) and the bar's number (ours)" in text for text in texts)


@pytest.mark.parametrize("name", configs.list_configs())
def test_no_text_lies_over_another_or_leaves_its_box_or_the_picture(name):
    ax, _ = words(name)
    figure = ax.figure
    figure.draw_without_rendering()
    texts = [text for text in ax.texts if text.get_text()]
    extents = [text.get_window_extent() for text in texts]
    assert min(text.get_fontsize() for text in texts) >= 12
    boxes = [patch.get_window_extent() for patch in ax.patches if isinstance(patch, plt.Rectangle)]
    for (one, a), (other, b) in combinations(zip(texts, extents, strict=True), 2):
        assert not a.overlaps(b), (one.get_text(), other.get_text())
    for text, extent in zip(texts, extents, strict=True):
        middle = ((extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2)
        own = next((box for box in boxes if box.contains(*middle)), figure.bbox)
        assert own.x0 <= extent.x0 and extent.x1 <= own.x1, text.get_text()
