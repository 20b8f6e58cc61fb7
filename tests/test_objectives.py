"""Losses and bounds against torch.distributions, Monte Carlo, and cases that can be worked out by hand."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from mvae_lib.training import objectives
from mvae_lib.training.objectives import (
    active_units,
    decompose_kl,
    elbo,
    free_bits_by_channel,
    free_bits_floor,
    free_bits_total,
    gaussian_kl,
    gaussian_kl_by_dimension,
    iwae_bound,
    log_importance_weight,
    log_normal,
    musicvae_loss,
    mutual_information_ceiling,
    reconstruction,
)

LN2 = math.log(2)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(2)


@pytest.fixture
def posteriors(generator):
    mu = torch.randn(6, 4, generator=generator)
    return mu, 0.2 + torch.rand(6, 4, generator=generator)


def test_reconstruction_is_minus_the_log_likelihood(generator):
    logits = torch.randn(3, 8, 90, generator=generator)
    tokens = torch.randint(90, (3, 8), generator=generator)
    expected = -Categorical(logits=logits).log_prob(tokens)
    torch.testing.assert_close(reconstruction(logits, tokens.to(torch.uint8)), expected.sum(1))
    valid = torch.arange(8) < torch.tensor([[8], [5], [0]])
    nats = reconstruction(logits, tokens, valid=valid)
    torch.testing.assert_close(nats, torch.stack([expected[0].sum(), expected[1, :5].sum(), torch.tensor(0.0)]))


def test_reconstruction_sums_the_tracks_of_a_trio(generator):
    vocab_sizes = (90, 90, 512)
    logits = torch.randn(3, 8, 692, generator=generator)
    tokens = torch.randint(90, (3, 8, 3), generator=generator)
    parts = [reconstruction(part, tokens[..., track]) for track, part in enumerate(logits.split(vocab_sizes, -1))]
    torch.testing.assert_close(reconstruction(logits, tokens, vocab_sizes), sum(parts))


def test_kl_agrees_with_torch_distributions_and_with_monte_carlo(posteriors, generator):
    mu, sigma = posteriors
    expected = kl_divergence(Normal(mu, sigma), Normal(0.0, 1.0))
    torch.testing.assert_close(gaussian_kl_by_dimension(mu, sigma), expected)
    torch.testing.assert_close(gaussian_kl(mu, sigma), expected.sum(1))
    z = mu + sigma * torch.randn(100_000, *mu.shape, generator=generator)
    sampled = (log_normal(z, mu, sigma) - log_normal(z)).sum(-1).mean(0)
    torch.testing.assert_close(sampled, expected.sum(1), atol=0.05, rtol=0)


def test_log_normal_agrees_with_torch_distributions(posteriors):
    mu, sigma = posteriors
    z = torch.linspace(-3, 3, 4)
    torch.testing.assert_close(log_normal(z, mu, sigma), Normal(mu, sigma).log_prob(z))
    torch.testing.assert_close(log_normal(z), Normal(0.0, 1.0).log_prob(z))


def test_elbo_and_loss():
    nats, kl = torch.tensor([3.0, 5.0]), torch.tensor([1.0, 4.0])
    assert elbo(nats, kl).tolist() == [-4, -9]
    torch.testing.assert_close(musicvae_loss(nats, kl, 0.5, free_bits=2 / LN2), torch.tensor([3.0, 6.0]))
    torch.testing.assert_close(musicvae_loss(nats, kl, 1.0), -elbo(nats, kl))


def test_free_bits_of_the_total_are_a_hinge_for_each_example():
    kl = torch.tensor([0.0, 48 * LN2, 49 * LN2], requires_grad=True)
    cost = free_bits_total(kl, 48)
    torch.testing.assert_close(cost.detach(), torch.tensor([0.0, 0.0, LN2]))
    cost.sum().backward()
    assert kl.grad[0] == 0 and kl.grad[2] == 1


def test_free_bits_by_channel_floor_each_dimensions_batch_mean():
    kl = torch.tensor([[0.0, 4.0, 1.0], [1.0, 2.0, 3.0]], requires_grad=True)  # batch means .5, 3, 2
    cost = free_bits_by_channel(kl, 1.0 / LN2)
    assert cost.item() == pytest.approx(1 + 3 + 2)
    cost.backward()
    assert kl.grad.tolist() == [[0, 0.5, 0.5], [0, 0.5, 0.5]]


def test_the_floor_is_on_the_mean_over_the_batch():
    kl = torch.tensor([0.0, 4.0])
    assert free_bits_floor(kl, 1 / LN2).item() == pytest.approx(2)
    assert free_bits_floor(kl, 3 / LN2).item() == pytest.approx(3)
    assert free_bits_total(kl, 1 / LN2).mean().item() == pytest.approx(1.5)  # the hinge acts before the mean


def linear_gaussian(k: int, generator: torch.Generator) -> tuple[torch.Tensor, float]:
    """k log weights for many copies of one x, under z ~ N(0, 1), x ~ N(z, 1) and a poor posterior; and log p(x)."""
    x, mu, sigma = 1.5, torch.zeros(20_000, 1), torch.full((20_000, 1), 0.6)
    z = mu + sigma * torch.randn(k, 20_000, 1, generator=generator)
    nats = -Normal(z[..., 0], 1.0).log_prob(torch.tensor(x))
    return log_importance_weight(nats, z, mu, sigma), Normal(0.0, math.sqrt(2)).log_prob(torch.tensor(x)).item()


def test_iwae_bound_is_the_elbo_at_one_sample_and_rises_to_log_p(generator):
    weights, log_p = linear_gaussian(64, generator)
    bounds = [iwae_bound(weights[:k]).mean().item() for k in (1, 4, 16, 64)]
    assert bounds == sorted(bounds) and bounds[0] < bounds[1] - 0.05
    assert bounds[-1] < log_p + 0.01
    assert bounds[-1] == pytest.approx(log_p, abs=0.05)
    torch.testing.assert_close(iwae_bound(weights[:1]), weights[0])
    x, mu, sigma = 1.5, torch.zeros(1, 1), torch.full((1, 1), 0.6)
    expected_nats = 0.5 * math.log(2 * math.pi) + ((x - mu) ** 2 + sigma**2).sum(-1) / 2
    assert bounds[0] == pytest.approx(elbo(expected_nats, gaussian_kl(mu, sigma)).item(), abs=0.03)


def test_the_exact_posterior_needs_no_more_than_one_sample(generator):
    x, mu, sigma = 1.5, torch.full((5, 1), 0.75), torch.full((5, 1), math.sqrt(0.5))
    z = mu + sigma * torch.randn(5, 1, generator=generator)
    weights = log_importance_weight(-Normal(z[:, 0], 1.0).log_prob(torch.tensor(x)), z, mu, sigma)
    torch.testing.assert_close(weights, Normal(0.0, math.sqrt(2)).log_prob(torch.tensor(x)).expand(5))


def test_the_three_parts_sum_to_the_kl(posteriors, generator):
    mu, sigma = (part.repeat(50, 1) for part in posteriors)
    z = mu + sigma * torch.randn(mu.shape, generator=generator)
    parts = decompose_kl(z, mu, sigma)
    torch.testing.assert_close(sum(parts), (log_normal(z, mu, sigma) - log_normal(z)).sum(-1), atol=1e-4, rtol=1e-4)
    assert sum(parts).mean().item() == pytest.approx(gaussian_kl(mu, sigma).mean().item(), abs=0.4)


def test_posteriors_far_apart_reach_the_ceiling_and_equal_ones_carry_nothing(generator):
    far = 100.0 * torch.arange(32).unsqueeze(1).expand(32, 3)
    noise = torch.randn(32, 3, generator=generator)
    information = decompose_kl(far + noise, far, torch.ones(32, 3)).mutual_information
    assert information.mean().item() == pytest.approx(mutual_information_ceiling(32), abs=1e-3)
    same = torch.full((32, 3), 5.0)  # a KL of 37.5 nats and no information at all
    parts = decompose_kl(same + noise, same, torch.ones(32, 3))
    torch.testing.assert_close(parts.mutual_information, torch.zeros(32), atol=1e-4, rtol=0)
    torch.testing.assert_close(parts.total_correlation, torch.zeros(32), atol=1e-4, rtol=0)
    assert parts.dimension_wise_kl.mean() > 30


def test_total_correlation_sees_dimensions_that_repeat_each_other(generator):
    shared = torch.randn(400, 1, generator=generator)
    sigma = torch.full((400, 2), 0.3)
    noise = 0.3 * torch.randn(400, 2, generator=generator)
    repeated = shared.expand(400, 2)
    free = torch.cat([shared, torch.randn(400, 1, generator=generator)], 1)
    correlated = decompose_kl(repeated + noise, repeated, sigma).total_correlation.mean()
    independent = decompose_kl(free + noise, free, sigma).total_correlation.mean()
    rho = 1 / 1.09  # covariance 1 and variance 1 + .3 ** 2
    assert correlated.item() == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.15)
    assert abs(independent.item()) < 0.1


def test_the_decomposition_does_not_depend_on_how_it_is_cut(posteriors, generator, monkeypatch):
    mu, sigma = posteriors
    z = mu + sigma * torch.randn(mu.shape, generator=generator)
    whole = decompose_kl(z, mu, sigma)
    monkeypatch.setattr(objectives, "_PAIRS_AT_ONCE", 1)
    torch.testing.assert_close(decompose_kl(z, mu, sigma), whole)


def test_active_units_are_those_whose_mean_varies(generator):
    mu = torch.randn(500, 3, generator=generator) * torch.tensor([1.0, 0.05, 0.5]) + 7
    assert active_units(mu).tolist() == [True, False, True]
