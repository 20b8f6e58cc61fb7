"""Assemble the answers to all Build exercises into one small MusicVAE, and compare it with the library.

    python tools/build_file.py            # write build/musicvae_by_hand.py, train it beside the library, report
    python tools/build_file.py FOLDER     # the same from the notebooks of another folder than solutions/

Chapters 01 to 09 have one Build exercise each. Their answers, one after another and below a few imports, are a whole
MusicVAE. The file is trained for 200 updates on two bars of real melodies, at the library's initial weights and
random numbers, and must have the library's losses. Then it writes melodies from the same latent vectors.
"""

import importlib.util
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import nbformat
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mvae_lib import training  # noqa: E402
from mvae_lib.data.folk import folk_melodies  # noqa: E402
from mvae_lib.models.config import ModelConfig, TrainingConfig  # noqa: E402
from mvae_lib.models.musicvae import MusicVAE  # noqa: E402
from mvae_lib.music.melody import VOCABULARY, tokens_to_notes  # noqa: E402
from mvae_lib.training.loop import window_rows  # noqa: E402

OUT = ROOT / "build" / "musicvae_by_hand.py"
MAX_LINES = 250  # the file has fewer
TOLERANCE = 1e-3  # of each loss, relative: the library's Adam is fused and rounds in another order
NAMES = {  # chapter -> what its Build answer defines
    "01": ("encode_notes", "decode_notes"),
    "02": ("training_loop",),
    "03": ("gaussian_kl",),
    "04": ("sample_latent",),
    "05": ("BidirectionalEncoder", "TeacherForcedDecoder"),
    "06": ("free_bits_loss",),
    "07": ("beta_at", "word_dropout"),
    "08": ("Conductor", "hierarchical_logits"),
    "09": ("generate",),
}
HEADER = '''"""MusicVAE, written by hand: the answers to the Build exercises of chapters 01 to 09, in their order."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
'''
BUILD_TITLE = re.compile(r"^### Exercise [^\n]*\bBuild\b", re.MULTILINE)
DEFINED = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)
MARKS = re.compile(r"^[ ]*# (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
IMPORTS = re.compile(r"^(?:import|from) [^\n]*\n+", re.MULTILINE)

SIZES = {"z_size": 16, "encoder_units": 32, "decoder_units": 48, "decoder_layers": 1}
MODEL = ModelConfig(scaled_init=True, **SIZES)
UPDATES = 200
TRAINING = TrainingConfig(
    updates=UPDATES,
    batch=16,
    learning_rate=3e-3,
    learning_rate_decay=1.0,  # the rate stays
    max_beta=0.5,
    beta_rate=0.99,
    free_bits=8.0,
    word_dropout=0.1,
)


def build_answers(folder: Path = ROOT / "solutions") -> dict[str, str]:
    """Chapter -> the answer cell of its Build exercise, for those that a notebook of `folder` has."""
    answers = {}
    for path in sorted(folder.glob("*.ipynb")):
        cells = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}
        tasks = [id for id in cells if id.endswith("-task") and BUILD_TITLE.search(cells[id])]
        chosen = [MARKS.sub("", cells[id.removesuffix("task") + "answer"]) for id in tasks]
        if chosen:
            answers[path.name[:2]] = "\n\n\n".join(chosen)
    return answers


def missing(answers: Mapping[str, str]) -> list[str]:
    """What the answers do not define yet, one line for each chapter."""
    lines = []
    for chapter, names in NAMES.items():
        if chapter not in answers:
            lines.append(f"chapter {chapter}: no Build exercise is in its solution ({', '.join(names)})")
            continue
        absent = [name for name in names if name not in DEFINED.findall(answers[chapter])]
        if absent:
            lines.append(f"chapter {chapter}: its Build answer does not define {', '.join(absent)}")
    return lines


def assemble(answers: Mapping[str, str]) -> str:
    """The text of the file: imports, then the answers in the order of the chapters."""
    parts = [HEADER]
    for chapter, source in sorted(answers.items()):
        parts.append(f"# ---- chapter {chapter}\n\n\n{IMPORTS.sub('', source).strip()}\n")
    return "\n\n".join(parts)


def load(path: Path) -> ModuleType:
    """The assembled file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Comparison:
    """The file beside the library."""

    by_hand: list[float]  # the loss of each update
    library: list[float]
    same_tokens: float  # share of greedily decoded tokens that agree, at equal weights
    same_logits: float  # largest difference of a conductor's logits from the library's, at equal weights
    same_notes: float  # share of windows whose notes are the library's, and give the same tokens again
    seconds: float

    @property
    def largest_difference(self) -> float:
        """Of a loss, relative to the library's."""
        return max(abs(a - b) / abs(b) for a, b in zip(self.by_hand, self.library, strict=True))


