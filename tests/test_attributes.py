import numpy as np
import pytest

from mvae_lib.music.attributes import (
    ATTRIBUTES,
    c_diatonic,
    mean_interval,
    mean_pitch,
    note_density,
    note_histogram,
    one_key,
    pitch_range,
    syncopation_8th,
    syncopation_16th,
)
from mvae_lib.music.melody import transpose

C4, D4, E4, F4, FS4, G4, A4, C5 = 41, 43, 45, 46, 47, 48, 50, 53
HAND_MADE = np.array([[C4, 0, E4, 0], [G4, G4, G4, G4], [C4, 1, 0, 0], [0, 0, 0, 0]], np.uint8)


def bar(**notes: int) -> np.ndarray:
    """16 steps with a note-on at each named step: bar(s0=C4, s6=E4)."""
    tokens = np.zeros(16, np.uint8)
    for step, token in notes.items():
        tokens[int(step[1:])] = token
    return tokens


def test_note_density_counts_onsets_only():
    assert note_density(HAND_MADE).tolist() == [0.5, 1.0, 0.25, 0.0]


def test_mean_pitch_ignores_holds_and_note_offs_and_is_nan_in_silence():
    assert mean_pitch(HAND_MADE[:3]).tolist() == [62.0, 67.0, 60.0]
    assert np.isnan(mean_pitch(HAND_MADE[3]))
    assert mean_pitch(HAND_MADE[:2].reshape(1, 2, 4)).shape == (1, 2)


def test_pitch_range_goes_from_the_lowest_to_the_highest_note():
    assert pitch_range(HAND_MADE[:3]).tolist() == [4.0, 0.0, 0.0]
    assert pitch_range(bar(s0=C4, s3=C5, s8=D4)) == 12


def test_mean_interval_is_the_size_of_the_steps_whatever_their_direction():
    assert mean_interval(bar(s0=C4, s4=E4, s8=C4)) == 4  # up 4, down 4
    assert mean_interval(bar(s0=C4, s1=D4, s2=D4, s15=C5)) == pytest.approx((2 + 0 + 10) / 3)
    assert mean_interval(bar(s3=C5, s7=C4)) == 12


def test_a_rest_does_not_part_two_notes():
    tokens = bar(s0=C4, s8=G4)
    tokens[4] = 1
    assert mean_interval(tokens) == 7


def test_c_diatonic_is_the_share_of_white_keys():
    assert c_diatonic(bar(s0=C4, s2=FS4, s4=A4, s6=F4)) == 0.75
    assert c_diatonic(bar(s0=FS4)) == 0
    scale = np.array([C4, D4, E4, F4, G4, A4, C4 + 11, C5], np.uint8)
    assert c_diatonic(scale) == 1
    assert c_diatonic(transpose(scale, 7)) == 7 / 8  # G major has an F sharp
    assert c_diatonic(transpose(scale, 12)) == 1


def test_a_weak_16th_is_syncopated_unless_a_note_leads_to_it():
    assert syncopation_16th(bar(s0=C4, s3=D4)) == 0.5
    assert syncopation_16th(bar(s0=C4, s1=D4, s2=E4, s3=C4)) == 0  # running 16ths
    assert syncopation_16th(bar(s0=C4, s4=D4, s6=E4)) == 0  # nothing on a weak 16th
    assert syncopation_16th(bar(s1=C4)) == 1  # nothing comes before the first step


def test_a_weak_8th_is_syncopated_unless_a_note_leads_to_it():
    assert syncopation_8th(bar(s0=C4, s6=D4)) == 0.5
    assert syncopation_8th(bar(s0=C4, s2=D4, s4=E4, s6=C4)) == 0  # running 8ths
    assert syncopation_8th(bar(s5=C4, s6=D4)) == 0  # led to by a 16th
    assert syncopation_8th(bar(s3=C4, s6=D4)) == 0.5  # a 16th three steps before leads nowhere
    assert syncopation_8th(bar(s0=C4, s4=D4, s8=E4, s12=C4)) == 0
    assert syncopation_8th(bar(s2=C4, s10=C4)) == 1


def test_a_held_note_leads_to_nothing():
    held = bar(s0=C4, s14=D4)
    assert syncopation_8th(held) == 0.5
    assert syncopation_16th(held) == 0


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_batch_gives_what_its_melodies_give_and_silence_is_no_warning(name):
    rng = np.random.default_rng(0)
    tokens = rng.choice([0, 0, 1, C4, D4, FS4, C5], (3, 5, 32)).astype(np.uint8)
    tokens[0, 0] = 0
    measure = ATTRIBUTES[name]
    with np.errstate(all="raise"):
        together = measure(tokens)
    assert together.shape == (3, 5)
    alone = np.array([[measure(melody) for melody in row] for row in tokens])
    np.testing.assert_array_equal(together, alone)
    assert np.isnan(together[0, 0]) or name == "note density"
    assert np.isfinite(together[1:]).all()


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_the_shortest_melodies_are_no_special_case(name):
    assert ATTRIBUTES[name](np.array([[C4]])).shape == (1,)


def test_one_note_makes_no_interval():
    assert np.isnan(mean_interval(bar(s4=C4)))


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name not in ("mean pitch", "C diatonic")])
def test_what_is_not_about_pitch_itself_stays_when_a_melody_is_moved(name):
    tokens = bar(s0=C4, s3=E4, s6=G4, s7=D4, s10=C5)
    assert ATTRIBUTES[name](transpose(tokens, 5)) == ATTRIBUTES[name](tokens)


def test_a_note_histogram_counts_classes_and_forgets_their_order():
    histogram = note_histogram(HAND_MADE)
    assert histogram.shape == (4, 90)
    assert histogram[0, [0, C4, E4]].tolist() == [0.5, 0.25, 0.25]
    assert histogram[1, G4] == 1
    np.testing.assert_allclose(histogram.sum(-1), 1)
    np.testing.assert_array_equal(note_histogram(HAND_MADE[:, ::-1]), histogram)
    assert note_histogram(HAND_MADE.reshape(2, 2, 4)).shape == (2, 2, 90)


def test_tokens_that_are_none_are_refused():
    for measure in (*ATTRIBUTES.values(), note_histogram):
        with pytest.raises(ValueError, match="0 to 89"):
            measure(np.array([90, 0]))


def test_one_key_is_the_best_scale_in_whatever_key():
    scale = bar(s0=C4, s2=D4, s4=E4, s6=C4 + 5, s8=G4, s10=C4 + 9, s12=C4 + 11, s14=C5)
    assert one_key(scale) == one_key(transpose(scale, 3)) == 1
    away = bar(s0=C4, s2=D4, s4=E4, s6=C4 + 6, s8=G4, s10=C4 + 9, s12=C4 + 10, s14=C5)  # F sharp beside B flat
    assert one_key(away) == 7 / 8
    assert np.isnan(one_key(bar()))
    assert one_key(np.stack([[scale, away]])).tolist() == [[1, 7 / 8]]
