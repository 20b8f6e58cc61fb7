import numpy as np
import pytest

from mvae_lib.data.folk import folk_melodies
from mvae_lib.music import structure

A, B = np.zeros(16, np.uint8), np.zeros(16, np.uint8)
A[[0, 4, 8]] = 41, 43, 45
B[[0, 4, 10, 12]] = 41, 43, 45, 1  # two of A's note-ons, the third one later; a note-off is none


def melody(*bars):
    return np.concatenate(bars)[None]


def test_bars_are_cut_at_the_bar_lines_and_only_whole():
    assert structure.in_bars(np.arange(32)).tolist() == [list(range(16)), list(range(16, 32))]
    with pytest.raises(ValueError, match="whole bars"):
        structure.in_bars(np.zeros((2, 30)))
    with pytest.raises(ValueError, match="whole bars"):
        structure.in_bars(np.zeros((2, 0)))


def test_similarity_counts_note_ons_of_either_bar():
    similarity = structure.self_similarity(melody(A, B, A))[0]
    assert similarity.tolist() == [[1, 0.5, 1], [0.5, 1, 0.5], [1, 0.5, 1]]  # 2 of the 4 note-ons that either has


def test_empty_bars_are_alike_and_unlike_all_others():
    similarity = structure.self_similarity(melody(A, 0 * A, 0 * A))[0]
    assert similarity.tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 1]]


def test_similarity_wants_a_batch():
    with pytest.raises(ValueError, match=r"\[N, steps\]"):
        structure.self_similarity(melody(A, B)[0])


def test_distance_and_form():
    similarity = structure.self_similarity(melody(A, 0 * A, A, 0 * A))
    assert structure.lag_similarity(similarity).tolist() == [[0, 1, 0]]
    assert structure.repetition_score(similarity, (2,)).tolist() == [1]
    assert structure.repetition_score(structure.self_similarity(melody(A, A, A, A)), (2,)).tolist() == [0]
    with pytest.raises(ValueError, match="nothing to compare"):
        structure.repetition_score(similarity)  # no bars are 4 apart
    with pytest.raises(ValueError, match="nothing to compare"):
        structure.repetition_score(similarity, (1, 2, 3))


def test_accuracy_by_bar_position():
    tokens = np.concatenate([melody(A, B), melody(A, B)])
    decoded = np.concatenate([melody(A, A), melody(0 * A, B)])
    assert structure.onset_accuracy_by_bar(decoded, tokens).tolist() == [0.5, 5 / 6]
    assert structure.mean_by_bar(decoded == tokens).tolist() == [(16 + 13) / 32, (13 + 16) / 32]
    assert np.isnan(structure.onset_accuracy_by_bar(0 * decoded, 0 * tokens)).all()
    with pytest.raises(ValueError, match="one shape"):
        structure.onset_accuracy_by_bar(decoded[:1], tokens)


def test_shuffled_bars_are_the_same_bars_of_the_same_melody():
    tokens = folk_melodies(16, "test").tokens[:5]
    shuffled = structure.shuffle_bars(tokens, np.random.default_rng(0))
    assert (shuffled != tokens).any(1).all()
    for before, after in zip(structure.in_bars(tokens), structure.in_bars(shuffled), strict=True):
        assert sorted(map(tuple, before)) == sorted(map(tuple, after))


def test_folk_melodies_have_a_form_that_shuffling_their_bars_destroys():
    tokens = folk_melodies(16, "test").sample(300, seed=0).tokens
    shuffled = structure.shuffle_bars(tokens, np.random.default_rng(0))
    real, control = (structure.repetition_score(structure.self_similarity(each)).mean() for each in (tokens, shuffled))
    assert real > 0.2
    assert abs(control) < 0.03
