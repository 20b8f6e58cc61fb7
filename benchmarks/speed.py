"""Training step and free-running decoding: the library against the reference's structure and the plain PyTorch port.

    python -m benchmarks.speed                                          # the course's models, on the CPU
    python -m benchmarks.speed --quick                                  # one model, one sequence, few rounds
    python -m benchmarks.speed --device cuda --models cat-mel_2bar_big hierdec-mel_16bar

All formulations run on the same weights and batches. In each round every one runs once, in turn, so that what else the
machine does falls on all alike; times are medians over the rounds, and ratios are medians of the rounds' ratios. Each
row of the Markdown table is printed, and written with `--json FILE`, as soon as it is measured. A precision that the
device does not support, or a formulation that fails, has a text in place of its times. On one CPU thread times are
process time, otherwise wall time.
"""

import argparse
import json
import math
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.reference_port import PlainPort, ReferenceLoop
from benchmarks.yardsticks import (
    copy_rate,
    decoding_operations,
    matrix_rate,
    milliseconds,
    seconds,
    training_operations,
    weights_read,
)
from mvae_lib._files import write_whole
from mvae_lib.models.config import Configuration, get_config
from mvae_lib.models.cuda_graph import GraphedDecoder
from mvae_lib.models.musicvae import MusicVAE, Output
from mvae_lib.models.precision import autocast, autocast_supported
from mvae_lib.training.objectives import gaussian_kl, reconstruction

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
REFERENCE, PORT, LIBRARY, GRAPH = "reference", "port", "library", "library, CUDA graph"
SAMPLE_SECONDS = 0.05  # a call that is shorter is repeated until a sample takes about as long


@dataclass(frozen=True)
class Task:
    """One line of the table to be: what is done, how often at once, and what it takes."""

    model: str
    name: str
    batch: int
    operations: int
    weights: int  # numbers read when each step reads what it needs once; 0 where that is not the limit


@dataclass(frozen=True)
class Row:
    """What was measured of a task in one precision: seconds, or as text why a formulation has none."""

    task: Task
    precision: str
    seconds: dict[str, float | str]
    rounds: dict[str, list[float]]


def training_step(run: Callable[[torch.Tensor], Output], model: MusicVAE, tokens: torch.Tensor) -> Callable:
    """A step of training on the same batch: forward, backward, clipping, Adam."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-4, fused=True)  # as in the library's training loop

    def step(autocast: torch.autocast) -> None:
        with autocast:
            output = run(tokens)
        loss = (reconstruction(output.logits, tokens) + 0.2 * gaussian_kl(*output.posterior)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()

    return step


def decoding(decode: Callable[[torch.Tensor], torch.Tensor], z: torch.Tensor) -> Callable:
    """Free-running decoding of the same z."""

    def call(autocast: torch.autocast) -> None:
        with torch.no_grad(), autocast:
            decode(z)

    return call


def supported(precision: str, device: torch.device) -> bool:
    """Whether the device can run the models in this precision."""
    return precision != "bf16" or autocast_supported(device)


def measure(task: Task, calls: dict[str, Callable], precision: str, device: torch.device, rounds: int) -> Row:
    """All formulations of a task in turn, `rounds` times, after a call of each to warm up."""

    def ready(call: Callable) -> Callable[[], None]:
        return lambda: call(autocast(device, precision == "bf16"))

    if not supported(precision, device):
        return Row(task, precision, dict.fromkeys(calls, "not supported here"), {})
    runs, repeats, failures = {}, {}, {}
    for name, call in calls.items():
        try:
            seconds(ready(call), device)
            repeats[name] = math.ceil(SAMPLE_SECONDS / max(seconds(ready(call), device), 1e-6))
            runs[name] = []
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            failures[name] = "out of memory"
        except RuntimeError as error:  # one formulation that fails must not discard the measurements of the others
            print(f"{name}, {task.name}, {precision}: {error}", file=sys.stderr)
            failures[name] = "failed"
    for _ in range(rounds):
        for name, samples in runs.items():
            samples.append(seconds(ready(calls[name]), device, repeats[name]))
    medians = {name: failures.get(name) or statistics.median(runs[name]) for name in calls}
    return Row(task, precision, medians, runs)


def rows_of(
    configuration: Configuration, batch: int | None, device: torch.device, decoded: list[int], rounds: int
) -> Iterator[Row]:
    """The table's rows for one model, each as soon as it is measured."""
    model = MusicVAE(configuration.model, torch.Generator().manual_seed(0)).to(device)
    ports = {REFERENCE: ReferenceLoop(model), PORT: PlainPort(model), LIBRARY: model}
    generator = torch.Generator(device).manual_seed(0)
    batch, steps = batch or configuration.training.batch, configuration.model.steps
    tokens = torch.randint(configuration.model.vocab_sizes[0], (batch, steps), generator=generator, device=device)
    name = configuration.name
    task = Task(name, "training step", batch, batch * training_operations(model), 0)
    steps_of = {
        key: training_step(lambda tokens, port=port: port(tokens, generator), model, tokens)
        for key, port in ports.items()
    }
    for precision in PRECISIONS:
        yield measure(task, steps_of, precision, device, rounds)
    for number in decoded:
        z = torch.randn(number, configuration.model.z_size, generator=generator, device=device)
        task = Task(name, "decoding", number, number * decoding_operations(model), weights_read(model))
        for precision in PRECISIONS:
            calls = {key: decoding(port.decode, z) for key, port in ports.items()}
            if device.type == "cuda":
                with autocast(device, precision == "bf16"):
                    calls[GRAPH] = decoding(GraphedDecoder(model, number), z)
            yield measure(task, calls, precision, device, rounds)


