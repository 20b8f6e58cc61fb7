"""The training loop: what an update does, what it draws, and that it can be left and entered again."""

import math
from dataclasses import replace
from itertools import count, islice

import numpy as np
import pytest
import torch

from mvae_lib.data.folk import random_transpose
from mvae_lib.models.config import ModelConfig, TrainingConfig
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.models.precision import cpu_autocast_supported
from mvae_lib.music.melody import FIRST_NOTE_ON, NO_EVENT, NOTE_OFF, VOCABULARY, is_note_on
from mvae_lib.music.representation import MELODY
from mvae_lib.training.loop import (
    TrainingError,
    _batch_rows,
    cut_windows,
    fingerprint,
    first_steps,
    schedules,
    start_run,
    train,
    transpose_batch,
    window_rows,
)

MODEL = ModelConfig(steps=16, z_size=4, encoder_units=8, decoder_units=8, decoder_layers=1, scaled_init=True)
TRAINING = TrainingConfig(updates=12, batch=8, learning_rate=5e-3, max_beta=0.2)


def melodies(n: int, seed: int = 0) -> np.ndarray:
    """Random tokens with notes between two octaves, most steps held: uint8 `[n, 16]`."""
    rng = np.random.default_rng(seed)
    tokens = np.where(rng.random((n, 16)) < 0.4, rng.integers(40, 64, (n, 16)), NO_EVENT)
    tokens[:, 0] = rng.integers(40, 64, n)
    return tokens.astype(np.uint8)


def new_run(training=TRAINING, model=MODEL, tokens=None, seed=1, autocast=None):
    tokens = melodies(20) if tokens is None else tokens
    return start_run(MusicVAE(model, torch.Generator().manual_seed(0)), tokens, training, seed, autocast)


def records_of(run) -> list:
    """The records but for the speed, which no seed decides."""
    return [record._replace(sequences_per_second=0.0) for record in train(run, show_progress=False)]


def weights_of(run) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in run.model.state_dict().items()}


def same(weights: dict, others: dict) -> bool:
    return all(torch.equal(weights[name], others[name]) for name in weights)


def batches_read_by(run) -> list[np.ndarray]:
    """The batches that the model is given, collected while the run is trained."""
    seen = []
    hook = run.model.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].numpy().copy()))
    records_of(run)
    hook.remove()
    return seen


# ---- learning


def test_the_loss_falls_and_the_budget_is_kept():
    records = records_of(new_run(replace(TRAINING, updates=80)))
    assert [record.update for record in records] == list(range(1, 81))
    first, last = (np.mean([record.metrics["distortion"] for record in part]) for part in (records[:10], records[-10:]))
    assert last < 0.75 * first


def test_one_batch_is_learned_by_heart():
    model = replace(MODEL, z_size=16, encoder_units=32, decoder_units=64)
    run = new_run(TrainingConfig(updates=300, batch=4, learning_rate=1e-2, max_beta=0.0), model, melodies(4))
    last = records_of(run)[-1]
    assert last.metrics["distortion"] < 1.0
    assert torch.equal(run.model.reconstruct(run.tokens), run.tokens.long())


@pytest.mark.parametrize(
    "model",
    [
        replace(MODEL, vocab_sizes=(512,), encoder_reads="drum-bits"),
        replace(MODEL, vocab_sizes=(7, 5, 9), conductor_units=8, conductor_layers=2, steps_per_bar=4),
    ],
    ids=["drums", "trio"],
)
def test_other_tracks_than_melodies_are_learned_by_the_same_loop(model):
    rng = np.random.default_rng(3)
    tokens = np.stack([rng.integers(0, classes, (8, 16)) for classes in model.vocab_sizes], -1).astype(np.int16)
    tokens = tokens[..., 0] if len(model.vocab_sizes) == 1 else tokens
    records = records_of(new_run(replace(TRAINING, updates=30, max_beta=0.0), model, tokens))
    assert records[-1].metrics["distortion"] < 0.97 * records[0].metrics["distortion"]
    assert records[0].metrics["distortion"] == pytest.approx(
        16 * sum(map(math.log, model.vocab_sizes)), rel=0.1
    )  # summed over tracks


# ---- gradients: clipped, or dropped


def test_a_gradient_above_the_limit_is_clipped_to_it():
    run = new_run(replace(TRAINING, clip_norm=0.5))
    record = next(train(run, show_progress=False))
    used = torch.cat([p.grad.flatten() for p in run.model.parameters() if p.grad is not None])
    assert record.gradient_norm > 1
    assert used.norm().item() == pytest.approx(0.5, rel=1e-3)


