"""The checks of the exercises: a right answer passes, and each usual mistake gets its own diagnosis."""

import itertools

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
    *(getattr(chapter02, f"exercise_{i}") for i in (1, 2, 3, 4, 5)),
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


def test_bigram_diagnoses():
    check = chapter01.exercise_2

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
    assert "no melody" in diagnosis(check, lambda t, a: by_row(table(t.ravel()[:-1], t.ravel()[1:], a)))
    assert "sum to 1" in diagnosis(check, within)
    assert "Each column" in diagnosis(check, lambda t, a: within(t, a) / within(t, a).sum(0))
    assert "do not add 1" in diagnosis(check, lambda t, a: by_row(within(t, 1)))


def test_witten_bell_diagnoses():
    check = chapter01.exercise_3

    def mixture(counts, shorter, weight, total=None):
        total = counts.sum() + weight if total is None else total
        return (counts + weight * shorter) / max(total, 1), weight / max(total, 1)

    def right(counts, shorter):
        return mixture(counts, shorter, (counts > 0).sum()) if counts.any() else (shorter, 1.0)

    assert check(right).passed
    assert "sum to more than 1" in diagnosis(
        check, lambda c, p: mixture(c, p, (c > 0).sum(), c.sum()) if c.any() else (p, 1.0)
    )
    assert "number of all classes" in diagnosis(check, lambda c, p: mixture(c, p, len(c)))
    assert "weight D(c)" in diagnosis(check, lambda c, p: mixture(c, p, 1))
    assert "added to every count" in diagnosis(
        check, lambda c, p: (np.where(c > 0, c, 3 * p) / (c.sum() + 3), 3 / (c.sum() + 3))
    )
    assert "return 1 - w" in diagnosis(check, lambda c, p: (right(c, p)[0], 1 - right(c, p)[1]))
    assert "not to 1" in diagnosis(check, lambda c, p: (c / 7, 0.25))
    assert "never seen" in diagnosis(check, lambda c, p: mixture(c, p, (c > 0).sum()))
    assert "two results" in diagnosis(check, lambda c, p: right(c, p)[0])
    assert "shape" in diagnosis(check, lambda c, p: (right(c, p)[0][:3], 0.25))
    assert "I expected 0.525" in diagnosis(check, lambda c, p: (right(c, p)[0][::-1], 0.25))


def encode_notes(notes, steps, offset=19):
    tokens = np.zeros(steps, int)
    for start, end, pitch in sorted(notes):
        if end < steps:
            tokens[end] = 1
        tokens[start] = pitch - offset
    return tokens


def decode_notes(tokens):
    events = [*np.flatnonzero(tokens).tolist(), len(tokens)]
    spans = itertools.pairwise(events)
    return [(start, end, int(tokens[start]) + 19) for start, end in spans if tokens[start] > 1]


def test_encode_notes_diagnoses():
    def check(encode):
        return chapter01.exercise_4(encode, decode_notes)

    def encoded_backwards(notes, steps):
        tokens = encode_notes(notes, steps)
        tokens[[end for _, end, _ in notes if end < steps]] = 1
        return tokens

    def without_note_off(notes, steps):
        tokens = encode_notes(notes, steps)
        return np.where(tokens == 1, 0, tokens)

    def unsorted(notes, steps):
        tokens = np.zeros(steps, int)
        for start, end, pitch in notes:
            tokens[end : end + 1] = 1
            tokens[start] = pitch - 19
        return tokens

    assert check(encode_notes).passed
    assert "pitch - 19" in diagnosis(check, lambda n, s: encode_notes(n, s, 0))
    assert "overwrite" in diagnosis(check, encoded_backwards)
    assert "note-off (class 1) is missing" in diagnosis(check, without_note_off)
    assert "any order" in diagnosis(check, unsorted)
    assert "expected class 41" in diagnosis(check, lambda n, s: encode_notes(n, s, 21))


