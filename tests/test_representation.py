"""Representations: what the table holds, transposition for any number of tracks, and music made of tokens."""

from dataclasses import replace

import numpy as np
import pytest
from toy_representation import TOY

from mvae_lib.data.folk import folk_melodies, random_transpose, transpose_to_all_keys
from mvae_lib.music import melody
from mvae_lib.music.audio import synthesize
from mvae_lib.music.melody import MAX_PITCH, MIN_PITCH, VOCABULARY, is_note_on, note_on, pitches
from mvae_lib.music.midi import tokens_to_midi
from mvae_lib.music.representation import MELODY, REPRESENTATIONS, Representation, get_representation, is_shipped


@pytest.fixture(scope="module")
def melodies() -> np.ndarray:
    return folk_melodies(2, "test").tokens[:200]


@pytest.fixture
def pairs() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.stack([rng.integers(0, 9, (40, 32)), rng.integers(0, 2, (40, 32))], -1).astype(np.uint8)


def test_an_unknown_name_lists_those_there_are(monkeypatch):
    assert get_representation("melody") is MELODY
    monkeypatch.setitem(REPRESENTATIONS, "toy", TOY)
    assert get_representation("toy") is TOY
    with pytest.raises(ValueError, match=r"'drum'; there are: melody.*, toy"):
        get_representation("drum")


