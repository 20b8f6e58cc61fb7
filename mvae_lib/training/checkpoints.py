"""Models and runs on disk: a folder with `checkpoint.json` and safetensors, complete at any time.

    save_checkpoint("runs/mine", run, "mel_2bar")            # during training, as often as you like
    run = resume("runs/mine", data.tokens)                   # ends in the same weights as a run without a stop
    save_model("models/mine", run.model, read_metadata("runs/mine"), half=True)    # without what only training needs
    model = load_model("models/mine")                        # reads either kind of folder

Chapter: 03 on.
"""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from mvae_lib._json import from_json
from mvae_lib.models.autoencoder import VAE, AutoencoderConfig
from mvae_lib.models.config import Configuration, ModelConfig, from_dict, to_dict
from mvae_lib.models.latent_model import LatentModel
from mvae_lib.models.musicvae import MusicVAE
from mvae_lib.training.loop import TrainingRun, fingerprint, start_run
from mvae_lib.training.storage import FACTS, CheckpointError, read_json, read_tensors, tensor_file, write_folder

__all__ = [
    "CheckpointError",
    "CheckpointMetadata",
    "load_model",
    "read_metadata",
    "resume",
    "save_checkpoint",
    "save_model",
]

# The classes of models that a checkpoint may hold, by name: each is built from its configuration alone.
MODEL_CLASSES: dict[str, tuple[type, type[LatentModel]]] = {
    "MusicVAE": (ModelConfig, MusicVAE),
    "VAE": (AutoencoderConfig, VAE),
}
_ADAM = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps of each parameter
_SHOWN = 4  # differences in one message


@dataclass(frozen=True)
class CheckpointMetadata:
    """What `checkpoint.json` holds about a model."""

    configuration: Configuration  # its `model` is of the class that `model_class` names
    update: int = 0
    seed: int | None = None
    data_sha256: str | None = None  # `training.fingerprint` of the windows it was trained on
    metrics: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)  # of what it was trained with
    model_class: str = "MusicVAE"  # a name in MODEL_CLASSES

    def __post_init__(self):
        for name, value, most in (("update", self.update, 10**12), ("seed", self.seed, 2**63 - 1)):
            if value is not None and not 0 <= value <= most:
                raise ValueError(f"{name!r} must lie in 0 to {most}, not {value:.20g}")


@dataclass(frozen=True)
class RunState:
    """What `checkpoint.json` holds about a run that can be resumed."""

    dropped: int
    autocast: bool
    device: str  # the type: cpu, cuda


def save_checkpoint(folder: str | Path, run: TrainingRun, name: str, metrics: Mapping[str, Any] | None = None) -> None:
    """Write all of a run between two updates, in place of what the folder holds; `name`: the configuration's.

    `metrics` is whatever JSON can hold. Raises TypeError or ValueError where it cannot, and OSError where nothing can
    be written; the folder then holds what it held before.
    """
    _check_finite(run)
    configuration = Configuration(name, run.model.config, run.config)
    facts = CheckpointMetadata(
        configuration, run.update, run.seed, run.data_sha256, metrics or {}, _versions(), class_name(run.model)
    )
    state = asdict(RunState(run.dropped, run.autocast, run.generator.device.type))
    tensors = {"generator": run.generator.get_state(), **_adam(run)}
    write_folder(Path(folder), _to_json(facts) | {"run": state}, {"weights": run.model.state_dict(), "run": tensors})


def save_model(folder: str | Path, model: LatentModel, facts: CheckpointMetadata, half: bool = False) -> None:
    """Write the weights alone, in place of what the folder holds; `half`: in float16, 3 digits in half the space.

    Raises as `save_checkpoint` does, and ValueError for a model of another configuration than that of `facts`.
    """
    if model.config != facts.configuration.model:  # of another class, too
        raise ValueError(f"the facts are of another model: {_differences(facts.configuration.model, model.config)}")
    facts = replace(facts, model_class=class_name(model))
    weights = {name: tensor.half() if half else tensor for name, tensor in model.state_dict().items()}
    write_folder(Path(folder), _to_json(facts) | {"run": None}, {"weights": weights})