def test_decode_notes_diagnoses():
    def check(decode):
        return chapter01.exercise_4(encode_notes, decode)

    def until_next_note(tokens):
        onsets = [*np.flatnonzero(tokens > 1).tolist(), len(tokens)]
        return [(a, b, int(tokens[a]) + 19) for a, b in itertools.pairwise(onsets)]

    def with_silence(tokens):
        events = [*np.flatnonzero(tokens).tolist(), len(tokens)]
        return [(a, b, int(tokens[a]) + 19) for a, b in itertools.pairwise(events)]

    assert check(decode_notes).passed
    assert "decode_notes returned None" in diagnosis(check, lambda t: None)
    assert "a note of the note-off" in diagnosis(check, with_silence)
    assert "lost the last note" in diagnosis(check, lambda t: decode_notes(t)[:-1])
    assert "also ends at a note-off" in diagnosis(check, until_next_note)
    assert "(start, end, pitch)" in diagnosis(check, lambda t: [(p, a, b) for a, b, p in decode_notes(t)])
    assert "I expected" in diagnosis(check, lambda t: [(a, b, p + 2) for a, b, p in decode_notes(t)])
    assert "became" in diagnosis(check, lambda t: decode_notes(t)[: 3 if len(t) == 16 else 1])


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


def test_linear_autoencoder_diagnoses():
    check = chapter02.exercise_4

    def project(x, mean, w):
        return mean + (x - mean) @ w @ w.T

    def axes(x):
        return torch.linalg.eigh(torch.cov(x.T)).eigenvectors

    assert check(lambda x, k: project(x, x.mean(0), axes(x)[:, -k:])).passed
    assert "mean is missing" in diagnosis(check, lambda x, k: project(x, x.mean(0), axes(x)[:, -k:]) - x.mean(0))
    assert "ascending" in diagnosis(check, lambda x, k: project(x, x.mean(0), axes(x)[:, :k]))
    uncentred = torch.zeros(5)
    assert "Subtract the mean" in diagnosis(
        check, lambda x, k: project(x, uncentred, torch.linalg.eigh(x.T @ x).eigenvectors[:, -k:])
    )
    assert "less than" in diagnosis(check, lambda x, k: x)
    assert "leave out" in diagnosis(check, lambda x, k: x.mean(0).expand_as(x))


def loop(
    model, loss_of, batches, learning_rate, clip_norm, make=torch.optim.Adam, zero=True, clip=True, late=True, item=True
):
    optimizer = make(model.parameters(), lr=learning_rate)
    for batch in batches:
        loss = loss_of(model, batch)
        if zero:
            optimizer.zero_grad()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        if not late:
            yield loss.item()
        optimizer.step()
        if late:
            yield loss.item() if item else loss


def test_training_loop_diagnoses():
    check = chapter02.exercise_5

    def by_value(model, loss_of, batches, learning_rate, clip_norm):
        def cut(parameters, norm):
            torch.nn.utils.clip_grad_value_(list(parameters), norm)

        original, torch.nn.utils.clip_grad_norm_ = torch.nn.utils.clip_grad_norm_, cut
        try:
            yield from loop(model, loss_of, batches, learning_rate, clip_norm)
        finally:
            torch.nn.utils.clip_grad_norm_ = original

    assert check(loop).passed
    assert "zero_grad" in diagnosis(check, lambda *a: loop(*a, zero=False))
    assert "not clipped" in diagnosis(check, lambda *a: loop(*a, clip=False))
    assert "plain gradient descent" in diagnosis(check, lambda *a: loop(*a, make=torch.optim.SGD))
    assert "0.001" in diagnosis(check, lambda m, f, b, rate, c: loop(m, f, b, 0.001, c))
    assert "each number by itself" in diagnosis(check, by_value)
    assert "as a float" in diagnosis(check, lambda *a: loop(*a, item=False))
    assert "update first" in diagnosis(check, lambda *a: loop(*a, late=False))
    assert "a generator" in diagnosis(check, lambda *a: list(loop(*a)))
    assert "losses" in diagnosis(check, lambda m, f, b, r, c: loop(m, f, b[:-1], r, c))
    assert "differ" in diagnosis(check, lambda m, f, b, r, c: loop(m, f, b, 2 * r, c))


def test_a_verdict_reads_as_one_line():
    verdict = checks.judge("9.9", lambda: None, "Well done.")
    assert verdict.passed
    assert repr(verdict) == "✔ Exercise 9.9: passed. Well done."
