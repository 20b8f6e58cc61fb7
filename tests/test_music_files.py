"""Reading one melody out of a file, writing one, and names that are fit to be shown."""

import numpy as np
import pretty_midi
import pytest
import torch
from midi_folders import CUT_SHORT, tunes
from toy_representation import TOY

from mvae_lib.music.files import bar_ranges, list_file, printable, read_melody, read_windows, write_midi
from mvae_lib.music.midi import midi_to_tokens, read_midi, tokens_to_midi
from mvae_lib.music.representation import REPRESENTATIONS


@pytest.fixture(scope="module")
def tune() -> np.ndarray:
    return tunes(1, bars=4)[0]


@pytest.fixture
def path(tmp_path, tune):
    midi = tokens_to_midi(tune, name="low")
    midi.instruments += tokens_to_midi(np.where(tune > 1, tune + 5, tune), name="high").instruments
    write_midi(midi, tmp_path / "two.mid")
    return tmp_path / "two.mid"


def test_the_first_window_or_the_chosen_one(path, tune):
    assert np.array_equal(read_melody(path), tune[:32])
    assert np.array_equal(read_melody(str(path), bars=4), tune)
    assert np.array_equal(read_melody(path, track=1, bar=3), np.where(tune > 1, tune + 5, tune)[32:])
    assert np.array_equal(read_melody(path, bar=3), tune[32:])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"track": 5}, "track 5 has no window of 2 bars; these have: 0, 1"),
        ({"bar": 9}, "begins at bar 9; there are windows at bars 1 to 3"),
        ({"bars": 5}, "the longest has 4 of the 5 bars"),
        ({"bars": 0}, "at least 1 bar"),
    ],
)
def test_a_window_that_is_not_there(path, options, reason):
    with pytest.raises(ValueError, match=reason):
        read_melody(path, **options)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for name, content, reason in (("cut.mid", CUT_SHORT, "damaged"), ("none.mid", None, "no such file")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        for read in (read_melody, list_file):
            with pytest.raises(ValueError, match=f"{name}: .*{reason}"):
                read(tmp_path / name)


def test_a_score_is_read_as_what_can_be_read_from_scores(tmp_path, monkeypatch):
    monkeypatch.setitem(REPRESENTATIONS, "toy", TOY)
    with pytest.raises(ValueError, match=r"song.mxl: a score cannot be read as toy"):
        read_windows(tmp_path / "song.mxl", 2, "toy")


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, list])
def test_what_is_written_is_read_again(tmp_path, tune, kind):
    write_midi(kind(tune), tmp_path / "tune.mid", tempo=90)
    midi = read_midi(tmp_path / "tune.mid")
    assert np.array_equal(midi_to_tokens(midi, len(tune)), tune)
    assert midi.get_tempo_changes()[1] == pytest.approx([90], rel=1e-4)  # whole microseconds
    assert midi.instruments[0].name == "tune"


def test_what_is_no_piece_of_music_is_not_written(tmp_path, tune):
    for wrong, reason in ((np.stack([tune, tune]), "shape"), (np.full(32, 90), "0 to 89"), (tune / 2, "integers")):
        with pytest.raises((ValueError, TypeError), match=reason):
            write_midi(wrong, tmp_path / "wrong.mid")
    assert not list(tmp_path.iterdir())


def test_names_are_shown_without_what_a_terminal_would_obey():
    assert printable("a\x1b[2Jb\r\nc\x00") == r"a\x1b[2Jb c\x00"
    assert printable("ゆき ♯") == "ゆき ♯"
    assert len(printable("x" * 100)) == 40 and printable("x" * 100, None) == "x" * 100
    assert printable("bad\udcff") == r"bad\udcff"


def test_ranges_of_bars():
    assert bar_ranges([3, 1, 2, 7, 2]) == "bars 1 to 3, 7"
    assert bar_ranges([4]) == "bar 4"
    assert bar_ranges(list(range(1, 40, 2))).endswith("and 14 more ranges")


def test_a_metre_can_be_assumed_where_that_of_the_file_is_wrong(tmp_path, tune):
    music = tokens_to_midi(tune)
    music.time_signature_changes = [pretty_midi.TimeSignature(3, 4, 0.0)]
    music.write(str(tmp_path / "waltz.mid"))
    with pytest.raises(ValueError, match="3/4"):
        read_melody(tmp_path / "waltz.mid")
    assert np.array_equal(read_melody(tmp_path / "waltz.mid", bars=4, assume_metre="4/4"), tune)
