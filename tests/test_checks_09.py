"""The checks of chapter 09: a right answer passes, and each usual mistake gets its own diagnosis."""

import numpy as np
import pytest
import torch

from mvae_lib.exercises import chapter09
from mvae_lib.latent import lerp, slerp


def not_written_yet(*arguments):
    raise NotImplementedError


ALL = [getattr(chapter09, f"exercise_{number}") for number in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.__name__)
def test_an_open_exercise_is_not_attempted_and_a_careless_one_gets_words(check):
    assert check(not_written_yet).status == "not attempted"
    assert check(lambda *arguments: None).message.startswith("Your function returned None")
    assert "ZeroDivisionError" in check(lambda *arguments: 1 / 0).message


def diagnosis(check, function):
    verdict = check(function)
    assert not verdict.passed
    return verdict.message


def naive(a, b, t):
    w = torch.acos(torch.cosine_similarity(a, b, dim=0))
    return (torch.sin((1 - t) * w) * a + torch.sin(t * w) * b) / torch.sin(w)


def unit(vector):
    return vector / vector.norm()


def test_arc_diagnoses():
    check = chapter09.exercise_1
    assert check(slerp).passed
    assert "That is the line" in diagnosis(check, lerp)
    assert "from b to a" in diagnosis(check, lambda a, b, t: slerp(b, a, t))
    assert "length 1" in diagnosis(check, lambda a, b, t: naive(unit(a), unit(b), t))
    assert "stretched" in diagnosis(check, lambda a, b, t: a.norm() * naive(unit(a), unit(b), t))

    def undivided(a, b, t):
        return naive(a, b, t) * torch.sin(torch.acos(torch.cosine_similarity(a, b, dim=0)))

    assert "division by sin w" in diagnosis(check, undivided)
    assert "not on the arc" in diagnosis(check, lambda a, b, t: slerp(a, b, t**2))
    assert "shape" in diagnosis(check, lambda a, b, t: slerp(a, b, torch.linspace(0, 1, 3)))

    def unguarded(a, b, t):
        return naive(a, b, t) if not torch.allclose(2 * a, b) else a * torch.nan

    assert "NaN" in diagnosis(check, unguarded)
    assert "line is the answer" in diagnosis(check, lambda a, b, t: a if torch.allclose(2 * a, b) else naive(a, b, t))


def difference(z, values, bounds, means):
    low, high = np.nanquantile(values[bounds], (0.25, 0.75))
    return z[(values >= high) & means].mean(0) - z[(values <= low) & means].mean(0)


def test_vector_diagnoses():
    check = chapter09.exercise_2

    def on(z, values, is_train):
        return z[is_train], values[is_train]

    def split(z, values, low, high):
        low, high = np.nanquantile(values, (low, high))
        return z[values >= high].mean(0) - z[values <= low].mean(0)

    assert check(lambda z, v, t: split(*on(z, v, t), 0.25, 0.75)).passed
    assert "test melodies are in it" in diagnosis(check, lambda z, v, t: split(z, v, 0.25, 0.75))
    assert "quartiles leak" in diagnosis(check, lambda z, v, t: difference(z, v, t | True, t))
    assert "means leak" in diagnosis(check, lambda z, v, t: difference(z, v, t, t | True))
    assert "only those" in diagnosis(check, lambda z, v, t: split(*on(z, v, ~t), 0.25, 0.75))
    assert "from the top to the bottom" in diagnosis(check, lambda z, v, t: -split(*on(z, v, t), 0.25, 0.75))
    assert "halves" in diagnosis(check, lambda z, v, t: split(*on(z, v, t), 0.5, 0.5))
    assert "NaN for 0" in diagnosis(check, lambda z, v, t: split(*on(z, np.nan_to_num(v), t), 0.25, 0.75))
    assert "differs" in diagnosis(check, lambda z, v, t: split(*on(z, v, t), 0.1, 0.9))

    def poisoned(z, values, is_train):
        z, values = on(z, values, is_train)
        low, high = np.quantile(values, (0.25, 0.75))
        return z[values >= high].mean(0) - z[values <= low].mean(0)

    assert "np.nanquantile" in diagnosis(check, poisoned)

    def in_place(z, values, is_train):
        values[~is_train] = np.nan
        return split(z, values, 0.25, 0.75)

    assert "copies" in diagnosis(check, in_place)


