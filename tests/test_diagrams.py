import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from mvae_lib.models import config as configs
from mvae_lib.plots import diagrams


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def words(name):
    figure = diagrams.music_vae(configs.get_config(name).model, "a title")
    return figure.axes[0], [text.get_text() for text in figure.axes[0].texts]


def test_the_hierarchical_model_has_a_conductor_and_a_core_for_each_bar_drawn():
    ax, texts = words("hierdec-mel_16bar")
    assert "conductor: 2 layers of LSTM, 1024 units, 16 steps, one for each bar" in texts
    assert texts.count("core decoder\n16 steps") == 4
    assert [text for text in texts if text.startswith("bar ")] == [f"bar {n}: [B, 1024]" for n in (1, 2, 3, 16)]
    assert "logits [B, 256, 90]" in texts
    assert "initial state" in texts  # and no projection of ours
    assert ax.get_title(loc="left") or ax.get_title()


def test_a_projection_of_ours_is_named_as_ours():
    texts = words("mel_16bar_hier_projected")[1]
    assert any("a projection for each bar (ours)" in text for text in texts)
    assert any(text.startswith("encoder (ours), bar by bar: LSTM") for text in texts)
    assert not any("(ours)" in text for text in words("hierdec-mel_16bar")[1])


def test_a_trio_has_a_core_for_each_track():
    _, texts = words("hierdec-trio_16bar")
    assert texts.count("3 core decoders\n16 steps") == 4
    assert {"tokens\n[B, 256, 3]", "logits [B, 256, 692]"} <= set(texts)


def test_a_flat_model_has_one_decoder_and_no_conductor():
    _, texts = words("mel_16bar_flat")
    assert "decoder: LSTM, 536 units, 256 steps" in texts
    assert not any("conductor" in text for text in texts)
