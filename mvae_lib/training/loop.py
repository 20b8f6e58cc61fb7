"""The training loop: one function, which yields a record after each update and can be left at any of them.

    model = MusicVAE(configuration.model, torch.Generator().manual_seed(1))
    run = start_run(model, data.tokens, configuration.training, seed=1)
    for record in train(run):
        ...                                  # record.loss, record.metrics["rate"]; plot, evaluate, save, break

What is minimized is an objective, `train(run, objective=iwae_objective(5))`; MusicVAE's own where none is given.

The next update depends on `run` alone: so leaving the loop and calling `train(run)` again continues as if it had
not been left, and so does a run that `training.checkpoints` has written and read back.

An epoch is a permutation of all windows, made from the seed and the epoch's number alone, and one permutation follows
another without a gap. So each window is seen equally often, and the update's number determines which windows are next.
What is random within an update (the cut of a shorter window, transposition, z, scheduled sampling) comes from one
generator, which lives on the model's device.

A curriculum over length (ours) trains on windows of few bars first, cut at random from the whole ones: as many more of
them per update as they are shorter, with free bits in proportion, so that an update always reads equally many steps.

Chapter: 02 on. Source: Roberts et al. 2018, section 5 and its public reference implementation (decay, clipping and the
dropped update; transposition in appendix A).
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from tqdm.auto import tqdm

from mvae_lib.models.config import TrainingConfig
from mvae_lib.models.latent_model import LatentModel, check_control, check_tokens
from mvae_lib.models.precision import autocast
from mvae_lib.music.representation import Representation, get_representation
from mvae_lib.training import schedules
from mvae_lib.training.objectives import Batch, Objective, elbo_objective

# On a GPU, cuDNN's LSTM runs in float16 under autocast, whatever type is asked for. In the mean over a large batch, the
# gradient of one step falls below what float16 resolves; a power of two in front lifts it and changes no other digit.
LOSS_SCALE = 32.0
MAX_DROPPED_IN_A_ROW = 10  # a single exploding gradient can be skipped; after as many in a row the model has diverged


class TrainingError(RuntimeError):
    """Training cannot continue. The message says why, and what to do."""


class Record(NamedTuple):
    """What one update did."""

    update: int  # updates so far, this one included
    loss: float  # what was minimized, the mean over the batch
    metrics: Mapping[str, float]  # of the objective: distortion and rate in nats per sequence, beta, ...
    learning_rate: float  # as this update used it
    gradient_norm: float  # before clipping
    dropped: int  # updates so far that an exploding gradient has left without effect
    sequences_per_second: float


@dataclass
class TrainingRun:
    """A run between two updates: all that the next one depends on, but for the objective."""

    model: LatentModel
    tokens: Tensor  # [windows, steps], or [windows, steps, tracks]; on the model's device
    control: Tensor | None  # [windows, steps, depth], of a model that is conditioned on something
    config: TrainingConfig
    optimizer: torch.optim.Adam
    generator: torch.Generator  # on the model's device
    seed: int
    autocast: bool  # matrix products in 16 bits
    data_sha256: str  # of `tokens` and `control`
    update: int = 0  # updates so far
    dropped: int = 0  # of which so many had no effect


def start_run(
    model: LatentModel,
    tokens: ArrayLike,
    config: TrainingConfig,
    seed: int = 0,
    autocast: bool | None = None,
    control: ArrayLike | None = None,
) -> TrainingRun:
    """A run of no updates yet, on `tokens` `[windows, steps]` (several tracks: `[windows, steps, tracks]`).

    `control`: `[windows, steps, depth]` or `[windows, depth]`, for a model that declares a control signal. The model
    stays where it is, and the data go there. `autocast`: matrix products in 16 bits; None: on a GPU only. Raises
    ValueError or TypeError for data that the model cannot read, and for transposition of what is not melodies.
    """
    tokens = np.array(tokens)  # a copy: what becomes of the caller's array does not matter
    if not len(tokens):
        raise ValueError("there are no windows to train on")
    batch, single = check_tokens(tokens, model.config, model.device)
    if single:
        raise ValueError(f"training takes a batch of windows, not one example {list(tokens.shape)}")
    signal = check_control(control, len(tokens), model.config, model.device)
    _check_options(model, config)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return TrainingRun(
        model,
        batch.to(torch.uint8 if max(model.config.vocab_sizes) <= 256 else torch.int16),
        signal,
        config,
        torch.optim.Adam(trained, lr=config.learning_rate, fused=True),
        torch.Generator(model.device).manual_seed(seed),
        seed,
        model.device.type == "cuda" if autocast is None else autocast,
        fingerprint(tokens, control),
    )


def train(run: TrainingRun, objective: Objective | None = None, show_progress: bool = True) -> Iterator[Record]:
    """Update after update, until `run.config.updates` are done; each record comes when `run` is between two updates.

    `objective`: what is minimized (None: `elbo_objective(run.config)`). Raises TrainingError where one update after
    another has to be dropped because the gradient is not finite or beyond `skip_norm`.
    """
    config, model, generator = run.config, run.model, run.generator
    objective = elbo_objective(config) if objective is None else objective
    parameters, in_a_row = run.optimizer.param_groups[0]["params"], 0
    scale = LOSS_SCALE if run.autocast else 1.0
    with tqdm(total=config.updates, initial=run.update, unit="update", disable=not show_progress) as bar:
        for step in range(run.update, config.updates):
            began = time.perf_counter()
            batch = next_batch(run, step)
            rate = schedules.learning_rate(
                step,
                config.learning_rate,
                config.final_learning_rate,
                config.learning_rate_decay,
                config.updates,
                config.cooldown,
            )
            model.train()
            with autocast(generator.device, run.autocast):
                loss, metrics = objective(model, batch, step, generator)

            run.optimizer.zero_grad()
            (scale * loss).backward()
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad /= scale
            norm = clip_grad_norm_(parameters, config.clip_norm)
            scalars = (loss.detach(), norm, *metrics.values())
            figures = [torch.as_tensor(value, dtype=torch.float64, device=norm.device) for value in scalars]
            loss, norm, *values = torch.stack(figures).tolist()  # the only wait for a GPU
            if norm < config.skip_norm:  # false for NaN too
                run.optimizer.param_groups[0]["lr"] = rate
                run.optimizer.step()
                in_a_row = 0
            else:
                run.dropped, in_a_row = run.dropped + 1, in_a_row + 1
            run.update = step + 1

            metrics = dict(zip(metrics, values, strict=True))
            speed = len(batch.tokens) / (time.perf_counter() - began)
            bar.set_postfix_str(", ".join(f"{name} {value:.4g}" for name, value in metrics.items()), False)
            bar.update()
            yield Record(run.update, loss, metrics, rate, norm, run.dropped, speed)
            if in_a_row >= MAX_DROPPED_IN_A_ROW:
                raise TrainingError(
                    f"{in_a_row} updates in a row had a gradient that is not finite or longer than "
                    f"{config.skip_norm:g}: the model has diverged since update {run.update - in_a_row}; go on from an "
                    f"earlier checkpoint with a lower learning rate than {config.learning_rate:g}"
                )


def next_batch(run: TrainingRun, step: int) -> Batch:
    """The batch of the update after `step` updates: windows in their order, cut and transposed as configured."""
    config, bar = run.config, getattr(run.model.config, "steps_per_bar", 1)
    bars, rows = _batch_rows(run, step)
    rows = torch.from_numpy(rows).to(run.tokens.device)
    tokens, control = run.tokens[rows], None if run.control is None else run.control[rows]
    if config.curriculum:
        first = first_steps(tokens, bars * bar, bar, run.generator)  # [batch, 1]
        steps = first + torch.arange(bars * bar, device=tokens.device)  # [batch, steps of the shorter window]
        tokens, control = cut_windows(tokens, steps), None if control is None else cut_windows(control, steps)
    if config.transposition:
        kind = get_representation(run.model.config.representation)
        tokens = transpose_batch(tokens, config.transposition, run.generator, kind)
    return Batch(tokens, control)


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


def first_steps(tokens: Tensor, steps: int, hop: int, generator: torch.Generator) -> Tensor:
    """Where a part of `steps` steps begins in each of the windows: a random multiple of `hop`, `[batch, 1]`."""
    places = (tokens.shape[1] - steps) // hop + 1
    return hop * torch.randint(places, (len(tokens), 1), generator=generator, device=tokens.device)


def cut_windows(values: Tensor, steps: Tensor) -> Tensor:
    """The values `[batch, whole, ...]` at `steps` `[batch, part]`: `[batch, part, ...]`."""
    rows = torch.arange(len(values), device=values.device)[:, None]
    return values[rows, steps]


def transpose_batch(tokens: Tensor, semitones: int, generator: torch.Generator, kind: Representation) -> Tensor:
    """`Representation.random_transpose` where the tokens `[batch, steps(, tracks)]` are, by the same law."""
    tokens, axes = tokens.long(), list(range(1, tokens.ndim))
    spans = torch.tensor([span or (1, 0) for span in kind.pitched], device=tokens.device)  # 1 to 0: no class moves
    lowest, highest = spans.unbind(1) if tokens.ndim == 3 else spans[0]
    moving = (tokens >= lowest) & (tokens <= highest)
    down = torch.where(moving, tokens - lowest, semitones).amin(
        axes
    )  # [batch], semitones until a note leaves its range
    up = torch.where(moving, highest - tokens, semitones).amin(axes)
    shift = torch.randint(-semitones, semitones + 1, (len(tokens),), generator=generator, device=tokens.device)
    shift = torch.minimum(torch.maximum(shift, -down), up)
    return tokens + moving * shift.view(-1, *(1,) * len(axes))


def fingerprint(tokens: ArrayLike, control: ArrayLike | None = None) -> str:
    """The SHA-256 of tokens, their shape and the control signal: the same for equal windows in any integer type."""
    tokens = np.asarray(tokens)
    digest = hashlib.sha256(f"{tokens.shape}".encode() + np.ascontiguousarray(tokens, "<i4").tobytes())
    if control is not None:
        control = np.asarray(control, "<f4")
        digest.update(f"{control.shape}".encode() + np.ascontiguousarray(control).tobytes())
    return digest.hexdigest()


def _check_options(model: LatentModel, training: TrainingConfig) -> None:
    if training.transposition:
        kind = get_representation(model.config.representation)
        if kind.transpose is None or kind.vocab_sizes != model.config.vocab_sizes:
            raise ValueError(
                f"{kind.name} with tracks of {model.config.vocab_sizes} classes cannot be transposed; "
                "set transposition to 0"
            )
    if training.curriculum and max(bars for bars, _ in training.curriculum) > model.config.bars:
        raise ValueError(f"a stage of the curriculum is longer than the model's {model.config.bars} bars")
