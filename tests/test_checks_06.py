"""The checks of chapter 06: a right answer passes, and each usual mistake gets its own diagnosis."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from mvae_lib.exercises import chapter06
from mvae_lib.training.objectives import musicvae_loss


def not_written_yet(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("number", range(1, 5))
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


def test_free_bits_loss_diagnoses():
    check, bit = chapter06.exercise_1, np.log(2)
    assert check(lambda d, r, b, f: (d + b * (r - f * bit).clamp(min=0)).mean()).passed
    assert check(lambda d, r, b, f: musicvae_loss(d, r, b, f).mean()).passed
    assert "no effect" in diagnosis(check, lambda d, r, b, f: (d + b * r).mean())
    assert "beta has no effect" in diagnosis(check, lambda d, r, b, f: (d + (r - f * bit).clamp(min=0)).mean())
    assert "wrong term" in diagnosis(check, lambda d, r, b, f: (b * d + (r - f * bit).clamp(min=0)).mean())
    assert "in nats" in diagnosis(check, lambda d, r, b, f: (d + b * (r - f).clamp(min=0)).mean())
    assert "multiply" in diagnosis(check, lambda d, r, b, f: (d + b * (r - f / bit).clamp(min=0)).mean())
    assert "clamp it at 0" in diagnosis(check, lambda d, r, b, f: (d + b * (r - f * bit)).mean())
    assert "before the mean" in diagnosis(check, lambda d, r, b, f: d.mean() + b * (r.mean() - f * bit).clamp(min=0))
    assert "keeps a constant" in diagnosis(check, lambda d, r, b, f: (d + b * r.clamp(min=f * bit)).mean())
    assert "before beta" in diagnosis(check, lambda d, r, b, f: (d + (b * r - f * bit).clamp(min=0)).mean())
    assert "not subtracted" in diagnosis(check, lambda d, r, b, f: (d - b * (r - f * bit).clamp(min=0)).mean())
    assert "take the mean over" in diagnosis(check, lambda d, r, b, f: d + b * (r - f * bit).clamp(min=0))
    assert "You summed" in diagnosis(check, lambda d, r, b, f: (d + b * (r - f * bit).clamp(min=0)).sum())
    assert "no gradient" in diagnosis(check, lambda d, r, b, f: (d + b * (r.detach() - f * bit).clamp(min=0)).mean())
    assert "counts nothing" in diagnosis(check, lambda d, r, b, f: d.mean())
    assert "I expected" in diagnosis(check, lambda d, r, b, f: 2 * d.mean())


def test_budget_diagnoses():
    check, nat = chapter06.exercise_2, np.log(2)

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
    check = chapter06.exercise_3

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


def test_optimum_diagnoses():
    check = chapter06.exercise_4

    def answer(rates=None, distortions=None):
        def optimum(v, beta):
            r = np.maximum(np.log(v / beta) / 2, 0)
            return (rates(v, beta) if rates else r), (distortions(v, beta) if distortions else np.minimum(v, beta) / 2)

        return optimum

    assert check(answer()).passed
    assert "never negative" in diagnosis(check, answer(lambda v, b: np.log(v / b) / 2))
    assert "half of the log" in diagnosis(check, answer(lambda v, b: np.maximum(np.log(v / b), 0)))
    assert "bits" in diagnosis(check, answer(lambda v, b: np.maximum(np.log2(v / b), 0) / 2))
    assert "cancels" in diagnosis(check, answer(lambda v, b: np.maximum(np.log(v / b / 2), 0) / 2))
    assert "turned" in diagnosis(check, answer(lambda v, b: np.maximum(np.log(b / v), 0) / 2))
    assert "On a grid" in diagnosis(check, answer(lambda v, b: v))
    assert "keeps its variance" in diagnosis(check, answer(None, lambda v, b: np.full(4, b / 2)))
    assert "factor 1/2" in diagnosis(check, answer(None, lambda v, b: np.minimum(v, b)))
    assert "insert your rates" in diagnosis(check, answer(None, lambda v, b: v / 2))
    assert "At these rates" in diagnosis(check, answer(None, lambda v, b: v))
    assert "two arrays" in diagnosis(check, lambda v, b: v)
