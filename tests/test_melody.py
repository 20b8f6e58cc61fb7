import numpy as np
import pytest

from mvae_lib.music import melody
from mvae_lib.music.melody import NO_EVENT, NOTE_OFF, STEPS_PER_BAR, VOCABULARY, Note, note_on

C4, D4, E4 = note_on(60), note_on(62), note_on(64)


def random_tokens(seed: int, *shape: int) -> np.ndarray:
    """Any classes at all, with more holds, note-offs and repeated pitches than chance would give."""
    generator = np.random.default_rng(seed)
    likely = generator.choice([NO_EVENT, NO_EVENT, NOTE_OFF, C4, D4], shape)
    return np.where(generator.random(shape) < 0.2, generator.integers(0, VOCABULARY, shape), likely).astype(np.uint8)


def random_notes(generator: np.random.Generator, steps: int) -> list[Note]:
    edges = np.sort(generator.choice(steps + 1, size=2 * generator.integers(1, steps // 2), replace=False)).tolist()
    pitches = generator.integers(melody.MIN_PITCH, melody.MAX_PITCH + 1, len(edges) // 2).tolist()
    return [Note(pitch, *span) for pitch, span in zip(pitches, zip(edges[::2], edges[1::2], strict=True), strict=True)]


def bar(*events: int) -> np.ndarray:
    return np.array([*events, *[NO_EVENT] * (STEPS_PER_BAR - len(events))], np.uint8)


def heard(tokens: np.ndarray) -> list[int | None]:
    """What sounds at each step, worked out from the definition of the classes: the pitch, or None."""
    sounding, steps = None, []
    for token in tokens.tolist():
        if token == NOTE_OFF:
            sounding = None
        elif token != NO_EVENT:
            sounding = token + 19
        steps.append(sounding)
    return steps


@pytest.mark.parametrize(
    ("tokens", "notes"),
    [
        (bar(), []),
        (bar(C4), [Note(60, 0, 16)]),
        (bar(C4, 0, 0, 0, NOTE_OFF), [Note(60, 0, 4)]),
        (bar(0, 0, 0, 0, C4, 0, D4), [Note(60, 4, 6), Note(62, 6, 16)]),
        (bar(C4, C4, C4), [Note(60, 0, 1), Note(60, 1, 2), Note(60, 2, 16)]),
        (bar(C4, NOTE_OFF, E4, NOTE_OFF), [Note(60, 0, 1), Note(64, 2, 3)]),
        (bar(*[0] * 15, C4), [Note(60, 15, 16)]),
        (bar(2, 89), [Note(21, 0, 1), Note(108, 1, 16)]),
    ],
)
def test_bars_made_by_hand(tokens, notes):
    assert melody.tokens_to_notes(tokens) == notes
    assert np.array_equal(melody.notes_to_tokens(notes, STEPS_PER_BAR), tokens)


@pytest.mark.parametrize("seed", range(50))
def test_notes_survive_the_way_through_tokens(seed):
    generator = np.random.default_rng(seed)
    steps = int(generator.integers(6, 300))
    notes = random_notes(generator, steps)
    assert melody.tokens_to_notes(melody.notes_to_tokens(notes, steps)) == notes


@pytest.mark.parametrize("seed", range(50))
def test_tokens_come_back_canonical_from_notes(seed):
    tokens = random_tokens(seed, 64)
    again = melody.notes_to_tokens(melody.tokens_to_notes(tokens), 64)
    assert again.dtype == np.uint8
    assert np.array_equal(again, melody.canonical(tokens))


@pytest.mark.parametrize("seed", range(20))
def test_canonical_tokens_sound_the_same_and_end_only_what_sounds(seed):
    tokens = random_tokens(seed, 3, 5, 48)
    canonical = melody.canonical(tokens)
    assert canonical.shape == tokens.shape
    assert np.array_equal(melody.canonical(canonical), canonical)
    for before, after in zip(tokens.reshape(-1, 48), canonical.reshape(-1, 48), strict=True):
        assert heard(before) == heard(after)
        sounding = [None, *heard(after)]
        assert all(sounding[step] is not None for step in np.flatnonzero(after == NOTE_OFF))


def test_canonical_leaves_its_argument_alone():
    tokens = bar(NOTE_OFF, C4)
    melody.canonical(tokens)
    assert tokens[0] == NOTE_OFF


@pytest.mark.parametrize(
    "notes",
    [
        [Note(60, 0, 4), Note(62, 3, 5)],
        [Note(60, 4, 4)],
        [Note(60, 5, 4)],
        [Note(60, -1, 4)],
        [Note(60, 0, 17)],
        [Note(20, 0, 4)],
        [Note(109, 0, 4)],
    ],
    ids=["overlap", "no length", "backwards", "before", "beyond", "too low", "too high"],
)
def test_notes_without_tokens_are_refused(notes):
    with pytest.raises(ValueError):
        melody.notes_to_tokens(notes, STEPS_PER_BAR)


def test_notes_may_come_in_any_order():
    notes = [Note(64, 8, 12), Note(60, 0, 4)]
    assert melody.tokens_to_notes(melody.notes_to_tokens(notes, STEPS_PER_BAR)) == notes[::-1]


@pytest.mark.parametrize(
    ("tokens", "error"),
    [
        (np.zeros(16), TypeError),
        (np.array(3), ValueError),
        (np.zeros((2, 0), int), ValueError),
        (np.array([0, -1]), ValueError),
        (np.array([0, VOCABULARY]), ValueError),
    ],
)
def test_what_is_not_tokens_is_refused(tokens, error):
    for function in (melody.check_tokens, melody.canonical, melody.tokens_to_notes):
        with pytest.raises(error):
            function(tokens)


def test_a_batch_is_not_one_melody():
    with pytest.raises(ValueError, match="one row"):
        melody.tokens_to_notes(np.zeros((2, 16), np.uint8))


@pytest.mark.parametrize("semitones", [-5, -1, 0, 1, 5])
def test_transposition_moves_notes_and_nothing_else(semitones):
    tokens = melody.canonical(np.clip(random_tokens(7, 4, 64), 0, 80))
    tokens[(tokens > 1) & (tokens < 10)] = C4
    moved = melody.transpose(tokens, semitones)
    assert moved.dtype == tokens.dtype
    assert np.array_equal(melody.transpose(moved, -semitones), tokens)
    for before, after in zip(tokens, moved, strict=True):
        expected = [note._replace(pitch=note.pitch + semitones) for note in melody.tokens_to_notes(before)]
        assert melody.tokens_to_notes(after) == expected


@pytest.mark.parametrize(("pitch", "semitones"), [(21, -1), (108, 1), (60, 49), (60, -40)])
def test_transposition_out_of_range_is_refused(pitch, semitones):
    with pytest.raises(ValueError, match="21 to 108"):
        melody.transpose(bar(note_on(pitch)), semitones)


def test_each_class_has_one_name_and_each_pitch_one_class():
    names = [melody.describe(token) for token in range(VOCABULARY)]
    assert len(set(names)) == VOCABULARY
    assert names[:3] == ["no event", "note-off", "note-on A0"]
    assert names[C4] == "note-on C4" and names[-1] == "note-on C8"
    every = np.arange(VOCABULARY)
    assert melody.pitches(every).tolist() == list(range(melody.MIN_PITCH, melody.MAX_PITCH + 1))
    assert [note_on(pitch) for pitch in melody.pitches(every).tolist()] == every[melody.is_note_on(every)].tolist()
