"""The result of an evaluation: numbers with their units in their names, printed as one table, kept as JSON.

Each number has one to compare it with. An accuracy is shown with those of two decoders that ignore z, nats per step
with those of the n-gram model, and the rate with the mutual information, because a KL above zero does not show that z
is used. All measures are shown for each book too, because a mean can hide one hard book.

Chapter: 03 on.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mvae_lib._files import write_whole
from mvae_lib._json import from_json


@dataclass(frozen=True)
class Accuracy:
    """The three shares of `mvae_lib.evaluation.metrics`, from the most lenient to the strictest, each 0 to 1."""

    step: float
    onset: float
    exact: float


@dataclass(frozen=True)
class Scores:
    """What was measured on one set of windows; means over the windows."""

    windows: int
    no_event: Accuracy  # a decoder that never plays
    majority: Accuracy  # the most frequent class of each step, in the training data
    teacher_forced: Accuracy  # each step after the true ones, from mu
    free_running: Accuracy  # each step after the model's own, from mu
    rate_bits: float  # KL(q(z | x) || p(z))
    distortion_nats_per_step: float  # -log p(x | z), z sampled from q(z | x)
    elbo_nats: float  # of a whole window: -(distortion + rate)
    iwae_nats: float  # the tighter bound on log p(x)
    ngram_nats_per_step: float  # -log p(x) of the n-gram, which the model's bounds compare with


@dataclass(frozen=True, repr=False)
class Evaluation:
    """A model on a whole split. `print` shows it as a table."""

    split: str
    steps: int  # of a window
    iwae_samples: int  # the k of the IWAE bound
    ngram_order: int
    z_size: int
    active_units: int  # dimensions of z whose mu varies over the windows by .01 or more
    mutual_information_bits: float  # between window and z, as estimated from so many posteriors:
    mutual_information_windows: int
    mutual_information_ceiling_bits: float  # log2 of them: no estimate can be higher
    whole: Scores
    by_source: dict[str, Scores]

    def __repr__(self) -> str:
        return table(self)


def table(evaluation: Evaluation) -> str:
    """The evaluation as text: a row for each measure, a column for all windows and one for each source."""
    width = max(9, *(len(source) + 1 for source in ["", *evaluation.by_source]))

    def line(title: str, cells: list[str]) -> str:
        return f"{title:<30}" + "".join(f"{cell:>{width}}" for cell in cells)

    columns = [evaluation.whole, *evaluation.by_source.values()]
    lines = [line("", ["all", *evaluation.by_source]), line("windows", [f"{column.windows:,}" for column in columns])]
    for measure, title in (("step", "step accuracy"), ("onset", "onset accuracy"), ("exact", "exact windows")):
        lines.append(title)
        for name in ("no_event", "majority", "teacher_forced", "free_running"):
            shares = [getattr(getattr(column, name), measure) for column in columns]
            lines.append(line(f"  {_DECODERS[name]}", [f"{share:.3f}" for share in shares]))
    steps, k = evaluation.steps, evaluation.iwae_samples
    lines += [
        "rate, distortion and bounds on log p(x)",
        line("  rate, bits", [f"{column.rate_bits:.1f}" for column in columns]),
        line("  distortion, nats per step", [f"{column.distortion_nats_per_step:.3f}" for column in columns]),
        line("  ELBO, nats", [f"{column.elbo_nats:.1f}" for column in columns]),
        line(f"  IWAE bound (k = {k}), nats", [f"{column.iwae_nats:.1f}" for column in columns]),
        "-log p(x), nats per step",
        line(f"  {evaluation.ngram_order}-gram", [f"{column.ngram_nats_per_step:.3f}" for column in columns]),
        line("  model, at most (ELBO)", [f"{-column.elbo_nats / steps:.3f}" for column in columns]),
        line(f"  model, at most (IWAE, k = {k})", [f"{-column.iwae_nats / steps:.3f}" for column in columns]),
    ]
    information, ceiling = evaluation.mutual_information_bits, evaluation.mutual_information_ceiling_bits
    return "\n".join(
        [
            f"{evaluation.split}: all {evaluation.whole.windows:,} windows of {steps} steps",
            "",
            *lines,
            "",
            f"active units: {evaluation.active_units} of {evaluation.z_size}",
            f"mutual information: {information:.1f} bits, estimated from {evaluation.mutual_information_windows:,} "
            f"windows (at most {ceiling:.1f} bits)",
        ]
    )


_DECODERS = {
    "no_event": "always no event",
    "majority": "per-step majority",
    "teacher_forced": "teacher-forced, from mu",
    "free_running": "free-running, from mu",
}


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as nested dictionaries that `json.dumps` takes."""
    return asdict(evaluation)


def from_dict(data: dict[str, Any]) -> Evaluation:
    """The inverse of `to_dict`, also after JSON. Raises ValueError for other keys than this version's."""
    return from_json(Evaluation, data, "an evaluation")


def save(evaluation: Evaluation, path: str | Path) -> None:
    """Write the evaluation to a JSON file, whole or not at all. Raises OSError where it cannot be written."""
    write_whole(path, (json.dumps(to_dict(evaluation), indent=2) + "\n").encode("utf-8"))


def load(path: str | Path) -> Evaluation:
    """Read what `save` has written. Raises FileNotFoundError, and ValueError that names a file of another content."""
    try:
        return from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path} is not an evaluation of this version of mvae_lib: {error}") from None
