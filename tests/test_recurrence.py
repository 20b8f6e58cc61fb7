"""The LSTM over tokens: by hand and by `nn.LSTM`, the same numbers, gradients and gradients of gradients."""

import pytest
import torch

from mvae_lib.models import precision, recurrence
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
    for ours, theirs in zip(by_hand, fused, strict=True):
        torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert theirs.abs().max() > 0
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("rows", "conditioned_steps", "way"),
    [(511, 1, "_fused"), (512, 1, "_by_hand"), (512, 2, "_fused"), (512, 0, "_fused")],
)
def test_many_rows_with_a_conditioning_that_all_steps_share_go_by_hand(monkeypatch, rows, conditioned_steps, way):
    taken = []
    for name in ("_fused", "_by_hand"):
        monkeypatch.setattr(recurrence, name, lambda *_, name=name: taken.append(name))
    conditioning = torch.ones(rows, conditioned_steps, 3) if conditioned_steps else None
    recurrence.read_tokens(LSTM(7 + 3, 4), torch.ones(rows, 2), (7,), conditioning)
    assert taken == [way]


@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "nn.LSTM"])
@pytest.mark.parametrize("case", ["of three tracks", "of two layers", "an encoder's of two layers"])
def test_the_gradient_can_be_differentiated_again(case, by_hand, monkeypatch):
    monkeypatch.setattr(recurrence, "by_hand_is_faster", lambda *_: by_hand)
    case, generator = CASES[case], torch.Generator().manual_seed(0)
    vocab_sizes, layers, both = case["vocab_sizes"], case["layers"], case["both"]
    lstm = LSTM(sum(vocab_sizes) + case["conditioning"], 2, layers, both, generator).double()
    tokens = torch.stack([torch.randint(0, n + 1, (2, 2), generator=generator) for n in vocab_sizes], -1)
    tokens = tokens if len(vocab_sizes) > 1 else tokens[..., 0]
    conditioning = torch.randn(2, min(case["steps"], 2), case["conditioning"], generator=generator).double()
    state = None if both else torch.randn(2, layers, 2, 2, generator=generator).double()

    lstm.requires_grad_(True)

    def hidden(conditioning, *_):  # the check changes the weights where they lie
        return recurrence.read_tokens(lstm, tokens, vocab_sizes, conditioning, None if both else tuple(state))

    assert torch.autograd.gradgradcheck(hidden, [conditioning.requires_grad_(), *lstm.parameters()])


@pytest.mark.parametrize("by_hand", [True, False], ids=["by hand", "nn.LSTM"])
def test_a_gradient_penalty_can_be_trained_in_single_precision(monkeypatch, by_hand):
    """WGAN-GP's term: it asks for the gradient of a gradient, and for a gradient of the weights from both at once."""
    monkeypatch.setattr(recurrence, "by_hand_is_faster", lambda *_: by_hand)
    generator = torch.Generator().manual_seed(0)
    lstm = LSTM(7 + 3, 4, generator=generator)
    z = torch.randn(2, 1, 3, generator=generator, requires_grad=True)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        lstm, z = lstm.to(dtype), z.detach().to(dtype).requires_grad_()
        score = recurrence.read_tokens(lstm, torch.tensor([[1, 2, 3], [6, 0, 7]]), (7,), z).final.sum()
        (slope,) = torch.autograd.grad(score, z, create_graph=True)
        loss = score + (slope.square().sum() - 1) ** 2
        gradients += torch.autograd.grad(loss, lstm.weight_hh_l0)
    torch.testing.assert_close(gradients[0].double(), gradients[1], atol=1e-5, rtol=1e-4)


def test_gradients_can_be_taken_twice_from_one_pass(monkeypatch):
    monkeypatch.setattr(recurrence, "by_hand_is_faster", lambda *_: True)
    lstm = LSTM(7, 4, generator=torch.Generator().manual_seed(0))
    hidden = recurrence.read_tokens(lstm, torch.tensor([[1, 2, 3]]), (7,))
    first = torch.autograd.grad(hidden.final.sum(), lstm.weight_hh_l0, retain_graph=True)[0]
    again = torch.autograd.grad(hidden.final.sum(), lstm.weight_hh_l0)[0]
    assert torch.equal(first, again)


@pytest.mark.skipif(not precision.cpu_autocast_supported(), reason="this CPU runs no LSTM in bfloat16")
def test_autocast_takes_the_call_of_nn_lstm(monkeypatch):
    monkeypatch.setattr(recurrence, "ROWS_BY_HAND", 0)
    lstm = LSTM(7, 4, generator=torch.Generator().manual_seed(0))
    with precision.autocast("cpu"):
        at_steps = recurrence.read_tokens(lstm, torch.tensor([[1, 2, 3]]), (7,)).at_steps
    assert at_steps.dtype == torch.bfloat16
