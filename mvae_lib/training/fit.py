"""Training on a data set in one line, which also resumes a run.

    data = midi_folder("tunes/", bars=2)
    model = fit("mel_2bar", data, out="runs/mine")       # after a stop, the same line resumes

Chapter: 03 on.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from mvae_lib.data.dataset import Dataset
from mvae_lib.models.config import Configuration, get_config
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.music.representation import get_representation
from mvae_lib.training import checkpoints, loop
from mvae_lib.training.storage import FACTS, CheckpointError


def fit(
    config: str | Configuration,
    data: Dataset,
    out: str | Path,
    seed: int | None = 0,
    updates: int | None = None,
    every: int = 500,
    device: str = "cpu",
    show_progress: bool = True,
) -> MusicVAE:
    """Train a configuration on data, with a checkpoint in the folder `out` every so many updates; return the model.

    `data` is divided (its part "train" is taken) or one part. Where `out` holds a run of the same configuration, data
    and seed already, it resumes from the last checkpoint, on a CPU bit for bit as if it had not been stopped; `updates`
    (None: as configured, or as in the run) may then be higher. `seed` None is 0 or the run's own.

    Raises ValueError for data that does not fit the configuration, and CheckpointError for a run in `out` of another
    configuration, data or seed.

    Chapter: 03 on.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1 update, not {every}")
    run, name = prepare(config, data, out, seed, updates, device)
    for _ in advance(run, name, out, every, show_progress):
        pass
    return run.model.eval()


def prepare(
    config: str | Configuration,
    data: Dataset,
    out: str | Path,
    seed: int | None = 0,
    updates: int | None = None,
    device: str = "cpu",
) -> tuple[loop.TrainingRun, str]:
    """The run in `out`, new or resumed, and the name of its configuration; arguments and errors as in `fit`."""
    configuration = get_config(config) if isinstance(config, str) else config
    data = training_part(configuration, data)
    out = Path(out)
    if (out / FACTS).exists():
        facts = checkpoints.read_metadata(out)
        if seed not in (None, facts.seed):
            raise CheckpointError(f"the run in {out} has the seed {facts.seed}; give this one, or another folder")
        begun = replace(configuration.training, updates=facts.configuration.training.updates)
        run = checkpoints.resume(out, data.tokens, device, replace(configuration, training=begun), data.control)
        if updates is not None:
            run.config = replace(run.config, updates=updates)
        return run, configuration.name
    if updates is not None:
        configuration = replace(configuration, training=replace(configuration.training, updates=updates))
    model = MusicVAE(configuration.model, torch.Generator().manual_seed(seed or 0)).to(device)
    run = loop.start_run(model, data.tokens, configuration.training, seed or 0, control=data.control)
    checkpoints.save_checkpoint(out, run, configuration.name)  # so that an unusable folder is an error now
    return run, configuration.name


def advance(
    run: loop.TrainingRun, name: str, out: str | Path, every: int = 500, show_progress: bool = True
) -> Iterator[loop.Record]:
    """Train until the run's updates are done; the record of each update for which a checkpoint was written."""
    for record in loop.train(run, show_progress=show_progress):
        if record.update % every == 0 or record.update == run.config.updates:
            losses = {key: float(value) for key, value in losses_of(record).items() if math.isfinite(value)}
            checkpoints.save_checkpoint(out, run, name, losses)
            yield record


def losses_of(record: loop.Record) -> dict[str, float]:
    """The losses of a record, by name, in nats per sequence."""
    return {"loss": record.loss, "distortion": record.metrics["distortion"], "rate": record.metrics["rate"]}


def training_part(configuration: Configuration, data: Dataset) -> Dataset:
    """The windows of `data` to train on. Raises ValueError where they do not fit the configuration."""
    model, name = configuration.model, configuration.name
    wanted = model.representation
    if data.representation != wanted:
        raise ValueError(f"{name} is a model of {wanted}, and this data is {data.representation}; load it as {wanted}")
    kind = get_representation(wanted)
    if tuple(model.vocab_sizes) != kind.vocab_sizes:
        raise ValueError(f"{name} has tracks of {model.vocab_sizes} classes, and {wanted} has {kind.vocab_sizes}")
    if data.tokens.shape[1] != model.steps:
        raise ValueError(
            f"{name} reads {model.steps} steps ({model.steps / kind.steps_per_bar:g} bars), and this data has windows "
            f"of {data.bars} bars; load it with bars={model.steps // kind.steps_per_bar}"
        )
    if data.parts is not None:
        data = data.part("train")
    depth = 0 if data.control is None else data.control.shape[2]
    if depth != model.control:
        raise ValueError(f"{name} reads a control signal of depth {model.control}, and this data has depth {depth}")
    if not len(data):
        raise ValueError("there are no windows to train on")
    return data
