"""The checks of chapter 04: a right answer passes, and each usual mistake gets its own diagnosis."""

import pytest
import torch

from mvae_lib.exercises import chapter04
from mvae_lib.training.objectives import gaussian_kl, log_normal, reconstruction

ALL = [getattr(chapter04, f"exercise_{i}") for i in (1, 2, 3, 4, 5)]


def not_written_yet(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.__name__)
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


def test_sample_latent_diagnoses():
    check = chapter04.exercise_1

    def noise(mu, generator):
        return torch.randn(mu.shape, generator=generator)

    assert check(lambda m, s, g: m + s * noise(m, g)).passed
    assert "standard deviation" in diagnosis(check, lambda m, s, g: m + s**2 * noise(m, g))
    assert "standard deviation" in diagnosis(check, lambda m, s, g: m + s.sqrt() * noise(m, g))
    assert "an eps of its own" in diagnosis(check, lambda m, s, g: m + s * noise(m[:1], g))
    assert "move together" in diagnosis(check, lambda m, s, g: m + s * noise(m[:, :1], g))
    assert "another mean" in diagnosis(check, lambda m, s, g: s * noise(m, g))
    assert "another spread" in diagnosis(check, lambda m, s, g: m + noise(m, g))
    assert "same seed" in diagnosis(check, lambda m, s, g: m + s * torch.randn(m.shape))
    assert "seed fixed" in diagnosis(check, lambda m, s, g: m + s * noise(m, torch.Generator().manual_seed(3)))
    assert "silently zero" in diagnosis(check, lambda m, s, g: torch.normal(m, s, generator=g))
    assert "no gradient passes" in diagnosis(check, lambda m, s, g: torch.normal(m, s, generator=g).detach())
    assert "mu gets none" in diagnosis(check, lambda m, s, g: m.detach() + s * noise(m, g))
    assert "sigma gets none" in diagnosis(check, lambda m, s, g: m + s.detach() * noise(m, g))
    assert "dz/dmu" in diagnosis(check, lambda m, s, g: 2 * m - m.detach() + s * noise(m, g))

    def uniform(m, s, g):
        return m + s * 3**0.5 * (2 * torch.rand(m.shape, generator=g) - 1)

    assert "not Gaussian" in diagnosis(check, uniform)


def test_score_term_diagnoses():
    check = chapter04.exercise_2

    def log_q(z, m, s):
        return log_normal(z, m, s).sum(-1)

    assert check(lambda c, z, m, s: c.detach() * log_q(z.detach(), m, s)).passed
    half = torch.tensor(2 * torch.pi).log() / 2
    without_constant = check(lambda c, z, m, s: c.detach() * (log_q(z.detach(), m, s) + 3 * half))
    assert without_constant.passed  # a constant has no gradient
    assert "sign" in diagnosis(check, lambda c, z, m, s: -c.detach() * log_q(z.detach(), m, s))
    assert "z is not detached" in diagnosis(check, lambda c, z, m, s: c.detach() * log_q(z, m, s))
    assert "The cost is not" in diagnosis(check, lambda c, z, m, s: c * log_q(z.detach(), m, s))
    assert "Neither" in diagnosis(check, lambda c, z, m, s: c * log_q(z, m, s))
    assert "One number" in diagnosis(check, lambda c, z, m, s: (c.detach() * log_q(z.detach(), m, s)).mean())
    assert "sum over" in diagnosis(check, lambda c, z, m, s: c.detach()[:, None] * log_normal(z.detach(), m, s))
    assert "The cost is missing" in diagnosis(check, lambda c, z, m, s: log_q(z.detach(), m, s))
    nothing = diagnosis(check, lambda c, z, m, s: c.detach() * log_q(z.detach(), m.detach(), s.detach()))
    assert "no gradient at all" in nothing
    squares = diagnosis(check, lambda c, z, m, s: -c.detach() * ((z.detach() - m) / s).square().sum(-1) / 2)
    assert "log sigma" in squares
    assert "is not cost" in diagnosis(check, lambda c, z, m, s: 2 * c.detach() * log_q(z.detach(), m, s))


