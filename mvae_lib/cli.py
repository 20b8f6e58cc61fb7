"""What the commands of `python -m mvae_lib` do; how they are called stands in `mvae_lib.__main__`.

Each command is a function of its options, prints what it did, and raises CommandError where the user can mend it. MIDI
is imported only by the commands that read or write it, so that a training machine needs no more than training does.
"""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from tqdm import tqdm

from mvae_lib import evaluation, latent, pretrained, training
from mvae_lib.data.folk import WINDOW_BARS, MelodyDataset, folk_melodies
from mvae_lib.evaluation import report
from mvae_lib.models.config import Configuration, ModelConfig, get_config, list_configs, to_dict
from mvae_lib.models.musicvae import MusicVAE, count_parameters
from mvae_lib.music.audio import synthesize, write_wav
from mvae_lib.music.melody import STEPS_PER_BAR, VOCABULARY
from mvae_lib.training import checkpoints
from mvae_lib.training.checkpoints import CheckpointError
from mvae_lib.training.storage import FACTS

if TYPE_CHECKING:
    from mvae_lib.music.extraction import Extraction

__all__ = ["CheckpointError", "CommandError", "evaluate", "info", "interpolate", "reconstruct", "sample", "train"]

_BATCH = 512  # melodies decoded together: more are hardly faster, and so any number fits into memory


class CommandError(Exception):
    """What the user can mend. The message says how."""


def train(name: str, out: Path, updates: int | None, seed: int | None, every: int, resume: bool, device: str) -> None:
    """Train a named configuration on the folk melodies, with a checkpoint in `out` every so many updates."""
    torch.set_flush_denormal(True)  # gradients of 256 steps fade into numbers that a CPU takes ten times as long over
    _check_device(device)
    configuration = _named(name)
    tokens = _folk_melodies(configuration.model, "train", name).tokens
    if updates is not None:
        configuration = replace(configuration, training=replace(configuration.training, updates=updates))
    if resume:
        run = _resumed(out, configuration, tokens, seed, device)
        if updates is not None:
            run.config = configuration.training
    else:
        run = _begun(out, configuration, tokens, seed or 0, device)
    if run.update >= run.config.updates:
        print(f"nothing to do: the run in {out} has {run.update} updates; ask for more of them with --updates")
        return
    size = f"{count_parameters(run.model):,} parameters, {len(tokens):,} windows, seed {run.seed}"
    print(f"{name}: {size}; updates {run.update} to {run.config.updates}, checkpoints in {out} every {every}")
    for record in training.train(run, show_progress=sys.stderr.isatty()):
        if record.update % every == 0 or record.update == run.config.updates:
            losses = {"loss": record.loss, "distortion": record.metrics["distortion"], "rate": record.metrics["rate"]}
            finite = {key: value for key, value in losses.items() if math.isfinite(value)}
            checkpoints.save_checkpoint(out, run, name, finite)
            told = ", ".join(f"{key} {value:.2f}" for key, value in losses.items())
            tqdm.write(f"update {record.update}: {told} nats a sequence; {record.dropped} dropped")


def _begun(out: Path, configuration: Configuration, tokens: np.ndarray, seed: int, device: str) -> training.TrainingRun:
    if (out / FACTS).exists():
        raise CommandError(f"{out} holds a checkpoint already; go on with it by --resume, or name another folder")
    model = MusicVAE(configuration.model, torch.Generator().manual_seed(seed)).to(device)
    run = training.start_run(model, tokens, configuration.training, seed)
    checkpoints.save_checkpoint(out, run, configuration.name)  # a folder that cannot be used is found out now
    return run


def _resumed(
    out: Path, configuration: Configuration, tokens: np.ndarray, seed: int | None, device: str
) -> training.TrainingRun:
    if not (out / FACTS).exists():
        raise CommandError(f"there is no run in {out} to go on with; leave out --resume to begin one")
    facts = checkpoints.read_metadata(out)
    if seed not in (None, facts.seed):
        raise CommandError(f"the run in {out} has the seed {facts.seed} and keeps it; leave out --seed")
    longer = replace(configuration.training, updates=facts.configuration.training.updates)
    return checkpoints.resume(out, tokens, device, replace(configuration, training=longer))


