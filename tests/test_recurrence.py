"""The LSTM over tokens: by hand on a CPU and by the fused call, the same numbers and the same gradients."""

import pytest
import torch

from mvae_lib.models import recurrence
from mvae_lib.models.lstm import LSTM

CASES = {
    "a decoder's": {"vocab_sizes": (7,), "conditioning": 5, "steps": 1, "layers": 1, "both": False},
    "with a view of z at each step": {
        "vocab_sizes": (7,),
        "conditioning": 5,
        "steps": 6,
        "layers": 1,
        "both": False,
    },
    "of two layers": {"vocab_sizes": (7,), "conditioning": 5, "steps": 1, "layers": 2, "both": False},
    "of three tracks": {"vocab_sizes": (7, 4, 9), "conditioning": 5, "steps": 6, "layers": 2, "both": False},
    "an encoder's": {"vocab_sizes": (7,), "conditioning": 0, "steps": 0, "layers": 1, "both": True},
    "an encoder's of two layers": {"vocab_sizes": (7, 4), "conditioning": 3, "steps": 6, "layers": 2, "both": True},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_by_hand_and_fused_agree_in_numbers_and_gradients(case):
    generator = torch.Generator().manual_seed(0)
    vocab_sizes, batch, steps, units = case["vocab_sizes"], 3, 6, 8
    lstm = LSTM(sum(vocab_sizes) + case["conditioning"], units, case["layers"], case["both"], generator).double()
    lstm.requires_grad_(True)
    # The class after the last one stands for no token, and the first step reads it.
    tracks = [torch.randint(0, classes + 1, (batch, steps), generator=generator) for classes in vocab_sizes]
    tokens = tracks[0] if len(vocab_sizes) == 1 else torch.stack(tracks, -1)
    conditioning, state = None, None
    inputs = list(lstm.parameters())
    if case["conditioning"]:
        shape = (batch, case["steps"], case["conditioning"])
        conditioning = torch.randn(shape, generator=generator, dtype=torch.double, requires_grad=True)
        inputs.append(conditioning)
    if not case["both"]:
        shape = (2, case["layers"], batch, units)
        state = torch.randn(shape, generator=generator, dtype=torch.double, requires_grad=True)
        inputs.append(state)

    def run(way, vectors):
        hidden = way(lstm, vectors, conditioning, None if state is None else tuple(state))
        weights = torch.linspace(-1, 2, hidden.at_steps.numel(), dtype=torch.double).view(hidden.at_steps.shape)
        loss = (weights * hidden.at_steps).sum() + hidden.final.square().sum()
        return hidden, torch.autograd.grad(loss, inputs)

    hot = recurrence.one_hot(tokens, vocab_sizes, torch.double)
    fused, expected = run(recurrence._fused, hot)
    by_hand, gradients = run(lambda lstm, _, *rest: recurrence._by_hand(lstm, tokens, vocab_sizes, *rest), None)
    public, _ = run(lambda lstm, _, *rest: recurrence.read_tokens(lstm, tokens, vocab_sizes, *rest), None)
    for ours, theirs in zip(by_hand, fused, strict=True):
        torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs)
    assert torch.equal(public.at_steps, by_hand.at_steps), "on a CPU, read_tokens goes the way by hand"


def test_gradients_can_be_taken_twice_from_one_pass():
    lstm = LSTM(7, 4, generator=torch.Generator().manual_seed(0))
    hidden = recurrence.read_tokens(lstm, torch.tensor([[1, 2, 3]]), (7,))
    first = torch.autograd.grad(hidden.final.sum(), lstm.weight_hh_l0, retain_graph=True)[0]
    again = torch.autograd.grad(hidden.final.sum(), lstm.weight_hh_l0)[0]
    assert torch.equal(first, again)


def test_autocast_takes_the_fused_call():
    lstm = LSTM(7, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        at_steps = recurrence.read_tokens(lstm, torch.tensor([[1, 2, 3]]), (7,)).at_steps
    assert at_steps.dtype == torch.bfloat16
