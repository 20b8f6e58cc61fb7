"""A folder of your own MIDI files as a data set: read once, divided by file, with a report of what was left out.

    data = midi_folder("tunes/", bars=2)
    print(data.report)
    data.part("train").tokens            # [windows, steps]

Files that share music, in any key, go to the same split, as the tunes of the folk melodies do; what still recurs in an
earlier split is dropped. What a file gave is kept in a cache (`mvae_lib.data.cache`), so that a second call is fast.

Chapter: 00.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from tqdm.auto import tqdm

from mvae_lib.data import cache as kept
from mvae_lib.data.dataset import ALL, Dataset
from mvae_lib.data.extraction_pool import FileWindows, extract_files
from mvae_lib.data.folder_report import FolderReport
from mvae_lib.data.splits import SPLITS, TRAIN_SHARE, VALIDATION_SHARE, clusters, leaks
from mvae_lib.music.files import MIDI_SUFFIXES, printable
from mvae_lib.music.representation import Representation, get_representation

MAX_WORKERS = 8
_FILES_PER_WORKER = 16  # starting a process takes as long as reading so many files
_COMMON = 50  # files that may share a window before it is too common to link them


class FolderError(ValueError):
    """A folder that gives no data set; the message names it and says why."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FolderDataset(Dataset):
    """Windows out of a folder of files; `source` is the sub-folder, or the file where there are no sub-folders."""

    file: np.ndarray  # [windows], indices into `files`
    track: np.ndarray  # [windows], counted from 0
    bar: np.ndarray  # [windows], the bar of the file, counted from 1, at which a window starts
    files: tuple[str, ...]  # relative to the folder, with forward slashes
    report: FolderReport

    _rows: ClassVar[tuple[str, ...]] = (*Dataset._rows, "file", "track", "bar")

    def title(self, window: int) -> str:
        """The file, the track and the bar that a window is taken from."""
        name = printable(self.files[self.file[window]])
        return f"{name}, track {self.track[window]}, bar {self.bar[window]}"


def midi_folder(
    path: str | Path,
    bars: int = 2,
    representation: str = "melody",
    workers: int | None = None,
    cache: bool = True,
    show_progress: bool = True,
) -> FolderDataset:
    """The windows of all MIDI files (.mid, .midi, .kar, .rmi) in a folder and its sub-folders.

    `workers` processes read the files (None: as many as there are cores, for many files); the result is the same for
    any number of them. `cache=False` reads all files again. Raises FolderError where there is no folder, no MIDI file
    in it or no window in its files, and ValueError for an unknown representation or bars below 1.

    Chapter: 00.
    """
    kind = get_representation(representation)
    if bars < 1:
        raise ValueError(f"a window needs at least 1 bar, not {bars}")
    folder = Path(path)
    report = FolderReport(str(path), bars)
    names = _find(folder, report)
    report.files = len(names)
    read = _read(folder, names, representation, bars, workers, cache, show_progress)
    return _assemble(folder, names, read, kind, report)


