"""The checks of chapter 09: a right answer passes, and each usual mistake gets its own diagnosis."""

import math

import numpy as np
import pytest
import torch

from mvae_lib.exercises import chapter09


def not_written_yet(*arguments):
    raise NotImplementedError


ALL = [getattr(chapter09, f"exercise_{number}") for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.__name__)
def test_an_open_exercise_is_not_attempted_and_a_careless_one_gets_words(check):
    assert check(not_written_yet).status == "not attempted"
    assert check(lambda *arguments: None).message.startswith("Your function returned None")
    assert "ZeroDivisionError" in check(lambda *arguments: 1 / 0).message


def diagnosis(check, function):
    verdict = check(function)
    assert not verdict.passed
    return verdict.message


def norms(a, b, w):
    line = math.sqrt(a**2 + b**2 + 2 * a * b * math.cos(w)) / 2
    return line, line / math.cos(w / 2)


def test_norm_diagnoses():
    check = chapter09.exercise_1
    assert check(norms).passed
    assert "exchanged" in diagnosis(check, lambda a, b, w: norms(a, b, w)[::-1])
    assert "parallel vectors only" in diagnosis(check, lambda a, b, w: ((a + b) / 2, norms(a, b, w)[1]))
    assert "where the two are equal" in diagnosis(check, lambda a, b, w: (norms(a, b, w)[0], (a + b) / 2))
    assert "factor 1/2" in diagnosis(check, lambda a, b, w: (2 * norms(a, b, w)[0], norms(a, b, w)[1]))
    assert "take the root" in diagnosis(check, lambda a, b, w: tuple(n**2 for n in norms(a, b, w)))

    def without(a, b, w, mixed):
        line = math.sqrt(a**2 + b**2 + mixed * 2 * a * b * math.cos(w)) / 2
        return line, line / math.cos(w / 2)

    assert "is missing" in diagnosis(check, lambda a, b, w: without(a, b, w, 0))
    assert "wrong sign" in diagnosis(check, lambda a, b, w: without(a, b, w, -1))
    assert "radians" in diagnosis(check, lambda a, b, w: norms(a, b, math.radians(w)))
    assert "the norm of slerp halfway is" in diagnosis(check, lambda a, b, w: (norms(a, b, w)[0], 1.0))
    assert "shape" in diagnosis(check, lambda a, b, w: 1.0)


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


def test_failures_diagnoses():
    check = chapter09.exercise_3

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


@torch.no_grad()
def generate(decoder, z, steps, temperature, generator, start=None, read_z=True, carry=True, first=None, feed=True):
    c, h = torch.tanh(decoder.start(z)).chunk(2, -1)
    h, c = (h, c) if start is None else start(decoder, z)
    initial = state = (h[None].contiguous(), c[None].contiguous())
    classes, tokens = decoder.output.out_features, []
    previous = torch.zeros(len(z), classes)
    if first is not None:
        previous[:, first] = 1
    for _ in range(steps):
        inputs = torch.cat([previous, z * read_z], -1)[:, None]
        hidden, state = decoder.lstm(inputs, state)
        state = state if carry else initial
        logits = decoder.output(hidden[:, 0])
        tokens.append(choose(logits, temperature, generator))
        previous = torch.nn.functional.one_hot(tokens[-1], classes).float() * feed
    return torch.stack(tokens, 1)


def choose(logits, temperature, generator):
    if not temperature:
        return logits.argmax(-1)
    return torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator)[:, 0]


def test_generate_diagnoses():
    check = chapter09.exercise_4
    assert check(generate).passed
    assert "all zeros" in diagnosis(check, lambda *a: generate(*a, first=0))

    def zeros(decoder, z):
        return (torch.zeros(len(z), 8),) * 2

    assert "starts from zeros" in diagnosis(check, lambda *a: generate(*a, start=zeros))
    assert "tanh" in diagnosis(check, lambda *a: generate(*a, start=lambda d, z: d.start(z).chunk(2, -1)[::-1]))
    exchanged = {"start": lambda d, z: torch.tanh(d.start(z)).chunk(2, -1)}
    assert "exchanged" in diagnosis(check, lambda *a: generate(*a, **exchanged))
    assert "z is missing" in diagnosis(check, lambda *a: generate(*a, read_z=False))
    assert "pass on the state" in diagnosis(check, lambda *a: generate(*a, carry=False))
    assert "feed back" in diagnosis(check, lambda *a: generate(*a, feed=False))
    assert "not those of the largest logits" in diagnosis(check, lambda *a: generate(*a).flip(1))
    assert "shape" in diagnosis(check, lambda *a: generate(*a)[:, 1:])


def test_sampling_diagnoses():
    check = chapter09.exercise_4
    assert "still take the largest" in diagnosis(check, lambda d, z, steps, t, g: generate(d, z, steps, 0, g))
    assert "divide" in diagnosis(check, lambda d, z, steps, t, g: generate(d, z, steps, t and 1 / t, g))
    assert "no effect" in diagnosis(check, lambda d, z, steps, t, g: generate(d, z, steps, t and 1.0, g))
    assert "give `generator`" in diagnosis(check, lambda d, z, steps, t, g: generate(d, z, steps, t, None))
    assert "once per step" in diagnosis(
        check, lambda d, z, steps, t, g: generate(d, z, steps, t, g if not t else torch.Generator().manual_seed(9))
    )
