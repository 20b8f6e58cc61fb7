"""What the commands of `python -m mvae_lib` do; `mvae_lib.__main__` parses their options.

Each command is a function of its options, prints what it did, and raises CommandError where the user can correct the
input. MIDI is imported only by the commands that read or write it, so that a training machine needs no more than
training does.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from tqdm import tqdm

from mvae_lib import evaluation, pretrained, training
from mvae_lib.data.dataset import Dataset
from mvae_lib.data.midi_folder import midi_folder
from mvae_lib.data.shipped import shipped_data
from mvae_lib.evaluation import report
from mvae_lib.models.config import ModelConfig, get_config, list_configs, to_dict
from mvae_lib.models.musicvae import MusicVAE, count_parameters
from mvae_lib.music.audio import write_wav
from mvae_lib.music.files import choose_window, list_file, printable, read_windows, sentences
from mvae_lib.music.representation import REPRESENTATIONS, Representation, Windows, get_representation
from mvae_lib.training import checkpoints, fit
from mvae_lib.training.checkpoints import CheckpointError
from mvae_lib.training.storage import FACTS

__all__ = ["CheckpointError", "CommandError", "evaluate", "info", "interpolate", "reconstruct", "sample", "train"]

_LONGEST_STEM = 150  # bytes of a file's name that the names of what is made of it keep; most systems end at 255
_BATCH = 512  # windows decoded together: larger batches are hardly faster, and memory stays bounded
_MAX_SOURCES = 8  # columns of an evaluation


class CommandError(Exception):
    """An error that the user can correct. The message says how."""


def train(
    name: str,
    out: Path,
    data: Path | None,
    bars: int | None,
    updates: int | None,
    seed: int | None,
    every: int,
    resume: bool,
    device: str,
) -> None:
    """Train a named configuration, with a checkpoint in `out` every so many updates; a run in `out` is continued."""
    torch.set_flush_denormal(True)  # gradients over 256 steps get denormal, which is ten times as slow on a CPU
    _check_device(device)
    with _as_mistakes(ValueError):
        configuration = get_config(name)
        if bars is not None:
            steps = bars * get_representation(configuration.model.representation).steps_per_bar
            configuration = replace(configuration, model=replace(configuration.model, steps=steps))
    if resume and not (out / FACTS).exists():
        raise CommandError(f"there is no run in {out} to go on with; leave out --resume to begin one")
    windows = _windows_of(configuration.model, name, data, "train")
    with _as_mistakes(ValueError):
        run, name = fit.prepare(configuration, windows, out, seed, updates, device)
    if run.update >= run.config.updates:
        _say(f"nothing to do: the run in {out} has {run.update} updates; ask for more of them with --updates")
        return
    size = f"{count_parameters(run.model):,} parameters, {len(windows):,} windows, seed {run.seed}"
    _say(f"{name}: {size}; updates {run.update} to {run.config.updates}, checkpoints in {out} every {every}")
    for record in fit.advance(run, name, out, every, show_progress=sys.stderr.isatty()):
        losses = ", ".join(f"{key} {value:.2f}" for key, value in fit.losses_of(record).items())
        tqdm.write(f"update {record.update}: {losses} nats per sequence; {record.dropped} dropped")


def evaluate(
    checkpoint: Path, data: Path | None, split: str, samples: int, json_file: Path | None, seed: int, device: str
) -> None:
    """Print all measures of a model on a whole split, beside the baselines; `data` None: the shipped data."""
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise CommandError(f"cannot write {json_file}: there is no folder {json_file.parent}; create it first")
    _check_device(device)
    checkpoint = _folder(checkpoint)
    facts = checkpoints.read_metadata(checkpoint)
    model = checkpoints.load_model(checkpoint, device)
    if data is None:
        learned_from, windows = (_windows_of(model.config, checkpoint, None, part) for part in ("train", split))
    else:
        whole = _windows_of(model.config, checkpoint, data, None)
        learned_from, windows = whole.part("train"), whole.part(split).with_main_sources(_MAX_SOURCES)
        if not len(windows):
            raise CommandError(f"{data} has no {split} part: its files share too much music, or are too few; add files")
    if facts.data_sha256 not in (None, training.fingerprint(learned_from.tokens)):
        print(f"note: {checkpoint} was trained on other windows, which may overlap with this split", file=sys.stderr)
    generator = torch.Generator(device).manual_seed(seed)
    result = evaluation.evaluate(model, windows, evaluation.fit_baselines(learned_from), generator, k=samples)
    _say(report.table(result))
    if json_file is not None:
        report.save(result, json_file)


@torch.no_grad()
def sample(
    checkpoint: Path, n: int, temperature: float | None, top_p: float | None, seed: int, out: Path, wav: bool
) -> None:
    """Write `n` windows decoded from samples of the prior."""
    (model, kind, _), generator = _load(checkpoint), torch.Generator().manual_seed(seed)
    stems, options = _numbered("sample", n), {"temperature": temperature, "top_p": top_p}
    for first in range(0, n, _BATCH):
        batch = stems[first : first + _BATCH]
        _write(model.sample(len(batch), generator, **options), batch, kind, out, wav)
    _say(f"{n} samples are in {out}")


@torch.no_grad()
def reconstruct(
    checkpoint: Path,
    file: Path,
    track: int | None,
    bar: int | None,
    show_list: bool,
    n: int,
    temperature: float | None,
    top_p: float | None,
    seed: int,
    out: Path,
    wav: bool,
) -> None:
    """Write windows of a MIDI file as they are, and as the model reconstructs them from mu."""
    model, kind, bars = _load(checkpoint)
    if show_list:
        return _list([file], bars, kind)
    found = _read(file, bars, kind)
    with _as_mistakes(ValueError):
        first = choose_window(found, file, bars, track, bar)
    chosen = [first] if bar is not None else [i for i, s in enumerate(found.sources) if track in (None, s.instrument)]
    left, chosen = len(chosen) - n, chosen[:n]
    tokens = found.tokens[chosen]
    options = {"temperature": temperature, "top_p": top_p, "generator": torch.Generator().manual_seed(seed)}
    decoded = model.reconstruct(tokens, **options).numpy()
    name = file.stem.encode()[:_LONGEST_STEM].decode(errors="ignore")
    stems = _numbered(name, len(chosen))
    _write(tokens, [f"{stem}-original" for stem in stems], kind, out, wav)
    _write(decoded, [f"{stem}-reconstruction" for stem in stems], kind, out, wav)
    for reason in sentences(found):
        _say(f"left out: {reason}")
    right = (decoded == tokens).reshape(*tokens.shape[:2], -1).all(-1)  # [windows, steps]
    for stem, index, steps in zip(stems, chosen, right, strict=True):
        source = found.sources[index]
        place = f"track {source.instrument} {printable(source.name)}".strip()
        _say(f"{stem}: {place}, from bar {source.bar}: {steps.sum()} of {len(steps)} steps are right")
    onsets = kind.is_onset(tokens)
    share = (decoded == tokens)[onsets].mean() if onsets.any() else math.nan
    _say(f"all: {right.mean():.3f} of the steps, {share:.3f} of the onsets, {right.all(1).mean():.3f} of the windows")
    if left > 0:
        _say(f"{left:,} more windows of {left + n:,} were not written; ask for more with --n, or choose a --track")
    _say(f"the windows and their reconstructions are in {out}")


@torch.no_grad()
def interpolate(
    checkpoint: Path,
    a: Path,
    b: Path,
    track: Sequence[int | None],
    bar: Sequence[int | None],
    show_list: bool,
    points: int,
    path: str,
    temperature: float | None,
    top_p: float | None,
    seed: int,
    out: Path,
    wav: bool,
) -> None:
    """Write the music at points on an arc (slerp) or a line (lerp) from mu of one window to mu of another."""
    model, kind, bars = _load(checkpoint)
    if show_list:
        return _list([a, b], bars, kind)
    ends = []
    for file, own_track, own_bar in zip((a, b), track, bar, strict=True):
        found = _read(file, bars, kind)
        with _as_mistakes(ValueError):
            ends.append(found.tokens[choose_window(found, file, bars, own_track, own_bar)])
    options = {"temperature": temperature, "top_p": top_p, "generator": torch.Generator().manual_seed(seed)}
    decoded = model.interpolate(*ends, points, path, **options)
    _write(decoded, _numbered("point", points), kind, out, wav)
    _say(f"{points} points, from {a.name} to {b.name}, are in {out}")


def info(name: str, as_json: bool) -> None:
    """Print what is known of a named configuration or of a checkpoint."""
    facts = _known_of(name)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        for part, item in value.items() if isinstance(value, dict) else [("", value)]:
            _say(f"{f'{key} {part}'.replace('_', ' '):<32}{item}")


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
    with torch.device("meta"):  # no memory is allocated: the largest would take a gigabyte
        count = count_parameters(MusicVAE(model))
    known = model.representation in REPRESENTATIONS  # drums and trio are not
    bars = model.steps // get_representation(model.representation).steps_per_bar if known else model.bars
    summary = {"kind": "checkpoint" if rest else "configuration", "parameters": count}
    return summary | {"hierarchical": model.hierarchical, "bars": bars} | rest | to_dict(configuration)


@contextmanager
def _as_mistakes(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds are the user's: their messages name the thing and say what to do."""
    try:
        yield
    except kinds as error:
        raise CommandError(str(error)) from error


