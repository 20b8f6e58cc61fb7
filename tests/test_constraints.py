"""Critics and constraints on a latent space made by hand: encodings lie on one side of the prior, in two groups."""

import pytest
import torch

from mvae_lib.latent.constraints import Critic, constrain, train_attribute_critic, train_realism_critic
from mvae_lib.models.posterior import Posterior

Z = 8


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def prior(n: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(n, Z, generator=seeded(seed))


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    """Encodings of 600 melodies: close to the plane where the first number is 2; the second number is -1 or 1."""
    mu = 0.3 * torch.randn(600, Z, generator=seeded())
    mu[:, 0] += 2
    mu[:, 1] += torch.arange(600).remainder(2) * 2.0 - 1
    return Posterior(mu, torch.full_like(mu, 0.3))


@pytest.fixture(scope="module")
def has() -> torch.Tensor:
    return torch.arange(600).remainder(2) == 1


@pytest.fixture(scope="module")
def nll_per_step(posterior) -> Critic:
    return train_realism_critic(posterior, seeded(), updates=300)


@pytest.fixture(scope="module")
def attribute(posterior, has) -> Critic:
    return train_attribute_critic(posterior, has, seeded(), updates=200)


def test_a_critic_gives_one_logit_for_each_z_and_starts_from_its_generator():
    critic = Critic(Z, hidden=4, generator=seeded())
    assert critic(prior(5)).shape == (5,)
    assert torch.equal(critic(prior(5)), Critic(Z, hidden=4, generator=seeded())(prior(5)))
    assert not torch.equal(critic(prior(5)), Critic(Z, hidden=4, generator=seeded(1))(prior(5)))


def test_a_critic_leaves_torchs_own_generator_alone():
    before = torch.get_rng_state()
    Critic(Z, generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_the_realism_critic_tells_new_codes_from_new_draws(posterior, nll_per_step):
    encodings = posterior.mu + posterior.sigma * prior(600, seed=2)
    assert (nll_per_step(encodings) > 0).float().mean() > 0.9
    assert (nll_per_step(prior(600)) < 0).float().mean() > 0.9


def test_training_is_the_same_for_the_same_seed(posterior, has):
    once, again, other = (train_attribute_critic(posterior, has, seeded(seed), updates=5) for seed in (0, 0, 1))
    assert torch.equal(once(prior(9)), again(prior(9)))
    assert not torch.equal(once(prior(9)), other(prior(9)))


def test_the_attribute_critic_tells_the_two_groups(posterior, has, attribute):
    encodings = posterior.mu + posterior.sigma * prior(600, seed=2)
    assert ((attribute(encodings) > 0) == has).float().mean() > 0.95


def test_a_rare_property_is_learned_all_the_same(posterior, has):
    rare = has & (torch.arange(600) < 30)
    rows = rare | ~has
    critic = train_attribute_critic(Posterior(posterior.mu[rows], posterior.sigma[rows]), rare[rows], seeded())
    assert (critic(posterior.mu[rare]) > 0).float().mean() > 0.9


def test_constraints_move_draws_to_where_the_codes_are(nll_per_step):
    draws = prior(200)
    moved = constrain(draws, [nll_per_step])
    assert (nll_per_step(draws) > 0).float().mean() < 0.1
    assert (nll_per_step(moved) > 0).float().mean() > 0.95
    assert moved[:, 0].mean() > 1.2  # not merely out of the critic's sight: towards the real encodings
    assert (moved - draws)[:, 0].abs().mean() > 3 * (moved - draws)[:, 2:].abs().mean()


def test_wishes_can_be_joined(nll_per_step, attribute):
    moved = constrain(prior(200), [nll_per_step, attribute])
    assert (moved[:, 1] > 0).float().mean() > 0.95
    assert (moved[:, 0] > 1).float().mean() > 0.8


def test_a_larger_distance_weight_keeps_nearer(nll_per_step):
    draws = prior(50)
    lengths = [(constrain(draws, [nll_per_step], weight) - draws).norm(dim=1).mean() for weight in (0.0, 0.1, 100.0)]
    assert lengths[0] > 1.2 * lengths[1] > 6 * lengths[2]


def test_where_the_encoder_is_vague_moving_is_cheap(attribute):
    draws = prior(50)
    vague = torch.full((Z,), 0.2)
    near = constrain(draws, [attribute], 0.5, sigma=vague) - draws
    far = constrain(draws, [attribute], 0.5, sigma=5 * vague) - draws
    assert far.norm(dim=1).mean() > near.norm(dim=1).mean()


def test_each_row_is_moved_by_itself_and_nothing_is_trained(nll_per_step):
    before = [parameter.clone() for parameter in nll_per_step.parameters()]
    draws = prior(6)
    moved = constrain(draws, [nll_per_step], steps=20)
    torch.testing.assert_close(moved[2:3], constrain(draws[2:3], [nll_per_step], steps=20), atol=1e-4, rtol=0)
    assert not moved.requires_grad
    assert all(torch.equal(old, new) for old, new in zip(before, nll_per_step.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in train_attribute_and_constrain(draws).parameters())


def train_attribute_and_constrain(z: torch.Tensor) -> Critic:
    critic = Critic(Z, generator=seeded())
    constrain(z, [critic], steps=2)
    return critic


@pytest.mark.parametrize("make", [torch.zeros, torch.ones])
def test_a_property_that_all_or_none_have_is_refused(posterior, make):
    with pytest.raises(ValueError, match="with the property and melodies without it"):
        train_attribute_critic(posterior, make(600, dtype=torch.bool), seeded())


def test_a_property_is_one_boolean_for_each_melody(posterior, has):
    with pytest.raises(ValueError, match="one boolean"):
        train_attribute_critic(posterior, has[:-1], seeded())
    with pytest.raises(ValueError, match="one boolean"):
        train_attribute_critic(posterior, has.float(), seeded())
