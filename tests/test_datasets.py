"""The folk melodies as shipped: whole, canonical, split without leakage, and what the builder builds."""

import csv
import importlib.metadata
import importlib.util
import json
import re
import shutil
import sys

import numpy as np
import pytest
from abc_notation import parse_tune
from windows import longest_silence, runs

from mvae_lib.data.folk import BOOKS, WINDOW_BARS, data_folder, folk_melodies, random_transpose, transpose_to_all_keys
from mvae_lib.data.splits import SPLITS, clusters, interval_form, leaks, split_of
from mvae_lib.music.melody import MAX_PITCH, MIN_PITCH, canonical, is_note_on, note_on, pitches, tokens_to_notes

FILES = ("folk_melodies.npz", "manifest.csv", "counts.json")


@pytest.fixture(scope="module")
def everything():
    return {(bars, split): folk_melodies(bars, split) for bars in WINDOW_BARS for split in SPLITS}


def forms_of(tokens: np.ndarray) -> set[bytes]:
    """The melodies as intervals from their first note, written independently of the builder's own form."""
    forms = set()
    for row in tokens:
        notes = tokens_to_notes(row)
        forms.add(repr([(n.pitch - notes[0].pitch, n.start, n.end) for n in notes]).encode())
    return forms


# --- the shipped files ---


def test_shapes_and_sources(everything):
    for (bars, split), data in everything.items():
        assert data.tokens.dtype == np.uint8 and data.tokens.shape == (len(data), 16 * bars)
        assert len(data.tune) == len(data.bar) == len(data.book) == len(data) > 0
        assert (data.bars, data.split) == (bars, split)
        assert all(data.tunes[tune].split == split for tune in np.unique(data.tune))
        assert all(data.tunes[tune].book == book for tune, book in zip(data.tune, data.book, strict=True))


def test_every_book_is_in_every_split(everything):
    for data in everything.values():
        assert set(data.book) == set(BOOKS)


def test_windows_are_canonical_melodies_and_distinct(everything):
    for (bars, _), data in everything.items():
        assert np.array_equal(canonical(data.tokens), data.tokens)
        assert is_note_on(data.tokens).sum(axis=1).min() >= 2 * bars
        assert longest_silence(data.tokens).max() < 16
        assert len(np.unique(data.tokens, axis=0)) == len(data)


@pytest.mark.parametrize("bars", WINDOW_BARS)
def test_no_window_of_one_split_is_in_another_in_any_key(everything, bars):
    train, validation, test = (forms_of(everything[bars, split].tokens) for split in SPLITS)
    assert not train & validation and not train & test and not validation & test


def test_no_cluster_is_in_two_splits(everything):
    tunes = everything[2, "train"].tunes
    assert len({(tune.cluster, tune.split) for tune in tunes if tune.cluster}) == len(
        {tune.cluster for tune in tunes if tune.cluster}
    )


def test_counts_agree_with_the_data(everything):
    counts = json.loads((data_folder() / "counts.json").read_text(encoding="utf-8"))
    for bars in WINDOW_BARS:
        told = counts[f"windows of {bars} bars"]
        assert told["kept"] == sum(len(everything[bars, split]) for split in SPLITS)
        for book in BOOKS:
            kept = {split: int((everything[bars, split].book == book).sum()) for split in SPLITS}
            assert told["kept by book and split"][book] == kept
            dropped = dict(told["cut and dropped by book"][book])
            assert dropped.pop("cut") - sum(dropped.values()) == sum(kept.values())
    assert sum(sum(book.values()) for book in counts["tunes"].values()) == len(everything[2, "train"].tunes)


def test_manifest_has_no_mail_addresses():
    text = (data_folder() / "manifest.csv").read_text(encoding="utf-8")
    assert "@" not in text
    for row in csv.DictReader(text.splitlines()):
        assert row["outcome"] and len(row["sha256"]) == 64


# --- the loader ---


def test_wrong_choices_list_the_right_ones():
    with pytest.raises(ValueError, match="2, 16, not 4"):
        folk_melodies(bars=4)
    with pytest.raises(ValueError, match="train, validation, test, not 'dev'"):
        folk_melodies(split="dev")


def test_selection_and_sampling(everything):
    data = everything[2, "test"]
    ryan = data[data.book == "ryan"]
    assert set(ryan.book) == {"ryan"} and len(ryan) == (data.book == "ryan").sum()
    assert np.array_equal(data[3:5].tokens, data.tokens[3:5])
    assert data[[4]].title(0) == data.title(4) == data.tunes[data.tune[4]].title
    sample = data.sample(20, seed=3)
    assert np.array_equal(sample.tokens, data.sample(20, seed=3).tokens)
    assert not np.array_equal(sample.tokens, data.sample(20, seed=4).tokens)
    assert len(np.unique(sample.tokens, axis=0)) == 20
    shuffled = data.shuffled(seed=1)
    assert not np.array_equal(shuffled.tokens, data.tokens)
    assert np.array_equal(np.sort(shuffled.tune), np.sort(data.tune))
    with pytest.raises(ValueError, match="cannot sample"):
        data.sample(len(data) + 1, seed=0)
    with pytest.raises(TypeError, match=r"data.tokens\[0\]"):
        data[0]


