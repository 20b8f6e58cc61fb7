"""Which part of a hierarchical decoder makes the difference? Ten matched models of 16 bars, five with three seeds.

    python tools/ablation.py                  # all runs that are missing, then the table
    python tools/ablation.py --process 0 2    # every second run: two processes share the work
    python tools/ablation.py --collect        # only the table, of the runs there are

Encoder, latent size, data, objective, updates and, within 2 %, parameters are the same in all; the variants are in
`VARIANTS`. A run trains on windows of 1, 2, 4, 8 and 16 bars in turn (those without the curriculum on 16 bars alone)
and is measured at the end of each stage on the whole test split, in windows as long as those of the stage. It is saved
at the end of each stage in `build/ablation`, and a run that was cut off goes on from there. The result is
`datasets/sweeps/decoder_ablation.json`; a run that is in it already, under the same configuration, is not made again.
"""

import json
import os
import platform
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mvae_lib import training  # noqa: E402
from mvae_lib._files import write_whole  # noqa: E402
from mvae_lib.data.folk import folk_melodies  # noqa: E402
from mvae_lib.models.config import Configuration, ModelConfig, TrainingConfig  # noqa: E402
from mvae_lib.models.musicvae import MusicVAE, count_parameters  # noqa: E402
from mvae_lib.music.melody import STEPS_PER_BAR  # noqa: E402
from mvae_lib.training import checkpoints  # noqa: E402
from tools import pretrain, sweeps  # noqa: E402

COMMAND = "python tools/ablation.py"
BUILD = ROOT / "build" / "ablation"
NAME = "decoder_ablation"
BARS = 16
BASE = ModelConfig(steps=BARS * STEPS_PER_BAR, z_size=128, encoder_units=128, decoder_layers=1, scaled_init=True)
TRAINING = TrainingConfig(
    updates=2_000,
    batch=8,  # of 16 bars each; of shorter windows as many more, so that an update always reads 128 bars
    learning_rate=2e-3,
    final_learning_rate=2e-5,
    learning_rate_decay=1.0,
    cooldown=0.3,
    beta_rate=0.999,
    free_bits=544.0,
    word_dropout=0.3,
    transposition=5,
    curriculum=((1, 350), (2, 350), (4, 350), (8, 350)),
)


def _conductor(decoder: int, conductor: int, **more: object) -> dict:
    return {"decoder_units": decoder, "conductor_units": conductor, "conductor_layers": 1, **more}


BY_BAR = {"bar_encoder": True, "encoder_units": 32}  # mu sees 16 summaries, so each has to be smaller
# name -> (what differs from BASE, with the curriculum, seeds)
VARIANTS = {
    "flat": ({"decoder_units": 336}, True, 3),
    "flat + bar counter": ({"decoder_units": 331, "bar_counter": True}, True, 3),
    "flat + per-bar projection": ({"decoder_units": 265, "per_bar_z": True}, True, 3),
    "conductor": (_conductor(192, 256), True, 3),
    "conductor + per-bar projection": (_conductor(160, 174, per_bar_z=True), True, 3),
    "flat, no curriculum": ({"decoder_units": 336}, False, 1),
    "conductor, no curriculum": (_conductor(192, 256), False, 1),
    "flat, per-bar encoder, no curriculum": ({"decoder_units": 336, **BY_BAR}, False, 1),
    "conductor, per-bar encoder, no curriculum": (_conductor(192, 256, **BY_BAR), False, 1),
    "conductor + per-bar projection, per-bar encoder, no curriculum": (
        _conductor(160, 174, per_bar_z=True, **BY_BAR),
        False,
        1,
    ),
}


def runs() -> list[tuple[str, int]]:
    """(variant, seed) of every run: first one seed of all main variants, then the next, then the rest."""
    listed = [(name, seed) for seed in range(3) for name, (_, _, seeds) in VARIANTS.items() if seed < seeds]
    main = [run for run in listed if VARIANTS[run[0]][2] > 1]
    return main + [run for run in listed if run not in main]


def configuration(name: str) -> Configuration:
    """Model and training of a variant."""
    changes, curriculum, _ = VARIANTS[name]
    return Configuration(name, replace(BASE, **changes), TRAINING if curriculum else replace(TRAINING, curriculum=()))


