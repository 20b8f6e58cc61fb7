"""The drawings of recurrent networks: what they name, and that shapes are those of the configuration."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest

from mvae_lib.models.config import ModelConfig, get_config
from mvae_lib.plots import recurrent

SMALL = ModelConfig(z_size=7, encoder_units=5, decoder_units=11, decoder_layers=1)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def test_the_unrolled_model_shows_the_shapes_of_its_configuration():
    found = words(recurrent.unrolled(SMALL, "a title"))
    assert {"one-hot [B, 32, 90]", "final state\n[B, 5]", "mu, sigma [B, 7]", "z [B, 7]"} <= set(found)
    assert {"h, c\n[B, 11]", "logits\n[B, 32, 90]", "softmax\np(x₃₂)", "z at each step"} <= set(found)
    assert found.count("LSTM →") == found.count("LSTM ←") == found.count("LSTM") == 4


def test_the_first_decoder_step_reads_zeros_and_the_last_reads_the_last_but_one_token():
    found = words(recurrent.unrolled(SMALL))
    assert "zeros" in found
    assert "x₃₁" in found


def test_a_projection_of_ours_is_named_as_ours():
    found = words(recurrent.unrolled(get_config("mel_2bar").model))
    assert "z at each step, plus a projection of its own (ours)" in found


def test_a_conductor_is_refused():
    with pytest.raises(ValueError, match="conductor"):
        recurrent.unrolled(get_config("mel_16bar_hier").model)


def test_a_cell_has_three_gates_and_a_candidate():
    found = words(recurrent.lstm_cell("a title"))
    assert sum("gate" in text for text in found) == 3
    assert "candidate g\ntanh" in found
    assert found.count("×") == 3
    assert found.count("+") == 1
