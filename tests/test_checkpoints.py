"""Checkpoints: a killed run ends at the very weights of an unbroken one, and what is damaged or foreign is refused.

As a program (`python test_checkpoints.py FOLDER STOP_AT`), this file is the run that the tests kill; with `pretrain` as
a third argument, the training of a shipped model on a tiny scale.
"""

import errno
import hashlib
import json
import math
import os
import pickle
import shutil
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.torch import load_file, save

from mvae_lib.models.config import Configuration, ModelConfig, TrainingConfig
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.training import storage
from mvae_lib.training.checkpoints import (
    CheckpointError,
    CheckpointMetadata,
    load_model,
    read_metadata,
    resume,
    save_checkpoint,
    save_model,
)
from mvae_lib.training.loop import TrainingRun, start_run, train
from tools import pretrain

CONFIGURATION = Configuration(
    "tiny",
    ModelConfig(steps=16, z_size=4, encoder_units=6, decoder_units=6, conductor_units=6, conductor_layers=1),
    TrainingConfig(updates=12, batch=8, learning_rate=5e-3, beta_rate=0.9, sampling_k=2.0, transposition=5),
)
TOKENS = np.where(np.arange(320) % 3, 0, 40 + np.arange(320) % 17).reshape(20, 16).astype(np.uint8)


def new_run(training: TrainingConfig = CONFIGURATION.training) -> TrainingRun:
    return start_run(MusicVAE(CONFIGURATION.model, torch.Generator().manual_seed(0)), TOKENS, training, seed=1)


def advance(run: TrainingRun, updates: int | None = None) -> list:
    """The records of some updates, or of all that are left, but for the speed."""
    records = islice(train(run, show_progress=False), updates)
    return [record._replace(sequences_per_second=0.0) for record in records]


def assert_same_weights(model: MusicVAE, other: MusicVAE) -> None:
    weights, others = model.state_dict(), other.state_dict()
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


@contextmanager
def at_each_step_of_writing(happen):
    """Calls `happen(descriptor or None)` after a file is opened, and before one is synchronized, renamed or deleted."""

    def before(original):
        def wrapped(first, *rest, **named):
            happen(first if original is fsync else None)
            return original(first, *rest, **named)

        return wrapped

    def opened(path, *rest, **named):
        file = original_open(path, *rest, **named)
        if file.writable():
            happen(None)
        return file

    fsync, original_open = os.fsync, Path.open
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
            patch.setattr(owner, name, before(getattr(owner, name)))
        patch.setattr(Path, "open", opened)
        yield


# ---- runs that are interrupted


def run_until_stopped(folder: Path, stop_at: int) -> None:
    """Train, write a checkpoint after each update, and stand still at an event of writing, waiting to be killed."""
    torch.set_num_threads(1)
    events = count(1)

    def happen(_=None):
        if next(events) == stop_at:
            print("standing still", flush=True)
            time.sleep(600)

    run = resume(folder, TOKENS) if (folder / "checkpoint.json").exists() else new_run()
    with at_each_step_of_writing(happen):
        for record in train(run, show_progress=False):
            save_checkpoint(folder, run, "tiny", {"loss": record.loss})
            happen()


