"""Wrong notes: as many as asked for, never by nothing, and in the rhythm that was there."""

import numpy as np
import pytest

from mvae_lib.data.corruption import wrong_notes
from mvae_lib.data.folk import folk_melodies
from mvae_lib.music.melody import is_note_on


@pytest.mark.parametrize("notes", [0, 1, 3, 40])
def test_so_many_notes_move_and_the_rhythm_stays(notes):
    tokens = folk_melodies(bars=2, split="test").tokens[::10]
    before = tokens.copy()
    wrong = wrong_notes(tokens, notes, np.random.default_rng(0))
    assert np.array_equal(tokens, before)
    assert wrong.dtype == tokens.dtype
    assert np.array_equal(is_note_on(wrong), is_note_on(tokens))
    changed = wrong != tokens
    assert not changed[~is_note_on(tokens)].any()
    assert np.array_equal(changed.sum(1), is_note_on(tokens).sum(1).clip(max=notes))
    distance = np.abs(wrong.astype(int) - tokens)[changed]
    assert set(np.unique(distance)) == (set(range(1, 7)) if notes else set())


def test_at_the_ends_of_the_range_a_note_goes_the_other_way():
    ends = np.repeat(np.array([[2, 89, 0, 1]], np.uint8), 200, axis=0)
    wrong = wrong_notes(ends, 2, np.random.default_rng(1), semitones=12)
    assert (wrong[:, 0] > 2).all() and (wrong[:, 0] <= 14).all()
    assert (wrong[:, 1] < 89).all() and (wrong[:, 1] >= 77).all()
    assert (wrong[:, 2:] == [0, 1]).all()


def test_every_note_and_either_direction_is_as_likely_as_another():
    tokens = np.full((8000, 4), 40, np.uint8)
    moved = wrong_notes(tokens, 1, np.random.default_rng(2)).astype(int) - 40
    assert np.allclose((moved != 0).mean(0), 1 / 4, atol=0.02)
    assert abs((moved > 0).mean() - (moved < 0).mean()) < 0.02


def test_what_means_nothing_is_refused():
    rng, tokens = np.random.default_rng(0), np.full((2, 4), 40, np.uint8)
    for arguments, message in (
        ((tokens[0], 1, rng), "shape"),
        ((tokens, -1, rng), "-1 notes"),
        ((tokens, 1, rng, 0), "0 semitones"),
        ((tokens, 1, rng, 45), "45 semitones"),
        ((tokens + 60, 1, rng), "89"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong_notes(*arguments)