def test_a_gradient_below_the_limit_is_left_alone():
    run = new_run(replace(TRAINING, clip_norm=1e6))
    record = next(train(run, show_progress=False))
    used = torch.cat([p.grad.flatten() for p in run.model.parameters() if p.grad is not None])
    assert used.norm().item() == pytest.approx(record.gradient_norm, rel=1e-5)


@pytest.mark.parametrize("factor", [1e6, math.inf, math.nan])
def test_an_exploding_gradient_leaves_weights_and_moments_as_they_were(factor):
    run = new_run()
    exploding = 4
    run.model.decoder.output.weight.register_hook(lambda g: g * (factor if run.update + 1 == exploding else 1))
    before, moments = weights_of(run), []
    for record in train(run, show_progress=False):
        after = weights_of(run)
        assert same(before, after) == (record.update == exploding)
        assert record.dropped == (record.update >= exploding)
        moments.append(run.optimizer.state[run.model.decoder.output.weight]["exp_avg_sq"].clone())
        before = after
    assert run.update == TRAINING.updates
    assert torch.equal(moments[exploding - 1], moments[exploding - 2])
    assert all(tensor.isfinite().all() for tensor in before.values())


def test_the_limit_itself_is_already_too_much():
    first = next(train(new_run(), show_progress=False))
    for skip_norm, dropped in ((first.gradient_norm, 1), (first.gradient_norm * 1.001, 0)):
        record = next(train(new_run(replace(TRAINING, skip_norm=skip_norm)), show_progress=False))
        assert record.dropped == dropped


# ---- schedules


def test_the_first_update_is_step_0_of_every_schedule():
    training = replace(TRAINING, beta_rate=0.9, sampling_k=3.0, learning_rate_decay=0.9)
    run, used = new_run(training), []
    run.model.register_forward_pre_hook(lambda _, arguments: used.append(arguments[2]))
    for step, record in enumerate(train(run, show_progress=False)):
        assert record.metrics["beta"] == schedules.beta(step, 0.2, 0.9)
        assert record.metrics["sampling"] == schedules.sampling_probability(step, 3.0) == used[-1]
        assert record.learning_rate == schedules.learning_rate(step, 5e-3, 1e-5, 0.9)
        assert record.loss == pytest.approx(
            record.metrics["distortion"] + record.metrics["beta"] * record.metrics["rate"], rel=1e-5
        )
    assert step == 11


def test_the_learning_rate_of_a_record_is_the_one_that_moved_the_weights():
    run = new_run(replace(TRAINING, updates=2, learning_rate=3e-3, learning_rate_decay=0.0, final_learning_rate=0.0))
    before, moved = weights_of(run), []
    for _ in train(run, show_progress=False):
        moved.append(max((after - before[name]).abs().max().item() for name, after in weights_of(run).items()))
        before = weights_of(run)
    assert moved == pytest.approx([3e-3, 0.0], rel=0.01)  # Adam's first update moves a weight by the rate itself


def test_within_the_free_bits_the_rate_costs_nothing():
    for record in train(new_run(replace(TRAINING, free_bits=1e6)), show_progress=False):
        assert record.loss == pytest.approx(record.metrics["distortion"], rel=1e-6)
        assert record.metrics["rate"] > 0
    generous, strict = (
        [r.loss - r.metrics["distortion"] for r in records_of(new_run(replace(TRAINING, free_bits=bits, updates=2)))]
        for bits in (1.0, 0.0)
    )
    assert strict[1] - generous[1] == pytest.approx(0.2 * math.log(2), rel=0.05)


# ---- random numbers


@pytest.mark.parametrize("model", [MODEL, replace(MODEL, conductor_units=8, conductor_layers=1, steps_per_bar=4)])
def test_a_seed_decides_every_record_and_weight(model):
    training = replace(TRAINING, sampling_k=2.0, transposition=5)
    first, again, other = (new_run(training, model, seed=seed) for seed in (1, 1, 2))
    records = records_of(first)
    assert records == records_of(again)
    assert same(weights_of(first), weights_of(again))
    assert records != records_of(other)


def test_torchs_own_random_numbers_are_neither_used_nor_disturbed():
    run, again = new_run(replace(TRAINING, sampling_k=2.0, transposition=5)), new_run()
    again.config = run.config
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    records = records_of(run)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(4)
    assert records == records_of(again)


def test_a_loop_that_is_left_goes_on_where_it_was():
    training = replace(TRAINING, sampling_k=2.0, transposition=5)  # 8 of 20 windows: epochs end within batches
    whole = records_of(new_run(training))
    run, parts = new_run(training), []
    for length in (1, 4, 5, 100):
        run.model.eval()  # as an evaluation between updates would
        parts += islice(train(run, show_progress=False), length)
        assert run.model.training
    assert [record._replace(sequences_per_second=0.0) for record in parts] == whole


