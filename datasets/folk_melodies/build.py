"""Build the folk melodies from the ABC books inside music21: `python datasets/folk_melodies/build.py [folder]`.

Writes folk_melodies.npz, manifest.csv and counts.json beside this file (or into `folder`), byte for byte the same
each time. README.md beside this file describes what is written and why.
"""

import csv
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import re
import sys
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from abc_notation import AbcError, Tune, parse_tune, read_header, split_tunes
from windows import METRES, Run, longest_silence, runs

from mvae_lib._files import write_whole
from mvae_lib.data.splits import SPLITS, clusters, interval_form, leaks, split_of
from mvae_lib.music.melody import canonical, is_note_on

MUSIC21 = "10.5.1"
BOOKS = {  # folder in music21's corpus, SHA-256 of its ABC files
    "aird": ("airdsAirs", "f43299e5ace949898650b119701b852fa560e7fae4f386efb14ecfa51cefaa18"),
    "ryan": ("ryansMammoth", "70aece4473a2ed726a4987bf38a3a36b43b13505155ba2dc1502c3efdd5b20d3"),
    "oneill": ("oneills1850", "b635eec1b8f42f435bab2a8f5615143dec24cc8184c8d80f1e02a7cffe4c9333"),
}
LEFT_OUT = {  # two tunes that the reader refused when the models were trained, and reads now: the data stay the same
    "83927dfe1c423201be0eb7717848a2567369ab7620f8960df2d47b917b2463ba": "it is written for several voices",
    "b0d6b66285dc597d473fb7a56340e549d04c7461233dec6865a4cf0de8959245": "the ending '1646' is not a number from 1 to 9",
}
WINDOW_BARS = (2, 16)
MAX_SILENCE = 15  # steps: a bar of silence ends a melody
MIN_NOTES_PER_BAR = 2  # fewer is a held note or two, no melody to learn from
MAIL = re.compile(r"\s*[<(]?(?:[\w.-]+@[\w.-]+|[\w.-]+:+[\w:.-]*\.\w+)[>)]?")  # in some files @ has become : or ::


@dataclass
class Entry:
    """One tune of the manifest and, while building, its music."""

    tune: int
    book: str
    file: str
    number: str
    title: str
    transcriber: str
    metre: str
    key: str
    cluster: str = ""
    split: str = ""
    windows_2: int = 0
    windows_16: int = 0
    outcome: str = ""
    sha256: str = ""
    runs: list[Run] = field(default_factory=list, repr=False)


class SourceError(RuntimeError):
    """The ABC books are missing, or are not those that this data set is built from."""


def source_files() -> dict[str, list[Path]]:
    """The ABC files of each book inside the installed music21, which is not imported. Raises SourceError."""
    spec = importlib.util.find_spec("music21")
    if spec is None:
        raise SourceError(f"music21 is not installed: pip install music21=={MUSIC21}")
    if (version := importlib.metadata.version("music21")) != MUSIC21:
        raise SourceError(
            f"music21 {version} is installed, the books are taken from {MUSIC21}: pip install music21=={MUSIC21}"
        )
    files = {}
    for book, (folder, expected) in BOOKS.items():
        files[book] = sorted((Path(spec.origin).parent / "corpus" / folder).glob("*.abc"), key=lambda path: path.name)
        if (found := books_hash(files[book])) != expected:
            raise SourceError(
                f"the ABC files in music21/corpus/{folder} are not those of music21 {MUSIC21} (SHA-256 {found}, "
                f"not {expected}); reinstall it: pip install --force-reinstall music21=={MUSIC21}"
            )
    return files


