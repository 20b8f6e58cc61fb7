"""The checks of chapter 03: a right answer passes, and each usual mistake gets its own diagnosis."""

import math
from dataclasses import replace

import numpy as np
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
    assert check(lambda *arguments: None).message.startswith("Your function returned None")
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
    """Draw, mean and squared sigma must give values apart by more than the check's tolerance."""
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


def test_auc_diagnoses():
    check = checks.exercise_4

    def pairs(real, fake, tie=0.5):
        return ((real[:, None] > fake) + tie * (real[:, None] == fake)).mean()

    assert check(pairs).passed
    assert "above" in diagnosis(check, lambda r, f: pairs(f, r))
    assert "all pairs" in diagnosis(check, lambda r, f: (r > f).mean())
    assert "all pairs" in diagnosis(check, lambda r, f: ((r > f) + 0.5 * (r == f)).mean())
    assert "count half:" in diagnosis(check, lambda r, f: pairs(r, f, 0))
    assert "not whole" in diagnosis(check, lambda r, f: pairs(r, f, 1))
    assert "Divide" in diagnosis(check, lambda r, f: pairs(r, f) * len(r) * len(f))
    assert "Expected" in diagnosis(check, lambda r, f: 0.123)
    assert "fewer real" in diagnosis(check, lambda r, f: pairs(r, f) * len(r) / 40)
    assert "shape" in diagnosis(check, lambda r, f: np.array([1.0, 2.0]))