def test_damaged_and_missing_files_are_told(tmp_path):
    for name in FILES:
        shutil.copy(data_folder() / name, tmp_path)
    assert len(folk_melodies(folder=tmp_path)) == len(folk_melodies())
    npz = tmp_path / "folk_melodies.npz"
    content = bytearray(npz.read_bytes())
    content[5000] ^= 1
    npz.write_bytes(content)
    with pytest.raises(RuntimeError, match=r"folk_melodies\.npz is damaged"):
        folk_melodies(folder=tmp_path)
    npz.unlink()
    with pytest.raises(FileNotFoundError, match=r"folk_melodies\.npz is missing"):
        folk_melodies(folder=tmp_path)
    (tmp_path / "counts.json").write_text("{", encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"counts\.json is damaged"):
        folk_melodies(folder=tmp_path)


def test_random_transpose_moves_each_melody_by_one_interval(everything):
    tokens = everything[2, "validation"].sample(400, seed=1).tokens
    moved = random_transpose(tokens, np.random.default_rng(5))
    assert moved.dtype == tokens.dtype
    assert np.array_equal(np.where(is_note_on(moved), 0, moved), np.where(is_note_on(tokens), 0, tokens))
    intervals = []
    for before, after in zip(tokens, moved, strict=True):
        shift = np.unique(pitches(after) - pitches(before))
        assert len(shift) == 1
        intervals.append(int(shift[0]))
    assert set(intervals) == set(range(-5, 6))
    assert np.array_equal(moved, random_transpose(tokens, np.random.default_rng(5)))
    rng = np.random.default_rng(5)
    assert not np.array_equal(random_transpose(tokens, rng), random_transpose(tokens, rng))


def test_random_transpose_stays_in_range_and_leaves_silence_alone():
    edge = np.tile(
        np.array([[note_on(MIN_PITCH), 0, 1, 0], [note_on(MAX_PITCH), 0, 1, 0], [0, 0, 0, 0]], np.uint8), (50, 1)
    )
    moved = random_transpose(edge, np.random.default_rng(0))
    assert pitches(moved).min() == MIN_PITCH and pitches(moved).max() == MAX_PITCH
    assert not moved[2::3].any()
    assert np.array_equal(moved, random_transpose(moved, np.random.default_rng(0), semitones=0))
    with pytest.raises(ValueError, match=r"\[B, T\]"):
        random_transpose(edge[0], np.random.default_rng(0))


# --- from tunes to windows ---


def run_tokens(music: str, metre: str = "4/4") -> list[list[list[int]]]:
    tune = parse_tune(f"X:1\nT:Test\nM:{metre}\nL:1/4\nK:C\n{music}\n")
    return [[[int(token) for token in bar] for bar in run.tokens] for run in runs(tune)]


def bar(*events: tuple[int, int]) -> list[int]:
    """A bar with the token `events[i][1]` at step `events[i][0]`."""
    tokens = [0] * 16
    for step, token in events:
        tokens[step] = token
    return tokens


C, D, E, F, OFF = note_on(60), note_on(62), note_on(64), note_on(65), 1


def test_a_bar_on_the_grid():
    assert run_tokens("C D/E/ z F|") == [[bar((0, C), (4, D), (6, E), (8, OFF), (12, F))]]
    assert run_tokens("C4|C4-|C4|") == [[bar((0, C)), bar((0, C)), bar()]]


def test_pickups_are_padded_left_and_last_bars_right():
    pickup, whole, last = bar((12, C)), bar((0, D)), bar((0, E), (12, OFF))
    assert run_tokens("C|D4|E3|]") == [[pickup, whole, last]]


def test_a_repeat_sign_inside_a_bar_joins_its_halves():
    seam = bar((0, E), (12, C))
    assert run_tokens("C|D4|E3:|") == [[bar((12, C)), bar((0, D)), seam, bar((0, D)), bar((0, E), (12, OFF))]]


def test_two_bars_of_2_4_make_one():
    assert run_tokens("C2|D2|E2|F2|", "2/4") == [[bar((0, C), (8, D)), bar((0, E), (8, F))]]
    assert run_tokens("C|D2|E2|F|]", "2/4") == [[bar((12, C)), bar((0, D), (8, E))]]


def test_a_part_of_an_odd_number_of_2_4_bars_does_not_shift_the_next():
    assert run_tokens("C2|D2|E2||F2|C2|]", "2/4") == [[bar((0, C), (8, D))], [bar((0, F), (8, C))]]