def evaluate(checkpoint: Path, split: str, draws: int, json_file: Path | None, seed: int, device: str) -> None:
    """Print all measures of a model on a whole split of the folk melodies, beside the baselines."""
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise CommandError(f"cannot write {json_file}: there is no folder {json_file.parent}; create it first")
    _check_device(device)
    checkpoint = _folder(checkpoint)
    facts = checkpoints.read_metadata(checkpoint)
    model = checkpoints.load_model(checkpoint, device)
    learned_from = _folk_melodies(model.config, "train", checkpoint)
    if facts.data_sha256 not in (None, training.fingerprint(learned_from.tokens)):
        print(f"note: {checkpoint} was trained on other windows, which may overlap with this split", file=sys.stderr)
    data = _folk_melodies(model.config, split, checkpoint)
    generator = torch.Generator(device).manual_seed(seed)
    result = evaluation.evaluate(model, data, evaluation.fit_baselines(learned_from), generator, k=draws)
    print(report.table(result))
    if json_file is not None:
        report.save(result, json_file)


@torch.no_grad()
def sample(checkpoint: Path, n: int, temperature: float | None, seed: int, out: Path, wav: bool) -> None:
    """Write `n` melodies decoded from draws of the prior."""
    model, _ = _melody_model(checkpoint)
    generator = torch.Generator().manual_seed(seed)
    stems = _numbered("sample", n)
    for first in range(0, n, _BATCH):
        batch = stems[first : first + _BATCH]
        _write(model.sample(len(batch), generator, temperature=temperature), batch, out, wav)
    print(f"{n} melodies are in {out}")


@torch.no_grad()
def reconstruct(checkpoint: Path, file: Path, out: Path, wav: bool) -> None:
    """Write each window of a MIDI file as it is, and as the model rebuilds it from mu."""
    model, bars = _melody_model(checkpoint)
    found = _windows(file, bars)
    rebuilt = torch.cat([model.reconstruct(batch) for batch in torch.from_numpy(found.tokens).split(_BATCH)]).numpy()
    stems = _numbered(file.stem, len(rebuilt))
    _write(found.tokens, [f"{stem}-original" for stem in stems], out, wav)
    _write(rebuilt, [f"{stem}-rebuilt" for stem in stems], out, wav)
    for reason in found.reasons:
        print(f"left out: {reason}")
    for stem, source, right in zip(stems, found.sources, (rebuilt == found.tokens).sum(1), strict=True):
        place = f"instrument {source.instrument} {source.name}".strip()
        print(f"{stem}: {place}, from bar {source.bar}: {right} of {rebuilt.shape[1]} steps are right")
    shares = evaluation.accuracy(rebuilt, found.tokens)
    print(f"all: {shares.step:.3f} of the steps, {shares.onset:.3f} of the onsets, {shares.exact:.3f} of the windows")
    print(f"the melodies, and what became of them, are in {out}")


@torch.no_grad()
def interpolate(checkpoint: Path, a: Path, b: Path, points: int, path: str, out: Path, wav: bool) -> None:
    """Write the melodies on an arc (slerp) or a line (lerp) from mu of one melody to mu of another."""
    model, bars = _melody_model(checkpoint)
    ends = np.stack([_windows(file, bars).tokens[0] for file in (a, b)])
    start, end = model.encode(torch.from_numpy(ends)).mu
    way = (latent.slerp if path == "slerp" else latent.lerp)(start, end, torch.linspace(0, 1, points))
    melodies = torch.cat([model.decode(z) for z in way.split(_BATCH)])
    _write(melodies, _numbered("point", points), out, wav)
    print(f"{points} melodies, from {a.name} to {b.name}, are in {out}")


