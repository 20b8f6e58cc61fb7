"""A user's own folder: what is found, what is left out and why, parts that share nothing, and the cache."""

import os
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from midi_folders import BROKEN, moved, tunes, write_broken, write_tunes
from toy_representation import TOY

from mvae_lib.data import cache as kept
from mvae_lib.data import extraction_pool
from mvae_lib.data.extraction_pool import extract_file, extract_files
from mvae_lib.data.folder_report import FolderReport
from mvae_lib.data.midi_folder import FolderError, midi_folder
from mvae_lib.data.splits import SPLITS, interval_form
from mvae_lib.music.extraction import extract_melodies
from mvae_lib.music.midi import tokens_to_midi, write_midi
from mvae_lib.music.representation import MELODY, REPRESENTATIONS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def tune_tokens() -> list[np.ndarray]:
    return tunes(30)


@pytest.fixture(scope="module")
def made(tmp_path_factory, tune_tokens) -> Path:
    """36 files in two sub-folders, six of which are tunes of the other folder in another key, and three broken ones."""
    folder = tmp_path_factory.mktemp("made")
    write_tunes(folder / "first", tune_tokens[:20])
    write_tunes(folder / "second" / "deeper", tune_tokens[20:])
    write_tunes(folder / "second", [moved(tokens, 2) for tokens in tune_tokens[:6]], "again")
    write_broken(folder / "broken")
    return folder


@pytest.fixture
def folder(tmp_path, made) -> Path:
    """A copy of them, which a test may change."""
    return Path(shutil.copytree(made, tmp_path / "tunes"))


def read(folder: Path, **options):
    return midi_folder(folder, **{"workers": 1, "show_progress": False, **options})


def same(a, b) -> bool:
    rows = all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("tokens", "parts", "source", "file", "bar")
    )
    return rows and a.files == b.files and a.sha256 == b.sha256 and str(a.report) == str(b.report)


# --- what is found ---


def test_each_window_is_one_of_its_file_and_all_are_there_but_for_those_counted(folder):
    data = read(folder)
    found = [extract_melodies(folder / name, 2).tokens for name in data.files if not name.startswith("broken")]
    left_out = sum(item.count for item in data.report.left_out if item.kind == "windows")
    assert len(data) + left_out == sum(map(len, found))
    for file in (0, 1, 5):
        of_file = data.file == np.flatnonzero([not name.startswith("broken") for name in data.files])[file]
        assert {row.tobytes() for row in data.tokens[of_file]} <= {row.tobytes() for row in found[file]}
    assert set(data.sources) == {"first", "second"}
    assert data.report.windows == {split: int((data.parts == split).sum()) for split in SPLITS}
    assert min(data.report.windows.values()) > 0
    assert "bar" in data.title(0)


def test_no_window_of_one_part_is_in_another_in_any_key(folder):
    for bars in (2, 16):
        data = read(folder, bars=bars)
        forms = [{row.tobytes() for row in interval_form(data.part(split).tokens)} for split in SPLITS]
        assert not any(a & b for a, b in combinations(forms, 2))
        files = [set(data.file[data.parts == split].tolist()) for split in SPLITS]
        assert not any(a & b for a, b in combinations(files, 2))
        assert len(np.unique(data.tokens, axis=0)) == len(data)


def test_a_tune_and_the_same_in_another_key_are_on_one_side(tmp_path, tune_tokens):
    write_tunes(tmp_path / "tunes", tune_tokens[:12], "plain")
    write_tunes(tmp_path / "tunes", [moved(tokens, 3) for tokens in tune_tokens[:12]], "moved")
    data = read(tmp_path / "tunes")
    part = {int(file): split for file, split in zip(data.file, data.parts, strict=True)}
    for number in range(12):
        pair = [data.files.index(f"{name}_{number:03}.mid") for name in ("plain", "moved")]
        assert len({part[file] for file in pair if file in part}) == 1
    assert len(set(part.values())) == 3


