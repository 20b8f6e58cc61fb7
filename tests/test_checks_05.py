"""The checks of chapter 05: a right answer passes, and each usual mistake gets its own diagnosis."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from mvae_lib.exercises import chapter05 as checks


def not_written_yet(*arguments):
    raise NotImplementedError


CHECKS = {number: getattr(checks, f"exercise_{number}") for number in range(1, 6)}
ARGUMENTS = {1: 2, 2: 1, 3: 1, 4: 1, 5: 1}


@pytest.mark.parametrize("number", CHECKS)
def test_an_open_exercise_is_not_attempted_and_an_error_gets_words(number):
    check, functions = CHECKS[number], ARGUMENTS[number]
    assert check(*[not_written_yet] * functions).status == "not attempted"
    broken = check(*[lambda *arguments: 1 / 0] * functions)
    assert broken.status == "not yet"
    assert "ZeroDivisionError" in broken.message


@pytest.mark.parametrize("number", (1, 2, 5))
def test_a_missing_return_gets_words(number):
    verdict = CHECKS[number](*[lambda *arguments: None] * ARGUMENTS[number])
    assert "returned None" in verdict.message


def diagnosis(check, *functions):
    verdict = check(*functions)
    assert not verdict.passed
    return verdict.message


def steps_until(bias, share):
    return math.ceil(math.log(share) / math.log(1 / (1 + math.exp(-bias))))


def test_cell_gradient_diagnoses():
    check = checks.exercise_1
    assert check(lambda f: f.prod(0), steps_until).passed
    assert check(lambda f: np.prod(f.numpy(), 0), steps_until).passed
    for words, answer in {
        "You added": lambda f: f.sum(0),
        "averaged": lambda f: f.mean(0),
        "one step": lambda f: f[-1],
        "the first one": lambda f: f[1:].prod(0),
        "the last one": lambda f: f[:-1].prod(0),
        "logarithm": lambda f: f.log().sum(0),
        "1 - f": lambda f: (1 - f).prod(0),
        "shape": lambda f: f.prod(1),
        "autograd": lambda f: f.prod(0) + 1,
    }.items():
        assert words in diagnosis(check, answer, steps_until)


def test_steps_until_diagnoses():
    def by(answer):
        return diagnosis(checks.exercise_1, lambda f: f.prod(0), answer)

    def exact(bias, share):
        return math.log(share) / math.log(1 / (1 + math.exp(-bias)))

    assert "next integer" in by(exact)
    assert "one more step" in by(lambda bias, share: math.floor(exact(bias, share)))
    assert "sign" in by(lambda bias, share: -exact(bias, share))
    assert "sigmoid first" in by(lambda bias, share: math.ceil(math.log(share) / -bias) if bias else 7)
    assert "should be 15" in by(lambda bias, share: 100)


def test_schedule_diagnoses():
    check = checks.exercise_2
    assert check(lambda p, k: k * math.log(k * p / (1 - p))).passed
    assert "true token" in diagnosis(check, lambda p, k: k * math.log(k * (1 - p) / p))
    assert "factor k" in diagnosis(check, lambda p, k: k * math.log(p / (1 - p)))
    assert "multiply by k" in diagnosis(check, lambda p, k: math.log(k * p / (1 - p)))
    assert "natural" in diagnosis(check, lambda p, k: k * math.log10(k * p / (1 - p)))
    assert "6,908" in diagnosis(check, lambda p, k: 3.0)


class Encoder(nn.Module):
    def __init__(self, vocabulary, units, z_size, mistake=""):
        super().__init__()
        self.vocabulary, self.mistake = vocabulary, mistake
        self.lstm = nn.LSTM(vocabulary, units, batch_first=True, bidirectional=mistake != "one direction")
        self.mu, self.sigma = (nn.Linear(2 * units, z_size) for _ in range(2))
        for name, parameter in self.lstm.named_parameters():
            parameter.requires_grad_(not name.startswith("bias_ih") or mistake == "two biases")

    def forward(self, tokens):
        output, (h, c) = self.lstm(torch.eye(self.vocabulary)[tokens])
        summary = {
            "last output": lambda: output[:, -1],
            "first output": lambda: output[:, 0],
            "exchanged": lambda: torch.cat([h[1], h[0]], -1),
            "cell": lambda: torch.cat([c[0], c[1]], -1),
            "mean": lambda: output.mean(1),
            "twice": lambda: 2 * torch.cat([h[0], h[1]], -1),
        }.get(self.mistake, lambda: torch.cat([h[0], h[1]], -1))()
        raw = self.sigma(summary)
        sigma = {"raw": raw, "exp": raw.exp(), "log-variance": (raw / 2).exp(), "square": softplus(raw) ** 2}
        if self.mistake == "mu only":
            return self.mu(summary)
        return self.mu(summary), sigma.get(self.mistake, softplus(raw))


class Decoder(nn.Module):
    def __init__(self, vocabulary, units, z_size, mistake=""):
        super().__init__()
        self.vocabulary, self.mistake = vocabulary, mistake
        self.start = nn.Linear(z_size, 2 * units)
        self.lstm = nn.LSTM(vocabulary + z_size, units, batch_first=True)
        self.output = nn.Linear(units, vocabulary)
        self.lstm.bias_ih_l0.requires_grad_(mistake == "two biases")

    def forward(self, z, tokens):
        first = torch.full_like(tokens[:, :1], 0 if self.mistake == "class 0" else self.vocabulary)
        previous = tokens if self.mistake == "not shifted" else torch.cat([first, tokens[:, :-1]], 1)
        if self.mistake == "no zeros":
            previous[:, 1:] = previous[:, 1:].clamp(max=self.vocabulary - 1)
        vectors = torch.eye(self.vocabulary + 1, self.vocabulary)[previous]
        start = self.start(z) if self.mistake == "no tanh" else self.start(z).tanh()
        c, h = start.chunk(2, -1)
        if self.mistake == "exchanged":
            c, h = h, c
        if self.mistake == "zero state":
            c, h = 0 * c, 0 * h
        beside = z[:, None].expand(-1, tokens.shape[1], -1).clone()
        if self.mistake in ("no z", "z once"):
            beside[:, self.mistake == "z once" :] = 0
        state = h[None].contiguous(), c[None].contiguous()
        logits = self.output(self.lstm(torch.cat([vectors, beside], -1), state)[0])
        return logits + 1 if self.mistake == "more" else logits


ENCODER_WORDS = {
    "one direction": "bidirectional=True",
    "two biases": "freeze",
    "last output": "backward direction has read one step only",
    "first output": "forward direction has read one step only",
    "exchanged": "exchanged",
    "cell": "cell states",
    "mean": "averaged",
    "twice": "mu differs",
    "raw": "positive",
    "exp": "not exp",
    "log-variance": "log-variance",
    "square": "sigma differs",
    "mu only": "two tensors",
}
DECODER_WORDS = {
    "two biases": "Freeze",
    "not shifted": "shift by one step",
    "class 0": "class 0",
    "exchanged": "exchanged",
    "no tanh": "tanh",
    "zero state": "starts from zeros",
    "no z": "z is missing",
    "z once": "Only the first step",
    "no zeros": "read as zeros",
    "more": "logits differ",
}


def test_encoder_and_decoder_that_are_right_pass():
    assert checks.exercise_3(Encoder).passed
    assert checks.exercise_4(Decoder).passed


@pytest.mark.parametrize("mistake", ENCODER_WORDS)
def test_encoder_diagnoses(mistake):
    message = diagnosis(checks.exercise_3, lambda *sizes: Encoder(*sizes, mistake))
    assert ENCODER_WORDS[mistake] in message


@pytest.mark.parametrize("mistake", DECODER_WORDS)
def test_decoder_diagnoses(mistake):
    message = diagnosis(checks.exercise_4, lambda *sizes: Decoder(*sizes, mistake))
    assert DECODER_WORDS[mistake] in message


def test_layers_without_their_names_are_named():
    assert "no layer called 'lstm'" in diagnosis(checks.exercise_3, lambda *sizes: nn.Linear(2, 2))
    assert "no layer called 'start'" in diagnosis(checks.exercise_4, lambda *sizes: nn.Linear(2, 2))


def pairs(first, then):
    start = first.argmax()
    joint = first[:, None] * then
    return (start, then[start].argmax()), np.unravel_index(joint.argmax(), joint.shape)


def test_greedy_diagnoses():
    check = checks.exercise_5
    assert check(pairs).passed
    assert "exchanged" in diagnosis(check, lambda first, then: pairs(first, then)[::-1])
    assert "largest product" in diagnosis(check, lambda first, then: [pairs(first, then)[0]] * 2)
    assert "then the likeliest" in diagnosis(check, lambda first, then: [(3, 3), pairs(first, then)[1]])
    assert "shape" in diagnosis(check, lambda first, then: pairs(first, then)[0])
    assert "likeliest pair is" in diagnosis(check, lambda first, then: [pairs(first, then)[0], (3, 0)])

    def largest_second(first, then):
        return pairs(first, then)[0], np.unravel_index(then.argmax(), then.shape)

    assert "also has the factor" in diagnosis(check, largest_second)