def test_a_run_that_is_killed_again_and_again_ends_bit_for_bit_like_one_that_is_not(tmp_path):
    unbroken = new_run()
    advance(unbroken)
    reached = []
    # In the first checkpoint; in later ones between two files, before the JSON is renamed, and while old files are
    # deleted; and once without standing still.
    for stop_at in (6, 20, 29, 33, None):
        child = [sys.executable, __file__, str(tmp_path), str(stop_at or 0)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        with subprocess.Popen(child, env=environment, stdout=subprocess.PIPE, text=True) as process:
            if stop_at is None:
                files = set(tmp_path.iterdir())
                while process.poll() is None and set(tmp_path.iterdir()) == files:
                    time.sleep(0.001)
            else:
                assert process.stdout.readline() == "standing still\n"
            process.kill()
        reached.append(read_metadata(tmp_path).update if (tmp_path / "checkpoint.json").exists() else 0)
    assert reached[0] == 0
    assert reached == sorted(reached)
    assert 3 <= reached[-2] < 12  # the last one may have come to the end before it was killed
    run = resume(tmp_path, TOKENS)
    advance(run)
    assert run.update == 12
    assert_same_weights(run.model, unbroken.model)


CURRICULUM = Configuration(
    "tiny",
    replace(CONFIGURATION.model, steps=64),
    TrainingConfig(
        updates=24, batch=2, curriculum=((1, 8), (2, 8)), cooldown=0.25, free_bits=8.0, beta_rate=0.9, transposition=5
    ),
)
LONG_TOKENS = np.concatenate([TOKENS] * 4, 1)


def pretrain_until(folder: Path, stop_at: int) -> list[dict]:
    """Train like `make train-NAME`, with a checkpoint after each update, and stand still after that of `stop_at`."""
    torch.set_num_threads(1)
    original = save_checkpoint

    def save_and_stand_still(to, run, *rest):
        original(to, run, *rest)
        if run.update == stop_at:
            print("standing still", flush=True)
            time.sleep(600)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrain, "SAVE_SECONDS", -1.0)
        patch.setattr(pretrain, "MEASUREMENTS", 4)
        patch.setattr(pretrain.checkpoints, "save_checkpoint", save_and_stand_still)
        return pretrain.train(CURRICULUM, LONG_TOKENS, LONG_TOKENS[:5], folder)


def test_a_curriculum_that_is_killed_within_a_stage_ends_bit_for_bit_like_one_that_is_not(tmp_path):
    unbroken = pretrain_until(tmp_path / "unbroken", 0)
    measured = [(point["update"], point["bars"]) for point in unbroken]
    assert measured == [(6, 1), (8, 1), (12, 2), (16, 2), (18, 4), (24, 4)]
    for stop_at in (11, 20):  # within the second and the last stage, between two measurements
        child = [sys.executable, __file__, str(tmp_path / "killed"), str(stop_at), "pretrain"]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        with subprocess.Popen(child, env=environment, stdout=subprocess.PIPE, text=True) as process:
            lines = iter(process.stdout.readline, "")
            assert "standing still\n" in lines
            process.kill()
        assert read_metadata(tmp_path / "killed" / "run").update == stop_at
    assert pretrain_until(tmp_path / "killed", 0) == unbroken
    for part in ("run", "best", "before_cooldown"):
        facts, others = (read_metadata(tmp_path / way / part) for way in ("killed", "unbroken"))
        assert facts.update == others.update
        weights = (load_model(tmp_path / way / part) for way in ("killed", "unbroken"))
        assert_same_weights(*weights)
    assert read_metadata(tmp_path / "killed" / "before_cooldown").update == 18
    best = min(unbroken[-2:], key=lambda point: point["validation"]["loss"])
    assert read_metadata(tmp_path / "killed" / "best").update == best["update"], "chosen among whole windows only"


class Killed(BaseException):
    """In place of a signal: no handler of errors may catch it."""


def test_at_any_instant_of_writing_the_folder_holds_the_old_checkpoint_or_the_new_one(tmp_path):
    run = new_run()
    advance(run, 3)
    save_checkpoint(tmp_path / "before", run, "tiny")
    advance(run, 1)
    unbroken = new_run()
    advance(unbroken)
    found = []
    for stop_at in count(1):
        folder = tmp_path / f"killed-{stop_at}"
        shutil.copytree(tmp_path / "before", folder)
        events = count(1)

        def happen(descriptor, events=events, stop_at=stop_at):
            if next(events) < stop_at:
                return
            if descriptor is not None and stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)  # what is not synchronized may be lost
            raise Killed

        try:
            with at_each_step_of_writing(happen):
                save_checkpoint(folder, run, "tiny")
            break
        except Killed:
            again = resume(folder, TOKENS)
        found.append(again.update)
        if stop_at % 4 == 0:
            advance(again)
            assert_same_weights(again.model, unbroken.model)
        save_checkpoint(folder, again, "tiny")
        assert len(list(folder.iterdir())) == 3  # nothing is left behind
    assert found == sorted(found)
    assert found.count(3) > 5
    assert found.count(4) >= 3


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path):
    run = new_run()
    advance(run, 1)
    save_checkpoint(tmp_path, run, "tiny", {"loss": 1.0})
    advance(run, 1)
    for metrics, error in (({"loss": float("nan")}, ValueError), ({"loss": torch.ones(2)}, TypeError)):
        with pytest.raises(error):
            save_checkpoint(tmp_path, run, "tiny", metrics)
        assert read_metadata(tmp_path).metrics == {"loss": 1.0}
    full = OSError(28, "No space left on device")

    def happen(descriptor):
        if descriptor is not None:
            raise full

    with at_each_step_of_writing(happen), pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, run, "tiny", {"loss": 2.0})
    assert read_metadata(tmp_path).metrics == {"loss": 1.0}
    assert len(list(tmp_path.iterdir())) == 3
    assert resume(tmp_path, TOKENS).update == 1


