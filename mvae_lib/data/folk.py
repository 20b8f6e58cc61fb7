"""The melodies that the course learns from: windows of real folk tunes, no test window of which recurs in training.

    train = folk_melodies(bars=2, split="train")
    train.tokens                      # uint8 [windows, 32]
    train[train.book == "ryan"]       # the windows of one book
    train.sample(64, seed=1).title(0)

Transposition is not in the data: `random_transpose` samples one for every batch, so a window is seen in many keys.

Chapter: 01. Source: datasets/folk_melodies/README.md, which says where the tunes come from and how they are split.
"""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from mvae_lib.data.dataset import Dataset
from mvae_lib.data.splits import SPLITS
from mvae_lib.music.melody import STEPS_PER_BAR, canonical, check_tokens
from mvae_lib.music.representation import MELODY

WINDOW_BARS = (2, 16)
BOOKS = ("aird", "ryan", "oneill")


class TuneInfo(NamedTuple):
    """A row of manifest.csv: which tune of which book, and what became of it."""

    book: str
    file: str
    number: str
    title: str
    transcriber: str
    metre: str
    key: str
    cluster: str
    split: str
    outcome: str


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MelodyDataset(Dataset):
    """Windows of melodies out of tunes of books; `source` is the book.

    `tune` is an index into `tunes`; `bar` is the bar of 4/4, counted in the tune as played, at which a window starts.
    """

    tune: np.ndarray  # [windows]
    bar: np.ndarray  # [windows]
    tunes: tuple[TuneInfo, ...]

    _rows: ClassVar[tuple[str, ...]] = (*Dataset._rows, "tune", "bar")

    @property
    def book(self) -> np.ndarray:
        """The book of each window, names from BOOKS: `[windows]`."""
        return self.source

    @property
    def sources(self) -> tuple[str, ...]:
        """The books of these windows, in the order of BOOKS."""
        return tuple(book for book in BOOKS if (self.source == book).any())

    def title(self, window: int) -> str:
        """The title of the tune that a window is taken from."""
        return self.tunes[self.tune[window]].title

    def windows_of(self, title: str) -> np.ndarray:
        """The windows of the tune of this title, by bar. Raises ValueError that names similar titles."""
        found = np.array([window for window in range(len(self)) if self.title(window) == title], int)
        if not len(found):
            own = sorted({self.tunes[tune].title for tune in np.unique(self.tune)})
            near = get_close_matches(title, own, n=3, cutoff=0.4)
            raise ValueError(f"no window here is of {title!r}; similar titles: {', '.join(near) or 'none'}")
        return found[np.argsort(self.bar[found], kind="stable")]


def folk_melodies(bars: int = 2, split: str = "train", folder: str | Path | None = None) -> MelodyDataset:
    """Windows of 2 or 16 bars out of about 2,400 reels, hornpipes, marches and airs: tokens `[windows, 16 * bars]`.

    `folder` names another place of the data files than this project's own. Raises ValueError for other values of `bars`
    or `split`, FileNotFoundError for a missing file and RuntimeError for a damaged one.

    Chapter: 01.
    """
    if bars not in WINDOW_BARS:
        raise ValueError(f"bars must be one of {', '.join(map(str, WINDOW_BARS))}, not {bars!r}")
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    folder = Path(folder) if folder is not None else data_folder()
    data, sha256 = _checked_npz(folder)
    own = np.flatnonzero(data[f"split_{bars}"] == SPLITS.index(split))
    start = data[f"start_{bars}"][own].astype(np.int64)
    tokens = data["bars"][start[:, None] + np.arange(bars)].reshape(len(start), bars * STEPS_PER_BAR)
    tunes = _tunes(folder)
    tune = data["bar_tune"][start].astype(np.int64)
    book = np.array([row.book for row in tunes])[tune]
    bar = data["bar_number"][start].astype(np.int64)
    return MelodyDataset(
        tokens=canonical(tokens),
        source=book,
        split=split,
        bars=bars,
        sha256=sha256,
        tune=tune,
        bar=bar,
        tunes=tunes,
    )


def data_folder() -> Path:
    """Where the files of the folk melodies lie: in a checkout or in the installed package. Raises FileNotFoundError."""
    here = Path(__file__).resolve().parents[1]
    places = (here.parent / "datasets" / "folk_melodies", here / "shipped" / "folk_melodies")
    for place in places:
        if (place / "counts.json").is_file():
            return place
    raise FileNotFoundError(
        f"the folk melodies are in neither {places[0]} nor {places[1]}; "
        "in a checkout, build them with: python datasets/folk_melodies/build.py"
    )


def random_transpose(tokens: np.ndarray, rng: np.random.Generator, semitones: int = 5) -> np.ndarray:
    """Each melody of a batch `[B, T]` moved by its own interval, sampled uniformly from -`semitones` to +`semitones`.

    Where an interval would carry a note out of the range of the 90 classes, the widest that does not is taken.
    For training: call it again for every batch. Raises ValueError for another shape.

    Chapter: 01. Source: Roberts et al. 2018, appendix A (data augmentation).
    """
    tokens = check_tokens(tokens)
    if tokens.ndim != 2:
        raise ValueError(f"a batch has the shape [B, T], not {tokens.shape}")
    return MELODY.random_transpose(tokens, rng, semitones)


def transpose_to_all_keys(tokens: np.ndarray) -> np.ndarray:
    """Melodies `[N, T]` in all 12 keys, from 5 semitones down to 6 up, for what is counted, not trained: `[12 N, T]`.

    A melody is left out in the keys in which a note would leave the range of the 90 classes.
    """
    return MELODY.transpose_to_all_keys(check_tokens(tokens))


def _checked_npz(folder: Path) -> tuple[dict[str, np.ndarray], str]:
    path = folder / "folk_melodies.npz"
    rebuild = "fetch it again, or build it with: python datasets/folk_melodies/build.py"
    try:
        expected = json.loads((folder / "counts.json").read_text(encoding="utf-8"))["sha256"][path.name]
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error.filename} is missing; {rebuild}") from None
    except (ValueError, KeyError) as error:
        raise RuntimeError(f"{folder / 'counts.json'} is damaged ({error!r}); {rebuild}") from None
    if (found := hashlib.sha256(content).hexdigest()) != expected:
        raise RuntimeError(f"{path} is damaged (its SHA-256 is {found}, not {expected}); {rebuild}")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays), expected


def _tunes(folder: Path) -> tuple[TuneInfo, ...]:
    path = folder / "manifest.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; build it with: python datasets/folk_melodies/build.py")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(TuneInfo(*(row[name] for name in TuneInfo._fields)) for row in csv.DictReader(file))