def test_control_diagnoses():
    check = chapter09.exercise_3

    def scaled(direction, noise):
        return noise * direction.norm() / noise.norm()

    assert check(lambda d, g: scaled(d, torch.randn(d.shape, generator=g))).passed
    assert "length" in diagnosis(check, lambda d, g: torch.randn(d.shape, generator=g))
    assert "same seed" in diagnosis(check, lambda d, g: scaled(d, torch.randn(d.shape)))
    fixed = torch.Generator().manual_seed
    assert "seed fixed" in diagnosis(check, lambda d, g: scaled(d, torch.randn(d.shape, generator=fixed(0))))
    assert "shuffled" in diagnosis(check, lambda d, g: d[torch.randperm(len(d), generator=g)])
    assert "positive" in diagnosis(check, lambda d, g: scaled(d, torch.rand(d.shape, generator=g)))
    assert "cube" in diagnosis(check, lambda d, g: scaled(d, 2 * torch.rand(d.shape, generator=g) - 1))
    axes = torch.tensor([1.0, 1, 1, 1, 2, 2])
    assert "axes" in diagnosis(check, lambda d, g: scaled(d, axes * torch.randn(d.shape, generator=g)))
    assert "mean" in diagnosis(check, lambda d, g: scaled(d, 0.5 + torch.randn(d.shape, generator=g)))


def test_failures_diagnoses():
    check = chapter09.exercise_4

    def others(effects):
        return np.abs(effects) * ~np.eye(len(effects), dtype=bool)

    def too_little(added, subtracted, least):
        return (np.diagonal(added) < least) | (np.diagonal(subtracted) > -least)

    def outdone(effects, axis=1):
        return others(effects).max(axis) > np.abs(np.diagonal(effects))

    def right(added, subtracted, least):
        return too_little(added, subtracted, least) | outdone(added) | outdone(subtracted)

    assert check(right).passed
    assert "other way round" in diagnosis(check, lambda a, s, least: ~right(a, s, least))
    assert "too little" in diagnosis(check, lambda a, s, least: outdone(a) | outdone(s))
    unsigned = np.abs
    assert "signs matter" in diagnosis(
        check, lambda a, s, least: too_little(a, -unsigned(s), least) | outdone(a) | outdone(s)
    )
    assert "when added only" in diagnosis(
        check, lambda a, s, least: too_little(a, np.diag([-1.0, -1, 1, -1, -1, -1]), least)
    )
    assert "along its row" in diagnosis(check, lambda a, s, least: too_little(a, s, least) | outdone(s))
    assert "subtracted, moves another" in diagnosis(check, lambda a, s, least: too_little(a, s, least) | outdone(a))
    assert "columns" in diagnosis(check, lambda a, s, least: right(a, s, least) | outdone(a, 0) | outdone(s, 0))
    assert "booleans" in diagnosis(check, lambda a, s, least: right(a, s, least).astype(int))


def test_baseline_diagnoses():
    check = chapter09.exercise_5

    def most(labels):
        names, counts = np.unique(labels, return_counts=True)
        return names[counts.argmax()]

    assert check(lambda labels, test: (test == most(labels)).mean()).passed
    assert "*test* label" in diagnosis(check, lambda labels, test: (test == most(test)).mean())
    assert "training melodies" in diagnosis(check, lambda labels, test: (labels == most(labels)).mean())
    assert "number of labels" in diagnosis(check, lambda labels, test: 1 / len(np.unique(labels)))
    assert "label itself" in diagnosis(check, lambda labels, test: str(most(labels)))
    assert "Expected" in diagnosis(check, lambda labels, test: 0.9)