def compare(made: ModuleType) -> Comparison:
    """Train both on the same melodies, from the same weights, with the same random numbers; then decode with both."""
    began, threads = time.perf_counter(), torch.get_num_threads()
    torch.set_num_threads(1)
    train, test = folk_melodies(2, "train").tokens, folk_melodies(2, "test").tokens[:64]
    library = MusicVAE(MODEL, torch.Generator().manual_seed(1))
    own = nn.ModuleDict(
        {
            "encoder": made.BidirectionalEncoder(VOCABULARY, MODEL.encoder_units, MODEL.z_size),
            "decoder": made.TeacherForcedDecoder(VOCABULARY, MODEL.decoder_units, MODEL.z_size),
        }
    )
    own.load_state_dict(by_hand_names(library))
    losses = list(train_by_hand(made, own, train, seed=2))
    run = training.start_run(library, train, TRAINING, seed=2, autocast=False)
    expected = [record.loss for record in training.train(run, show_progress=False)]

    own.load_state_dict(by_hand_names(library))
    z = torch.randn(256, MODEL.z_size, generator=torch.Generator().manual_seed(3))
    tokens = made.generate(own["decoder"], z, MODEL.steps, 0, None)
    same_tokens = (tokens == library.decode(z)).float().mean().item()
    result = Comparison(
        losses, expected, same_tokens, hierarchical_difference(made, test), notes_agree(made, test), 0.0
    )
    torch.set_num_threads(threads)
    return Comparison(**{**vars(result), "seconds": time.perf_counter() - began})


def by_hand_names(model: MusicVAE) -> dict[str, torch.Tensor]:
    """The library's weights under the names of the file: its initial state is a layer `start`, not `start.linear`."""
    return {name.replace("start.linear.", "start."): value.clone() for name, value in model.state_dict().items()}


def train_by_hand(made: ModuleType, model: nn.Module, windows: np.ndarray, seed: int):
    """The losses of the file's training loop, with every part of it from the file."""
    generator = torch.Generator().manual_seed(seed)

    def batches():
        for step in range(UPDATES):
            rows = window_rows(len(windows), step * TRAINING.batch, TRAINING.batch, seed)
            yield step, torch.from_numpy(windows[rows]).long()

    def loss_of(model: nn.Module, batch: tuple[int, torch.Tensor]) -> torch.Tensor:
        step, tokens = batch
        mu, sigma = model["encoder"](tokens)
        z = made.sample_latent(mu, sigma, generator)
        logits = model["decoder"](z, made.word_dropout(tokens, TRAINING.word_dropout, generator))
        distortion = cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape).sum(1)
        beta = made.beta_at(step, TRAINING.max_beta, TRAINING.beta_rate)
        return made.free_bits_loss(distortion, made.gaussian_kl(mu, sigma), beta, TRAINING.free_bits)

    return made.training_loop(model, loss_of, batches(), TRAINING.learning_rate, TRAINING.clip_norm)


@torch.no_grad()
def hierarchical_difference(made: ModuleType, windows: np.ndarray) -> float:
    """The largest difference of the file's hierarchical logits from the library's, at equal weights."""
    config = ModelConfig(conductor_units=24, conductor_layers=1, scaled_init=True, **SIZES)
    decoder = MusicVAE(config, torch.Generator().manual_seed(4)).decoder
    conductor = made.Conductor(config.z_size, config.conductor_units)
    core = made.TeacherForcedDecoder(VOCABULARY, config.decoder_units, config.conductor_units)
    conductor.load_state_dict(
        {f"start.{name}": value for name, value in decoder.start.linear.state_dict().items()}
        | {f"lstm.{name}": value for name, value in decoder.conductor.state_dict().items()}
    )
    core.load_state_dict(
        {name.replace("start.linear.", "start."): value for name, value in decoder.cores[0].state_dict().items()}
    )
    z = torch.randn(len(windows), config.z_size, generator=torch.Generator().manual_seed(5))
    tokens = torch.from_numpy(windows).long()
    return (made.hierarchical_logits(conductor, core, z, tokens) - decoder(z, tokens)).abs().max().item()


def notes_agree(made: ModuleType, windows: np.ndarray) -> float:
    """The share of windows that the file decodes to the library's notes and encodes to the same tokens again."""
    agree = 0
    for tokens in windows:
        notes = [tuple(int(value) for value in note) for note in made.decode_notes(tokens)]
        expected = [(note.start, note.end, note.pitch) for note in tokens_to_notes(tokens)]
        agree += notes == expected and bool((made.encode_notes(notes, len(tokens)) == tokens).all())
    return agree / len(windows)


def report(text: str, result: Comparison) -> str:
    """Length, losses and agreement, a line each."""
    lines = [
        f"build/musicvae_by_hand.py: {text.count(chr(10))} lines (fewer than {MAX_LINES} are allowed)",
        f"{UPDATES} updates of {TRAINING.batch} melodies of two bars, {result.seconds:.0f} s for all of this",
        "loss, nats per melody    by hand    library",
    ]
    for update in (1, UPDATES // 4, UPDATES // 2, UPDATES):
        pair = f"{result.by_hand[update - 1]:>9.4f}  {result.library[update - 1]:>9.4f}"
        lines.append(f"  update {update:>3}            {pair}")
    lines += [
        f"largest difference of a loss: {result.largest_difference:.1e} of its value (at most {TOLERANCE:.0e})",
        f"greedy tokens as the library's, at equal weights: {result.same_tokens:.2%} of 256 melodies",
        f"logits with a conductor, largest difference at equal weights: {result.same_logits:.1e}",
        f"windows whose notes are the library's and encode to the same tokens: {result.same_notes:.1%}",
    ]
    return "\n".join(lines)


def main(folder: Path = ROOT / "solutions") -> int:
    answers = build_answers(folder)
    absent = missing(answers)
    if absent:
        print("\n".join(["The file cannot be assembled yet:", *absent]))
        return 1
    text = assemble(answers)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text, encoding="utf-8")
    print(report(text, compare(load(OUT))))
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
