"""The estimators against gradients that are known by hand, and one draw at a time against the formulas."""

import pytest
import torch

from mvae_lib.models.posterior import Posterior
from mvae_lib.training.estimators import (
    gumbel,
    gumbel_softmax,
    leave_one_out,
    pathwise,
    score_function,
    score_function_leave_one_out,
    score_surrogate,
    straight_through,
)

TARGET = torch.tensor([0.5, -1.0, 2.0])
POSTERIOR = Posterior(torch.tensor([2.0, -1.0, 1.5]), torch.tensor([0.5, 0.2, 1.0]))


def squared_distance(z):
    return (z - TARGET).square().sum(-1)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("estimator", [pathwise, score_function, score_function_leave_one_out])
def test_each_estimator_is_right_on_average(estimator, generator):
    # E (z - a)^2 = (mu - a)^2 + sigma^2: the gradients are 2 (mu - a) and 2 sigma
    eps = torch.randn(100_000, 3, generator=generator)
    estimate = estimator(squared_distance, POSTERIOR, eps)
    exact = (2 * (POSTERIOR.mu - TARGET), 2 * POSTERIOR.sigma)
    for draws, truth in zip(estimate, exact, strict=True):
        assert draws.shape == eps.shape
        error = draws.std(0) / len(eps) ** 0.5
        assert ((draws.mean(0) - truth).abs() < 4 * error).all()


def test_the_spread_is_what_the_fourth_moments_say(generator):
    # f = z^2 in one dimension, with respect to mu: 4 s^2; m^4 / s^2 + 14 m^2 + 15 s^2; 8 m^2 + 10 s^2
    m, s = 2.0, 0.5
    posterior, eps = Posterior(torch.tensor([m]), torch.tensor([s])), torch.randn(400_000, 1, generator=generator)
    expected = {
        pathwise: 4 * s**2,
        score_function: m**4 / s**2 + 14 * m**2 + 15 * s**2,
        score_function_leave_one_out: 8 * m**2 + 10 * s**2,
    }
    for estimator, variance in expected.items():
        measured = estimator(lambda z: z.square().sum(-1), posterior, eps).mu.var().item()
        assert measured == pytest.approx(variance, rel=0.03)


def test_single_draws_are_the_formulas(generator):
    eps = torch.randn(7, 3, generator=generator)
    mu, sigma = POSTERIOR
    slope = 2 * (mu + sigma * eps - TARGET)
    torch.testing.assert_close(tuple(pathwise(squared_distance, POSTERIOR, eps)), (slope, slope * eps))
    f = squared_distance(mu + sigma * eps)[:, None]
    by_hand = (f * eps / sigma, f * (eps.square() - 1) / sigma)
    torch.testing.assert_close(tuple(score_function(squared_distance, POSTERIOR, eps)), by_hand)
    f = f - torch.stack([f[torch.arange(7) != i].mean() for i in range(7)])[:, None]
    by_hand = (f * eps / sigma, f * (eps.square() - 1) / sigma)
    torch.testing.assert_close(tuple(score_function_leave_one_out(squared_distance, POSTERIOR, eps)), by_hand)


def test_a_constant_added_to_the_cost_disturbs_only_the_estimator_without_a_baseline(generator):
    eps = torch.randn(50, 3, generator=generator)

    def spread(estimator, constant):
        return estimator(lambda z: squared_distance(z) + constant, POSTERIOR, eps).mu.var(0).sum()

    assert spread(score_function, 100.0) > 50 * spread(score_function, 0.0)
    for estimator in (pathwise, score_function_leave_one_out):
        torch.testing.assert_close(spread(estimator, 100.0), spread(estimator, 0.0), rtol=1e-3, atol=0)


def test_the_surrogate_leaves_cost_and_draw_alone():
    mu = torch.zeros(2, 3, requires_grad=True)
    sigma = torch.ones(2, 3, requires_grad=True)
    z, cost = mu + sigma * torch.tensor([1.0, 2.0, -1.0]), mu.sum(-1) + 5.0
    surrogate = score_surrogate(cost, z, Posterior(mu, sigma))
    assert surrogate.shape == (2,)
    d_mu, d_sigma = torch.autograd.grad(surrogate.sum(), (mu, sigma))
    torch.testing.assert_close(d_mu, torch.tensor([[5.0, 10.0, -5.0]] * 2))
    torch.testing.assert_close(d_sigma, torch.tensor([[0.0, 15.0, 0.0]] * 2))


def test_a_baseline_leaves_the_draw_itself_out():
    torch.testing.assert_close(leave_one_out(torch.tensor([1.0, 2.0, 6.0])), torch.tensor([4.0, 3.5, 1.5]))
    torch.testing.assert_close(
        leave_one_out(torch.tensor([[1.0, 0.0], [3.0, 8.0]])), torch.tensor([[3.0, 8.0], [1, 0]])
    )
    with pytest.raises(ValueError, match="at least 2"):
        leave_one_out(torch.ones(1, 5))


def test_gumbel_noise_draws_from_the_softmax(generator):
    logits = torch.tensor([0.0, 1.0, 2.0])
    drawn = (logits + gumbel((50_000, 3), generator)).argmax(-1)
    torch.testing.assert_close(torch.bincount(drawn) / 50_000, logits.softmax(-1), atol=0.01, rtol=0)


def test_straight_through_is_a_class_forwards_and_the_softmax_backwards(generator):
    logits = torch.tensor([[0.0, 1.0, 2.0]] * 200, requires_grad=True)
    drawn = straight_through(logits, generator)
    assert torch.equal(drawn.detach().round(), torch.nn.functional.one_hot(drawn.argmax(-1), 3).float())
    assert len(drawn.argmax(-1).unique()) == 3
    weights = torch.tensor([3.0, -1.0, 0.5])
    (passed_on,) = torch.autograd.grad((drawn @ weights).sum(), logits)
    (softmax,) = torch.autograd.grad((logits.softmax(-1) @ weights).sum(), logits)
    torch.testing.assert_close(passed_on, softmax)


def test_gumbel_softmax_hardens_as_it_cools(generator):
    logits = torch.tensor([0.0, 1.0, 2.0]).expand(1000, -1)
    soft, hard = (gumbel_softmax(logits, temperature, generator) for temperature in (5.0, 0.05))
    torch.testing.assert_close(soft.sum(-1), torch.ones(1000))
    assert soft.amax(-1).mean() < 0.6 and hard.amax(-1).mean() > 0.95
    with pytest.raises(ValueError, match="above 0"):
        gumbel_softmax(logits, 0.0, generator)
