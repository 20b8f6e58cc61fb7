"""The step-by-step path: its two ways to add what differs from step to step, and what it hands out."""

import pytest
import torch

from mvae_lib.models import stepping
from mvae_lib.models.config import ModelConfig
from mvae_lib.models.decoders import FlatDecoder


@pytest.fixture
def decoder() -> FlatDecoder:
    generator = torch.Generator().manual_seed(4)
    decoder = FlatDecoder(
        ModelConfig(8, vocab_sizes=(7,), z_size=5, decoder_units=6, decoder_layers=2, per_step_z=True), generator
    )
    for parameter in decoder.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, generator=generator)
    return decoder


def run(decoder: FlatDecoder) -> tuple[torch.Tensor, torch.Tensor]:
    every = []

    def next_token(track, step, logits):
        every.append(logits.clone())
        return logits.argmax(-1)

    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    (tokens,) = decoder.generate_steps(z, next_token, 8)
    return tokens, torch.stack(every, 1)


def test_inputs_projected_at_once_or_step_by_step_give_the_same(decoder, monkeypatch):
    at_once = run(decoder)
    monkeypatch.setattr(stepping, "_PROJECTED_AT_ONCE", 0)
    by_step = run(decoder)
    assert torch.equal(by_step[0], at_once[0])
    torch.testing.assert_close(by_step[1], at_once[1], atol=1e-5, rtol=0)


def test_tokens_can_be_read_by_a_pass_with_gradients(decoder):
    tokens, _ = run(decoder)
    assert not tokens.is_inference()
    table = torch.nn.Embedding(7, 2)
    table(tokens).sum().backward()
    assert table.weight.grad.sum() == pytest.approx(2 * tokens.numel())