def test_a_folder_holds_one_checkpoint_and_whatever_else_was_there(tmp_path):
    (tmp_path / "notes.safetensors").write_bytes(b"someone else's")
    run = new_run()
    for _ in range(3):
        advance(run, 1)
        save_checkpoint(tmp_path, run, "tiny")
    names = {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert names == {"notes.safetensors", "checkpoint.json", "weights", "run"}
    assert len(list(tmp_path.iterdir())) == 4


# ---- what comes back


@pytest.mark.parametrize("left_at", [0, 1, 5, 12])
def test_a_resumed_run_gives_the_records_and_weights_of_an_unbroken_one(tmp_path, left_at):
    unbroken, run = new_run(), new_run()
    records = advance(unbroken)
    begun = advance(run, left_at)
    save_checkpoint(tmp_path, run, "tiny")
    again = resume(tmp_path, TOKENS.astype(np.int64), configuration=CONFIGURATION)
    assert begun + advance(again) == records
    assert_same_weights(again.model, unbroken.model)
    assert again.update == unbroken.update == 12


def test_a_run_whose_updates_were_all_dropped_can_be_resumed(tmp_path):
    run = new_run(replace(CONFIGURATION.training, skip_norm=1e-9))
    advance(run, 2)
    save_checkpoint(tmp_path, run, "tiny")
    again = resume(tmp_path, TOKENS)
    assert (again.update, again.dropped) == (2, 2)
    assert next(train(again, show_progress=False)).dropped == 3


def test_a_run_can_be_made_longer(tmp_path):
    longer = replace(CONFIGURATION.training, updates=16)
    unbroken, run = new_run(longer), new_run()
    advance(unbroken)
    advance(run)
    save_checkpoint(tmp_path, run, "tiny")
    again = resume(tmp_path, TOKENS)
    assert not advance(again)
    again.config = longer
    assert len(advance(again)) == 4
    assert_same_weights(again.model, unbroken.model)


def test_the_facts_come_back(tmp_path):
    run = new_run()
    advance(run, 3)
    save_checkpoint(tmp_path, run, "tiny", {"accuracy": {"test": 0.5}})
    facts = read_metadata(tmp_path)
    assert facts.configuration == CONFIGURATION
    assert (facts.update, facts.seed, facts.data_sha256) == (3, 1, run.data_sha256)
    assert facts.metrics == {"accuracy": {"test": 0.5}}
    assert facts.versions["torch"] == torch.__version__


def test_a_loaded_model_is_the_one_that_was_saved_ready_for_use(tmp_path):
    run = new_run()
    advance(run, 3)
    save_checkpoint(tmp_path, run, "tiny")
    state = torch.random.get_rng_state()
    model = load_model(tmp_path, configuration=CONFIGURATION)
    assert torch.equal(state, torch.random.get_rng_state())
    assert_same_weights(model, run.model)
    assert not model.training
    trained = {name: parameter.requires_grad for name, parameter in run.model.named_parameters()}
    assert trained == {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    tokens = torch.from_numpy(TOKENS)
    assert torch.equal(model.reconstruct(tokens), run.model.reconstruct(tokens))


@pytest.mark.parametrize("half", [False, True])
def test_a_model_alone_is_saved_in_full_or_half_precision(tmp_path, half):
    run = new_run()
    advance(run, 3)
    save_checkpoint(tmp_path / "run", run, "tiny")
    save_model(tmp_path / "model", load_model(tmp_path / "run"), read_metadata(tmp_path / "run"), half)
    (file,) = (tmp_path / "model").glob("*.safetensors")
    assert {tensor.dtype for tensor in load_file(file).values()} == {torch.float16 if half else torch.float32}
    assert read_metadata(tmp_path / "model") == read_metadata(tmp_path / "run")
    model = load_model(tmp_path / "model")
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == torch.float32
        exact = run.model.state_dict()[name]
        torch.testing.assert_close(tensor, exact, rtol=5e-4 if half else 0, atol=1e-7 if half else 0)


def test_a_model_is_not_saved_under_the_facts_of_another(tmp_path):
    model = MusicVAE(replace(CONFIGURATION.model, z_size=5))
    with pytest.raises(ValueError, match="z_size is 4 and not 5"):
        save_model(tmp_path, model, CheckpointMetadata(CONFIGURATION))
    assert not list(tmp_path.iterdir())


# ---- what is refused


@pytest.fixture
def folder(tmp_path) -> Path:
    run = new_run()
    advance(run, 2)
    save_checkpoint(tmp_path / "run", run, "tiny")
    return tmp_path / "run"


def file_of(folder: Path, kind: str) -> Path:
    (path,) = folder.glob(f"{kind}-*")
    return path


def edit(folder: Path, change) -> None:
    path = folder / "checkpoint.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def put(folder: Path, kind: str, content: bytes) -> Path:
    """Content in place of a file of tensors, under the name and SHA-256 that it would have."""
    file_of(folder, kind).unlink()
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"{kind}-{sha256[:16]}.safetensors"
    (folder / name).write_bytes(content)
    edit(folder, lambda data: data["files"].update({kind: {"file": name, "sha256": sha256}}))
    return folder / name


def refused(folder: Path, *reasons: str, tokens=TOKENS, **asked) -> None:
    with pytest.raises(CheckpointError) as error:
        resume(folder, tokens, **asked)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)
    for reason in reasons:
        assert reason in str(error.value)


@pytest.mark.parametrize("kind", ["weights", "run"])
def test_a_file_of_tensors_that_is_cut_short_or_changed_is_refused(folder, kind):
    path = file_of(folder, kind)
    content = path.read_bytes()
    changed = bytearray(content)
    changed[-1] ^= 1
    for damaged in (content[: len(content) // 2], content[:-1], b"", content + b"0", bytes(changed)):
        path.write_bytes(damaged)
        refused(folder, path.name, "cut short or changed")
    path.unlink()
    refused(folder, path.name, "cannot be read")


class Malice:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_not_run_wherever_it_lies(folder, tmp_path):
    witness = tmp_path / "it ran"
    content = pickle.dumps(Malice(witness))
    (tmp_path / "model.pt").write_bytes(content)
    refused(tmp_path / "model.pt", "is a file", "pickles")
    put(folder, "weights", content)
    refused(folder, "no safetensors file", "pickles")
    file_of(folder, "run").write_bytes(content)
    refused(folder, "pickles")
    (folder / "checkpoint.json").write_bytes(content)
    refused(folder, "checkpoint.json is damaged")
    assert not witness.exists()
    pickle.loads(content)
    assert witness.exists()  # or the test would show nothing


def test_tensors_of_other_names_shapes_or_types_are_refused(folder):
    weights = load_file(file_of(folder, "weights"))
    mu = weights["encoder.mu.weight"]
    for changed, reason in (
        (
            {"encoder.mu.weight": mu[:3].contiguous()},
            "encoder.mu.weight is torch.float32 [3, 12] and not torch.float32 [4, 12]",
        ),
        ({"encoder.mu.weight": mu.double()}, "torch.float64 [4, 12]"),
        ({"encoder.nu": mu.clone()}, "encoder.nu is unknown"),
        ({"encoder.mu.weight": None}, "encoder.mu.weight is missing"),
    ):
        own = {name: tensor for name, tensor in (weights | changed).items() if tensor is not None}
        path = put(folder, "weights", save(own))
        refused(folder, path.name, "does not fit its configuration", reason)
        with pytest.raises(CheckpointError):
            load_model(folder)
    put(folder, "weights", save({}))
    refused(folder, "more")
    put(folder, "weights", save(weights))
    state = load_file(file_of(folder, "run"))
    put(folder, "run", save({"generator": state["generator"]}))
    refused(folder, "adam.exp_avg.decoder", "is missing")
    put(folder, "run", save(state | {"generator": state["generator"][:16].clone()}))
    refused(folder, "generator is torch.uint8 [16]")
    put(folder, "run", save(state))
    assert len(advance(resume(folder, TOKENS))) == 10


def remove(*keys):
    def change(data):
        for key in keys[:-1]:
            data = data[key]
        del data[keys[-1]]

    return change


def alter(value, *keys):
    def change(data):
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (alter("another program's", "format"), 'its format is "another program\'s"'),
        (remove("format"), "its format is None"),
        (remove("configuration"), "missing: configuration"),
        (remove("configuration", "model", "z_size"), "missing: z_size"),
        (alter(1, "configuration", "model", "mamba"), "unknown: mamba"),
        (alter("4", "configuration", "model", "z_size"), "'z_size'"),
        (alter(-4, "configuration", "model", "z_size"), "z_size must lie in 1 to"),
        (alter(None, "configuration"), "must be an object"),
        (alter("3", "update"), "'update' of a checkpoint must be of type int"),
        (alter(None, "seed"), "use load_model"),
        (alter([], "metrics"), "'metrics' of a checkpoint must be of type"),
        (remove("run", "autocast"), "missing: autocast"),
        (alter(1, "run", "autocast"), "'autocast' of 'run' of a checkpoint must be of type bool"),
        (alter("yes", "run"), "'run' of a checkpoint must be an object"),
        (remove("files", "weights"), "'weights'"),
        (alter("../weights-0123456789abcdef.safetensors", "files", "weights", "file"), "is no file of tensors"),
        (alter(5, "files", "run", "sha256"), "is no file of tensors"),
        (alter([], "files"), "damaged at 'files'"),
        (alter(None, "run"), "use load_model"),
        (alter("cuda", "run", "device"), "on device 'cuda'"),
        (alter(5, "configuration", "model", "z_size"), "encoder.mu.weight"),
    ],
)
def test_facts_that_are_damaged_or_foreign_are_refused_with_the_reason(folder, change, reason):
    edit(folder, change)
    refused(folder, "checkpoint.json" if "encoder" not in reason else "weights-", reason)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3"])
def test_facts_that_are_no_json_object_are_refused(folder, content):
    (folder / "checkpoint.json").write_bytes(content)
    refused(folder, "checkpoint.json")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        for read in (read_metadata, load_model):
            with pytest.raises(CheckpointError, match=r"checkpoint\.json cannot be read"):
                read(folder)


def test_a_run_is_not_resumed_on_other_data(folder):
    other = TOKENS.copy()
    other[7, 0] += 1
    for tokens in (other, TOKENS[:-1], TOKENS[::-1]):
        refused(folder, "other data", tokens=tokens)


def test_another_configuration_than_asked_for_is_refused_and_the_difference_named(folder):
    asked = replace(CONFIGURATION, training=replace(CONFIGURATION.training, batch=16, max_beta=0.5))
    refused(folder, "batch is 8 and not 16", "max_beta is 1.0 and not 0.5", configuration=asked)
    assert load_model(folder, configuration=asked)  # how it was trained is not what it is
    asked = replace(CONFIGURATION, model=replace(CONFIGURATION.model, encoder_units=7))
    with pytest.raises(CheckpointError, match="encoder_units is 6 and not 7"):
        load_model(folder, configuration=asked)


# ---- what a damaged machine or a damaged run may leave


@pytest.mark.parametrize("where", ["weights", "run"])
def test_a_tensor_that_is_not_finite_is_refused_by_its_name(folder, where):
    path = file_of(folder, where)
    tensors = safetensors.torch.load(path.read_bytes())
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point() and tensor.ndim == 2)
    tensors[name][0, 0] = math.nan
    put(folder, where, safetensors.torch.save(tensors))
    refused(folder, "NaN or infinity", name)


