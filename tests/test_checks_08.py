"""The checks of chapter 08: a right answer passes, and each usual mistake gets its own diagnosis."""

import numpy as np
import pytest
import torch

from mvae_lib.exercises import chapter08

ALL = [getattr(chapter08, f"exercise_{number}") for number in (1, 2, 3, 4)]


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


def test_similarity_of_two_bars():
    check = chapter08.exercise_1

    def share(a, b, where):
        return ((a == b) & where).sum() / max(where.sum(), 1) if where.any() else 1.0

    assert check(lambda a, b: share(a, b, (a > 1) | (b > 1))).passed
    assert "holds count" in diagnosis(check, lambda a, b: (a == b).mean())
    assert "note-off" in diagnosis(check, lambda a, b: share(a, b, (a > 0) | (b > 0)))
    assert "*one*" in diagnosis(check, lambda a, b: share(a, b, a > 1))
    assert "*one*" in diagnosis(check, lambda a, b: share(a, b, b > 1))
    assert "*both*" in diagnosis(check, lambda a, b: share(a, b, (a > 1) & (b > 1)))
    assert "Expected" in diagnosis(check, lambda a, b: 0.123)

    def nothing_to_divide(a, b):
        where = (a > 1) | (b > 1)
        return ((a == b) & where).sum() / max(where.sum(), 1)

    assert "0 / 0" in diagnosis(check, nothing_to_divide)


def test_previous_tokens_by_bar():
    check = chapter08.exercise_2

    def before(tokens, nothing=90):
        return torch.cat([torch.full((len(tokens), 1), nothing), tokens[:, :-1]], 1)

    def cut(tokens):
        return tokens.reshape(len(tokens), -1, 16)

    def within_each_bar(tokens):
        return cut(before(cut(tokens).flatten(0, 1))).view(len(tokens), -1, 16)

    assert check(lambda t: cut(before(t))).passed
    assert "to predict" in diagnosis(check, cut)
    assert "wrong way" in diagnosis(check, lambda t: cut(t.roll(-1, 1)))
    assert "goes round" in diagnosis(check, lambda t: cut(t.roll(1, 1)))
    assert "shift first" in diagnosis(check, within_each_bar)
    assert "no start token" in diagnosis(check, lambda t: cut(before(t, 0)))
    assert "in a row" in diagnosis(check, lambda t: before(t).view(len(t), 16, -1).transpose(1, 2))
    assert "not the token" in diagnosis(check, lambda t: cut(0 * t))


def test_writing_bar_after_bar():
    check = chapter08.exercise_3

    def writer(new_state=True, new_token=False, own=True, first=90):
        def write(embeddings, start, step):
            token = torch.full((len(embeddings),), first)
            state, tokens = start(embeddings[:, 0]), []
            for bar in range(embeddings.shape[1]):
                embedding = embeddings[:, bar if own else 0]
                state = start(embedding) if new_state else state
                token = torch.full_like(token, 90) if new_token else token
                for _ in range(16):
                    logits, state = step(token, embedding, state)
                    token = logits.argmax(-1)
                    tokens.append(token)
            return torch.stack(tokens, 1)

        return write

    assert check(writer()).passed
    assert "state crosses" in diagnosis(check, writer(new_state=False))
    assert "begins with no token" in diagnosis(check, writer(new_token=True))
    assert "first embedding" in diagnosis(check, writer(own=False))
    assert "from bar 1 on" in diagnosis(check, writer(first=0))


def test_what_a_step_reads():
    check = chapter08.exercise_4

    def reader(restore=True, changed=lambda token: (token + 1) % 90, at=lambda logits, step: logits[:, step]):
        def reads(logits, z, tokens, step):
            original, mask, other = at(logits(z, tokens), step), [], tokens.clone()
            for position in range(tokens.shape[1]):
                other = tokens.clone() if restore else other
                other[:, position] = changed(other[:, position])
                mask.append(not torch.equal(at(logits(z, other), step), original))
            return np.array(mask)

        return reads

    assert check(reader()).passed
    assert "fresh copy" in diagnosis(check, reader(restore=False))
    assert "`step` alone" in diagnosis(check, reader(at=lambda logits, step: logits))
    assert "differs" in diagnosis(check, reader(changed=lambda token: 0 * token))
    assert "before its own token" in diagnosis(check, lambda logits, z, t, step: np.arange(t.shape[1]) <= step)
    assert "nothing else" in diagnosis(check, lambda logits, z, t, step: np.arange(t.shape[1]) < step)

    def by_tolerance(logits, z, tokens, step):
        mask = reader(at=lambda values, step: (values[:, step] * 1e3).round())
        return mask(logits, z, tokens, step)

    assert check(by_tolerance).passed  # so that a learner may compare with allclose
