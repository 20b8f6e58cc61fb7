"""The checks of chapter 03: a right answer passes, and each usual mistake gets its own diagnosis."""

import math
from dataclasses import replace

import pytest
import torch

from mvae_lib.exercises import chapter03 as checks
from mvae_lib.models.posterior import reparameterize
from mvae_lib.training.objectives import gaussian_kl, iwae_bound, log_importance_weight, reconstruction


def not_written_yet(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("check", [getattr(checks, f"exercise_{i}") for i in (1, 2, 3, 4)], ids=lambda c: c.__name__)
def test_an_open_exercise_is_not_attempted_and_a_careless_one_gets_words(check):
    assert check(not_written_yet).status == "not attempted"
    assert check(lambda *arguments: None).status == "not yet"
    broken = check(lambda *arguments: 1 / 0)
    assert broken.status == "not yet"
    assert "ZeroDivisionError" in broken.message


def diagnosis(check, function):
    verdict = check(function)
    assert not verdict.passed
    return verdict.message


def test_kl_diagnoses():
    check = checks.exercise_1
    assert check(lambda m, s: ((m**2 + s**2 - 1) / 2 - s.log()).sum(-1)).passed
    assert check(gaussian_kl).passed
    assert "twice" in diagnosis(check, lambda m, s: 2 * gaussian_kl(m, s))
    assert "before mu^2" in diagnosis(check, lambda m, s: (m**2 + s**2 - 1 - s.log()).sum(-1))
    assert "outside of the half" in diagnosis(check, lambda m, s: ((m**2 + s**2 - 1 - s.log()) / 2).sum(-1))
    assert "-1 is missing" in diagnosis(check, lambda m, s: ((m**2 + s**2) / 2 - s.log()).sum(-1))
    assert "narrow q" in diagnosis(check, lambda m, s: ((m**2 + s**2 - 1) / 2 + s.log()).sum(-1))
    assert "for the variance" in diagnosis(check, lambda m, s: ((m**2 + s - 1) / 2 - s.log() / 2).sum(-1))
    assert "squared" in diagnosis(check, lambda m, s: ((m + s**2 - 1) / 2 - s.log()).sum(-1))
    assert "other way round" in diagnosis(check, lambda m, s: (((m / s) ** 2 + s**-2 - 1) / 2 + s.log()).sum(-1))
    assert "averaged" in diagnosis(check, lambda m, s: ((m**2 + s**2 - 1) / 2 - s.log()).mean(-1))
    assert "never negative" in diagnosis(check, lambda m, s: -gaussian_kl(m, s))
    assert "last axis" in diagnosis(check, lambda m, s: (m**2 + s**2 - 1) / 2 - s.log())
    assert "over the examples" in diagnosis(check, lambda m, s: ((m**2 + s**2 - 1) / 2 - s.log()).sum(0))
    assert "One number came back" in diagnosis(check, lambda m, s: gaussian_kl(m, s).mean())
    assert "shape" in diagnosis(check, lambda m, s: gaussian_kl(m, s)[:2])
    assert "differ" in diagnosis(check, lambda m, s: gaussian_kl(m, s) + 1)


def parts(model, tokens, generator):
    posterior = model.encode(tokens)
    z = reparameterize(posterior, generator)
    return reconstruction(model.logits(z), tokens), gaussian_kl(*posterior), posterior, z


def test_elbo_diagnoses():
    check = checks.exercise_2

    def by(function):
        def answer(model, tokens, generator):
            distortion, rate, *_ = parts(model, tokens, generator)
            return function(distortion, rate)

        return answer

    assert check(by(lambda d, r: -d - r)).passed

    def from_the_weight(model, tokens, generator):
        distortion, _, posterior, z = parts(model, tokens, generator)
        return log_importance_weight(distortion, z, *posterior)

    assert check(from_the_weight).passed  # the KL estimated from the same draw is an ELBO too
    assert "the loss" in diagnosis(check, by(lambda d, r: d + r))
    assert "rate is missing" in diagnosis(check, by(lambda d, r: -d))
    assert "with a minus" in diagnosis(check, by(lambda d, r: -d + r))
    assert "averaged over the steps" in diagnosis(check, by(lambda d, r: -d / 8 - r))
    assert "differ" in diagnosis(check, by(lambda d, r: -d - 2 * r))
    assert "shape" in diagnosis(check, by(lambda d, r: (-d - r).mean()))

    def at(place):
        def answer(model, tokens, generator):
            posterior = model.encode(tokens)
            z = place(posterior, generator)
            return -reconstruction(model.logits(z), tokens) - gaussian_kl(*posterior)

        return answer

    assert "mu itself" in diagnosis(check, at(lambda p, g: p.mu))
    assert "not a variance" in diagnosis(check, at(lambda p, g: reparameterize(replace(p, sigma=p.sigma**2), g)))
    assert "different seeds" in diagnosis(check, at(lambda p, g: reparameterize(p, torch.Generator().manual_seed(5))))


def test_the_small_model_of_the_check_tells_the_mistakes_apart():
    """Sample, mean and squared sigma must give values apart by more than the check's tolerance."""
    model, tokens = checks._small_vae()
    with torch.no_grad():
        distortion, rate, posterior, _ = parts(model, tokens, torch.Generator().manual_seed(1))
        at_mu = reconstruction(model.logits(posterior.mu), tokens)
    assert (rate > 0.1).all()
    assert ((distortion - at_mu).abs() > 0.05).all()


def test_iwae_diagnoses():
    check = checks.exercise_3
    assert check(lambda w: w.logsumexp(0) - math.log(len(w))).passed
    assert check(iwae_bound).passed
    assert "mean of the logs" in diagnosis(check, lambda w: w.mean(0))
    assert "subtract log k" in diagnosis(check, lambda w: w.logsumexp(0))
    assert "take its log" in diagnosis(check, lambda w: w.exp().mean(0))
    assert "largest" in diagnosis(check, lambda w: w.amax(0))
    assert "exp(-400)" in diagnosis(check, lambda w: w.exp().mean(0).log())
    assert "first axis" in diagnosis(check, lambda w: w.logsumexp(1) - math.log(4))
    assert "shape" in diagnosis(check, lambda w: w.logsumexp(0)[:2])
    assert "differ" in diagnosis(check, lambda w: iwae_bound(w) + 1)


def best_q(x, w, s, beta):
    precision = 1 + w**2 / (beta * s**2)
    return w * x / (beta * s**2) / precision, precision**-0.5


def test_the_optimum_of_the_check_is_the_best_on_a_fine_grid():
    for case in ((1.3, 0.8, 0.6, 0.4), (-0.7, 1.7, 1.4, 2.5)):
        mu, sigma = best_q(*case)
        top = checks._objective(mu, sigma, *case)
        near = [
            checks._objective(mu + a, sigma * math.exp(b), *case)
            for a in (-0.02, 0, 0.02)
            for b in (-0.02, 0, 0.02)
            if (a, b) != (0, 0)
        ]
        assert max(near) < top


def test_best_q_diagnoses():
    check = checks.exercise_4

    def at(change):
        return lambda x, w, s, beta: change(*best_q(x, w, s, beta), x, w, s, beta)

    assert check(best_q).passed
    assert check(lambda x, w, s, beta: torch.tensor(best_q(x, w, s, beta)).unbind()).passed
    assert "exact posterior" in diagnosis(check, lambda x, w, s, beta: best_q(x, w, s, 1))
    assert "multiplies" in diagnosis(check, lambda x, w, s, beta: best_q(x, w, s, 1 / beta))
    assert "the variance" in diagnosis(check, at(lambda m, d, *case: (m, d**2)))
    assert "the precision" in diagnosis(check, at(lambda m, d, *case: (m, d**-2)))
    assert "divide the whole" in diagnosis(check, at(lambda m, d, x, w, s, b: (m, (b + w**2 / s**2) ** -0.5)))
    assert "prior is missing" in diagnosis(check, at(lambda m, d, x, w, s, b: (x / w, s * b**0.5 / w)))
    assert "2 s^2" in diagnosis(check, lambda x, w, s, beta: best_q(x, w, s**0.5, beta))
    assert "factor w" in diagnosis(check, at(lambda m, d, x, w, s, b: (m / w, d)))
    assert "nats at your q" in diagnosis(check, at(lambda m, d, *case: (m + 1, d)))
    assert "above 0" in diagnosis(check, at(lambda m, d, *case: (m, -d)))
    assert "two numbers" in diagnosis(check, lambda x, w, s, beta: 0.5)


def test_an_answer_that_is_right_for_one_case_only_does_not_pass():
    def only_below_1(x, w, s, beta):
        return best_q(x, w, s, beta if beta < 1 else 1)

    assert "exact posterior" in diagnosis(checks.exercise_4, only_below_1)