def test_a_run_that_holds_nan_does_not_replace_the_checkpoint_before_it(folder):
    run = resume(folder, TOKENS)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with torch.no_grad():
        run.model.encoder.mu.weight[0, 0] = math.inf
    with pytest.raises(ValueError, match=r"encoder\.mu\.weight"):
        save_checkpoint(folder, run, "tiny")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (alter(10**30, "seed"), "'seed' must lie in 0 to"),
        (alter(-1, "seed"), "'seed' must lie in 0 to"),
        (alter(-3, "update"), "'update' must lie in 0 to"),
        (alter(10**12, "configuration", "model", "z_size"), "z_size must lie in 1 to"),
        (alter(10**6, "configuration", "model", "encoder_layers"), "encoder_layers must lie in 1 to"),
        (alter(-1.0, "configuration", "training", "learning_rate"), "learning_rate must lie in 0 to"),
        (alter(0, "configuration", "training", "batch"), "batch must lie in 1 to"),
        (alter(math.inf, "configuration", "training", "learning_rate"), "Infinity is no number in JSON"),
        (alter(math.nan, "configuration", "training", "max_beta"), "NaN is no number in JSON"),
        (alter([[2, 0]], "configuration", "training", "curriculum"), "each stage of a curriculum"),
        (alter("Mamba", "model_class"), "none of MusicVAE, VAE"),
    ],
)
def test_values_out_of_their_range_are_refused(folder, change, reason):
    edit(folder, change)
    refused(folder, reason)