def books_hash(paths: list[Path]) -> str:
    """One SHA-256 over the names and the contents of files."""
    lines = (f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def read_tunes(files: dict[str, list[Path]]) -> list[Entry]:
    """Every tune of every book; those that are used have runs, the others the reason in `outcome`."""
    entries: list[Entry] = []
    seen: dict[tuple, int] = {}
    for book, paths in files.items():
        for path in paths:
            for text in split_tunes(path.read_text(encoding="utf-8")):
                header = read_header(text)
                transcriber = MAIL.sub("", header.get("Z", "")).strip(' "')
                texts = (
                    [header.get(name, "") for name in "XT"] + [transcriber] + [header.get(name, "") for name in "MK"]
                )
                entry = Entry(
                    len(entries), book, path.name, *texts, sha256=hashlib.sha256(text.encode("utf-8")).hexdigest()
                )
                entries.append(entry)
                if reason := LEFT_OUT.get(entry.sha256):
                    entry.outcome = f"unreadable: tune X:{entry.number} ({entry.title}): {reason}"
                    continue
                try:
                    tune = parse_tune(text)
                except AbcError as error:
                    entry.outcome = f"unreadable: {error}"
                    continue
                first = seen.setdefault(_music(tune), entry.tune)
                if first != entry.tune:
                    entry.outcome = f"duplicate: of tune {first}"
                elif not (found := runs(tune)):
                    usable = any(bar.metre in METRES for bar in tune.bars)
                    entry.outcome = (
                        "bars: none has the length of its metre" if usable else "metre: " + header["M"].split("%")[0]
                    )
                else:
                    entry.runs = found
    return entries


def _music(tune: Tune) -> tuple:
    """What two copies of a tune have in common, in whatever key: intervals, onsets and durations."""
    return tuple((note.pitch - tune.notes[0].pitch, note.onset, note.duration) for note in tune.notes)


def cut_windows(entries: list[Entry], bars: int) -> tuple[dict[str, np.ndarray], Counter]:
    """All windows of `bars` bars that are melodies, with `start` counted in bars of all runs; and counts by reason."""
    tokens, tune, start, moved, counts, base = [], [], [], [], Counter(), 0
    for entry in entries:
        for run in entry.runs:
            for first in range(len(run.tokens) - bars + 1):
                counts[entry.book, "cut"] += 1
                if not run.fits[first : first + bars].all():
                    counts[entry.book, "off the 16th grid"] += 1
                    continue
                tokens.append(run.tokens[first : first + bars].reshape(-1))
                tune.append(entry.tune)
                start.append(base + first)
                moved.append(run.moved[first : first + bars].any())
            base += len(run.tokens)
    windows = {"tokens": canonical(np.array(tokens)), "tune": np.array(tune), "start": np.array(start)}
    windows["moved"] = np.array(moved)
    silent = longest_silence(windows["tokens"]) > MAX_SILENCE
    sparse = is_note_on(windows["tokens"]).sum(axis=1) < MIN_NOTES_PER_BAR * bars
    for reason, dropped in (("a bar of silence", silent), ("too few notes", sparse & ~silent)):
        counts.update((entries[i].book, reason) for i in windows["tune"][dropped])
    return {name: values[~silent & ~sparse] for name, values in windows.items()}, counts


def assign_splits(entries: list[Entry], windows: dict[str, np.ndarray]) -> None:
    """Give each tune that has 2-bar windows its cluster and its split."""
    forms: dict[int, set[bytes]] = defaultdict(set)
    for tune, form in zip(windows["tune"].tolist(), interval_form(windows["tokens"]), strict=True):
        forms[tune].add(form.tobytes())
    tunes = sorted(forms)
    for tune, cluster in zip(tunes, clusters([forms[tune] for tune in tunes]), strict=True):
        first = entries[tunes[cluster]]
        entries[tune].cluster = str(first.tune)
        entries[tune].split = split_of(first.sha256)


def without_repeats(entries: list[Entry], windows: dict[str, np.ndarray], counts: Counter) -> dict[str, np.ndarray]:
    """One copy of each window in its split, and none that an earlier split holds in any key; counts what is dropped."""
    windows["split"] = np.array([SPLITS.index(entries[tune].split) for tune in windows["tune"]], np.uint8)
    seen: set[tuple[int, bytes]] = set()
    rows = [(split, row.tobytes()) for split, row in zip(windows["split"].tolist(), windows["tokens"], strict=True)]
    repeated = np.array([row in seen or seen.add(row) is not None for row in rows], bool)
    leaking = leaks(windows["tokens"], windows["split"]) & ~repeated
    for reason, dropped in (("repeated in its split", repeated), ("found in an earlier split in some key", leaking)):
        counts.update((entries[tune].book, reason) for tune in windows["tune"][dropped])
    return {name: values[~repeated & ~leaking] for name, values in windows.items()}


def arrays(entries: list[Entry], windows: dict[int, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What the npz holds: every bar once, and the windows as places in the bars."""
    played = [run.tokens for entry in entries for run in entry.runs]
    tune = [np.full(sum(len(run.tokens) for run in entry.runs), entry.tune, np.uint16) for entry in entries]
    number = [np.arange(len(own), dtype=np.uint16) for own in tune]
    data = {"bars": np.concatenate(played), "bar_tune": np.concatenate(tune), "bar_number": np.concatenate(number)}
    for bars, kept in windows.items():
        data[f"start_{bars}"], data[f"split_{bars}"] = kept["start"].astype(np.uint32), kept["split"]
    return data


def npz_bytes(data: dict[str, np.ndarray]) -> bytes:
    """An npz with fixed times and no compression: compressors differ from machine to machine, bytes do not."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, values in data.items():
            member = io.BytesIO()
            little_endian = values.astype(values.dtype.newbyteorder("<"))
            np.lib.format.write_array(member, little_endian, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # the same on Windows, which would write 0
            archive.writestr(entry, member.getvalue())
    return buffer.getvalue()


def manifest_bytes(entries: list[Entry]) -> bytes:
    """One line per tune, in the order of the tunes' indices."""
    text = io.StringIO(newline="")
    names = [name for name in Entry.__dataclass_fields__ if name != "runs"]
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(vars(entry) for entry in entries)
    return text.getvalue().encode("utf-8")


def counts_bytes(entries: list[Entry], windows: dict, reasons: dict[int, Counter], npz: bytes) -> bytes:
    """What was kept and what was dropped, by book, and the SHA-256 of the npz."""
    counts: dict = {
        "sha256": {"folk_melodies.npz": hashlib.sha256(npz).hexdigest()},
        "source": {"music21": MUSIC21, **{book: expected for book, (_, expected) in BOOKS.items()}},
        "tunes": {book: Counter(e.outcome.split(":")[0] for e in entries if e.book == book) for book in BOOKS},
        "tunes by split": {book: Counter(e.split for e in entries if e.book == book and e.split) for book in BOOKS},
    }
    for bars, kept in windows.items():
        book = np.array([entries[tune].book for tune in kept["tune"]])
        by_split = {name: kept["split"] == index for index, name in enumerate(SPLITS)}
        forms = {name: len(np.unique(interval_form(kept["tokens"][own]), axis=0)) for name, own in by_split.items()}
        counts[f"windows of {bars} bars"] = {
            "kept": len(book),
            "kept by book and split": {
                b: {name: int((own & (book == b)).sum()) for name, own in by_split.items()} for b in BOOKS
            },
            "distinct up to transposition": forms,
            "kept with a note moved to the grid": {b: int((kept["moved"] & (book == b)).sum()) for b in BOOKS},
            "cut and dropped by book": {
                b: {why: n for (own, why), n in reasons[bars].items() if own == b} for b in BOOKS
            },
        }
    return (json.dumps(counts, indent=2, sort_keys=True) + "\n").encode("utf-8")


def build(folder: Path) -> dict[str, bytes]:
    """Build the data set and write its three files into `folder`."""
    entries = read_tunes(source_files())
    windows, reasons = {}, {}
    for bars in WINDOW_BARS:
        windows[bars], reasons[bars] = cut_windows(entries, bars)
    assign_splits(entries, windows[2])
    for bars in WINDOW_BARS:
        windows[bars] = without_repeats(entries, windows[bars], reasons[bars])
    for entry in entries:
        entry.windows_2, entry.windows_16 = (int((windows[bars]["tune"] == entry.tune).sum()) for bars in WINDOW_BARS)
        if entry.runs:
            entry.outcome = (
                "used"
                if entry.windows_2
                else "no window: " + ("all are held elsewhere" if entry.split else "too short, or off the grid")
            )
    npz = npz_bytes(arrays(entries, windows))
    files = {
        "folk_melodies.npz": npz,
        "manifest.csv": manifest_bytes(entries),
        "counts.json": counts_bytes(entries, windows, reasons, npz),
    }
    for name, data in files.items():
        write_whole(folder / name, data)
    return files


def main(arguments: list[str]) -> int:
    """The command line: an optional folder to write to."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    try:
        files = build(folder)
    except (SourceError, FileNotFoundError) as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    for name, data in files.items():
        print(f"{folder / name}: {len(data):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
