"""The checks of the exercises: a right answer passes, and each usual mistake gets its own diagnosis."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mvae_lib import exercises as checks
from mvae_lib.exercises import chapter01, chapter02


def not_written_yet(*arguments):
    raise NotImplementedError


ALL = [
    *(getattr(chapter01, f"exercise_{i}") for i in (1, 2, 3, 4)),
    *(getattr(chapter02, f"exercise_{i}") for i in (1, 2, 3, 4)),
]


@pytest.mark.parametrize("check", ALL, ids=lambda check: f"{check.__module__[-2:]}-{check.__name__}")
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


def test_transpose_diagnoses():
    check = chapter01.exercise_1
    assert check(lambda t, s: np.where(t > 1, t.astype(int) + s, t)).passed
    assert "every class" in diagnosis(check, lambda t, s: t.astype(int) + s)
    assert "Nothing moved" in diagnosis(check, lambda t, s: t)
    assert "down" in diagnosis(check, lambda t, s: np.where(t > 1, t.astype(int) + abs(s), t))
    assert "class 1" in diagnosis(check, lambda t, s: np.where(t > 0, t.astype(int) + s, t))

    def in_place(tokens, semitones):
        tokens[tokens > 1] += np.array(semitones).astype(tokens.dtype)
        return tokens

    assert "copy" in diagnosis(check, in_place)


def test_note_length_diagnoses():
    check = chapter01.exercise_2

    def lengths(tokens, events, end):
        steps = np.flatnonzero(events)
        return np.diff(np.append(steps, len(tokens)) if end else steps)

    def right(t):
        return lengths(t, t > 0, True)[t[t > 0] > 1]

    assert check(right).passed
    assert "silence after a note-off" in diagnosis(check, lambda t: lengths(t, t > 0, True))
    assert "last one" in diagnosis(check, lambda t: lengths(t, t > 1, False))
    assert "whichever comes first" in diagnosis(check, lambda t: lengths(t, t > 1, True))
    assert "I expected" in diagnosis(check, lambda t: [int(n) for n in right(np.r_[41, t[1:]])])


def test_bigram_diagnoses():
    check = chapter01.exercise_3

    def table(previous, following, alpha):
        counts = np.full((90, 90), float(alpha))
        np.add.at(counts, (previous.ravel(), following.ravel()), 1)
        return counts

    def within(t, a):
        return table(t[:, :-1], t[:, 1:], a)

    def by_row(counts):
        return counts / counts.sum(1, keepdims=True)

    assert check(lambda t, a: by_row(within(t, a))).passed
    assert "exchanged" in diagnosis(check, lambda t, a: by_row(within(t, a)).T)
    assert "exchanged" in diagnosis(check, lambda t, a: by_row(within(t, a).T))
    assert "counted once" in diagnosis(check, lambda t, a: by_row(np.minimum(within(t, a), 1 + a)))
    assert "nobody" in diagnosis(check, lambda t, a: by_row(table(t.ravel()[:-1], t.ravel()[1:], a)))
    assert "sum to 1" in diagnosis(check, within)
    assert "Each column" in diagnosis(check, lambda t, a: within(t, a) / within(t, a).sum(0))
    assert "do not add 1" in diagnosis(check, lambda t, a: by_row(within(t, 1)))


def test_perplexity_diagnoses():
    check = chapter01.exercise_4
    assert check(lambda nll: np.exp(nll.mean())).passed
    assert "average" in diagnosis(check, lambda nll: np.exp(nll).mean())
    assert "base is e" in diagnosis(check, lambda nll: 2 ** nll.mean())
    assert "sign" in diagnosis(check, lambda nll: np.exp(-nll.mean()))
    assert "not the sum" in diagnosis(check, lambda nll: np.exp(nll.sum()))
    assert "shape" in diagnosis(check, lambda nll: np.exp(nll.mean(1)))


def test_onset_accuracy_diagnoses():
    check = chapter02.exercise_1
    assert check(lambda d, t: (d == t)[t > 1].mean()).passed
    assert "step accuracy" in diagnosis(check, lambda d, t: (d == t).mean())
    assert "decoded" in diagnosis(check, lambda d, t: (d == t)[d > 1].mean())
    assert "note-off" in diagnosis(check, lambda d, t: (d == t)[t > 0].mean())

    def by_melody(decoded, tokens):
        return np.mean([(d == t)[t > 1].mean() for d, t in zip(decoded, tokens, strict=True)])

    assert "averaged" in diagnosis(check, by_melody)


def test_reconstruction_diagnoses():
    check = chapter02.exercise_2

    def steps(logits, tokens):
        return F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")

    assert check(lambda y, x: steps(y, x).sum(1)).passed
    assert "averaged over the steps" in diagnosis(check, lambda y, x: steps(y, x).mean(1))
    assert "sign" in diagnosis(check, lambda y, x: -steps(y, x).sum(1))
    assert "One number" in diagnosis(check, lambda y, x: steps(y, x).sum(1).mean())


def test_gaussian_diagnoses():
    check = chapter02.exercise_3

    def samples(latents, n, generator, matrix, mean=True):
        return latents.mean(0) * mean + torch.randn(n, 2, generator=generator) @ matrix

    def root(latents):
        return torch.linalg.cholesky(torch.cov(latents.T))

    assert check(lambda c, n, g: samples(c, n, g, root(c).T)).passed
    assert "mean" in diagnosis(check, lambda c, n, g: samples(c, n, g, root(c).T, mean=False))
    assert "uncorrelated" in diagnosis(check, lambda c, n, g: samples(c, n, g, torch.diag(c.std(0))))
    assert "square root" in diagnosis(check, lambda c, n, g: samples(c, n, g, torch.cov(c.T)))
    assert "wrong side" in diagnosis(check, lambda c, n, g: samples(c, n, g, root(c)))
    assert "seed fixed" in diagnosis(check, lambda c, n, g: samples(c, n, torch.Generator().manual_seed(3), root(c).T))
    assert "same seed" in diagnosis(check, lambda c, n, g: samples(c, n, None, root(c).T))

    def uniform(c, n, g):
        return c.mean(0) + 3**0.5 * (2 * torch.rand(n, 2, generator=g) - 1) @ root(c).T

    def resampled(c, n, g):
        return c[torch.randint(len(c), (n,), generator=g)]

    assert "not Gaussian" in diagnosis(check, uniform)
    assert "not Gaussian" in diagnosis(check, resampled)


def test_path_diagnoses():
    check = chapter02.exercise_4
    assert check(lambda a, b, n: torch.lerp(a, b, torch.linspace(0, 1, n)[:, None])).passed
    assert "backwards" in diagnosis(check, lambda a, b, n: torch.lerp(b, a, torch.linspace(0, 1, n)[:, None]))
    assert "both ends" in diagnosis(check, lambda a, b, n: torch.lerp(a, b, torch.arange(n)[:, None] / n))
    assert "evenly" in diagnosis(check, lambda a, b, n: torch.lerp(a, b, torch.linspace(0, 1, n)[:, None] ** 2))


def test_a_verdict_reads_as_one_line():
    verdict = checks.judge("9.9", lambda: None, "Well done.")
    assert verdict.passed
    assert repr(verdict) == "✔ Exercise 9.9: passed. Well done."
