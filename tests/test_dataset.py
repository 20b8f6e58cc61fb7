"""Data sets of any representation: what fits together, parts, sources, selection."""

import numpy as np
import pytest
from toy_representation import TOY

from mvae_lib.data.dataset import Dataset
from mvae_lib.data.folk import folk_melodies
from mvae_lib.data.shipped import shipped_data
from mvae_lib.data.splits import SPLITS
from mvae_lib.music.representation import REPRESENTATIONS


@pytest.fixture
def data() -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(
        tokens=rng.integers(0, 90, (60, 48)),
        source=np.array(["x", "y", "z"])[np.arange(60) % 3],
        parts=np.array(SPLITS)[np.arange(60) // 20],
        control=rng.random((60, 48, 4)),
    )


def test_arrays_alone_are_enough():
    tokens = np.arange(64).reshape(2, 32)
    data = Dataset(tokens=tokens)
    assert data.tokens.dtype == np.uint8 and np.array_equal(data.tokens, tokens)
    assert (data.bars, data.split, data.sources, len(data)) == (2, "all", ("all",), 2)
    assert data.sha256 == Dataset(tokens=tokens.astype(np.int16)).sha256 != Dataset(tokens=tokens[::-1]).sha256


def test_selection_takes_all_that_belongs_to_a_window(data):
    part = data[data.source == "y"]
    assert len(part) == 20 and set(part.source) == {"y"}
    assert np.array_equal(part.control, data.control[1::3]) and part.control.dtype == np.float32
    assert np.array_equal(part.parts, data.parts[1::3])
    drawn = data.sample(7, seed=2)
    rows = [int(np.flatnonzero((data.tokens == row).all(1))[0]) for row in drawn.tokens]
    assert len(set(rows)) == 7 and np.array_equal(drawn.control, data.control[rows])
    assert np.array_equal(np.sort(data.shuffled(1).tokens, 0), np.sort(data.tokens, 0))
    with pytest.raises(ValueError, match="cannot sample 61"):
        data.sample(61, seed=0)
    with pytest.raises(TypeError, match=r"data.tokens\[3\]"):
        data[3]


def test_parts(data):
    for number, split in enumerate(SPLITS):
        part = data.part(split)
        assert part.split == split and part.parts is None and part.sha256 == data.sha256
        assert np.array_equal(part.tokens, data.tokens[20 * number : 20 * number + 20])
    assert len(data[:20].part("test")) == 0
    train = data.part("train")
    assert train.part("train") is train
    with pytest.raises(ValueError, match="no part 'test' here: these windows are all of 'train'"):
        train.part("test")
    folk = folk_melodies(2, "test")
    assert folk.part("test") is folk


def test_few_sources_stay_and_the_small_ones_of_many_become_one(data):
    assert data.with_main_sources(3) is data
    many = Dataset(tokens=data.tokens, source=np.array(["a"] * 30 + ["b"] * 15 + ["c"] * 10 + ["d"] * 5))
    assert many.sources == ("a", "b", "c", "d")
    few = many.with_main_sources(3)
    assert few.sources == ("a", "b", "other") and (few.source == "other").sum() == 15


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tokens": np.zeros((2, 40), int)}, "whole bars"),
        ({"tokens": np.zeros((2, 32), int), "bars": 4}, "4 bars of 16 steps"),
        ({"tokens": np.full((2, 32), 90)}, "0 to 89"),
        ({"tokens": np.zeros(32, int)}, r"\[windows, steps\]"),
        ({"tokens": np.zeros((2, 32), int), "source": np.array(["a"])}, "source has 1 entries for 2"),
        ({"tokens": np.zeros((2, 32), int), "control": np.zeros((2, 3))}, r"\[windows, 32 steps, depth\]"),
        ({"tokens": np.zeros((2, 32), int), "representation": "waltz"}, "there are: melody"),
    ],
)
def test_what_does_not_fit_is_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        Dataset(**change)


def test_two_tracks_are_a_data_set_too(monkeypatch):
    monkeypatch.setitem(REPRESENTATIONS, "toy", TOY)
    data = Dataset(tokens=np.ones((5, 16, 2), int), representation="toy")
    assert data.bars == 1 and data[1:3].tokens.shape == (2, 16, 2)


def test_the_shipped_data_go_by_representation():
    assert np.array_equal(shipped_data("melody", 2, "test").tokens, folk_melodies(2, "test").tokens)
    assert folk_melodies(2, "test").sources == ("aird", "ryan", "oneill")
    with pytest.raises(ValueError, match=r"no data set of toy comes with the course.*; use MIDI files of your own"):
        shipped_data("toy", 2, "test")
    with pytest.raises(ValueError, match="2 and 16 bars only, and 4"):
        shipped_data("melody", 4, "test")
