"""The training loop: one function, which yields a record after each update and can be left at any of them.

    model = MusicVAE(configuration.model, torch.Generator().manual_seed(1))
    run = start_run(model, data.tokens, configuration.training, seed=1)
    for record in train(run):
        ...                                  # record.rate, record.distortion; plot, evaluate, save, break

What the next update depends on is all in `run`: so leaving the loop and calling `train(run)` again goes on as if it
had not been left, and so does a run that `mvae_lib.training.checkpoints` has written and read back.

An epoch is a permutation of all windows, made from the seed and the epoch's number alone, and one permutation follows
another without a gap. So each window is seen equally often, and the update's number tells which windows are next. What
is drawn within an update (the cut of a shorter window, transposition, z, scheduled sampling) comes from one generator,
which lives on the model's device.

A curriculum over length (ours) trains on windows of few bars first, cut at random from the whole ones: as many more of
them an update as they are shorter, with free bits in proportion, so that an update always reads equally many steps.

Chapter: 02 on. Source: Roberts et al. 2018, section 5 and its public reference implementation (decay, clipping and the
dropped update; transposition in appendix A).
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from tqdm.auto import tqdm

from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from mvae_lib.models.config import ModelConfig, TrainingConfig
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.models.tracks import split_tracks
from mvae_lib.music.melody import FIRST_NOTE_ON, VOCABULARY
from mvae_lib.training import schedules
from mvae_lib.training.objectives import gaussian_kl, musicvae_loss, reconstruction

Model = MusicVAE | VAE  # what the loop trains

# On a GPU, cuDNN's LSTM runs in float16 under autocast, whatever type is asked for. In the mean over a large batch, the
# gradient of one step falls below what float16 resolves; a power of two in front lifts it and changes no other digit.
LOSS_SCALE = 32.0


class Record(NamedTuple):
    """What one update did. Losses are batch means, in nats a sequence."""

    update: int  # updates so far, this one included
    loss: float  # distortion + beta * (rate beyond the free bits)
    distortion: float
    rate: float
    beta: float  # as this update used it, like the next two
    sampling: float  # P(the model reads its own sample)
    learning_rate: float
    gradient_norm: float  # before clipping
    dropped: int  # updates so far that an exploding gradient has left without effect
    sequences_per_second: float


@dataclass
class TrainingRun:
    """A run between two updates: all that the next one depends on."""

    model: Model
    tokens: Tensor  # [windows, steps], or [windows, steps, tracks]; on the model's device
    config: TrainingConfig
    optimizer: torch.optim.Adam
    generator: torch.Generator  # on the model's device
    seed: int
    autocast: bool  # matrix products in 16 bits
    data_sha256: str  # of `tokens`
    update: int = 0  # updates so far
    dropped: int = 0  # of which so many had no effect


def start_run(
    model: Model, tokens: ArrayLike, config: TrainingConfig, seed: int, autocast: bool | None = None
) -> TrainingRun:
    """A run of no updates yet, on `tokens` `[windows, steps]` (several heads: `[windows, steps, tracks]`).

    The model stays where it is, and the tokens go there. `autocast`: matrix products in 16 bits; None: on a GPU only.
    Raises ValueError for tokens that the model cannot read, and for transposition of what is not one melody.
    """
    tokens = np.asarray(tokens)
    _check(tokens, model.config, config)
    device = next(model.parameters()).device
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    smallest = np.uint8 if max(model.config.vocab_sizes) <= 256 else np.int16
    return TrainingRun(
        model,
        torch.from_numpy(tokens.astype(smallest)).to(device),
        config,
        torch.optim.Adam(trained, lr=config.learning_rate, fused=True),
        torch.Generator(device).manual_seed(seed),
        seed,
        device.type == "cuda" if autocast is None else autocast,
        fingerprint(tokens),
    )


def train(run: TrainingRun, show_progress: bool = True) -> Iterator[Record]:
    """Update after update, until `run.config.updates` are done; each record comes when `run` is between two updates."""
    config, model, generator = run.config, run.model, run.generator
    device, parameters = generator.device, run.optimizer.param_groups[0]["params"]
    scale = LOSS_SCALE if run.autocast else 1.0
    with tqdm(total=config.updates, initial=run.update, unit="update", disable=not show_progress) as bar:
        for step in range(run.update, config.updates):
            began = time.perf_counter()
            bars, batch_rows = _batch_rows(run, step)
            beta = schedules.beta(step, config.max_beta, config.beta_rate)
            sampling = schedules.sampling_probability(step, config.sampling_k)
            learning_rate = schedules.learning_rate(
                step,
                config.learning_rate,
                config.final_learning_rate,
                config.learning_rate_decay,
                config.updates,
                config.cooldown,
            )
            batch = run.tokens[torch.from_numpy(batch_rows).to(device)]
            free_bits = config.free_bits
            if config.curriculum:
                whole, part = batch.shape[1], bars * model.config.steps_per_bar
                batch, free_bits = (
                    cut_windows(batch, part, model.config.steps_per_bar, generator),
                    free_bits * part / whole,
                )
            if config.transposition:
                batch = transpose_batch(batch, config.transposition, generator)

            model.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=run.autocast):
                logits, posterior, _ = model(batch, generator, sampling)
            distortion = reconstruction(logits, batch, model.config.vocab_sizes)
            rate = gaussian_kl(*posterior)
            loss = musicvae_loss(distortion, rate, beta, free_bits).mean()

            run.optimizer.zero_grad()
            (scale * loss).backward()
            for parameter in parameters:
                parameter.grad /= scale
            norm = clip_grad_norm_(parameters, config.clip_norm)
            figures = torch.stack([loss, distortion.mean(), rate.mean(), norm]).tolist()  # the only wait for a GPU
            if figures[-1] < config.skip_norm:  # false for NaN too
                run.optimizer.param_groups[0]["lr"] = learning_rate
                run.optimizer.step()
            else:
                run.dropped += 1
            run.update = step + 1

            loss, distortion, rate, norm = figures
            speed = len(batch) / (time.perf_counter() - began)
            bar.set_postfix_str(f"rate {rate:.1f} nats, distortion {distortion:.1f} nats, {speed:.0f} seq/s", False)
            bar.update()
            yield Record(run.update, loss, distortion, rate, beta, sampling, learning_rate, norm, run.dropped, speed)


def _batch_rows(run: TrainingRun, step: int) -> tuple[int, np.ndarray]:
    """(bars, rows `[batch]` of the windows) of the update after `step` updates."""
    config, model, seen = run.config, run.model.config, 0
    if not config.curriculum:
        return 0, window_rows(len(run.tokens), step * config.batch, config.batch, run.seed)
    bars, first = schedules.curriculum_stage(step, config.curriculum, model.bars)
    done = 0
    for stage_bars, updates in config.curriculum:
        if done < first:
            seen += updates * (config.batch * model.bars // stage_bars)
        done += updates
    size = config.batch * model.bars // bars
    return bars, window_rows(len(run.tokens), seen + (step - first) * size, size, run.seed)


def window_rows(windows: int, start: int, size: int, seed: int) -> np.ndarray:
    """The windows `[size]` from place `start` on in the permutations of a seed, one after another without a gap."""
    epoch, done = divmod(start, windows)
    order = _permutation(windows, seed, epoch)[done:]
    while len(order) < size:
        epoch += 1
        order = np.concatenate([order, _permutation(windows, seed, epoch)])
    return order[:size]


@lru_cache(maxsize=2)
def _permutation(windows: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(windows)


def cut_windows(tokens: Tensor, steps: int, hop: int, generator: torch.Generator) -> Tensor:
    """`steps` steps of each window `[batch, whole]`, from a multiple of `hop` drawn for each: `[batch, steps]`."""
    places = (tokens.shape[1] - steps) // hop + 1
    first = hop * torch.randint(places, (len(tokens), 1), generator=generator, device=tokens.device)
    return tokens.gather(1, first + torch.arange(steps, device=tokens.device))


def transpose_batch(tokens: Tensor, semitones: int, generator: torch.Generator) -> Tensor:
    """`mvae_lib.data.folk.random_transpose` where the tokens `[batch, steps]` are: the same law, on any device."""
    sounding = tokens >= FIRST_NOTE_ON
    tokens = tokens.long()
    lowest = torch.where(sounding, tokens, VOCABULARY - 1).amin(1)
    highest = torch.where(sounding, tokens, FIRST_NOTE_ON).amax(1)
    shift = torch.randint(-semitones, semitones + 1, (len(tokens),), generator=generator, device=tokens.device)
    shift = shift.clamp(FIRST_NOTE_ON - lowest, VOCABULARY - 1 - highest)
    return tokens + sounding * shift.unsqueeze(1)


def fingerprint(tokens: ArrayLike) -> str:
    """The SHA-256 of tokens and their shape: the same for equal windows in any integer type."""
    tokens = np.asarray(tokens)
    return hashlib.sha256(f"{tokens.shape}".encode() + np.ascontiguousarray(tokens, "<i4").tobytes()).hexdigest()


def _check(tokens: np.ndarray, model: ModelConfig | AutoencoderConfig, training: TrainingConfig) -> None:
    shape = (
        ("windows", model.steps) if len(model.vocab_sizes) == 1 else ("windows", model.steps, len(model.vocab_sizes))
    )
    if tokens.shape[1:] != shape[1:] or not len(tokens) or not np.issubdtype(tokens.dtype, np.integer):
        found = f"{tokens.dtype} {list(tokens.shape)}"
        raise ValueError(f"the model is trained on integer tokens [{', '.join(map(str, shape))}], not on {found}")
    for track, classes in zip(
        split_tracks(torch.from_numpy(tokens), model.vocab_sizes), model.vocab_sizes, strict=True
    ):
        if track.min() < 0 or track.max() >= classes:
            raise ValueError(f"tokens must lie in 0 to {classes - 1}, not {int(track.min())} to {int(track.max())}")
    if training.transposition and model.vocab_sizes != (VOCABULARY,):
        raise ValueError(
            f"only melodies (one head of {VOCABULARY} classes) are transposed, and this model has the heads "
            f"{model.vocab_sizes}; set transposition to 0"
        )
