"""The checks of chapter 06: a right answer passes, and each usual mistake gets its own diagnosis."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal

from mvae_lib.exercises import chapter06


def not_written_yet(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("number", range(1, 6))
def test_an_open_exercise_is_not_attempted_and_a_careless_one_gets_words(number):
    check = getattr(chapter06, f"exercise_{number}")
    assert check(not_written_yet).status == "not attempted"
    assert check(lambda *arguments: None).message.startswith("Your function returned None")
    broken = check(lambda *arguments: 1 / 0)
    assert broken.status == "not yet"
    assert "ZeroDivisionError" in broken.message


def diagnosis(check, function):
    verdict = check(function)
    assert not verdict.passed
    return verdict.message


def kl(mu, sigma):
    return (mu**2 + sigma**2 - 1) / 2 - sigma.log()


def test_beta_loss_diagnoses():
    check = chapter06.exercise_1

    def loss(combine):
        def function(logits, tokens, mu, sigma, beta):
            steps = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
            return combine(steps, kl(mu, sigma), beta)

        return function

    assert check(loss(lambda d, r, b: d.sum(1) + b * r.sum(1))).passed
    assert "no effect" in diagnosis(check, loss(lambda d, r, b: d.sum(1) + r.sum(1)))
    assert "wrong term" in diagnosis(check, loss(lambda d, r, b: b * d.sum(1) + r.sum(1)))
    assert "added" in diagnosis(check, loss(lambda d, r, b: d.sum(1) - b * r.sum(1)))
    assert "8 times larger" in diagnosis(check, loss(lambda d, r, b: d.mean(1) + b * r.sum(1)))
    assert "4 times smaller" in diagnosis(check, loss(lambda d, r, b: d.sum(1) + b * r.mean(1)))
    assert "batch's mean" in diagnosis(check, loss(lambda d, r, b: d.sum(1) + b * r.sum(1).mean()))
    assert "One number" in diagnosis(check, loss(lambda d, r, b: (d.sum(1) + b * r.sum(1)).mean()))
    assert "I expected" in diagnosis(check, loss(lambda d, r, b: d.sum(1) + 2 * b * r.sum(1)))

    def variance(logits, tokens, mu, sigma, beta):
        steps = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
        return steps.sum(1) + beta * ((mu**2 + sigma - 1 - sigma.log()) / 2).sum(1)

    assert "standard deviation" in diagnosis(check, variance)


def test_bits_diagnoses():
    check, bit = chapter06.exercise_2, np.log(2)
    assert check(lambda mu, sigma: kl(mu, sigma).mean(0) / bit).passed
    assert check(lambda mu, sigma: (kl(mu, sigma).mean(0) / bit).numpy()).passed
    assert "nats" in diagnosis(check, lambda mu, sigma: kl(mu, sigma).mean(0))
    assert "divide" in diagnosis(check, lambda mu, sigma: kl(mu, sigma).mean(0) * bit)
    assert "summed" in diagnosis(check, lambda mu, sigma: kl(mu, sigma).sum(0) / bit)
    assert "axis 0" in diagnosis(check, lambda mu, sigma: kl(mu, sigma).mean(1) / bit)
    wrong = diagnosis(check, lambda mu, sigma: ((mu**2 + sigma - 1 - sigma.log()) / 2).mean(0) / bit)
    assert "standard deviation" in wrong
    assert "I expected" in diagnosis(check, lambda mu, sigma: mu.mean(0))


def test_active_units_diagnoses():
    check = chapter06.exercise_3
    assert check(lambda mu, threshold: (mu.var(0) > threshold).sum()).passed
    assert check(lambda mu, threshold: int((mu.numpy().var(0) > threshold).sum())).passed
    assert "standard deviation" in diagnosis(check, lambda mu, threshold: (mu.std(0) > threshold).sum())
    assert "never moves" in diagnosis(check, lambda mu, threshold: ((mu**2).mean(0) > threshold).sum())
    assert "axis 0" in diagnosis(check, lambda mu, threshold: (mu.var(1) > threshold).sum())
    assert "with the threshold that I give" in diagnosis(check, lambda mu, threshold: (mu.var(0) > 0.1).sum())
    assert "do you use" in diagnosis(check, lambda mu, threshold: (mu.var(0) > 0.01).sum())
    assert "2 of 4" in diagnosis(check, lambda mu, threshold: 0)


def test_budget_diagnoses():
    check, nat = chapter06.exercise_4, np.log(2)

    def by_log(bits, betas, rates):
        order = np.argsort(rates)
        return np.exp(np.interp(bits * nat, rates[order], np.log(betas)[order]))

    def reversed_only(bits, betas, rates):
        return np.exp(np.interp(bits * nat, rates[::-1], np.log(betas[::-1])))

    assert check(by_log).passed
    assert "convert first" in diagnosis(check, lambda bits, betas, rates: by_log(bits / nat, betas, rates))
    assert "log beta, then exp" in diagnosis(check, lambda bits, b, r: np.interp(bits * nat, r[::-1], b[::-1]))
    assert "exponential" in diagnosis(check, lambda *arguments: np.log(by_log(*arguments)))
    assert "rising" in diagnosis(check, lambda bits, b, r: np.exp(np.interp(bits * nat, r, np.log(b))))
    assert "rising" in diagnosis(check, lambda bits, b, r: np.interp(bits * nat, r, b))
    assert "other order" in diagnosis(check, reversed_only)
    assert "I expect .2" in diagnosis(check, lambda *arguments: 0.7)


def test_mutual_information_diagnoses():
    check = chapter06.exercise_5

    def pairs(z, mu, sigma):
        return Normal(mu, sigma).log_prob(z[:, None])  # [n, n, Z]

    def estimate(z, mu, sigma):
        log_q = pairs(z, mu, sigma).sum(-1)
        return log_q.diagonal() - log_q.logsumexp(1) + np.log(len(z))

    def own(z, mu, sigma):
        return Normal(mu, sigma).log_prob(z).sum(-1)

    assert check(lambda *a: estimate(*a).mean()).passed
    assert check(lambda *a: estimate(*a).mean().item()).passed
    assert "average over them" in diagnosis(check, estimate)
    assert "log n is missing" in diagnosis(check, lambda *a: estimate(*a).mean() - np.log(len(a[0])))
    assert "sign" in diagnosis(check, lambda *a: -estimate(*a).mean())
    assert "bits" in diagnosis(check, lambda *a: estimate(*a).mean() / np.log(2))
    assert "inside the logarithm" in diagnosis(check, lambda *a: (own(*a) - pairs(*a).sum(-1).mean(1)).mean())
    assert "the rate" in diagnosis(check, lambda z, mu, sigma: kl(mu, sigma).sum(1).mean())
    assert "the rate" in diagnosis(check, lambda *a: (own(*a) - Normal(0.0, 1.0).log_prob(a[0]).sum(-1)).mean())

    def by_dimension(z, mu, sigma):
        marginals = pairs(z, mu, sigma).logsumexp(1) - np.log(len(z))
        return (own(z, mu, sigma) - marginals.sum(-1)).mean()

    def without_own(z, mu, sigma):
        log_q = pairs(z, mu, sigma).sum(-1).masked_fill(torch.eye(len(z), dtype=bool), -torch.inf)
        return (own(z, mu, sigma) - log_q.logsumexp(1) + np.log(len(z) - 1)).mean()

    def unstable(z, mu, sigma):
        q = pairs(z, mu, sigma).sum(-1).exp()
        return (q.diagonal() / q.mean(1)).log().mean()

    assert "sum the logs over the dimensions" in diagnosis(check, by_dimension)
    assert "one of the n" in diagnosis(check, without_own)
    assert "logsumexp" in diagnosis(check, unstable)
    assert "I expected" in diagnosis(check, lambda *a: estimate(*a).mean() + 0.7)
