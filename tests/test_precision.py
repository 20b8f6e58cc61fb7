"""Mixed precision on a CPU: tried out, not looked up, and float32 with one warning where it cannot run."""

import warnings

import pytest
import torch

from mvae_lib.models import precision
from mvae_lib.models.config import ModelConfig
from mvae_lib.models.musicvae import MusicVAE

SMALL = ModelConfig(steps=8, vocab_sizes=(9,), z_size=4, encoder_units=5, decoder_units=6)


@pytest.fixture
def unsupported(monkeypatch):
    """A CPU that cannot, whatever the one of this test can; nothing has been warned of yet."""
    monkeypatch.setattr(precision, "cpu_autocast_supported", lambda: False)
    precision._warn_once.cache_clear()
    yield
    precision._warn_once.cache_clear()


@pytest.fixture
def untried():
    """As in a new process: nothing tried out yet, and nothing kept for the tests that follow."""
    precision.cpu_autocast_supported.cache_clear()
    yield
    precision.cpu_autocast_supported.cache_clear()


def test_where_an_lstm_fails_in_bfloat16_it_counts_as_unsupported(untried, monkeypatch):
    def fail(*_):
        raise RuntimeError("could not create a primitive descriptor for the LSTM forward propagation primitive")

    monkeypatch.setattr(torch.nn.LSTM, "forward", fail)
    assert not precision.cpu_autocast_supported()


def test_trying_it_out_takes_no_random_numbers_and_leaves_autocast_off(untried):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with torch.no_grad():
        precision.cpu_autocast_supported()
    assert torch.equal(torch.rand(3), expected)
    assert not torch.is_autocast_enabled("cpu")


def test_the_fallback_computes_in_float32_and_warns_once(unsupported):
    model = MusicVAE(SMALL, torch.Generator().manual_seed(0))
    tokens = torch.randint(9, (3, 8), generator=torch.Generator().manual_seed(0))
    exact = model(tokens, torch.Generator().manual_seed(1)).logits
    with pytest.warns(UserWarning, match="float32") as caught:
        for _ in range(2):
            with precision.autocast("cpu"):
                logits = model(tokens, torch.Generator().manual_seed(1)).logits
    assert len(caught) == 1
    assert logits.dtype == torch.float32 and torch.equal(logits, exact)


def test_what_is_not_asked_for_is_not_warned_of(unsupported):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with precision.autocast("cpu", enabled=False):
            assert not torch.is_autocast_enabled("cpu")


def test_a_gpu_is_not_held_to_what_the_cpu_can(unsupported):
    assert precision.autocast_supported("cuda")


@pytest.mark.skipif(not precision.cpu_autocast_supported(), reason="this CPU runs no LSTM in bfloat16")
def test_where_it_is_supported_the_logits_are_bfloat16():
    model = MusicVAE(SMALL, torch.Generator().manual_seed(0))
    with precision.autocast(torch.device("cpu")):
        assert model(torch.zeros(2, 8, dtype=torch.long), None).logits.dtype == torch.bfloat16