def _find(folder: Path, report: FolderReport) -> list[str]:
    if not folder.exists():
        raise FolderError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise FolderError(f"{folder} is a file; name the folder that it lies in")
    names = []

    def unreadable(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise FolderError(f"{folder} cannot be read ({error.strerror})")
        report.add("files", f"a folder that cannot be read ({error.strerror})", os.path.relpath(error.filename, folder))

    for place, _, files in os.walk(folder, onerror=unreadable):
        for name in files:  # names with a dot in front are metadata of the file system
            if name.lower().endswith(MIDI_SUFFIXES) and not name.startswith("."):
                names.append((Path(place) / name).relative_to(folder).as_posix())
    if not names:
        raise FolderError(f"{folder} holds no MIDI file (a name that ends in {', '.join(MIDI_SUFFIXES)})")
    return sorted(names)


def _read(
    folder: Path, names: Sequence[str], representation: str, bars: int, workers: int | None, cache: bool, show: bool
) -> list[tuple[str, FileWindows]]:
    """(SHA-256 of its content, what it gave) of each file, in the order of `names`."""
    hashes, read = [], {}
    with tqdm(total=len(names), unit="file", disable=not show) as progress:
        for index, name in enumerate(names):
            hashes.append(_sha256(folder / name))
            if cache and hashes[-1]:
                found = kept.load(kept.cache_key(hashes[-1], representation, bars), representation, bars)
                if found is not None:
                    read[index] = found
                    progress.update()
        left = [index for index in range(len(names)) if index not in read]
        if workers is None:
            workers = min(_cores(), MAX_WORKERS, 1 + len(left) // _FILES_PER_WORKER)
        paths = [str(folder / names[index]) for index in left]
        for place, found in extract_files(paths, representation, bars, workers):
            read[left[place]] = found
            if cache and hashes[left[place]]:
                kept.store(kept.cache_key(hashes[left[place]], representation, bars), found)
            progress.update()
    return [(hashes[index], read[index]) for index in range(len(names))]


def _cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _sha256(path: Path) -> str:
    """The SHA-256 of a file's content, "" for one that cannot be read: the reader will say why."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _assemble(
    folder: Path,
    names: Sequence[str],
    read: Sequence[tuple[str, FileWindows]],
    kind: Representation,
    report: FolderReport,
) -> FolderDataset:
    for name, (_, found) in zip(names, read, strict=True):
        if found.error:
            report.add("files", found.error, name)
        for kind_of_reason, notes, text in found.reasons:
            report.add("notes" if notes else "tracks", kind_of_reason or text, name, notes or 1)
    used = [index for index, (_, found) in enumerate(read) if not found.error]
    report.used = len(used)
    if not used:
        reasons = "; ".join(f"{item.count:,} because: {item.reason}" for item in report.of_kind("files")[:3])
        raise FolderError(
            f"{folder}: none of its {len(names):,} MIDI files gave a window of {report.bars} bars ({reasons})"
        )
    tokens = np.concatenate([read[index][1].tokens for index in used])
    file = np.repeat(used, [len(read[index][1].tokens) for index in used])
    track, bar = (np.concatenate([getattr(read[index][1], name) for index in used]) for name in ("track", "bar"))
    split = _split_by_file(tokens, file, [sha256 for sha256, _ in read], kind, report.bars)

    repeated = leaks(tokens, split, kind.pitched)
    _count(report, repeated, file, names, "they recur, in some key, in a file of an earlier split")
    left = np.flatnonzero(~repeated)
    kept_rows = np.sort(left[np.unique(tokens[left].reshape(len(left), -1), axis=0, return_index=True)[1]])
    twice = ~repeated
    twice[kept_rows] = False
    _count(report, twice, file, names, "another file has them, too")

    parts = np.array(SPLITS)[split[kept_rows]]
    report.windows = {name: int((parts == name).sum()) for name in SPLITS}
    return FolderDataset(
        tokens=tokens[kept_rows],
        source=_sources(names)[file[kept_rows]],
        split=ALL,
        parts=parts,
        representation=kind.name,
        bars=report.bars,
        file=file[kept_rows],
        track=track[kept_rows],
        bar=bar[kept_rows],
        files=tuple(names),
        report=report,
    )


def _count(report: FolderReport, rows: np.ndarray, file: np.ndarray, names: Sequence[str], reason: str) -> None:
    for index, count in zip(*np.unique(file[rows], return_counts=True), strict=True):
        report.add("windows", reason, names[index], int(count))


def _split_by_file(
    tokens: np.ndarray, file: np.ndarray, hashes: Sequence[str], kind: Representation, bars: int
) -> np.ndarray:
    """The index into SPLITS of each window: whole clusters of files, in an order that depends on their content alone.

    The largest cluster is for training; then test and validation get clusters until they have their share.
    """
    files = sorted(set(file.tolist()), key=lambda index: hashes[index])  # names and places do not matter
    rows = {index: np.flatnonzero(file == index) for index in files}
    own = [_interval_forms(tokens[rows[index]], kind, bars) for index in files]
    members: dict[int, list[int]] = {}
    for index, cluster in zip(files, clusters(own, _COMMON), strict=True):
        members.setdefault(cluster, []).append(index)
    groups = [np.concatenate([rows[index] for index in group]) for group in members.values()]
    largest = max(range(len(groups)), key=lambda group: len(groups[group]))
    shares = {2: 1 - TRAIN_SHARE - VALIDATION_SHARE, 1: VALIDATION_SHARE}
    split, sizes = np.zeros(len(tokens), np.int64), dict.fromkeys(shares, 0)
    for number, group in enumerate(groups):
        for part, share in shares.items():
            goal = share * len(tokens)
            if number != largest and sizes[part] < goal and (not sizes[part] or len(group) <= 2 * goal - sizes[part]):
                split[group] = part
                sizes[part] += len(group)
                break
    return split


def _interval_forms(tokens: np.ndarray, kind: Representation, bars: int) -> set[bytes]:
    """The distinct stretches of 2 bars in the windows of a file, up to transposition."""
    length, found = min(2, bars), set()
    for first in range(bars - length + 1):
        part = tokens[:, first * kind.steps_per_bar : (first + length) * kind.steps_per_bar]
        sounding = kind.is_onset(part).reshape(len(part), -1).any(1)  # silence is shared by all
        found.update(form.tobytes() for form in kind.interval_form(part[sounding]))
    return found


def _sources(names: Sequence[str]) -> np.ndarray:
    """For each file, its first sub-folder; the name of the file itself where all lie in one folder."""
    tops = [name.split("/")[0] if "/" in name else "(no folder)" for name in names]
    if len(set(tops)) == 1:
        tops = [name.rsplit("/", 1)[-1].rsplit(".", 1)[0] for name in names]
    return np.array([printable(name) for name in tops])
