"""The warm-up of chapter 00: the right answer passes, and each usual mistake gets its own diagnosis."""

import pytest

from mvae_lib.exercises import chapter00


def not_written_yet(steps, tempo):
    raise NotImplementedError


def test_the_right_answer_passes():
    assert chapter00.warm_up(lambda steps, tempo: steps / 4 * 60 / tempo).passed


@pytest.mark.parametrize(
    ("wrong", "diagnosis"),
    [
        (lambda steps, tempo: steps * 60 / tempo, "a step for a beat"),
        (lambda steps, tempo: steps * 4 * 60 / tempo, "divide"),
        (lambda steps, tempo: steps / 4 / tempo, "minutes"),
        (lambda steps, tempo: steps / 4 * tempo / 60, "divide by the tempo"),
        (lambda steps, tempo: None, "returned None"),
        (lambda steps, tempo: 1 / 0, "ZeroDivisionError"),
        (lambda steps, tempo: 7.0, "should be 5.33 s, and yours is 7 s"),
    ],
)
def test_each_usual_mistake_gets_its_diagnosis(wrong, diagnosis):
    verdict = chapter00.warm_up(wrong)
    assert verdict.status == "not yet" and diagnosis in verdict.message


def test_an_open_answer_is_not_attempted():
    assert chapter00.warm_up(not_written_yet).status == "not attempted"
