"""Train one of the shipped models, choose its update on the validation split, measure it once on the test split.

    python tools/pretrain.py mel_2bar              # the exact command of `make train-mel_2bar`

Nothing but the name decides what is trained: sizes, objective, number of updates and learning rate stand in
`mvae_lib/models/config.py`, under that name. `MEASUREMENTS` times in the run, and at the end of each stage of a
curriculum, the whole validation split is measured, in windows as long as those of the stage. Every `SAVE_SECONDS` the
run is saved in `build/pretrained/NAME`; a run that was cut off goes on from there, bit for bit, when the command is
given again. Just before a cooldown begins, the run is also saved beside it, in `before_cooldown`, so that it can be
made longer. At the end the weights with the lowest validation loss, of those measured on whole windows, go to
`mvae_lib/pretrained/NAME` in float16, with a card of what they do.
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
from mvae_lib.data.folk import folk_melodies  # noqa: E402
from mvae_lib.data.ngram import NGram  # noqa: E402
from mvae_lib.evaluation import report  # noqa: E402
from mvae_lib.models.config import Configuration, TrainingConfig, get_config  # noqa: E402
from mvae_lib.models.musicvae import MusicVAE, count_parameters  # noqa: E402
from mvae_lib.music.attributes import pitch_range  # noqa: E402
from mvae_lib.music.melody import STEPS_PER_BAR, is_note_on  # noqa: E402
from mvae_lib.music.structure import in_bars, repetition_score, self_similarity  # noqa: E402
from mvae_lib.pretrained import CARD, FOLDER, NAMES  # noqa: E402
from mvae_lib.training import checkpoints, schedules  # noqa: E402
from mvae_lib.training.loop import cut_windows, first_steps  # noqa: E402
from mvae_lib.training.objectives import BITS_PER_NAT, musicvae_loss, reconstruction  # noqa: E402

SEED = 0
MEASUREMENTS = 30  # in a run, each on the whole validation split
SAVE_SECONDS = 180.0  # what a cut-off loses at most; saving does not change what is computed
BATCH = 256
SAMPLE = 256  # windows of the test split that `tests/test_pretrained.py` measures again
LICENCE = "MIT, like the code; the tunes it has learned from are in the public domain (datasets/folk_melodies)"


@torch.no_grad()
def measure(model: MusicVAE, tokens: np.ndarray, config: TrainingConfig, free_bits: float) -> dict:
    """The loss that training minimizes (at its final beta), its parts, and accuracy from mu of windows `[n, steps]`."""
    model.eval()
    generator, sums, decoded, forced = torch.Generator().manual_seed(SEED), np.zeros(3), [], []
    for rows in torch.from_numpy(tokens).split(BATCH):
        posterior = model.posterior(rows)  # of windows of any number of bars
        distortion = reconstruction(model.logits(posterior.sample(generator), rows), rows)
        rate = posterior.kl()
        loss = musicvae_loss(distortion, rate, config.max_beta, free_bits)
        sums += [float(part.double().sum()) for part in (loss, distortion, rate)]
        forced.append(model.logits(posterior.mu, rows).argmax(-1))
        decoded.append(model.decode(posterior.mu, steps=rows.shape[1]))
    loss, distortion, rate = sums / len(tokens)
    free, forced = torch.cat(decoded).numpy(), torch.cat(forced).numpy()
    share, by_bar = evaluation.accuracy(free, tokens), []
    for first in range(0, tokens.shape[1], STEPS_PER_BAR):
        bar = slice(first, first + STEPS_PER_BAR)
        by_bar.append(round(evaluation.onset_accuracy(free[:, bar], tokens[:, bar]), 4))
    figures = {"loss": loss, "distortion": distortion, "rate": rate, "step": share.step, "onset": share.onset}
    figures |= {"onset_teacher_forced": evaluation.onset_accuracy(forced, tokens)}
    return {name: round(value, 4) for name, value in figures.items()} | {"onset_by_bar": by_bar}


def stage_of(configuration: Configuration, update: int) -> int:
    """Bars of the windows of an update, counted from 1."""
    return schedules.curriculum_stage(update - 1, configuration.training.curriculum, configuration.model.bars)[0]


def validation_windows(tokens: np.ndarray, bars: int) -> np.ndarray:
    """Windows `[n, bars * steps per bar]`, one out of each whole one, cut at random but the same at each call."""
    generator, steps, windows = torch.Generator().manual_seed(SEED), bars * STEPS_PER_BAR, torch.from_numpy(tokens)
    return cut_windows(windows, first_steps(windows, steps, STEPS_PER_BAR, generator) + torch.arange(steps)).numpy()


def describe_music(tokens: np.ndarray, ngram: NGram) -> dict:
    """What is to be heard in windows `[n, steps]`, in numbers; means over the windows."""
    onsets = in_bars(is_note_on(tokens)).sum(-1)  # [n, bars]
    figures = {
        "onsets_per_bar": onsets.mean(),
        "empty_bars": (onsets == 0).mean(),
        "range_semitones": np.nanmean(pitch_range(tokens)),
        "nll_nats_per_step": ngram.nll_per_step(tokens).mean(),
    }
    if onsets.shape[1] >= 16:
        figures["repetition_score"] = repetition_score(self_similarity(tokens)).mean()
    return {name: round(float(value), 3) for name, value in figures.items()}


def additions(configuration: Configuration) -> list[str]:
    """What is not in the paper, in the architecture and in the training of this model."""
    model, config = configuration.model, configuration.training
    told = {
        "per-step projections of z, added to what the decoder reads of z": model.per_step_z,
        "per-bar projections of z": model.per_bar_z,
        "an encoder that reads each bar by itself": model.bar_encoder,
        "wider initial weights": model.scaled_init,
        f"a curriculum over length, (bars, updates): {config.curriculum}": config.curriculum,
        f"word dropout {config.word_dropout} in training (Bowman et al. 2016)": config.word_dropout,
        "a linear fall of the learning rate at the end of the training": config.cooldown,
    }
    return [text for text, used in told.items() if used]


def train(configuration: Configuration, learned_from: np.ndarray, held_out: np.ndarray, folder: Path) -> list[dict]:
    """The curve: one entry for each measurement, held-out figures beside those of the updates since the last one."""
    config, whole = configuration.training, configuration.model.bars
    if (folder / "run").exists():
        run = checkpoints.resume(folder / "run", learned_from, configuration=configuration)
        metrics = dict(checkpoints.read_metadata(folder / "run").metrics)
    else:
        model = MusicVAE(configuration.model, torch.Generator().manual_seed(SEED))
        run = training.start_run(model, learned_from, config, SEED, autocast=True)
        metrics = {"curve": [], "since": [0, 0.0, 0.0], "seconds": 0.0}
    every = max(1, config.updates // MEASUREMENTS)
    cooldown_begins = config.updates - int(config.updates * config.cooldown)
    curve, since, began = metrics["curve"], np.array(metrics["since"]), time.monotonic()

    def save(to: Path) -> None:
        nonlocal began
        metrics["seconds"] += time.monotonic() - began
        metrics["since"], began = since.tolist(), time.monotonic()
        checkpoints.save_checkpoint(to, run, configuration.name, metrics)

    for record in training.train(run, show_progress=sys.stderr.isatty()):
        bars, update = stage_of(configuration, record.update), record.update
        since += (1, record.metrics["distortion"], record.metrics["rate"])
        last_of_stage = update == config.updates or stage_of(configuration, update + 1) != bars
        if last_of_stage or update % every == 0:
            distortion, rate = since[1:] / since[0]
            windows, free_bits = validation_windows(held_out, bars), config.free_bits * bars / whole
            curve.append(
                {
                    "update": update,
                    "bars": bars,
                    "train": {"distortion": round(distortion, 4), "rate": round(rate, 4)},
                    "validation": measure(run.model, windows, config, free_bits),
                    "dropped": record.dropped,
                }
            )
            since[:] = 0
            at_full_length = [point for point in curve if point["bars"] == whole]
            if bars == whole and curve[-1] is min(at_full_length, key=lambda point: point["validation"]["loss"]):
                facts = checkpoints.CheckpointMetadata(configuration, update, SEED, run.data_sha256)
                checkpoints.save_model(folder / "best", run.model, facts)
            save(folder / "run")
            tqdm.write(json.dumps(curve[-1]))
        elif time.monotonic() - began > SAVE_SECONDS:
            save(folder / "run")
        if config.cooldown and update == cooldown_begins:
            save(folder / "before_cooldown")
    return curve


def ship(name: str, folder: Path) -> None:
    """The best weights in float16 and their card, whole or not at all."""
    metrics, facts = checkpoints.read_metadata(folder / "run").metrics, checkpoints.read_metadata(folder / "best")
    bars, config = facts.configuration.model.bars, facts.configuration.training
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
        "chosen_by": "the lowest loss on the validation split, measured on all of it, at full length",
        "seed": SEED,
        "hardware": f"{os.cpu_count()} CPU cores ({platform.machine()}), one of them used",
        "minutes": round(metrics["seconds"] / 60, 1),
        "data_sha256": facts.data_sha256,
        "licence": LICENCE,
        "limits": "Folk melodies of Ireland, Scotland and North America in 4/4, one voice, on a grid of sixteenths. "
        "Other music is outside of what it has seen.",
        "precision": "bfloat16 matrix products in training, float32 weights; stored in float16",
        "additions": additions(facts.configuration),
        "float16_costs": {
            "onset_free_running": round(single.free_running.onset - half.free_running.onset, 5),
            "elbo_nats": round(single.elbo_nats - half.elbo_nats, 5),
        },
        "curve": metrics["curve"],
        "sample": measure(checkpoints.load_model(shipped), test.sample(SAMPLE, SEED).tokens, config, config.free_bits),
        "test": asdict(results[0]),
        "test_onset_by_bar": measure(exact, test.tokens, config, config.free_bits)["onset_by_bar"],
        "music": {
            "test split": describe_music(test.tokens, baselines.ngram),
            "reconstructions": describe_music(exact.reconstruct(test.tokens).numpy(), baselines.ngram),
            "samples, greedy": describe_music(
                exact.sample(SAMPLE, torch.Generator().manual_seed(SEED)).numpy(), baselines.ngram
            ),
            "samples, temperature 1": describe_music(
                exact.sample(SAMPLE, torch.Generator().manual_seed(SEED), temperature=1.0).numpy(), baselines.ngram
            ),
        },
    }
    write_whole(shipped / CARD, (json.dumps(card, indent=1) + "\n").encode("utf-8"))
    print(report.table(results[0]))
    print(f"rate {half.rate_bits:.1f} bits ({half.rate_bits / BITS_PER_NAT:.1f} nats); the model is in {shipped}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NAMES)
    name = parser.parse_args().name
    torch.set_num_threads(1)  # a run of hours should leave a core to its owner; one thread computes the same anywhere
    torch.set_flush_denormal(True)
    folder = ROOT / "build" / "pretrained" / name
    configuration = get_config(name)
    bars = configuration.model.bars
    train(configuration, folk_melodies(bars, "train").tokens, folk_melodies(bars, "validation").tokens, folder)
    ship(name, folder)


if __name__ == "__main__":
    main()