def _check_device(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise CommandError("PyTorch finds no GPU on this machine; leave out --device")


def _kind(config: ModelConfig, label: object) -> tuple[Representation, int]:
    """The representation of a model and the bars of its window."""
    with _as_mistakes(ValueError):
        kind = get_representation(config.representation)
    if config.vocab_sizes != kind.vocab_sizes or config.control:
        found = f"tracks of {', '.join(map(str, config.vocab_sizes))} classes and a control signal of {config.control}"
        wanted = f"tracks of {', '.join(map(str, kind.vocab_sizes))} classes, as {kind.name} has, and no control signal"
        raise CommandError(f"{label} has {found} values per step; this command needs a model with {wanted}")
    bars, rest = divmod(config.steps, kind.steps_per_bar)
    if rest:
        raise CommandError(f"{label} reads {config.steps} steps, which are no whole bars of {kind.steps_per_bar}")
    return kind, bars


def _folder(checkpoint: Path) -> Path:
    """The folder as it was given, or that of the shipped model which has this name."""
    shipped = str(checkpoint) in pretrained.NAMES and not checkpoint.exists()
    return pretrained.FOLDER / checkpoint if shipped else checkpoint


def _load(checkpoint: Path) -> tuple[MusicVAE, Representation, int]:
    """The model, its representation, and the bars of its window."""
    model = checkpoints.load_model(_folder(checkpoint))
    return model, *_kind(model.config, checkpoint)


def _windows_of(config: ModelConfig, label: object, folder: Path | None, split: str | None) -> Dataset:
    """A split (None: all) of a folder of MIDI files or, without one, of the shipped data of the model's kind."""
    kind, bars = _kind(config, label)
    with _as_mistakes(ValueError, RuntimeError):  # a damaged file of ours is a RuntimeError that says how to repair it
        if folder is None:
            return shipped_data(kind.name, bars, split)
        data = midi_folder(folder, bars, kind.name, show_progress=sys.stderr.isatty())
        print(data.report, file=sys.stderr)
        return data if split is None else data.part(split)


def _read(file: Path, bars: int, kind: Representation) -> Windows:
    with _as_mistakes(ValueError):
        return read_windows(file, bars, kind.name)


def _list(files: Sequence[Path], bars: int, kind: Representation) -> None:
    for file in dict.fromkeys(files):
        with _as_mistakes(ValueError):
            _say(f"{file}\n{list_file(file, bars, kind.name)}")


def _say(text: str) -> None:
    """Print, with nothing that a terminal would take as a command."""
    print("\n".join(line if line.isprintable() else printable(line, None) for line in text.split("\n")))


def _numbered(stem: str, count: int) -> list[str]:
    """stem-1, stem-2, ... with as many zeros as it takes for folders to sort them."""
    return [f"{stem}-{number:0{len(str(count))}}" for number in range(1, count + 1)]


def _write(windows: ArrayLike, stems: Sequence[str], kind: Representation, out: Path, wav: bool) -> None:
    """Windows `[N, steps(, tracks)]` as MIDI files, and as sound if `wav`; `stems` are the files' names."""
    from mvae_lib.music.midi import write_midi

    out.mkdir(parents=True, exist_ok=True)
    for tokens, stem in zip(np.asarray(windows), stems, strict=True):
        write_midi(kind.to_midi(tokens, name=printable(stem)), out / f"{stem}.mid")
        if wav:
            write_wav(out / f"{stem}.wav", kind.synthesize(tokens))