def test_a_bar_of_the_wrong_length_or_another_metre_ends_a_run():
    assert run_tokens("C4|D3|E4|") == [[bar((0, C))], [bar((0, E))]]
    assert run_tokens("C4|D4E|E4|") == [[bar((0, C))], [bar((0, E))]]
    assert run_tokens("C4|[M:3/4]D3|[M:4/4]E4|") == [[bar((0, C))], [bar((0, E))]]
    assert run_tokens("C3|D3|", "3/4") == []


def read_run(body):
    (run,) = runs(parse_tune(f"X:1\nM:4/4\nL:1/4\nK:C\n{body}"))
    return run


def test_a_triplet_of_eighths_moves_to_the_nearest_steps():
    run = read_run("C4|(3D/E/F/ C D2|C4|")
    assert run.fits.all()
    assert run.moved.tolist() == [False, True, False]
    assert np.array_equal(run.tokens[1], bar((0, D), (1, E), (3, F), (4, C), (8, D)))


@pytest.mark.parametrize("too_fine", ["(3D/4E/4F/4 C7/2", "D/8E/8F/4 C7/2", "C7/2 (3D/4E/4F/4"])
def test_what_has_no_step_of_its_own_does_not_fit(too_fine):
    assert read_run(f"C4|{too_fine}|C4|").fits.tolist() == [True, False, True]


def test_triplets_of_quarters_move_too():
    run = read_run("(3DEF D2|")
    assert run.fits.all()
    assert np.array_equal(run.tokens[0], bar((0, D), (3, E), (5, F), (8, D)))


def test_windows_are_found_by_title_and_a_misspelt_one_gets_help(everything):
    data = everything[2, "test"]
    title = data.title(100)
    found = data.windows_of(title)
    assert 100 in found
    assert {data.title(window) for window in found} == {title}
    assert (np.diff(data.bar[found]) >= 0).all()
    with pytest.raises(ValueError, match="similar titles: .*" + re.escape(title)):
        data.windows_of(title[:-1])


def test_in_every_key_moves_each_melody_by_each_of_twelve_intervals():
    tokens = np.array([bar((0, C), (4, E), (8, OFF)), bar((0, F))])
    moved = transpose_to_all_keys(tokens)
    assert moved.shape == (24, 16)
    assert sorted(moved[0::2, 0].tolist()) == [C + shift for shift in range(-5, 7)]
    assert (moved[0::2, 8] == OFF).all()
    assert len(np.unique(interval_form(moved[0::2]), axis=0)) == 1


# --- splitting ---


def test_interval_form_is_the_same_in_every_key():
    tokens = np.array([bar((0, C), (4, E), (8, OFF)), bar((0, D), (4, note_on(66)), (8, OFF))])
    first, second = interval_form(tokens)
    assert np.array_equal(first, second)
    assert not np.array_equal(interval_form(np.array([bar((0, C), (4, F), (8, OFF))]))[0], first)


def test_clusters_need_two_windows_and_a_fifth():
    tunes = [{b"a", b"b", b"c"}, {b"a", b"b"}, {b"c", b"d"}, {b"d", b"e"} | {str(i).encode() for i in range(9)}]
    assert clusters(tunes) == [0, 0, 2, 3]
    many = {str(i).encode() for i in range(20)}
    assert clusters([many, {b"0", b"1"} | {str(-i).encode() for i in range(1, 9)}]) == [0, 0]
    assert clusters([many, {b"0", b"1"} | {str(-i).encode() for i in range(1, 10)}]) == [0, 1]
    assert clusters([{b"a", b"b"}, {b"c", b"d"}, {b"a", b"b", b"c", b"d"}]) == [0, 0, 0]


def test_the_hash_shares_out_80_10_10():
    names = [split_of(f"tune {i}") for i in range(5000)]
    shares = [names.count(split) / len(names) for split in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


def test_leaks_go_from_the_smaller_side():
    melody, higher, other = bar((0, C), (4, E)), bar((0, D), (4, note_on(66))), bar((0, C), (4, F))
    tokens = np.array([melody, higher, other, other, higher])
    assert leaks(tokens, np.array([0, 1, 1, 2, 2])).tolist() == [False, True, False, True, True]


# --- the builder ---


@pytest.fixture(scope="module")
def builder():
    path = data_folder() / "build.py"
    spec = importlib.util.spec_from_file_location("build_folk_melodies", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_a_rebuild_gives_the_shipped_files(builder, tmp_path):
    if importlib.metadata.version("music21") != builder.MUSIC21:
        pytest.skip(f"the books are taken from music21 {builder.MUSIC21}")
    assert builder.main([str(tmp_path)]) == 0
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (data_folder() / name).read_bytes(), name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_the_builder_refuses_other_sources(builder, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(builder.importlib.metadata, "version", lambda name: "9.0.0")
    assert builder.main([str(tmp_path)]) == 1
    assert "music21 9.0.0 is installed" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setitem(builder.BOOKS, "ryan", ("ryansMammoth", "0" * 64))
    with pytest.raises(builder.SourceError, match="ryansMammoth"):
        builder.source_files()
    assert not list(tmp_path.iterdir())
