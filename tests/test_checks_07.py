"""The checks of chapter 07: a right answer passes, and each usual mistake gets its own diagnosis."""

import numpy as np
import pytest
import torch

from mvae_lib.evaluation.collapse import word_dropout
from mvae_lib.exercises import chapter07
from mvae_lib.training.schedules import beta


def not_written_yet(*arguments):
    raise NotImplementedError


def check_build(function):
    return chapter07.exercise_2(function, function)


ALL = [chapter07.exercise_1, check_build, chapter07.exercise_3, chapter07.exercise_4]


@pytest.mark.parametrize("check", ALL, ids=["exercise_1", "exercise_2", "exercise_3", "exercise_4"])
def test_an_open_exercise_is_not_attempted_and_a_careless_one_gets_words(check):
    assert check(not_written_yet).status == "not attempted"
    assert "Your function returned None" in check(lambda *arguments: None).message
    broken = check(lambda *arguments: 1 / 0)
    assert broken.status == "not yet"
    assert "ZeroDivisionError" in broken.message


def diagnosis(check, *functions):
    verdict = check(*functions)
    assert not verdict.passed
    return verdict.message


def test_excess_diagnoses():
    check = chapter07.exercise_1

    def right(w, a):
        return (a - w) ** 2 / (2 * (1 - w**2))

    assert check(right).passed
    assert "exact posterior" in diagnosis(check, lambda w, a: -0.5 * np.log(1 - w**2))
    assert "twice" in diagnosis(check, lambda w, a: 2 * right(w, a))
    assert "Divide by" in diagnosis(check, lambda w, a: (a - w) ** 2 / 2)
    assert "integration gives" in diagnosis(check, lambda w, a: abs(a - w) / 2)
    assert "shape" in diagnosis(check, lambda w, a: np.zeros(2))


def test_annealing_diagnoses():
    check = chapter07.exercise_2
    assert check(beta, word_dropout).passed
    assert "starts at the maximum" in diagnosis(check, lambda step, m, rate: m * rate**step, word_dropout)
    assert "no effect" in diagnosis(check, lambda step, m, rate: 1 - rate**step, word_dropout)
    assert "should be" in diagnosis(check, lambda step, m, rate: m * min(1, step * (1 - rate)), word_dropout)
    assert "shape" in diagnosis(check, lambda *arguments: np.zeros(3), word_dropout)


def test_word_dropout_diagnoses():
    def check(function):
        return chapter07.exercise_2(beta, function)

    def by(shape, class_=90, keep=False, seed=None):
        def drop(tokens, share, generator):
            generator = generator if seed is None else torch.Generator().manual_seed(seed)
            sampled = torch.rand(shape or tokens.shape, generator=generator) < share
            return torch.where(~sampled if keep else sampled, class_, tokens)

        return drop

    assert check(by(None)).passed
    assert "no token is dropped" in diagnosis(check, lambda tokens, p, g: tokens)
    assert "no event" in diagnosis(check, by(None, class_=0))
    assert "class 90" in diagnosis(check, by(None, class_=91))
    assert "kept a quarter" in diagnosis(check, by(None, keep=True))
    assert "whole melodies" in diagnosis(check, by((500, 1)))
    assert "whole steps" in diagnosis(check, by((1, 16)))
    assert "seed fixed inside" in diagnosis(check, by(None, seed=0))
    assert "a quarter should be dropped" in diagnosis(check, lambda tokens, p, g: word_dropout(tokens, p / 2, g))
    assert "give `generator`" in diagnosis(check, lambda tokens, p, g: word_dropout(tokens, p, None))
    assert "shape" in diagnosis(check, lambda tokens, p, g: tokens[:, :1])

    def in_place(tokens, share, generator):
        return tokens.copy_(word_dropout(tokens, share, generator))

    def other_numbers(tokens, share, generator):
        return torch.where(torch.rand(tokens.shape, generator=generator) > 1 - share, 90, tokens)

    assert "Return new ones" in diagnosis(check, in_place)
    assert "other random numbers" in diagnosis(check, other_numbers)


def test_hidden_beta_diagnoses():
    check = chapter07.exercise_3

    def right(distortion, kl, steps, z):
        return (steps if distortion == "mean" else 1) / (z if kl == "mean" else 1)

    assert check(right).passed
    assert "nothing is hidden" in diagnosis(check, lambda d, k, steps, z: 0.5)
    assert "Upside down" in diagnosis(check, lambda *arguments: 1 / right(*arguments))
    assert "cancel" in diagnosis(check, lambda d, k, *sizes: 1.0 if d == k else right(d, k, *sizes))
    assert "should be 32, and yours is 1" in diagnosis(
        check, lambda d, k, steps, z: right("sum", k, steps, z) if d != k else right(d, k, steps, z)
    )


def test_cyclical_beta_diagnoses():
    check = chapter07.exercise_4

    def right(step, period):
        return min(1.0, 2 * (step % period) / period)

    assert check(right).passed
    assert "through the whole period" in diagnosis(check, lambda step, period: step % period / period)
    assert "not exceed 1" in diagnosis(check, lambda step, period: 2 * (step % period) / period)
    assert "rises once" in diagnosis(check, lambda step, period: min(1.0, 2 * step / period))
    assert "At step 0" in diagnosis(check, lambda step, period: 1 - right(step, period))
