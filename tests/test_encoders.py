"""The encoder: what it reads, what it keeps of it, and the Gaussian it makes."""

import math

import pytest
import torch

from mvae_lib.models.config import ModelConfig
from mvae_lib.models.musicvae import BidirectionalEncoder
from mvae_lib.models.posterior import Posterior, reparameterize
from mvae_lib.models.tracks import drum_bits, join_tracks, one_hot, split_tracks

UNITS, Z = 7, 5


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(1)


def encoder(generator, vocab_sizes=(90,), layers=2, **options):
    sizes = {"vocab_sizes": vocab_sizes, "encoder_units": UNITS, "encoder_layers": layers, "z_size": Z}
    return BidirectionalEncoder(ModelConfig(**sizes, **options), generator)


def tokens(generator, *shape, classes=90):
    return torch.randint(classes, shape, generator=generator)


def test_summary_is_both_final_states_of_the_last_layer(generator):
    model = encoder(generator)
    x = tokens(generator, 3, 11)
    outputs, _ = model.lstm(one_hot(x, (90,)))
    forward_after_the_last_step, backward_after_the_first = outputs[:, -1, :UNITS], outputs[:, 0, UNITS:]
    summary = model.summary(x)
    torch.testing.assert_close(summary, torch.cat([forward_after_the_last_step, backward_after_the_first], -1))
    assert not torch.allclose(summary, outputs[:, -1])  # the tempting mistake is another vector


def test_every_token_reaches_both_halves_of_the_summary(generator):
    model = encoder(generator)
    x = tokens(generator, 1, 6)
    summary = model.summary(x)
    for step in range(6):
        other = x.clone()
        other[0, step] = (x[0, step] + 1) % 90
        changes = (model.summary(other) - summary).abs()[0]
        assert changes[:UNITS].max() > 0 and changes[UNITS:].max() > 0


def test_bars_read_apart_are_each_read_as_a_whole(generator):
    model, whole = encoder(generator, bar_encoder=True, steps=12, steps_per_bar=4), encoder(generator)
    whole.lstm = model.lstm
    x = tokens(generator, 5, 12)
    expected = torch.cat([whole.summary(bar) for bar in x.split(4, 1)], -1)
    torch.testing.assert_close(model.summary_by_bar(x), expected)
    assert model(x).mu.shape == (5, Z)


def test_a_bar_read_apart_is_a_matrix_away_from_mu(generator):
    model = encoder(generator, bar_encoder=True, steps=12, steps_per_bar=4)
    x = tokens(generator, 5, 12)
    other = x.clone()
    other[:, 5] = (x[:, 5] + 1) % 90  # in the second bar
    moved = model.summary_by_bar(other) - model.summary_by_bar(x)  # [batch, bars * 2 UNITS]
    assert not moved[:, : 2 * UNITS].any() and not moved[:, 4 * UNITS :].any()
    torch.testing.assert_close(model(other).mu - model(x).mu, moved @ model.mu.weight.T)


def test_an_encoder_of_bars_refuses_other_lengths(generator):
    with pytest.raises(ValueError, match="3 bars of 4 steps, and not 9 steps"):
        encoder(generator, bar_encoder=True, steps=12, steps_per_bar=4)(tokens(generator, 2, 9))


def test_the_posterior_starts_near_mu_0_and_sigma_ln_2(generator):
    posterior = encoder(generator)(tokens(generator, 4, 8))
    assert posterior.mu.shape == posterior.sigma.shape == (4, Z)
    torch.testing.assert_close(posterior.mu, torch.zeros(4, Z), atol=0.02, rtol=0)
    torch.testing.assert_close(posterior.sigma, torch.full((4, Z), math.log(2)), atol=0.02, rtol=0)