def test_names_and_places_of_files_do_not_decide_the_parts(tmp_path, tune_tokens):
    write_tunes(tmp_path / "one", tune_tokens[:15], "a")
    write_tunes(tmp_path / "two" / "sub", tune_tokens[:15][::-1], "z")
    one, two = read(tmp_path / "one"), read(tmp_path / "two")
    by_window = [
        {row.tobytes(): split for row, split in zip(data.tokens, data.parts, strict=True)} for data in (one, two)
    ]
    assert by_window[0] == by_window[1]


def test_the_number_of_processes_changes_nothing(folder, monkeypatch):
    started = []
    running = extraction_pool._Reader._running
    monkeypatch.setattr(extraction_pool._Reader, "_running", lambda self: started.append(self) or running(self))
    several = read(folder, workers=2, cache=False)
    assert len(set(started)) == 2
    assert same(several, read(folder, cache=False))


def test_names_of_any_kind_are_found_and_those_of_the_file_system_are_not(tmp_path, tune_tokens):
    write_tunes(tmp_path / "tunes", tune_tokens[:1])
    content = (tmp_path / "tunes" / "tune_000.mid").read_bytes()
    for name in ("LOUD.MID", "song.kar", "späße.midi", "ゆき.RMI", "._hidden.mid", "notes.txt"):
        (tmp_path / "tunes" / name).write_bytes(content)
    assert set(read(tmp_path / "tunes").files) == {"LOUD.MID", "song.kar", "späße.midi", "tune_000.mid", "ゆき.RMI"}


def test_files_of_one_folder_are_sources_of_their_own(tmp_path, tune_tokens):
    write_tunes(tmp_path / "tunes", tune_tokens[:3])
    assert read(tmp_path / "tunes").sources == ("tune_000", "tune_001", "tune_002")


def test_a_script_without_a_guard_may_use_several_processes(folder, tmp_path):
    script = tmp_path / "script.py"
    line = f"midi_folder({str(folder)!r}, workers=2, show_progress=False)"
    script.write_text(f"from mvae_lib.data.midi_folder import midi_folder\nprint(len({line}))\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(len(read(folder)))], done.stderr


def test_a_process_that_dies_costs_one_file(folder, monkeypatch):
    paths = [folder / "first" / f"tune_{number:03}.mid" for number in range(6)]

    class Dying(extraction_pool._Reader):
        def extract(self, path):
            if path == paths[2]:
                self._running().kill()
            return super().extract(path)

    monkeypatch.setattr(extraction_pool, "_Reader", Dying)
    found = dict(extract_files(paths, "melody", 2, workers=2))
    assert sorted(found) == list(range(6))
    assert "ended without a response" in found[2].error
    assert all(len(found[index].tokens) for index in (0, 1, 3, 4, 5))


# --- what is left out ---


def test_broken_files_are_counted_with_their_reasons(folder):
    report = read(folder).report
    assert (report.files, report.used) == (39, 36)
    assert sum(item.count for item in report.of_kind("files")) == len(BROKEN)
    told = str(report)
    assert "36 of 39 files" in told and "broken/empty.mid" in told
    assert len(told.splitlines()) <= 15


def test_a_reason_is_counted_whatever_it_says_of_one_track():
    report = FolderReport("tunes", 2)
    for number in range(40):
        report.add(
            "tracks",
            f"instrument {number} (name {number}): its longest melody has {number} of 99 bars",
            f"{number}.mid",
        )
        report.add("files", "it is in 3/4 throughout", f"{number}.mid")
    report.add("files", "it is in 6/8 throughout", "x.mid")
    assert [item.count for item in report.of_kind("tracks")] == [40]
    assert [item.count for item in report.of_kind("files")] == [40, 1]
    assert report.of_kind("tracks")[0].examples == ["0.mid", "1.mid"]


def test_one_unforeseen_error_is_a_reason_and_no_end(folder, monkeypatch):
    def failing(path, bars):
        raise ZeroDivisionError("one bar of no beats")

    monkeypatch.setitem(REPRESENTATIONS, "melody", MELODY.__class__(**{**vars(MELODY), "from_midi": failing}))
    assert "ZeroDivisionError: one bar" in extract_file(folder / "first" / "tune_000.mid", "melody", 2).error


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "there is no folder"),
        (lambda path: path.write_bytes(b""), "is a file"),
        (lambda path: path.mkdir(), "holds no MIDI file"),
        (write_broken, "none of its 3 MIDI files gave a window of 2 bars"),
    ],
)
def test_a_folder_without_music_is_told_in_one_sentence(tmp_path, make, reason):
    make(tmp_path / "given")
    with pytest.raises(FolderError, match=reason) as error:
        read(tmp_path / "given")
    assert "given" in str(error.value) and "\n" not in str(error.value)


