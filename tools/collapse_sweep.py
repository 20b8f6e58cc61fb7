"""Posterior collapse, measured: twelve trainings of one-bar models, and three lengths with two decoders, by seed.

    python tools/collapse_sweep.py              # all runs that are missing, then the table
    python tools/collapse_sweep.py --collect    # only the table, of the runs there are

`CURES` are models of one bar that differ in one thing each; they are trained in float32, so that chapter 07 can train
some of them again and find the stored numbers. `LENGTHS` are matched models of 1, 2 and 4 bars, flat and with a
conductor, with equally many parameters (within 1 %) and bars per update; their matrix products are in bfloat16. All are
measured on held-out melodies. Each run is saved in `build/collapse_sweep` when it is done, so a sweep that was cut off
goes on with the next run. The result is `datasets/sweeps/posterior_collapse.json`.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.func import functional_call

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mvae_lib._files import write_whole  # noqa: E402
from mvae_lib.data.folk import folk_melodies  # noqa: E402
from mvae_lib.evaluation.collapse import diagnose, word_dropout  # noqa: E402
from mvae_lib.models.config import ModelConfig, TrainingConfig  # noqa: E402
from mvae_lib.models.musicvae import MusicVAE, count_parameters  # noqa: E402
from mvae_lib.music.melody import STEPS_PER_BAR, VOCABULARY  # noqa: E402
from mvae_lib.training import objectives  # noqa: E402
from mvae_lib.training.loop import start_run, train  # noqa: E402
from mvae_lib.training.objectives import Batch, Losses, Objective, reconstruction  # noqa: E402
from mvae_lib.training.schedules import beta as annealed_beta  # noqa: E402
from tools import sweeps  # noqa: E402

COMMAND = "python tools/collapse_sweep.py"
BUILD = ROOT / "build" / "collapse_sweep"
NAME = "posterior_collapse"
SEEDS = 3
FREE_BITS = 8.0  # per bar
Cost = Callable[[Tensor, Tensor, int], Tensor]  # (distortion [batch], KL [batch, z], step) -> the loss, a scalar

ONE_BAR = ModelConfig(STEPS_PER_BAR, z_size=16, encoder_units=64, decoder_units=96, decoder_layers=1, scaled_init=True)
ONE_BAR_TRAINING = TrainingConfig(400, 64, learning_rate=5e-3, learning_rate_decay=1.0, transposition=5)
UPDATES = (400,)  # after which a model is measured

BARS_PER_UPDATE = 64
LENGTH_MODEL = ModelConfig(z_size=32, encoder_units=96, decoder_layers=1, scaled_init=True)
LENGTH_TRAINING = TrainingConfig(400, BARS_PER_UPDATE, learning_rate=3e-3, learning_rate_decay=1.0, transposition=5)
LENGTH_WINDOWS = 1024  # held-out windows of each length
DECODERS = {
    "flat": {"decoder_units": 146},
    "conductor": {"decoder_units": 96, "conductor_units": 96, "conductor_layers": 1},
}


def elbo(beta: Callable[[int], float]) -> Cost:
    """distortion + beta * KL, where beta depends on the step."""
    return lambda distortion, kl, step: (distortion + beta(step) * kl.sum(1)).mean()


def cyclical_beta(step: int, period: int = 200) -> float:
    """From 0 to 1 in the first half of each period, 1 in the second (Fu et al. 2019)."""
    return min(1.0, 2 * (step % period) / period)


def encoder_only(step: int) -> bool:
    """Aggressive encoder training: five updates of the encoder alone before each of the first 80 of both."""
    return step < 480 and step % 6 < 5


COSTS: dict[str, Cost] = {
    "beta 1": elbo(lambda step: 1.0),
    "beta 4": elbo(lambda step: 4.0),
    "beta 0.3": elbo(lambda step: 0.3),
    "KL annealing": elbo(lambda step: annealed_beta(step, 1.0, 0.99)),
    "cyclical annealing": elbo(cyclical_beta),
    "free bits, total": lambda d, kl, step: (d + objectives.free_bits_total(kl.sum(1), FREE_BITS)).mean(),
    "free bits, by dimension": lambda d, kl, step: (
        d.mean() + objectives.free_bits_by_channel(kl, FREE_BITS / kl.shape[1])
    ),
    "free bits, floor": lambda d, kl, step: d.mean() + objectives.free_bits_floor(kl.sum(1), FREE_BITS),
}
# name -> what differs from the ELBO with beta 1: the cost, the share of word dropout, the model, when to measure
CURES: dict[str, dict] = {
    "beta 1": {"stages": (1, 50, 400)},
    "beta 4": {},
    "beta 0.3": {},
    "KL annealing": {},
    "cyclical annealing": {},
    "free bits, total": {},
    "free bits, by dimension": {},
    "free bits, floor": {},
    "word dropout 0.5": {"dropout": 0.5},
    "no previous tokens": {"dropout": 1.0},
    "decoder of 24 units": {"model": replace(ONE_BAR, decoder_units=24)},
    "encoder trained first": {"alone": encoder_only, "stages": (800,)},  # 400 updates of the decoder
}
LAST = ("encoder trained first", "cyclical annealing")  # the least important, or the slowest
LASTING, LONGER = ("beta 1", "KL annealing", "free bits, total"), 800  # trained on, to see what lasts
LENGTHS = [(decoder, bars) for bars in (1, 2, 4) for decoder in DECODERS]


def objective(cost: Cost, dropout: float = 0.0, alone: Callable[[int], bool] | None = None) -> Objective:
    """What `train` minimizes: `cost` of distortion and KL, with word dropout, or with the decoder held fixed."""

    def minimized(model: MusicVAE, batch: Batch, step: int, generator: torch.Generator) -> Losses:
        posterior = model.posterior(batch.tokens)  # mu and sigma, [batch, z] each
        z = posterior.sample(generator)
        read = word_dropout(batch.tokens, dropout, generator) if dropout else batch.tokens
        if alone is not None and alone(step):
            fixed = {name: weight.detach() for name, weight in model.decoder.named_parameters()}
            logits = functional_call(model.decoder, fixed, (z, read))
        else:
            logits = model.logits(z, read)  # [batch, steps, classes]
        distortion, kl = reconstruction(logits, batch.tokens), posterior.kl_by_dimension()
        return Losses(cost(distortion, kl, step), {"distortion": distortion.mean(), "rate": kl.sum(1).mean()})

    return minimized


@cache
def one_bar_data() -> tuple[Tensor, Tensor]:
    """The first bar of each window of two bars: training and test split."""
    train_split, test_split = (torch.from_numpy(folk_melodies(2, name).tokens) for name in ("train", "test"))
    return train_split[:, :STEPS_PER_BAR], test_split[:, :STEPS_PER_BAR].long()


@cache
def length_data(bars: int) -> tuple[Tensor, Tensor]:
    """Windows of 16 bars cut into pieces of `bars` bars: all for training, LENGTH_WINDOWS chosen at random to test."""
    steps = bars * STEPS_PER_BAR
    train_split, test_split = (torch.from_numpy(folk_melodies(16, name).tokens) for name in ("train", "test"))
    pieces = test_split.reshape(-1, steps).long()
    chosen = torch.randperm(len(pieces), generator=torch.Generator().manual_seed(0))[:LENGTH_WINDOWS]
    return train_split.reshape(-1, steps), pieces[chosen]


def measured(model: MusicVAE, tokens: Tensor) -> dict[str, float]:
    """What `diagnose` finds, and -ELBO, in nats per melody; rounded to four decimals."""
    report = diagnose(model, tokens, torch.Generator().manual_seed(0))
    figures = report._asdict() | {"negative_elbo": report.negative_elbo}
    return {name: round(value, 4) for name, value in figures.items()}


def length_config(decoder: str, bars: int) -> ModelConfig:
    """The matched model of `bars` bars."""
    return replace(LENGTH_MODEL, steps=bars * STEPS_PER_BAR, **DECODERS[decoder])


def run_cure(name: str, seed: int, stages: tuple[int, ...] | None = None) -> dict[str, dict[str, float]]:
    """Train one model of a bar and measure it after each stage: updates -> figures."""
    options = dict(CURES[name])
    stages = stages or options.get("stages", UPDATES)
    model = MusicVAE(options.get("model", ONE_BAR), torch.Generator().manual_seed(seed))
    bars, test = one_bar_data()
    state = start_run(model, bars, replace(ONE_BAR_TRAINING, updates=stages[-1]), seed, autocast=False)
    cost = COSTS.get(name, COSTS["beta 1"])
    found = {}
    for record in train(state, objective(cost, options.get("dropout", 0.0), options.get("alone")), False):
        if record.update in stages:
            if options.get("dropout") == 1.0:  # the weights that read tokens have never been used, and shall not be
                model.decoder.lstm.weight_ih_l0.data[:, :VOCABULARY] = 0
            found[str(record.update)] = measured(model, test)
    return found


def run_length(cost: str, decoder: str, bars: int, seed: int) -> dict[str, float]:
    """Train one matched model and measure it on held-out windows of its length."""
    model = MusicVAE(length_config(decoder, bars), torch.Generator().manual_seed(seed))
    training = replace(LENGTH_TRAINING, batch=BARS_PER_UPDATE // bars)
    data, test = length_data(bars)
    for _ in train(start_run(model, data, training, seed, autocast=True), objective(COSTS[cost]), False):
        pass
    return measured(model, test)


def runs() -> list[tuple[str, Callable[[], dict]]]:
    """(name of the file, what computes its content) of every run; what the chapter needs most comes first."""
    listed = []
    for seed in range(SEEDS):
        listed += [_cure_run("cure", name, seed, None) for name in CURES if name not in LAST]
        listed += [_length_run("beta 0.3", decoder, bars, seed) for bars in (1, 4, 2) for decoder in DECODERS]
    listed += [_cure_run("cure", name, seed, None) for seed in range(SEEDS) for name in LAST]
    listed += [_cure_run("longer", name, seed, (LONGER,)) for seed in range(SEEDS) for name in LASTING]
    return listed + [_length_run("KL annealing", *pair, seed) for seed in range(SEEDS) for pair in LENGTHS]


def _cure_run(kind: str, name: str, seed: int, stages: tuple[int, ...] | None) -> tuple[str, Callable[[], dict]]:
    slug = f"{kind}-{name.replace(', ', '-').replace(' ', '_')}-{seed}"
    return slug, lambda: {"variant": name, "seed": seed, "by_updates": run_cure(name, seed, stages)}


def _length_run(cost: str, decoder: str, bars: int, seed: int) -> tuple[str, Callable[[], dict]]:
    key = {"cost": cost, "decoder": decoder, "bars": bars, "seed": seed}
    slug = f"length-{cost.replace(' ', '_')}-{decoder}-{bars}-{seed}"
    return slug, lambda: key | {"figures": run_length(**key)}


def collect() -> None:
    """Write the table of the runs there are."""
    files = [path for slug, _ in runs() if (path := BUILD / f"{slug}.json").exists()]
    done = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    sizes = {
        decoder: {bars: count_parameters(MusicVAE(length_config(decoder, bars))) for bars in (1, 2, 4)}
        for decoder in DECODERS
    }
    table = {
        "command": COMMAND,
        "runs": f"{len(done)} of {len(runs())}",
        "what": "held-out figures in nats per melody, active units, and free-running onset accuracy from mu",
        "precision": "cures: float32; lengths: bfloat16 matrix products, float32 weights",
        "hardware": f"{os.cpu_count()} CPU cores ({platform.machine()}), one thread",
        "core_minutes": round(sum(result.pop("seconds") for result in done) / 60, 1),
        "one_bar": {"model": asdict(ONE_BAR), "training": asdict(ONE_BAR_TRAINING), "free_bits": FREE_BITS},
        "lengths_setting": {
            "model": asdict(LENGTH_MODEL),
            "decoders": DECODERS,
            "parameters": sizes,
            "training": asdict(LENGTH_TRAINING),
            "bars_per_update": BARS_PER_UPDATE,
        },
        "cures": [result for result in done if "variant" in result],
        "lengths": [result for result in done if "bars" in result],
    }
    sweeps.write(NAME, table, len(done), len(runs()))


def main() -> None:
    only_collect = sweeps.command_line(__doc__).parse_args().collect
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    BUILD.mkdir(parents=True, exist_ok=True)
    for slug, compute in [] if only_collect else runs():
        out = BUILD / f"{slug}.json"
        if not out.exists():
            began = time.process_time()
            result = compute()
            result["seconds"] = round(time.process_time() - began, 1)
            write_whole(out, (json.dumps(result) + "\n").encode("utf-8"))
            print(slug, result["seconds"], "s", flush=True)
    collect()


if __name__ == "__main__":
    main()
