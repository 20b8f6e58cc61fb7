"""Novelty: known bars in any key, notes that neither end has."""

import numpy as np
import pytest

from mvae_lib.evaluation.novelty import known_bars, new_notes


def melody(*bars):
    tokens = np.zeros((1, 16 * len(bars)), np.uint8)
    for number, notes in enumerate(bars):
        for step, token in notes.items():
            tokens[0, 16 * number + step] = token
    return tokens


def test_a_bar_is_known_in_every_key_and_at_every_place_but_not_in_another_rhythm():
    training = melody({0: 40, 4: 44, 8: 47}, {0: 50, 8: 45})
    assert known_bars(training, training) == 1
    assert known_bars(melody({0: 55, 8: 50}, {0: 35, 4: 39, 8: 42}), training) == 1
    assert known_bars(melody({0: 55, 8: 50}, {0: 35, 4: 39, 9: 42}), training) == 0.5
    assert known_bars(melody({0: 55, 8: 51}), training) == 0


def test_a_note_off_is_not_transposed_and_bars_of_one_note_do_not_count():
    training = melody({0: 40, 4: 1, 8: 42}, {0: 40})
    assert known_bars(melody({0: 45, 4: 1, 8: 47}), training) == 1
    assert known_bars(melody({0: 45, 8: 47}), training) == 0
    assert np.isnan(known_bars(melody({0: 45}), training))
    assert known_bars(melody({0: 45}), training, least=1) == 1


def test_new_notes_are_those_that_neither_end_has_at_that_step():
    a, b = melody({0: 40, 4: 44}), melody({0: 50, 8: 45})
    assert new_notes(np.where(np.arange(16) < 8, a, b), a, b) == 0  # a cut
    assert new_notes(melody({0: 40, 4: 45, 8: 45, 12: 40}), a, b) == 0.5
    assert np.isnan(new_notes(np.zeros_like(a), a, b))
    with pytest.raises(ValueError, match="one shape"):
        new_notes(a, a, b[:, :8])
