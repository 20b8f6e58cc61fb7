"""A folder that is always complete: `checkpoint.json`, and the files of tensors (safetensors, never pickles) it names.

A file of tensors is named after its own content. New tensors are written beside the old ones; then `checkpoint.json`,
which holds their names and SHA-256, is replaced in one step; then the old ones go. So `checkpoint.json` names a
complete set whenever the process or the machine stops. One process at a time writes to a folder.

Chapter: 03 on.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import safetensors
from safetensors.torch import load, save
from torch import Tensor

from mvae_lib._files import write_whole

FORMAT = "mvae_lib checkpoint 2"
_FIRST_FORMAT = "mvae_lib checkpoint 1"
# What has another name in format 1: keys of the model's configuration, and parts of the tensors' names.
_RENAMED_KEYS = {
    "heads": "vocab_sizes",
    "z_per_step": "per_step_z",
    "z_per_bar": "per_bar_z",
    "balanced_start": "scaled_init",
}
_RENAMED_TENSORS = {"z_maps": "z_projections", "start.dense.": "start.linear."}
FACTS = "checkpoint.json"
_TENSORS = re.compile(r"[a-z]+-[0-9a-f]{16}\.safetensors")
_TEMPORARY = re.compile(r"\.(.+\.safetensors|checkpoint\.json)\.[0-9a-f]{8}")  # what a kill leaves of `write_whole`
_NO_PICKLE = "pickles (.pt, .pth, .ckpt) are never read: they can run any program"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used. The message names the file and the reason."""


def write_folder(folder: Path, facts: Mapping[str, Any], tensors: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write facts and files of tensors, by kind and name, in place of what the folder holds.

    Raises TypeError or ValueError for facts that JSON cannot hold, and OSError where nothing can be written; the folder
    then holds what it held before.
    """
    contents = {kind: save({name: t.contiguous() for name, t in own.items()}) for kind, own in tensors.items()}
    hashes = {kind: hashlib.sha256(content).hexdigest() for kind, content in contents.items()}
    files = {kind: {"file": f"{kind}-{sha256[:16]}.safetensors", "sha256": sha256} for kind, sha256 in hashes.items()}
    text = json.dumps({"format": FORMAT, **facts, "files": files}, indent=2, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    before = {path.name for path in folder.iterdir()}
    try:
        for kind, content in contents.items():
            write_whole(folder / files[kind]["file"], content, on_disk=True)
        _sync_names(folder)
        write_whole(folder / FACTS, f"{text}\n".encode(), on_disk=True)
    except OSError as error:
        _remove(folder, {item["file"] for item in files.values()} - before)
        kept = "still holds the checkpoint before it, which is whole: make room and go on with that one"
        reason = f"the checkpoint could not be written ({error.strerror}); the folder "
        raise OSError(error.errno, reason + (kept if FACTS in before else "holds none"), str(folder)) from error
    _sync_names(folder)
    own = {item["file"] for item in files.values()}
    found = {path.name for path in folder.iterdir()}
    _remove(folder, {name for name in found if _TENSORS.fullmatch(name) or _TEMPORARY.fullmatch(name)} - own)


def _remove(folder: Path, names: set[str]) -> None:
    for name in names:
        with suppress(OSError):  # on Windows, while someone reads it; the next checkpoint tries again
            (folder / name).unlink()


def _sync_names(folder: Path) -> None:
    """Have the new names on the disk before the next step relies on them (Windows has no such call)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_json(folder: Path) -> dict[str, Any]:
    """What `checkpoint.json` holds. Raises CheckpointError where there is none, or none of this format."""
    path = folder / FACTS
    if folder.is_file():
        raise CheckpointError(f"{folder} is a file, and a checkpoint is a folder with {FACTS} in it; {_NO_PICKLE}")
    try:
        data = json.loads(_content(path), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise CheckpointError(f"{path} is damaged: not JSON in UTF-8 ({reason})") from None
    if isinstance(data, dict) and data.get("format") == _FIRST_FORMAT:
        return data | {"configuration": _renamed_keys(data.get("configuration"))}
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else data
        raise CheckpointError(f"{path} is no checkpoint of this version: its format is {found!r:.80}, not {FORMAT!r}")
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def tensor_file(folder: Path, data: Mapping[str, Any], kind: str) -> Path:
    """The file of tensors of a kind. Raises CheckpointError where `checkpoint.json` names none in this folder."""
    try:
        item = data["files"][kind]
        if _TENSORS.fullmatch(item["file"]) and isinstance(item["sha256"], str):
            return folder / item["file"]
        raise ValueError(f"{item!r:.120} is no file of tensors and its SHA-256")
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / FACTS} is damaged at 'files', {kind!r}: {error}") from None


def read_tensors(folder: Path, data: Mapping[str, Any], kind: str) -> dict[str, Tensor]:
    """The tensors of a kind, on the CPU. Raises CheckpointError for a file that is not the one that was written."""
    path = tensor_file(folder, data, kind)
    content = _content(path)
    if (found := hashlib.sha256(content).hexdigest()) != data["files"][kind]["sha256"]:
        raise CheckpointError(
            f"{path} is cut short or changed: it has {len(content)} bytes with the SHA-256 {found}, "
            f"which is not the one in {FACTS}; {_NO_PICKLE}"
        )
    try:
        tensors = load(content)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is no safetensors file ({error}); {_NO_PICKLE}") from None
    if broken := sorted(name for name, tensor in tensors.items() if not tensor.isfinite().all()):
        raise CheckpointError(
            f"{path} holds NaN or infinity in {', '.join(broken[:4])}; go on from an earlier checkpoint"
        )
    return _renamed_tensors(tensors) if data["format"] == _FIRST_FORMAT else tensors


def _renamed_keys(configuration: Any) -> Any:
    """A configuration of format 1 with today's keys; what is no configuration stays as it is, to be refused later."""
    if not isinstance(configuration, dict) or not isinstance(configuration.get("model"), dict):
        return configuration
    return configuration | {"model": {_RENAMED_KEYS.get(key, key): v for key, v in configuration["model"].items()}}


def _renamed_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of format 1 under today's names; the tensors themselves have not changed."""
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in _RENAMED_TENSORS.items():
            name = name.replace(old, new)
        renamed[name] = tensor
    return renamed


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); is {path.parent} a checkpoint?") from None