def read_metadata(folder: str | Path) -> CheckpointMetadata:
    """What a checkpoint holds about its model, without reading its tensors. Raises CheckpointError."""
    return _facts(Path(folder), read_json(Path(folder)))


def load_model(
    folder: str | Path, device: str | torch.device = "cpu", configuration: Configuration | None = None
) -> LatentModel:
    """The model of either kind of folder, in float32, in evaluation mode.

    Raises CheckpointError for whatever is not a whole checkpoint of this format, and, where a `configuration` is given,
    for a model of another one.
    """
    folder = Path(folder)
    data = read_json(folder)
    facts = _facts(folder, data)
    if configuration is not None:
        _check_same(folder / FACTS, facts.configuration.model, configuration.model)
    return _model(folder, data, facts).to(device).eval()


def resume(
    folder: str | Path,
    tokens: ArrayLike,
    device: str | torch.device = "cpu",
    configuration: Configuration | None = None,
    control: ArrayLike | None = None,
) -> TrainingRun:
    """The run that `save_checkpoint` wrote, ready for `train`, on the kind of device that wrote it.

    On a CPU, it continues bit for bit as if it had not been interrupted. For a longer run, replace `run.config` by one
    of more updates. Raises CheckpointError as `load_model` does, and for weights without a run, for tokens that differ
    anywhere from those trained on, and for another kind of device, which would give other random numbers.
    """
    folder = Path(folder)
    path = folder / FACTS
    data = read_json(folder)
    facts, state = _facts(folder, data), _run_state(folder, data)
    if configuration is not None:
        _check_same(path, facts.configuration, configuration)
    if (found := fingerprint(tokens, control)) != facts.data_sha256:
        raise CheckpointError(
            f"{path} is of a run on other data: its windows have the SHA-256 {facts.data_sha256}, these {found}"
        )
    if torch.device(device).type != state.device:
        raise CheckpointError(f"{path} is of a run on device {state.device!r}; resume it there, not on {device}")
    model = _model(folder, data, facts).to(device)
    run = start_run(model, tokens, facts.configuration.training, facts.seed, state.autocast, control)
    run.update, run.dropped = facts.update, state.dropped
    _restore(run, read_tensors(folder, data, "run"), tensor_file(folder, data, "run"))
    return run


def class_name(model: LatentModel) -> str:
    """The name of the model's class in MODEL_CLASSES. Raises TypeError for a class that cannot be saved."""
    for name, (_, kind) in MODEL_CLASSES.items():
        if type(model) is kind:
            return name
    raise TypeError(f"a {type(model).__name__} cannot be saved: the classes of models are {', '.join(MODEL_CLASSES)}")


def _check_finite(run: TrainingRun) -> None:
    """Raise ValueError that names the tensors which hold NaN or infinity: such a run must not replace a whole one."""
    tensors = run.model.state_dict() | _adam(run)
    if broken := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise ValueError(f"the run is not saved, because these tensors hold NaN or infinity: {_some(broken)}")


def _adam(run: TrainingRun) -> dict[str, Tensor]:
    """What Adam keeps, by quantity and parameter; nothing before the first update that had an effect."""
    names, state = _trained(run.model), run.optimizer.state_dict()["state"]
    return {f"adam.{key}.{names[index]}": own[key] for index, own in state.items() for key in _ADAM}


def _trained(model: LatentModel) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def _restore(run: TrainingRun, tensors: dict[str, Tensor], path: Path) -> None:
    names, wanted = _trained(run.model), {"generator": run.generator.get_state()}
    begun = run.update > run.dropped
    for name in names if begun else []:
        like = run.model.get_parameter(name)
        wanted |= {f"adam.{key}.{name}": like.new_zeros(()) if key == "step" else like for key in _ADAM}
    _check_alike(path, tensors, wanted)
    try:
        if not tensors["generator"].any():
            raise RuntimeError("it is all zeros")
        run.generator.set_state(tensors["generator"])
    except RuntimeError as error:
        raise CheckpointError(f"{path} holds an invalid state of the random number generator: {error}") from None
    if begun:
        state = {i: {key: tensors[f"adam.{key}.{name}"] for key in _ADAM} for i, name in enumerate(names)}
        run.optimizer.load_state_dict(run.optimizer.state_dict() | {"state": state})


