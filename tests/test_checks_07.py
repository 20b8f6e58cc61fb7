"""The checks of chapter 07: a right answer passes, and each usual mistake gets its own diagnosis."""

import math

import pytest
import torch

from mvae_lib.evaluation.collapse import word_dropout
from mvae_lib.exercises import chapter07


def not_written_yet(*arguments):
    raise NotImplementedError


ALL = [getattr(chapter07, f"exercise_{i}") for i in (1, 2, 3, 4)]


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


def spread(nats, z_size):
    return torch.full((z_size,), math.sqrt(2 * nats / z_size))


def test_idle_mean_diagnoses():
    check = chapter07.exercise_1
    assert check(lambda bits, z: spread(bits * math.log(2), z)).passed
    assert check(lambda bits, z: -spread(bits * math.log(2), z)).passed
    assert check(lambda bits, z: torch.eye(z)[0] * math.sqrt(2 * bits * math.log(2))).passed
    assert "*nats*" in diagnosis(check, spread)
    assert "half" in diagnosis(check, lambda bits, z: spread(bits * math.log(2) / 2, z))
    assert "together" in diagnosis(check, lambda bits, z: spread(z * bits * math.log(2), z))
    assert "yours costs 0.00 bits" in diagnosis(check, lambda bits, z: torch.zeros(z))
    assert "shape" in diagnosis(check, lambda bits, z: 3.0)


def test_word_dropout_diagnoses():
    check = chapter07.exercise_2
    assert check(word_dropout).passed

    def by(shape, class_=90, keep=False, seed=None):
        def hide(tokens, probability, generator):
            generator = generator if seed is None else torch.Generator().manual_seed(seed)
            coins = torch.rand(shape or tokens.shape, generator=generator) < probability
            return torch.where(~coins if keep else coins, class_, tokens)

        return hide

    assert check(by(None)).passed
    assert "Nothing is hidden" in diagnosis(check, lambda tokens, p, g: tokens)
    assert "hold" in diagnosis(check, by(None, class_=0))
    assert "class 90" in diagnosis(check, by(None, class_=91))
    assert "kept a quarter" in diagnosis(check, by(None, keep=True))
    assert "Whole melodies" in diagnosis(check, by((500, 1)))
    assert "Whole steps" in diagnosis(check, by((1, 16)))
    assert "seed fixed inside" in diagnosis(check, by(None, seed=0))
    assert "asked for a quarter" in diagnosis(check, lambda tokens, p, g: word_dropout(tokens, p / 2, g))
    assert "give `generator`" in diagnosis(check, lambda tokens, p, g: word_dropout(tokens, p, None))
    assert "shape" in diagnosis(check, lambda tokens, p, g: tokens[:, :1])

    def in_place(tokens, probability, generator):
        return tokens.copy_(word_dropout(tokens, probability, generator))

    assert "Return new ones" in diagnosis(check, in_place)


def test_hidden_beta_diagnoses():
    check = chapter07.exercise_3

    def right(distortion, kl, steps, z):
        return (steps if distortion == "mean" else 1) / (z if kl == "mean" else 1)

    assert check(right).passed
    assert "nothing is hidden" in diagnosis(check, lambda d, k, steps, z: 0.5)
    assert "Upside down" in diagnosis(check, lambda *arguments: 1 / right(*arguments))
    assert "cancel" in diagnosis(check, lambda d, k, *sizes: 1.0 if d == k else right(d, k, *sizes))
    assert "I get 32, and you 1" in diagnosis(
        check, lambda d, k, steps, z: right("sum", k, steps, z) if d != k else right(d, k, steps, z)
    )


def test_cyclical_beta_diagnoses():
    check = chapter07.exercise_4

    def right(step, period):
        return min(1.0, 2 * (step % period) / period)

    assert check(right).passed
    assert "through the whole period" in diagnosis(check, lambda step, period: step % period / period)
    assert "stops at 1" in diagnosis(check, lambda step, period: 2 * (step % period) / period)
    assert "climbs once" in diagnosis(check, lambda step, period: min(1.0, 2 * step / period))
    assert "At step 0" in diagnosis(check, lambda step, period: 1 - right(step, period))