@torch.no_grad()
def interaction(model: MusicVAE, windows: torch.Tensor) -> float | None:
    """What a bar's embedding says of this melody's bar alone: the standard deviation left after removing the means over
    bars and over melodies. None for a flat decoder."""
    if not model.config.hierarchical:
        return None
    embeddings = model.decoder.embed(model.posterior(windows).mu, windows.shape[1] // STEPS_PER_BAR)
    left = embeddings - embeddings.mean(0, keepdim=True) - embeddings.mean(1, keepdim=True)
    return round(float((left + embeddings.mean((0, 1))).std()), 4)


def stored() -> dict[tuple[str, int], dict]:
    """The runs of the stored table whose configuration is today's."""
    result = sweeps.FOLDER / f"{NAME}.json"
    if not result.exists():
        return {}
    table = json.loads(result.read_text(encoding="utf-8"))
    if table["training"] != json.loads(json.dumps(asdict(TRAINING))):
        return {}
    models = {name: json.loads(json.dumps(asdict(configuration(name).model))) for name in VARIANTS}
    same = {name for name, variant in table["variants"].items() if variant["model"] == models.get(name)}
    return {(run["variant"], run["seed"]): run for run in table["runs"] if run["variant"] in same}


def run(name: str, seed: int) -> None:
    """Train one variant and write what it does at the end of each stage."""
    config, slug = configuration(name), f"{name.replace(', ', '-').replace(' + ', '-').replace(' ', '_')}-{seed}"
    folder, out = BUILD / slug, BUILD / f"{slug}.json"
    if out.exists() or (name, seed) in stored():
        return
    train, test = folk_melodies(BARS, "train").tokens, folk_melodies(BARS, "test").tokens
    if (folder / "checkpoint.json").exists():
        state = checkpoints.resume(folder, train, configuration=config)
        metrics = dict(checkpoints.read_metadata(folder).metrics)
    else:
        model = MusicVAE(config.model, torch.Generator().manual_seed(seed))
        state = training.start_run(model, train, config.training, seed, autocast=True)
        metrics = {"by_bars": {}, "seconds": 0.0}
    began = time.process_time()
    for record in training.train(state, show_progress=sys.stderr.isatty()):
        bars = pretrain.stage_of(config, record.update)
        if record.update == config.training.updates or pretrain.stage_of(config, record.update + 1) != bars:
            metrics["seconds"] += time.process_time() - began
            windows = pretrain.validation_windows(test, bars)
            free_bits = config.training.free_bits * bars / BARS
            figures = pretrain.measure(state.model, windows, config.training, free_bits)
            figures["interaction"] = interaction(state.model, torch.from_numpy(windows).long())
            metrics["by_bars"][str(bars)] = figures
            print(name, seed, bars, json.dumps(figures), flush=True)
            checkpoints.save_checkpoint(folder, state, name, metrics)
            began = time.process_time()
    result = {"variant": name, "seed": seed, "core_minutes": round(metrics["seconds"] / 60, 2)}
    write_whole(out, (json.dumps(result | {"by_bars": metrics["by_bars"]}) + "\n").encode())


def collect() -> None:
    """Write the table of the runs there are."""
    done = stored()
    for path in sorted(BUILD.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        done[result["variant"], result["seed"]] = result
    variants = {}
    for name in VARIANTS:
        config = configuration(name)
        parameters = count_parameters(MusicVAE(config.model))
        variants[name] = {"parameters": parameters, "model": asdict(config.model)}
    table = {
        "command": COMMAND,
        "what": "matched models of 16 bars, on the whole test split, at the end of each stage of the curriculum",
        "precision": "bfloat16 matrix products, float32 weights",
        "hardware": f"{os.cpu_count()} CPU cores ({platform.machine()}), one thread for each run",
        "core_minutes": round(sum(result["core_minutes"] for result in done.values()), 1),
        "training": asdict(TRAINING),
        "variants": variants,
        "runs": [done[key] for key in runs() if key in done],
    }
    sweeps.write(NAME, table, len(table["runs"]), len(runs()))


def main() -> None:
    parser = sweeps.command_line(__doc__)
    parser.add_argument(
        "--process", nargs=2, type=int, default=(0, 1), metavar=("I", "N"), help="run number I modulo N"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    BUILD.mkdir(parents=True, exist_ok=True)
    part, parts = arguments.process
    for name, seed in [] if arguments.collect else runs()[part::parts]:
        run(name, seed)
    collect()


if __name__ == "__main__":
    main()