def _model(folder: Path, data: Mapping[str, Any], facts: CheckpointMetadata) -> LatentModel:
    with torch.device("meta"):  # no initial weights are sampled, since none are needed
        model = MODEL_CLASSES[facts.model_class][1](facts.configuration.model)
    weights = read_tensors(folder, data, "weights")
    # Copies: in the buffer of a file, tensors lie at odd addresses, where products may round otherwise.
    weights = {name: tensor.to(_single(tensor), copy=True) for name, tensor in weights.items()}
    _check_alike(tensor_file(folder, data, "weights"), weights, model.state_dict())
    model.load_state_dict(weights, assign=True)
    return model


def _single(tensor: Tensor) -> torch.dtype:
    return torch.float32 if tensor.dtype == torch.half else tensor.dtype


def _to_json(facts: CheckpointMetadata) -> dict[str, Any]:
    plain = {item.name: getattr(facts, item.name) for item in fields(facts)}
    return plain | {"configuration": to_dict(facts.configuration)}


def _facts(folder: Path, data: Mapping[str, Any]) -> CheckpointMetadata:
    try:
        model_class = data.get("model_class", "MusicVAE")  # the first format knew no other
        if model_class not in MODEL_CLASSES:
            known = ", ".join(MODEL_CLASSES)
            raise ValueError(f"its model is of the class {model_class!r:.80}, which is none of {known}")
        own = {name: value for name, value in data.items() if name not in ("format", "files", "run")}
        kinds = {"configuration": lambda value: from_dict(value, MODEL_CLASSES[model_class][0])}
        return from_json(CheckpointMetadata, own, "a checkpoint", kinds, {"model_class"})
    except ValueError as error:
        raise CheckpointError(f"{folder / FACTS} does not fit this version of mvae_lib: {error}") from None


def _run_state(folder: Path, data: Mapping[str, Any]) -> RunState:
    if data.get("run") is None or data.get("seed") is None:
        raise CheckpointError(f"{folder / FACTS} is of a model alone, not of a run that can be resumed; use load_model")
    try:
        return from_json(RunState, data["run"], "'run' of a checkpoint")
    except ValueError as error:
        raise CheckpointError(f"{folder / FACTS} is damaged: {error}") from None


def _check_alike(path: Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError where names, shapes or types differ, and say which."""
    differ = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    differ += [f"{name} is unknown" for name in found.keys() - wanted.keys()]
    for name in wanted.keys() & found.keys():
        mine, other = (f"{tensor.dtype} {list(tensor.shape)}" for tensor in (wanted[name], found[name]))
        if mine != other:
            differ.append(f"{name} is {other} and not {mine}")
    if differ:
        raise CheckpointError(f"{path} does not fit its configuration: {_some(differ)}")


def _check_same(path: Path, found: object, wanted: object) -> None:
    if found != wanted:
        raise CheckpointError(f"{path} is of another configuration than asked for: {_differences(found, wanted)}")


def _differences(found: Any, wanted: Any) -> str:
    return _some([f"{name} is {mine!r} and not {other!r}" for name, mine, other in _unequal(found, wanted)])


def _unequal(found: Any, wanted: Any) -> Iterator[tuple[str, Any, Any]]:
    """The fields in which two dataclasses differ, those of dataclasses in them included."""
    for name in (item.name for item in fields(found)):
        mine, other = getattr(found, name), getattr(wanted, name)
        if is_dataclass(mine):
            yield from _unequal(mine, other)
        elif mine != other:
            yield name, mine, other


def _some(differences: list[str]) -> str:
    more = len(differences) - _SHOWN
    return "; ".join(sorted(differences)[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _versions() -> dict[str, str]:
    try:
        own = metadata.version("mvae-lib")
    except metadata.PackageNotFoundError:  # a checkout on the path will do for training
        own = "not installed"
    return {"mvae_lib": own, "torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