def ratio(row: Row, slow: str, fast: str, baseline: Row | None = None) -> str:
    """How many times `fast` is as fast as `slow`: the median over the rounds."""
    numerator, denominator = (baseline or row).rounds.get(slow), row.rounds.get(fast)
    if not numerator or not denominator:
        return "-"
    return f"x{statistics.median(a / b for a, b in zip(numerator, denominator, strict=True)):.2f}"


HEADER = (
    "| model | task | batch | precision | (a) reference loop, ms | (b) plain port, ms | library, ms | against (a) "
    "| against (a) in fp32 | against (b) | of the matrix-product rate | times the reading of the weights |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def lines_of(row: Row, in_fp32: Row, rates: dict[str, float], bandwidth: float, device: torch.device) -> Iterator[str]:
    """A row in Markdown; a CUDA graph has a line of its own."""
    for fast in (name for name in (LIBRARY, GRAPH) if name in row.seconds):
        time, task = row.seconds[fast], row.task
        share, reading = "-", "-"
        if isinstance(time, float):
            share = f"{task.operations / time / rates[row.precision]:.0%}"
            if task.weights and device.type == "cuda":
                size = task.weights * PRECISIONS[row.precision].itemsize
                reading = f"x{time / (size / bandwidth):.1f}"
        cells = [
            task.model,
            task.name,
            f"{task.batch:,}",
            row.precision + (", CUDA graph" if fast == GRAPH else ""),
            *(_milliseconds(row.seconds[name]) for name in (REFERENCE, PORT, fast)),
            ratio(row, REFERENCE, fast),
            ratio(row, REFERENCE, fast, in_fp32),
            ratio(row, PORT, fast),
            share,
            reading,
        ]
        yield "| " + " | ".join(cells) + " |"


def _milliseconds(value: float | str) -> str:
    return value if isinstance(value, str) else milliseconds(value)


def machine(device: torch.device) -> str:
    """The machine in words."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, PyTorch {torch.__version__}"
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} CPU ({capability}), {torch.get_num_threads()} threads, PyTorch {torch.__version__}"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    models = ["mel_2bar", "mel_16bar_hier_projected"]
    parser.add_argument("--models", nargs="+", default=models, help="names of configurations")
    parser.add_argument("--batch", type=int, help="sequences in a training step (default: the configuration's)")
    parser.add_argument("--decode", nargs="+", type=int, default=[1, 1024], help="sequences decoded at once")
    parser.add_argument("--rounds", type=int, default=7, help="how often each formulation is timed")
    parser.add_argument("--quick", action="store_true", help="the first model, 3 rounds, one sequence decoded")
    parser.add_argument("--threads", type=int, help="CPU threads (default: one for each core)")
    parser.add_argument("--json", type=Path, help="a file for all samples")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.quick:
        options.models, options.decode, options.rounds = options.models[:1], options.decode[:1], 3
    torch.backends.cudnn.allow_tf32 = False  # outside cuDNN this is the default; so fp32 means fp32
    device = torch.device(options.device)
    # Where bfloat16 is not supported, even one product can take minutes.
    rates = {name: matrix_rate(device, dtype) for name, dtype in PRECISIONS.items() if supported(name, device)}
    bandwidth = copy_rate(device)
    speeds = ", ".join(f"{name} {rate / 1e9:,.0f} GFLOP/s" for name, rate in rates.items())
    print(f"{machine(device)}; matrix product: {speeds}; copy: {bandwidth / 1e9:,.1f} GB/s\n\n{HEADER}", flush=True)
    rows, in_fp32 = [], {}
    for name in options.models:
        for row in rows_of(get_config(name), options.batch, device, options.decode, options.rounds):
            in_fp32.setdefault(row.task, row)  # fp32 is the first precision measured
            for line in lines_of(row, in_fp32[row.task], rates, bandwidth, device):
                print(line, flush=True)
            rows.append({**vars(row.task), "precision": row.precision, "samples_s": row.rounds})
            if options.json:
                found = {
                    "machine": machine(device),
                    "matrix_products_per_second": rates,
                    "copied_bytes_per_second": bandwidth,
                    "rows": rows,
                }
                write_whole(options.json, (json.dumps(found, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