def info(name: str, as_json: bool) -> None:
    """Print what is known of a named configuration or of a checkpoint."""
    facts = _known_of(name)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        for part, item in value.items() if isinstance(value, dict) else [("", value)]:
            print(f"{f'{key} {part}'.replace('_', ' '):<32}{item}")


def _known_of(name: str) -> dict[str, Any]:
    if name in list_configs():
        configuration, rest = get_config(name), {}
    elif Path(name).exists():
        facts = checkpoints.read_metadata(name)
        configuration = facts.configuration
        rest = {item.name: getattr(facts, item.name) for item in fields(facts) if item.name != "configuration"}
    else:
        raise CommandError(f"{name!r} is no folder and no configuration; there are: {', '.join(list_configs())}")
    model = configuration.model
    with torch.device("meta"):  # counted without being filled: the largest would take a gigabyte
        count = count_parameters(MusicVAE(model))
    told = {"kind": "checkpoint" if rest else "configuration", "parameters": count}
    return told | {"hierarchical": model.hierarchical, "bars": model.bars} | rest | to_dict(configuration)


def _named(name: str) -> Configuration:
    try:
        return get_config(name)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _check_device(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise CommandError("PyTorch finds no GPU on this machine; leave out --device")


def _bars(config: ModelConfig, label: object) -> int:
    """The bars of a melody model's window."""
    if config.vocab_sizes != (VOCABULARY,) or config.control:
        found = (
            f"heads of {', '.join(map(str, config.vocab_sizes))} classes and a control signal of depth {config.control}"
        )
        raise CommandError(
            f"{label} has {found}; this command needs a model of melodies alone, such as mel_2bar: one head of "
            f"{VOCABULARY} classes, no control signal"
        )
    bars, rest = divmod(config.steps, STEPS_PER_BAR)
    if rest:
        raise CommandError(f"{label} reads {config.steps} steps, which are no whole bars of {STEPS_PER_BAR}")
    return bars


def _folder(checkpoint: Path) -> Path:
    """The folder as it was given, or that of the shipped model which has this name."""
    return (
        pretrained.FOLDER / checkpoint
        if str(checkpoint) in pretrained.NAMES and not checkpoint.exists()
        else checkpoint
    )


def _melody_model(checkpoint: Path) -> tuple[MusicVAE, int]:
    """The model and the bars of its window."""
    model = checkpoints.load_model(_folder(checkpoint))
    return model, _bars(model.config, checkpoint)


def _folk_melodies(config: ModelConfig, split: str, label: object) -> MelodyDataset:
    bars = _bars(config, label)
    if bars not in WINDOW_BARS:
        there_are = " and ".join(map(str, WINDOW_BARS))
        raise CommandError(f"{label} reads {bars} bars, and the folk melodies have windows of {there_are} bars only")
    try:
        return folk_melodies(bars, split)
    except RuntimeError as error:  # a damaged file: the message tells how to mend it
        raise CommandError(str(error)) from error


def _windows(file: Path, bars: int) -> "Extraction":
    from mvae_lib.music.extraction import extract_melodies
    from mvae_lib.music.midi import MidiError

    try:
        return extract_melodies(file, bars)
    except MidiError as error:
        raise CommandError(str(error)) from error


def _numbered(stem: str, count: int) -> list[str]:
    """stem-1, stem-2, ... with as many zeros as it takes for folders to sort them."""
    return [f"{stem}-{number:0{len(str(count))}}" for number in range(1, count + 1)]


def _write(melodies: ArrayLike, stems: Sequence[str], out: Path, wav: bool) -> None:
    """Melodies `[N, steps]` as MIDI files, and as sound if `wav`; `stems` are the files' names."""
    from mvae_lib.music.midi import tokens_to_midi, write_midi

    out.mkdir(parents=True, exist_ok=True)
    for tokens, stem in zip(np.asarray(melodies), stems, strict=True):
        write_midi(tokens_to_midi(tokens, name=stem), out / f"{stem}.mid")
        if wav:
            write_wav(out / f"{stem}.wav", synthesize(tokens))