def test_json_that_is_nested_too_deeply_is_refused(folder):
    (folder / "checkpoint.json").write_text("[" * 100_000 + "]" * 100_000, encoding="utf-8")
    refused(folder, "nested too deeply")


def test_a_state_of_the_random_numbers_that_is_all_zeros_is_refused(folder):
    tensors = safetensors.torch.load(file_of(folder, "run").read_bytes())
    tensors["generator"] = torch.zeros_like(tensors["generator"])
    put(folder, "run", safetensors.torch.save(tensors))
    refused(folder, "state of the random number generator")


def test_a_full_disk_leaves_the_checkpoint_before_it_and_says_so(folder, monkeypatch):
    run = resume(folder, TOKENS)
    advance(run, 1)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    written = []
    whole = storage.write_whole

    def until_full(path, data, **options):
        if len(written) == 1:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        whole(path, data, **options)

    monkeypatch.setattr(storage, "write_whole", until_full)
    with pytest.raises(OSError, match="No space left on device") as error:
        save_checkpoint(folder, run, "tiny")
    assert error.value.filename == str(folder) and "before it, which is whole" in str(error.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert resume(folder, TOKENS).update == 2


def test_a_checkpoint_of_the_first_format_is_read_under_todays_names(tmp_path):
    """The tensors have not changed since; their names, and some keys of the configuration, have."""
    config = replace(CONFIGURATION.model, per_step_z=True, scaled_init=True)
    run = start_run(MusicVAE(config, torch.Generator().manual_seed(0)), TOKENS, CONFIGURATION.training, 1)
    advance(run, 2)
    save_checkpoint(tmp_path, run, "tiny")
    old = {"z_projections": "z_maps", "start.linear.": "start.dense."}
    keys = {
        "vocab_sizes": "heads",
        "per_step_z": "z_per_step",
        "per_bar_z": "z_per_bar",
        "scaled_init": "balanced_start",
    }
    for kind in ("weights", "run"):
        tensors = safetensors.torch.load(file_of(tmp_path, kind).read_bytes())
        for new, first in old.items():
            tensors = {name.replace(new, first): tensor for name, tensor in tensors.items()}
        put(tmp_path, kind, safetensors.torch.save(tensors))

    def as_first_format(data):
        data["format"] = "mvae_lib checkpoint 1"
        del data["model_class"]
        model = data["configuration"]["model"]
        for new, first in keys.items():
            model[first] = model.pop(new)
        del model["representation"]
        for later in ("curriculum", "cooldown"):
            del data["configuration"]["training"][later]

    edit(tmp_path, as_first_format)
    again = resume(tmp_path, TOKENS)
    assert_same_weights(again.model, run.model)
    advance(run)
    advance(again)
    assert_same_weights(again.model, run.model)


if __name__ == "__main__":
    (pretrain_until if sys.argv[3:] == ["pretrain"] else run_until_stopped)(Path(sys.argv[1]), int(sys.argv[2]))
