import numpy as np
import pytest
import torch

from mvae_lib.evaluation import exact_rate, onset_accuracy, step_accuracy

TOKENS = np.array([[40, 0, 0, 42], [40, 1, 0, 0]])


def test_a_decoder_that_never_plays_has_steps_right_and_no_onset():
    silence = np.zeros_like(TOKENS)
    assert step_accuracy(silence, TOKENS) == 4 / 8
    assert onset_accuracy(silence, TOKENS) == 0
    assert exact_rate(silence, TOKENS) == 0


def test_the_three_measures_count_what_they_say():
    decoded = TOKENS.copy()
    decoded[0, 3] = 43  # a wrong pitch at a true onset
    decoded[1, 2] = 50  # a note where there is none
    assert step_accuracy(decoded, TOKENS) == 6 / 8
    assert onset_accuracy(decoded, TOKENS) == 2 / 3
    assert exact_rate(decoded, TOKENS) == 0
    assert exact_rate(np.stack([TOKENS[0], decoded[1]]), TOKENS) == 0.5


def test_tensors_count_like_arrays():
    assert onset_accuracy(torch.tensor(TOKENS), TOKENS) == 1.0


@pytest.mark.parametrize("measure", [step_accuracy, onset_accuracy, exact_rate])
def test_shapes_that_would_broadcast_are_refused(measure):
    with pytest.raises(ValueError, match="one shape"):
        measure(TOKENS[0], TOKENS)