def test_sigma_is_the_softplus_of_a_dense_layer(generator):
    model = encoder(generator)
    torch.nn.init.normal_(model.sigma.weight, generator=generator)
    x = tokens(generator, 4, 8)
    expected = torch.log1p(torch.exp(model.summary(x) @ model.sigma.weight.T + model.sigma.bias))
    torch.testing.assert_close(model(x).sigma, expected)


def test_a_sample_has_the_posteriors_mean_and_deviation_and_lets_gradients_through(generator):
    mu = torch.tensor([[1.0, -2.0]], requires_grad=True)
    sigma = torch.tensor([[0.5, 3.0]], requires_grad=True)
    z = reparameterize(Posterior(mu.expand(40_000, 2), sigma.expand(40_000, 2)), generator)
    torch.testing.assert_close(z.mean(0), mu[0], atol=0.06, rtol=0)
    torch.testing.assert_close(z.std(0), sigma[0], atol=0.06, rtol=0)
    (z / 40_000).sum().backward()
    torch.testing.assert_close(mu.grad, torch.ones(1, 2))
    torch.testing.assert_close(sigma.grad[0], ((z - mu) / sigma).mean(0).detach(), atol=1e-4, rtol=1e-3)


def test_drum_classes_are_read_as_nine_bits_and_none():
    bits = drum_bits(torch.tensor([[0, 1, 5, 511]]))
    assert bits.shape == (1, 4, 10)
    assert bits[0, 0].tolist() == [0] * 9 + [1]
    assert bits[0, 1].tolist() == [1] + [0] * 9
    assert bits[0, 2].tolist() == [1, 0, 1] + [0] * 7
    assert bits[0, 3].tolist() == [1] * 9 + [0]


def test_a_drum_encoder_has_ten_inputs(generator):
    model = encoder(generator, vocab_sizes=(512,), encoder_reads="drum-bits")
    assert model.lstm.input_size == 10
    assert model(tokens(generator, 2, 8, classes=512)).mu.shape == (2, Z)


def test_three_tracks_and_a_control_signal_are_read_side_by_side(generator):
    vocab_sizes, control = (90, 90, 512), torch.randn(2, 8, 3, generator=generator)
    model = encoder(generator, vocab_sizes=vocab_sizes, control=3)
    x = torch.stack([tokens(generator, 2, 8), tokens(generator, 2, 8), tokens(generator, 2, 8, classes=512)], -1)
    assert model.lstm.input_size == 692 + 3
    for track in range(3):
        other = x.clone()
        other[:, 4, track] = (x[:, 4, track] + 1) % 90
        assert not torch.equal(model(x, control).mu, model(other, control).mu)
    assert not torch.equal(model(x, control).mu, model(x, -control).mu)


def test_a_control_signal_that_does_not_fit_is_refused(generator):
    x = tokens(generator, 2, 8)
    with pytest.raises(ValueError, match=r"takes a control signal \[2, 8, 3\], and was given none"):
        encoder(generator, control=3)(x)
    with pytest.raises(ValueError, match=r"takes a control signal \[2, 8, 3\], and was given \[2, 7, 3\]"):
        encoder(generator, control=3)(x, torch.zeros(2, 7, 3))
    with pytest.raises(ValueError, match=r"takes no control signal, and was given \[2, 8, 3\]"):
        encoder(generator)(x, torch.zeros(2, 8, 3))


def test_tracks_split_and_join(generator):
    x = tokens(generator, 2, 8, 3)
    assert torch.equal(join_tracks(split_tracks(x, (90, 90, 90))), x)
    assert torch.equal(join_tracks(split_tracks(x[..., 0], (90,))), x[..., 0])
    with pytest.raises(ValueError, match=r"3 tracks need tokens \[..., steps, 3\]"):
        split_tracks(x[..., :2], (90, 90, 90))


def test_one_hot_agrees_with_torch_for_any_integer_type(generator):
    x = tokens(generator, 2, 8).to(torch.uint8)
    assert torch.equal(one_hot(x, (90,)), torch.nn.functional.one_hot(x.long(), 90).float())