def test_a_line_of_text_names_what_is_imported_when_asked_for(tmp_path, monkeypatch):
    """The file of a representation imports `music.representation`, which therefore cannot import that file."""
    code = "from mvae_lib.music.representation import MELODY\nfrom dataclasses import replace\n"
    (tmp_path / "bells_by_text.py").write_text(code + "BELLS = replace(MELODY, name='bells')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(REPRESENTATIONS, "bells", "bells_by_text:BELLS")
    assert get_representation("bells").name == "bells"
    assert get_representation("bells") is get_representation("bells")
    assert is_shipped("melody") and not is_shipped("bells")  # which another process would not find


def test_the_type_holds_all_classes():
    assert MELODY.dtype is np.uint8 and MELODY.vocab_sizes == (VOCABULARY,)
    drums = Representation("drums", (512,), ("drums",), None, None, None, (None,))
    assert np.iinfo(drums.dtype).max >= 511


@pytest.mark.parametrize("tokens", [np.zeros(16, int), np.zeros((2, 16, 2), int), np.zeros((16, 3), int)])
def test_what_is_no_window_of_several_tracks_is_not_made_music(tokens):
    for make in (TOY.to_midi, TOY.synthesize):
        with pytest.raises(ValueError, match=r"toy have the shape|one window of toy has the shape"):
            make(tokens)


def test_classes_that_a_track_does_not_have_are_not_made_music():
    with pytest.raises(ValueError, match="drum has the classes 0 to 1, not 2 to 2"):
        TOY.to_midi(np.full((16, 2), 2))


@pytest.mark.parametrize(("field", "value"), [("pitched", None), ("programs", 14), ("track_names", "bells")])
def test_what_is_told_of_each_track_is_a_tuple(field, value):
    with pytest.raises(TypeError, match=f"{field} of the representation 'toy' is a tuple of one entry a track, not"):
        replace(TOY, **{field: value})


def test_each_track_needs_its_entries():
    with pytest.raises(ValueError, match="'two' needs one entry per track"):
        Representation("two", (9, 2), ("tune", "drum"), None, None, None, (None,))


# --- transposition ---


@pytest.mark.parametrize("semitones", [-7, 0, 4])
def test_transposition_moves_the_pitched_track_only(pairs, semitones):
    low = np.clip(pairs, 0, 1)  # of the nine classes, one above silence: room for 7 upwards
    if semitones < 0:
        with pytest.raises(ValueError, match="out of the range"):
            TOY.transpose(low, semitones)
        return
    moved = TOY.transpose(low, semitones)
    assert moved.dtype == low.dtype
    assert np.array_equal(moved[..., 1], low[..., 1])
    assert np.array_equal(moved[..., 0], np.where(low[..., 0] > 0, low[..., 0] + semitones, 0))


def test_a_representation_without_pitches_does_not_transpose(pairs):
    drums = Representation("drums", (9, 2), ("a", "b"), None, None, None, (None, None))
    assert drums.transpose is None
    assert drums.random_transpose(pairs, np.random.default_rng(0)) is pairs
    assert drums.transpose_to_all_keys(pairs) is pairs
    assert np.array_equal(drums.interval_form(pairs), pairs)


def test_random_transposition_keeps_intervals_and_range_in_each_window(pairs):
    moved = TOY.random_transpose(pairs, np.random.default_rng(1), semitones=5)
    assert np.array_equal(moved[..., 1], pairs[..., 1])
    assert not np.array_equal(moved, TOY.random_transpose(pairs[:, ::-1], np.random.default_rng(1)))
    assert moved[..., 0].max() <= 8 and np.array_equal(moved[..., 0] > 0, pairs[..., 0] > 0)
    for before, after in zip(pairs[..., 0].astype(int), moved[..., 0].astype(int), strict=True):
        assert len(np.unique((after - before)[before > 0])) == 1


def test_interval_forms_are_equal_for_transpositions_and_for_nothing_else(melodies, pairs):
    inner = melodies[(pitches_of(melodies, np.min) > 30) & (pitches_of(melodies, np.max) < 100)]
    form = MELODY.interval_form(inner)
    assert np.array_equal(form, MELODY.interval_form(MELODY.transpose(inner, 5)))
    assert len(np.unique(form, axis=0)) <= len(np.unique(inner, axis=0))
    low = np.minimum(pairs, 4)
    assert np.array_equal(TOY.interval_form(low), TOY.interval_form(TOY.transpose(low, 3)))
    other = low.copy()
    other[:, 5, 1] ^= 1  # another stroke of the drum
    assert (TOY.interval_form(low) != TOY.interval_form(other)).any(axis=(1, 2)).all()


def pitches_of(tokens: np.ndarray, least_or_most) -> np.ndarray:
    return np.array([least_or_most(pitches(row)) for row in tokens])


def test_melodies_are_transposed_by_the_same_law_everywhere(melodies):
    assert np.array_equal(
        random_transpose(melodies, np.random.default_rng(4)),
        MELODY.random_transpose(melodies, np.random.default_rng(4)),
    )
    assert np.array_equal(melody.transpose(melodies, 2), MELODY.transpose(melodies, 2))


def test_a_melody_at_the_edge_is_left_out_in_the_keys_that_it_cannot_have():
    inner, edge = np.zeros((2, 16), np.uint8)
    inner[0], edge[0], edge[4] = note_on(60), note_on(MIN_PITCH + 2), note_on(MAX_PITCH)
    moved = transpose_to_all_keys(np.stack([inner, edge]))
    assert len(moved) == 12 + 3  # down by 2 at most, and up not at all
    assert moved[is_note_on(moved)].max() < VOCABULARY


# --- checks ---


def test_windows_are_checked_by_track(pairs):
    assert TOY.check(pairs.astype(np.int64)).dtype == np.uint8
    with pytest.raises(ValueError, match=r"\[windows, steps, tracks\] with 2 tracks, not \[40, 32\]"):
        TOY.check(pairs[..., 0])
    with pytest.raises(ValueError, match="drum has the classes 0 to 1, not 0 to 8"):
        TOY.check(pairs[..., ::-1])
    with pytest.raises(TypeError, match="integers"):
        TOY.check(pairs.astype(float))


# --- music ---


def test_a_melody_becomes_the_midi_and_the_sound_that_it_always_was(melodies):
    ours, known = MELODY.to_midi(melodies[0], 90, "reel"), tokens_to_midi(melodies[0], 90, name="reel")
    assert [item.name for item in ours.instruments] == ["reel"]
    assert [vars(note) for note in ours.instruments[0].notes] == [vars(note) for note in known.instruments[0].notes]
    assert np.array_equal(MELODY.synthesize(melodies[0], 90), synthesize(melodies[0], 90))


def test_two_tracks_become_two_instruments(pairs):
    midi = TOY.to_midi(pairs[0], 120)
    assert [(item.name, item.program, item.is_drum) for item in midi.instruments] == [
        ("tune", 73, False),
        ("drum", 0, True),
    ]
    assert [len(item.notes) for item in midi.instruments] == (pairs[0] > 0).sum(0).tolist()
    assert len(TOY.synthesize(pairs[0], 120)) == 22_050 * 4


def test_a_grid_of_other_steps_lasts_as_long_as_its_bars():
    triplets = Representation(
        "triplets",
        (2,),
        ("drum",),
        None,
        lambda tokens: [[melody.Note(60, step, step + 1) for step in np.flatnonzero(tokens)]],
        None,
        (None,),
        steps_per_bar=12,
    )
    tokens = np.zeros(24, np.uint8)
    tokens[[0, 4, 12]] = 1
    assert [note.start for note in triplets.to_midi(tokens, 120).instruments[0].notes] == pytest.approx([0, 2 / 3, 2])
    assert len(triplets.synthesize(tokens, 120)) == 22_050 * 4