@pytest.mark.parametrize(("windows", "batch"), [(20, 8), (5, 12), (6, 6)])
def test_every_epoch_is_a_permutation_of_all_windows(windows, batch):
    seen = np.concatenate([window_rows(windows, n * batch, batch, seed=1) for n in range(3 * windows)])
    epochs = seen[: len(seen) // windows * windows].reshape(-1, windows)
    assert all(sorted(epoch) == list(range(windows)) for epoch in epochs.tolist())
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(window_rows(windows, 0, batch, seed=2), seen[:batch])
    assert np.array_equal(window_rows(windows, 3, 2 * batch, seed=1), seen[3 : 3 + 2 * batch])


def epochs_of(windows):
    """The rows that each update reads where a batch holds all windows."""
    return (window_rows(windows, n * windows, windows, seed=1) for n in count())


# ---- a curriculum over length

FOUR_BARS = ModelConfig(steps=64, z_size=4, encoder_units=4, decoder_units=4, decoder_layers=1)


def test_a_curriculum_reads_as_many_steps_at_every_length_and_gives_free_bits_in_proportion():
    config = TrainingConfig(updates=9, batch=4, max_beta=1.0, free_bits=0.1, curriculum=((1, 3), (2, 4)))
    tokens = np.random.default_rng(0).integers(2, 90, (20, 64))
    run = start_run(MusicVAE(FOUR_BARS, torch.Generator().manual_seed(0)), tokens, config, seed=1)
    shapes, losses = [], []
    forward = run.model.forward
    run.model.forward = lambda batch, *others: shapes.append(tuple(batch.shape)) or forward(batch, *others)
    for record in train(run, show_progress=False):
        bars = shapes[-1][1] // 16
        losses.append(
            record.loss - record.metrics["distortion"] - max(record.metrics["rate"] - 0.1 * bars / 4 * math.log(2), 0)
        )
    assert shapes == [(16, 16)] * 3 + [(8, 32)] * 4 + [(4, 64)] * 2
    assert np.abs(losses[1:]).max() < 1e-3  # beta is 0 in the first update; no example is within its free bits


def parts_of(tokens, steps):
    first = first_steps(tokens, steps, 16, torch.Generator().manual_seed(0))
    return cut_windows(tokens, first + torch.arange(steps))


def test_the_windows_of_a_curriculum_are_cut_at_bars_and_come_from_every_place():
    tokens = torch.arange(64).expand(200, -1)
    parts = parts_of(tokens, 32)
    assert (parts == parts[:, :1] + torch.arange(32)).all()
    assert set(parts[:, 0].tolist()) == {0, 16, 32}
    whole = parts_of(tokens, 64)
    assert torch.equal(whole, tokens)


def test_the_windows_of_a_curriculum_follow_one_another_without_a_gap():
    config = TrainingConfig(updates=5, batch=4, curriculum=((1, 2), (2, 1)))
    run = start_run(MusicVAE(FOUR_BARS), np.zeros((10, 64), int), config, seed=3)
    read = np.concatenate([_batch_rows(run, step)[1] for step in range(5)])
    assert np.array_equal(read, window_rows(10, 0, 2 * 16 + 8 + 2 * 4, seed=3))


# ---- transposition


def test_each_epoch_hears_each_melody_in_a_key_drawn_anew_and_the_data_stay_as_they_are():
    tokens = melodies(8)
    run = new_run(replace(TRAINING, updates=30, transposition=5), tokens=tokens)
    kept = tokens.copy()
    intervals = []
    for batch, rows in zip(batches_read_by(run), epochs_of(8), strict=False):
        own = np.empty_like(batch)
        own[rows] = batch
        moved = own - tokens.astype(int)
        shift = moved[:, 0]  # every melody here begins with a note
        assert np.array_equal(moved, np.where(is_note_on(tokens), shift[:, None], 0))
        intervals.append(shift)
    intervals = np.array(intervals)  # [epochs, melodies]
    assert set(intervals.flat) == set(range(-5, 6))
    assert all(len(set(column)) > 3 for column in intervals.T)  # one melody, many epochs
    assert all(len(set(row)) > 1 for row in intervals)  # one epoch, many melodies
    assert np.array_equal(tokens, kept)
    assert np.array_equal(run.tokens.numpy(), kept)


def test_a_run_keeps_its_data_whatever_becomes_of_the_array():
    tokens = melodies(8)
    run, kept = new_run(tokens=tokens), tokens.copy()
    tokens[:] = 0
    assert np.array_equal(run.tokens.numpy(), kept)
    assert run.data_sha256 == fingerprint(kept)


def test_without_transposition_the_model_reads_the_data_themselves():
    tokens = melodies(8)
    for batch, rows in zip(batches_read_by(new_run(tokens=tokens)), epochs_of(8), strict=False):
        assert np.array_equal(batch, tokens[rows])


class Drawn:
    """A numpy generator that draws what a torch generator drew."""

    def __init__(self, values):
        self.values = values

    def integers(self, low, high, endpoint, size):
        assert (low, high, endpoint, size) == (-5, 5, True, len(self.values))
        return self.values


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_transposing_on_the_device_is_what_datasets_does(dtype):
    rng = np.random.default_rng(2)
    tokens = rng.integers(0, VOCABULARY, (500, 6))
    narrow = rng.integers(0, 2, 500).astype(bool)
    tokens[narrow] = np.where(tokens[narrow] % 3 == 0, NOTE_OFF, 50)
    tokens[0], tokens[1], tokens[2] = NO_EVENT, FIRST_NOTE_ON, VOCABULARY - 1
    tokens = tokens.astype(dtype)
    drawn = torch.randint(-5, 6, (500,), generator=torch.Generator().manual_seed(7)).numpy()
    assert set(drawn) == set(range(-5, 6))
    moved = transpose_batch(torch.from_numpy(tokens), 5, torch.Generator().manual_seed(7), MELODY)
    assert np.array_equal(moved.numpy(), random_transpose(tokens, Drawn(drawn)))
    assert not np.array_equal(moved.numpy(), tokens)


# ---- precision, the bar, and what cannot be trained on


def test_autocast_changes_the_last_digits_only_and_keeps_the_weights_in_full():
    full, mixed = new_run(autocast=False), new_run(autocast=True)
    a, b = next(train(full, show_progress=False)), next(train(mixed, show_progress=False))
    distortion, other = a.metrics["distortion"], b.metrics["distortion"]
    assert (other != distortion) == cpu_autocast_supported()  # where it is not, float32 is what ran
    assert other == pytest.approx(distortion, rel=0.02)
    assert b.gradient_norm == pytest.approx(a.gradient_norm, rel=0.05)
    assert all(tensor.dtype == torch.float32 for tensor in weights_of(mixed).values())


def test_on_a_cpu_autocast_is_off_unless_asked_for():
    assert not new_run().autocast


def test_the_bar_shows_what_the_objective_tells_and_can_be_turned_off(capsys):
    list(train(new_run(replace(TRAINING, updates=2)), show_progress=False))
    assert capsys.readouterr() == ("", "")
    *_, last = train(new_run(replace(TRAINING, updates=2)))
    shown = capsys.readouterr().err
    for words in ("2/2", f"rate {last.metrics['rate']:.4g}", f"distortion {last.metrics['distortion']:.4g}"):
        assert words in shown


@pytest.mark.parametrize(
    ("tokens", "training", "reason"),
    [
        (np.zeros((0, 16), np.uint8), TRAINING, "no windows"),
        (np.zeros((5, 32), np.uint8), TRAINING, r"\[16\].* not \[5, 32\]"),
        (np.zeros(16, np.uint8), TRAINING, "not one example"),
        (np.zeros((5, 16)), TRAINING, "whole numbers"),
        (np.full((5, 16), 90), TRAINING, "0 to 89, and these lie in 90 to 90"),
        (np.full((5, 16), -1), TRAINING, "lie in -1 to -1"),
    ],
)
def test_tokens_that_the_model_cannot_read_are_refused(tokens, training, reason):
    with pytest.raises((ValueError, TypeError), match=reason):
        new_run(training, tokens=tokens)


def test_drums_are_not_transposed():
    model = replace(MODEL, vocab_sizes=(512,), encoder_reads="drum-bits")
    with pytest.raises(ValueError, match="set transposition to 0"):
        new_run(replace(TRAINING, transposition=5), model, np.zeros((5, 16), np.int16))


def test_a_fingerprint_tells_windows_apart_and_not_their_integer_types():
    tokens = melodies(6)
    other = tokens.copy()
    other[3, 5] += 1
    assert fingerprint(tokens) == fingerprint(tokens.astype(np.int64)) == fingerprint(torch.from_numpy(tokens))
    assert len({fingerprint(t) for t in (tokens, other, tokens[::-1], tokens.reshape(3, 32))}) == 4


def test_training_stops_where_one_update_after_another_is_dropped():
    run = new_run(replace(TRAINING, updates=100, skip_norm=1e-9))
    before = weights_of(run)
    seen = []
    with pytest.raises(TrainingError, match="lower learning rate"):
        seen += train(run, show_progress=False)
    assert run.dropped == run.update < 100
    assert same(weights_of(run), before)
