import numpy as np
import pytest
from toy_representation import TOY

from mvae_lib.data.folk import folk_melodies, transpose_to_all_keys
from mvae_lib.data.ngram import NGram, fit_ngram
from mvae_lib.music.melody import VOCABULARY, transpose
from mvae_lib.music.representation import MELODY


@pytest.fixture
def tokens():
    rng = np.random.default_rng(0)
    return np.where(rng.random((50, 16)) < 0.5, 0, rng.integers(2, 12, (50, 16))).astype(np.uint8)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_probabilities_sum_to_one_after_seen_and_unseen_contexts(tokens, order):
    contexts = np.concatenate([tokens[:5, :7], np.full((1, 7), 80)])
    probabilities = NGram(tokens, order).probabilities(contexts)
    assert probabilities.shape == (6, VOCABULARY)
    assert np.allclose(probabilities.sum(1), 1)
    assert (probabilities > 0).all()


@pytest.mark.parametrize("order", [1, 3])
def test_nll_is_the_probability_of_what_followed(tokens, order):
    model = NGram(tokens, order)
    nll = model.nll(tokens)
    for step in (0, 1, 5):
        probabilities = model.probabilities(tokens[:, :step])
        assert np.allclose(-np.log(probabilities[np.arange(50), tokens[:, step]]), nll[:, step])


def test_bigram_equals_the_formula_by_hand():
    tokens = np.array([[0, 5, 0, 5, 0, 7]], np.uint8)
    model = NGram(tokens, 2)
    unigram = (3 + 3 / VOCABULARY) / (6 + 3)  # token 0: 3 of 6 steps, 3 different classes in all
    after_five = (2 + 1 * unigram) / (2 + 1)  # both times that 5 went on, 0 followed
    assert model.probabilities(np.array([[5]]))[0, 0] == pytest.approx(after_five)


def test_longer_contexts_help_on_a_pattern_and_not_on_noise():
    pattern = np.tile([2, 0, 4, 0, 2, 0, 6, 0], (20, 2)).astype(np.uint8)
    assert NGram(pattern, 4).nll_per_step(pattern).mean() < NGram(pattern, 2).nll_per_step(pattern).mean() - 0.1
    rng = np.random.default_rng(1)
    noise, held_out = rng.integers(0, 8, (2, 200, 16))
    assert NGram(noise, 4).nll_per_step(held_out).mean() >= NGram(noise, 1).nll_per_step(held_out).mean()


def test_samples_follow_the_counts_and_the_seed(tokens):
    model = NGram(tokens, 2)
    first, again = (model.sample(400, 16, np.random.default_rng(3)) for _ in range(2))
    assert (first == again).all()
    assert abs((first == 0).mean() - (tokens == 0).mean()) < 0.05
    assert (
        model.nll_per_step(first).mean()
        < model.nll_per_step(np.random.default_rng(0).integers(0, 90, (400, 16))).mean()
    )


@pytest.mark.parametrize("order", [0, 10])
def test_orders_that_do_not_fit_are_refused(tokens, order):
    with pytest.raises(ValueError, match="order must lie in 1 to 9"):
        NGram(tokens, order)


def test_one_melody_without_a_batch_axis_is_refused(tokens):
    with pytest.raises(ValueError, match="melodies, steps"):
        NGram(tokens, 2).nll(tokens[0])


def test_a_shorter_memory_is_that_of_a_model_which_never_counted_further(tokens):
    shorter, counted = NGram(tokens, 4).shorter(2), NGram(tokens, 2)
    assert shorter.order == 2
    assert np.array_equal(shorter.nll(tokens), counted.nll(tokens))
    assert np.array_equal(shorter.probabilities(tokens[:, :3]), counted.probabilities(tokens[:, :3]))
    with pytest.raises(ValueError, match="up to order 2"):
        counted.shorter(3)


def test_counted_in_every_key_a_melody_costs_the_same_in_any():
    rng = np.random.default_rng(2)
    steps = rng.choice([-2, 2, 3, -1], (60, 15)).cumsum(1) + 41
    melodies = np.concatenate([np.full((60, 1), 41), steps], 1).clip(31, 60).astype(np.uint8)
    in_one, in_all = NGram(melodies[:40], 3), NGram(transpose_to_all_keys(melodies[:40]), 3)
    up = transpose(melodies[40:], 1)
    assert in_one.nll_per_step(up).mean() > in_one.nll_per_step(melodies[40:]).mean() + 0.2
    assert abs(in_all.nll_per_step(up).mean() - in_all.nll_per_step(melodies[40:]).mean()) < 0.1


def test_other_vocabularies_have_their_own_classes():
    rng = np.random.default_rng(0)
    tokens = np.where(rng.random((30, 40)) < 0.9, 500, 3)
    model = NGram(tokens, 3, classes=512)
    assert model.probabilities(tokens).shape == (30, 512)
    assert model.probabilities(tokens).sum(-1) == pytest.approx(np.ones(30))
    assert model.nll_per_step(tokens).mean() < 0.5
    assert set(np.unique(model.sample(5, 20, rng))) <= set(range(512))
    with pytest.raises(ValueError, match="1 to 6, not 7"):
        NGram(tokens, 7, classes=512)
    with pytest.raises(ValueError, match="0 to 89, not 3 to 500"):
        NGram(tokens, 3)


def test_several_tracks_cost_the_sum_of_the_tracks():
    rng = np.random.default_rng(0)
    pairs = np.stack([rng.integers(0, 5, (50, 32)), rng.integers(0, 2, (50, 32))], -1)
    model = fit_ngram(pairs, TOY, order=3)
    apart = [NGram(TOY.transpose_to_all_keys(pairs)[..., track], 3, TOY.vocab_sizes[track]) for track in (0, 1)]
    expected = sum(part.nll_per_step(pairs[..., track]) for track, part in enumerate(apart))
    assert model.nll_per_step(pairs) == pytest.approx(expected) and model.order == 3


def test_the_model_of_a_representation_is_counted_in_all_keys():
    tokens = folk_melodies(2, "test").tokens[:50]
    known = NGram(transpose_to_all_keys(tokens), 5)
    assert np.array_equal(fit_ngram(tokens, MELODY).nll(tokens), known.nll(tokens))