def test_baseline_diagnoses():
    check = chapter04.exercise_3
    assert check(lambda c: (c.sum(0) - c) / (len(c) - 1)).passed
    assert check(lambda c: torch.stack([torch.cat([c[:i], c[i + 1 :]]).mean(0) for i in range(len(c))])).passed
    assert "still in its baseline" in diagnosis(check, lambda c: c.mean(0).expand_as(c))
    assert "one baseline for all" in diagnosis(check, lambda c: c.mean(0))
    assert "k - 1 others" in diagnosis(check, lambda c: (c.sum(0) - c) / len(c))
    assert "among the melodies" in diagnosis(check, lambda c: (c.sum(1, keepdim=True) - c) / (c.shape[1] - 1))
    assert "over the melodies too" in diagnosis(check, lambda c: (c.sum() - c) / (c.numel() - 1))
    assert "are not the means" in diagnosis(check, lambda c: c - c.mean(0))


def test_loss_diagnoses():
    check = chapter04.exercise_4

    def loss(cut=()):
        def of(model, tokens, eps):
            mu, sigma = model.encode(tokens)

            def part(name, value):
                return value.detach() if name in cut else value

            z = part("z", part("mu of z", mu) + part("sigma of z", sigma) * eps)
            kl = gaussian_kl(part("mu of kl", mu), part("sigma of kl", sigma))
            return reconstruction(model.logits(z), tokens) + kl

        return of

    assert check(loss()).passed
    assert "Nothing has changed" in diagnosis(check, loss(["mu of z", "sigma of kl"]))
    assert "mu is still cut off" in diagnosis(check, loss(["mu of z"]))
    assert "sigma is still cut off" in diagnosis(check, loss(["sigma of kl"]))
    assert "z as a whole is cut off: " in diagnosis(check, loss(["z"]))
    assert "from the KL too" in diagnosis(check, loss(["z", "sigma of kl"]))
    assert "sigma is cut off" in diagnosis(check, loss(["sigma of z"]))
    assert "mu is cut off from the KL" in diagnosis(check, loss(["mu of kl"]))
    assert "from both" in diagnosis(check, loss(["mu of z", "mu of kl"]))
    assert "value has changed" in diagnosis(check, lambda m, t, e: reconstruction(m.logits(m.encode(t).mu), t))
    assert "is not that of" in diagnosis(check, loss(["sigma of z", "sigma of kl"]))
    assert "shape" in diagnosis(check, lambda *a: loss()(*a).mean())


def test_cubic_diagnoses():
    check = chapter04.exercise_5

    def answer(a=None, b=None, c=None):
        def cubic(mu, sigma):
            right = (3 * mu**2 + 3 * sigma**2, 6 * mu * sigma, 36 * mu**2 * sigma**2 + 18 * sigma**4)
            return tuple(wrong(mu, sigma) if wrong else value for wrong, value in zip((a, b, c), right, strict=True))

        return cubic

    assert check(answer()).passed
    assert "term from sigma" in diagnosis(check, answer(a=lambda m, s: 3 * m**2))
    assert "itself" in diagnosis(check, answer(a=lambda m, s: m**3 + 3 * m * s**2))
    assert "take its derivative for sigma" in diagnosis(check, answer(b=lambda m, s: 3 * m * s**2))
    assert "factor 2" in diagnosis(check, answer(b=lambda m, s: 3 * m * s))
    assert "has a gradient" in diagnosis(check, answer(b=lambda m, s: 0.0))
    second = diagnosis(check, answer(c=lambda m, s: 9 * (m**4 + 6 * m**2 * s**2 + 3 * s**4)))
    assert "squared mean" in second
    assert "counts squared." in diagnosis(check, answer(c=lambda m, s: 4 * m**2 * s**2 + 2 * s**4))
    assert "9, not 3" in diagnosis(check, answer(c=lambda m, s: 12 * m**2 * s**2 + 6 * s**4))
    assert "standard deviation" in diagnosis(check, answer(c=lambda m, s: (36 * m**2 * s**2 + 18 * s**4) ** 0.5))
    assert "(a) is not right: at mu 0.7, sigma 0.4, 200,000 samples give 1.95" in diagnosis(
        check, answer(a=lambda m, s: 1.0)
    )
    assert "three numbers" in diagnosis(check, lambda m, s: 3 * m**2)
