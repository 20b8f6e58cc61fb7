"""The checks of chapter 08: a right answer passes, and each usual mistake gets its own diagnosis."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mvae_lib.exercises import chapter08

ALL = [getattr(chapter08, f"exercise_{number}") for number in (1, 2, 3, 4)]


def not_written_yet(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("check", ALL[:3], ids=lambda check: check.__name__)
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


def test_product_of_jacobians():
    check = chapter08.exercise_1

    def product(factor, at=slice(None)):
        def jacobian(weight, states):
            total = torch.eye(len(weight), dtype=weight.dtype)
            for state in states[at]:
                total = factor(weight, state) @ total
            return total

        return jacobian

    def right(weight, state):
        return torch.diag(1 - state**2) @ weight

    assert check(product(right)).passed
    assert "derivative of tanh, 1" in diagnosis(check, product(lambda weight, state: weight))
    assert "on the left" in diagnosis(check, _reversed(right))
    assert "columns" in diagnosis(check, product(lambda weight, state: weight @ torch.diag(1 - state**2)))
    assert "transpose" in diagnosis(check, lambda weight, states: product(right)(weight, states).T)
    assert "largest difference" in diagnosis(check, product(right, at=slice(1, None)))


def _reversed(factor):
    def jacobian(weight, states):
        total = torch.eye(len(weight), dtype=weight.dtype)
        for state in states:
            total = total @ factor(weight, state)
        return total

    return jacobian


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
    check = chapter08.exercise_2

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


def conductor(swapped=False, bounded=True, from_z=True, name="start"):
    class Conductor(nn.Module):
        def __init__(self, z_size, units):
            super().__init__()
            setattr(self, name, nn.Linear(z_size, 2 * units))
            self.lstm = nn.LSTM(1, units, batch_first=True)

        def forward(self, z, bars):
            state = getattr(self, name)(z) * from_z
            c, h = (torch.tanh(state) if bounded else state)[None].chunk(2, -1)
            c, h = (h, c) if swapped else (c, h)
            return self.lstm(torch.zeros(len(z), bars, 1), (h.contiguous(), c.contiguous()))[0]

    return Conductor


def batched(own_forward=False, swapped=False, shifted=True, embedding=lambda embeddings: embeddings):
    def hierarchical_logits(conductor, core, z, tokens):
        bars = tokens.shape[1] // 16
        e = embedding(conductor(z, bars)).flatten(0, 1)
        previous = F.one_hot(tokens, 90).float()
        previous = F.pad(previous, (0, 0, 1, 0))[:, :-1] if shifted else previous
        if own_forward:
            return core(e, tokens.reshape(-1, 16)).view(*tokens.shape, 90)
        c, h = torch.tanh(core.start(e))[None].chunk(2, -1)
        c, h = (h, c) if swapped else (c, h)
        read = torch.cat([previous.reshape(-1, 16, 90), e[:, None].expand(-1, 16, -1)], -1)
        hidden, _ = core.lstm(read, (h.contiguous(), c.contiguous()))
        return core.output(hidden).view(*tokens.shape, 90)

    return hierarchical_logits


def across_bar_lines(conductor, core, z, tokens):
    e = conductor(z, tokens.shape[1] // 16)
    c, h = torch.tanh(core.start(e[:, 0]))[None].chunk(2, -1)
    previous = F.pad(F.one_hot(tokens, 90).float(), (0, 0, 1, 0))[:, :-1]
    hidden, _ = core.lstm(torch.cat([previous, e.repeat_interleave(16, 1)], -1), (h.contiguous(), c.contiguous()))
    return core.output(hidden)


def test_building_the_conductor_and_the_logits_of_all_bars():
    def check(made, logits=None):
        return chapter08.exercise_4(made, batched() if logits is None else logits)

    def wrong(*functions):
        verdict = check(*functions)
        assert not verdict.passed
        return verdict.message

    assert check(conductor()).passed
    assert "no layer called 'start'" in wrong(conductor(name="initial"))
    assert "exchanged" in wrong(conductor(swapped=True))
    assert "tanh is missing" in wrong(conductor(bounded=False))
    assert "starts from zeros" in wrong(conductor(from_z=False))
    assert "shift the whole melody" in wrong(conductor(), batched(own_forward=True))
    assert "core decoder are exchanged" in wrong(conductor(), batched(swapped=True))
    assert "to predict" in wrong(conductor(), batched(shifted=False))
    assert "first embedding" in wrong(conductor(), batched(embedding=lambda e: e[:, :1].expand_as(e)))
    assert "state crosses" in wrong(conductor(), across_bar_lines)
    assert "from step 17 on" in wrong(conductor(), batched(embedding=lambda e: torch.cat([e[:, :1], -e[:, 1:]], 1)))
    assert "shape" in wrong(conductor(), lambda *arguments: torch.zeros(2))
    assert "returned None" in wrong(conductor(), lambda *arguments: None)


def test_an_open_build_exercise_is_not_attempted():
    assert chapter08.exercise_4(not_written_yet, not_written_yet).status == "not attempted"
    assert chapter08.exercise_4(conductor(), not_written_yet).status == "not attempted"
    assert "ZeroDivisionError" in chapter08.exercise_4(lambda *arguments: 1 / 0, batched()).message


def test_the_solution_of_the_build_exercise_has_the_librarys_logits():
    from mvae_lib.models.config import ModelConfig
    from mvae_lib.models.decoders import HierarchicalDecoder

    config = ModelConfig(64, z_size=5, decoder_units=7, decoder_layers=1, conductor_units=6, conductor_layers=1)
    theirs = HierarchicalDecoder(config, torch.Generator().manual_seed(0))
    made, core = conductor()(5, 6), chapter08._Core()
    weights = list(theirs.state_dict().values())
    mine = [*made.state_dict().values(), *core.state_dict().values()]
    for value, weight in zip(mine, weights, strict=True):
        value.copy_(weight)
    z, tokens = torch.randn(3, 5), torch.randint(0, 90, (3, 64))
    torch.testing.assert_close(batched()(made, core, z, tokens), theirs(z, tokens))
