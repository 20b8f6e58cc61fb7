"""Where the LSTM of `mvae_lib/models/recurrence.py` is faster than `nn.LSTM`: both, timed in turn.

    python -m benchmarks.recurrence --threads 1
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 python -m benchmarks.recurrence

The first rows are single LSTMs, forward and backward pass, of the shapes that the course's models have; the last ones
are the loss and its gradient for whole models, all their LSTMs by the same implementation. In each round each
implementation runs once, in turn. A row gives the fastest round of each, because other work on the machine can only
make a round slower, and the middle half of the rounds' ratios, which says how noisy it was. On one thread the time is
process time, on several it is wall time.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from benchmarks.yardsticks import milliseconds
from mvae_lib.models import recurrence
from mvae_lib.models.config import get_config
from mvae_lib.models.lstm import LSTM
from mvae_lib.models.musicvae import MusicVAE

CLASSES = 90  # of a melody's tokens
IMPLEMENTATIONS = {"nn.LSTM": lambda *_: False, "by hand": lambda *_: True}  # in place of the rule


class Shape(NamedTuple):
    """One call of `read_tokens`."""

    name: str
    rows: int
    steps: int
    units: int
    conditioning: int = 0
    conditioned_steps: int = 1  # 1: the same at every step
    bidirectional: bool = False


SHAPES = (
    Shape("encoder of mel_2bar", 64, 32, 128, bidirectional=True),
    Shape("decoder of mel_2bar", 64, 32, 256, 64, 32),
    Shape("decoder of mel_16bar_flat, 64 of 256 steps", 32, 64, 536, 256),
    Shape("encoder of 16 bars, bar by bar", 512, 16, 96, bidirectional=True),
    Shape("core decoder of mel_16bar_hier_projected", 512, 16, 256, 256),
    Shape("the same, of 16 melodies", 256, 16, 256, 256),
    Shape("the same, of 8 melodies", 128, 16, 256, 256),
    Shape("decoder of mel_2bar, a large batch", 512, 32, 256, 64, 32),
)
MODELS = ("mel_2bar", "mel_16bar_flat", "mel_16bar_hier_projected")


def lstm_call(shape: Shape) -> Callable[[], object]:
    """Forward and backward pass of one LSTM."""
    lstm = LSTM(CLASSES + shape.conditioning, shape.units, bidirectional=shape.bidirectional)
    tokens = torch.randint(CLASSES, (shape.rows, shape.steps))
    conditioning = None
    if shape.conditioning:
        conditioning = torch.randn(shape.rows, shape.conditioned_steps, shape.conditioning, requires_grad=True)
    weights = torch.randn(shape.rows, shape.steps, (2 if shape.bidirectional else 1) * shape.units)
    trained = [parameter for parameter in lstm.parameters() if parameter.requires_grad]

    def call() -> object:
        hidden = recurrence.read_tokens(lstm, tokens, (CLASSES,), conditioning)
        # An encoder hands on the final states alone.
        loss = hidden.final.square().sum() if shape.bidirectional else (weights * hidden.at_steps).sum()
        return torch.autograd.grad(loss, trained if conditioning is None else [*trained, conditioning])

    return call


def model_call(name: str) -> Callable[[], object]:
    """Forward and backward pass of a model on a batch of its configuration's size."""
    configuration = get_config(name)
    model = MusicVAE(configuration.model)
    tokens = torch.randint(CLASSES, (configuration.training.batch, configuration.model.steps))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return lambda: torch.autograd.grad(model(tokens, None).logits.square().mean(), trained, allow_unused=True)


def compare(call: Callable[[], object], rounds: int, threads: int) -> dict[str, list[float]]:
    """Seconds of each implementation in each round, after a round to warm up."""
    clock = time.process_time if threads == 1 else time.perf_counter
    taken, rule = {name: [] for name in IMPLEMENTATIONS}, recurrence.by_hand_is_faster
    try:
        for _ in range(rounds + 1):
            for name, always in IMPLEMENTATIONS.items():
                recurrence.by_hand_is_faster, began = always, clock()
                call()
                taken[name].append(clock() - began)
    finally:
        recurrence.by_hand_is_faster = rule
    return {name: samples[1:] for name, samples in taken.items()}


def row(name: str, rows: int | str, taken: dict[str, list[float]]) -> str:
    """One line of the table."""
    fused, by_hand = taken.values()
    ratios = [a / b for a, b in zip(fused, by_hand, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    best = f"{milliseconds(min(fused))} | {milliseconds(min(by_hand))} | x{min(fused) / min(by_hand):.2f}"
    return f"| {name} | {rows} | {best} | x{low:.2f} to x{high:.2f} |"


def main() -> None:
    """Measure and print, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads (one for each core)")
    parser.add_argument("--rounds", type=int, default=21, help="how often each implementation is timed")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{capability}, {options.threads} threads, PyTorch {torch.__version__}\n")
    print("| LSTM or model | rows | nn.LSTM, ms | by hand, ms | ratio | middle half of the ratios |")
    print("|---|---|---|---|---|---|", flush=True)
    for shape in SHAPES:
        print(row(shape.name, shape.rows, compare(lstm_call(shape), options.rounds, options.threads)), flush=True)
    for name in MODELS:
        rows = get_config(name).training.batch
        print(
            row(f"model {name}", f"batch {rows}", compare(model_call(name), options.rounds, options.threads)),
            flush=True,
        )


if __name__ == "__main__":
    main()
