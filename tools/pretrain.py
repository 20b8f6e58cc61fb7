"""Train one of the shipped models, choose its update on the validation split, measure it once on the test split.

    python tools/pretrain.py mel_2bar              # the exact command of `make train-mel_2bar`

The name alone decides what is trained: sizes, objective, number of updates and learning rate are in
`mvae_lib/models/config.py`, under that name. Every `EVERY` updates the whole validation split is measured and the run
is saved in `build/pretrained/NAME`; an interrupted run resumes from there when the command is given again. At the
end the weights with the lowest validation loss go to `mvae_lib/pretrained/NAME` in float16, with a card of what they
do.
"""

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mvae_lib import evaluation, training  # noqa: E402
from mvae_lib._files import write_whole  # noqa: E402
from mvae_lib.data.folk import MelodyDataset, folk_melodies  # noqa: E402
from mvae_lib.evaluation import report  # noqa: E402
from mvae_lib.models.config import TrainingConfig, get_config  # noqa: E402
from mvae_lib.models.musicvae import MusicVAE, count_parameters  # noqa: E402
from mvae_lib.models.posterior import reparameterize  # noqa: E402
from mvae_lib.pretrained import CARD, FOLDER, NAMES  # noqa: E402
from mvae_lib.training import checkpoints  # noqa: E402
from mvae_lib.training.objectives import BITS_PER_NAT, gaussian_kl, musicvae_loss, reconstruction  # noqa: E402

SEED = 0
EVERY = 250  # updates between two measurements, each on the whole validation split
BATCH = 256
SAMPLE = 256  # windows of the test split that `tests/test_pretrained.py` measures again
LICENCE = "MIT, like the code; the tunes it has learned from are in the public domain (datasets/folk_melodies)"


@torch.no_grad()
def measure(model: MusicVAE, data: MelodyDataset, config: TrainingConfig) -> dict[str, float]:
    """The loss that training minimizes (at its final beta), its parts, and free-running accuracy from mu."""
    model.eval()
    generator, sums, decoded = torch.Generator().manual_seed(SEED), np.zeros(3), []
    for rows in torch.from_numpy(data.tokens).split(BATCH):
        posterior = model.encode(rows)
        distortion = reconstruction(model.logits(reparameterize(posterior, generator), rows), rows)
        rate = gaussian_kl(*posterior)
        loss = musicvae_loss(distortion, rate, config.max_beta, config.free_bits)
        sums += [float(part.double().sum()) for part in (loss, distortion, rate)]
        decoded.append(model.decode(posterior.mu, steps=rows.shape[1]))
    loss, distortion, rate = sums / len(data)
    share = evaluation.accuracy(torch.cat(decoded).numpy(), data.tokens)
    figures = {"loss": loss, "distortion": distortion, "rate": rate, "step": share.step, "onset": share.onset}
    return {name: round(value, 4) for name, value in figures.items()}


def train(name: str, folder: Path) -> list[dict]:
    """The curve: one entry for each measurement, held-out figures beside those of the updates since the last one."""
    configuration = get_config(name)
    config, bars = configuration.training, configuration.model.bars
    learned_from, held_out = folk_melodies(bars, "train"), folk_melodies(bars, "validation")
    if (folder / "run").exists():
        run = checkpoints.resume(folder / "run", learned_from.tokens, configuration=configuration)
        metrics = checkpoints.read_metadata(folder / "run").metrics
        curve, seconds = list(metrics["curve"]), metrics["seconds"]
    else:
        model = MusicVAE(configuration.model, torch.Generator().manual_seed(SEED))
        run, curve, seconds = training.start_run(model, learned_from.tokens, config, SEED), [], 0.0
    since, began = [], time.monotonic()
    for record in training.train(run, show_progress=sys.stderr.isatty()):
        since.append((record.metrics["distortion"], record.metrics["rate"]))
        if record.update % EVERY and record.update != config.updates:
            continue
        distortion, rate = np.mean(since, 0)
        point = {"update": record.update, "train": {"distortion": round(distortion, 4), "rate": round(rate, 4)}}
        point |= {"validation": measure(run.model, held_out, config), "dropped": record.dropped}
        curve.append(point)
        since, seconds, began = [], seconds + time.monotonic() - began, time.monotonic()
        metrics = {"curve": curve, "seconds": round(seconds)}
        if point is min(curve, key=lambda item: item["validation"]["loss"]):
            facts = checkpoints.CheckpointMetadata(configuration, record.update, SEED, run.data_sha256)
            checkpoints.save_model(folder / "best", run.model, facts)
        checkpoints.save_checkpoint(folder / "run", run, name, metrics)
        tqdm.write(json.dumps(point))
    return curve


def ship(name: str, folder: Path) -> None:
    """The best weights in float16 and their card, whole or not at all."""
    metrics, facts = checkpoints.read_metadata(folder / "run").metrics, checkpoints.read_metadata(folder / "best")
    bars = facts.configuration.model.bars
    test, baselines = folk_melodies(bars, "test"), evaluation.fit_baselines(folk_melodies(bars, "train"))
    shipped = FOLDER / name
    exact = checkpoints.load_model(folder / "best")
    checkpoints.save_model(shipped, exact, facts, half=True)
    results = [
        evaluation.evaluate(model, test, baselines, torch.Generator().manual_seed(SEED))
        for model in (checkpoints.load_model(shipped), exact)
    ]
    half, single = (result.whole for result in results)
    card = {
        "name": name,
        "command": f"make train-{name}",
        "parameters": count_parameters(exact),
        "update": facts.update,
        "updates": facts.configuration.training.updates,
        "chosen_by": "the lowest loss on the validation split, measured on all of it",
        "seed": SEED,
        "hardware": f"{os.cpu_count()} CPU cores ({platform.machine()}), one of them used",
        "minutes": round(metrics["seconds"] / 60, 1),
        "data_sha256": facts.data_sha256,
        "licence": LICENCE,
        "limits": "Folk melodies of Ireland, Scotland and North America in 4/4, one voice, on a grid of sixteenths. "
        "Other music is outside of what it has seen.",
        "float16_costs": {
            "onset_free_running": round(single.free_running.onset - half.free_running.onset, 5),
            "elbo_nats": round(single.elbo_nats - half.elbo_nats, 5),
        },
        "curve": metrics["curve"],
        "sample": measure(checkpoints.load_model(shipped), test.sample(SAMPLE, SEED), facts.configuration.training),
        "test": asdict(results[0]),
    }
    write_whole(shipped / CARD, (json.dumps(card, indent=1) + "\n").encode("utf-8"))
    print(report.table(results[0]))
    print(f"rate {half.rate_bits:.1f} bits ({half.rate_bits / BITS_PER_NAT:.1f} nats); the model is in {shipped}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NAMES)
    name = parser.parse_args().name
    torch.set_num_threads(
        1
    )  # a run of hours should leave a core to its owner; and one thread computes the same anywhere
    torch.set_flush_denormal(True)
    folder = ROOT / "build" / "pretrained" / name
    train(name, folder)
    ship(name, folder)


if __name__ == "__main__":
    main()