def test_wrong_choices(folder):
    with pytest.raises(ValueError, match="there are: melody"):
        read(folder, representation="waltz")
    with pytest.raises(ValueError, match="at least 1 bar"):
        read(folder, bars=0)


# --- the cache ---


def test_a_second_call_reads_no_file_again(folder, monkeypatch):
    first = read(folder)
    monkeypatch.setattr("mvae_lib.data.midi_folder.extract_files", lambda paths, *rest: iter([()] if paths else []))
    assert same(first, read(folder))


def test_other_bars_other_content_and_other_code_are_read_anew(folder, own_cache, tune_tokens):
    read(folder)
    before = read(folder, bars=4)
    assert before.bars == 4 and not same(before, read(folder))
    write_midi(tokens_to_midi(tune_tokens[25]), folder / "first" / "tune_000.mid")
    assert not same(before, read(folder, bars=4))
    key = kept.cache_key("0" * 64, "melody", 2)
    assert key not in (kept.cache_key("1" * 64, "melody", 2), kept.cache_key("0" * 64, "melody", 4))


@pytest.mark.parametrize("damage", [lambda content: content[:-20], lambda content: b"", lambda content: content[::-1]])
def test_a_damaged_entry_is_made_anew(folder, own_cache, damage):
    first = read(folder)
    entries = sorted(own_cache.rglob("*.bin"))
    assert len(entries) == 39
    for entry in entries:
        entry.write_bytes(damage(entry.read_bytes()))
    assert same(first, read(folder))
    assert all(extraction_pool.FileWindows.from_bytes(entry.read_bytes()) for entry in entries)


def test_a_moved_file_is_known_and_nothing_is_written_beside_the_music(folder, own_cache):
    before = sorted(folder.rglob("*"))
    read(folder)
    assert sorted(folder.rglob("*")) == before
    entries = len(list(own_cache.rglob("*.bin")))
    (folder / "first" / "tune_003.mid").rename(folder / "elsewhere.mid")
    read(folder)
    assert len(list(own_cache.rglob("*.bin"))) == entries


def test_a_cache_that_cannot_be_written_only_costs_time(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MVAE_CACHE", str(tmp_path / "file"))
    first = read(folder)
    assert same(first, read(folder))
    assert not list((tmp_path / "cache").rglob("*"))


# --- another representation ---


def test_a_representation_of_this_process_alone_is_read_by_this_process(tmp_path, monkeypatch):
    monkeypatch.setitem(REPRESENTATIONS, "toy", TOY)
    rng = np.random.default_rng(0)
    for number in range(30):
        steps = np.stack([rng.integers(0, 9, 64), rng.integers(0, 2, 64)], -1)
        (tmp_path / f"{number}.mid").write_text("toy " + "".join(map(str, steps.ravel())))
    (tmp_path / "bad.mid").write_text("toy")
    data = midi_folder(tmp_path, 2, "toy", workers=2, show_progress=False)
    assert data.representation == "toy" and data.tokens.shape == (60, 32, 2)
    assert all(len(data.part(split)) for split in SPLITS)
    assert sorted((item.kind, item.count) for item in data.report.left_out) == [("files", 1), ("tracks", 30)]
