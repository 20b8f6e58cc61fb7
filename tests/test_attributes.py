import numpy as np

from mvae_lib.attributes import mean_pitch, note_density

C4, E4, G4 = 41, 45, 48
HAND_MADE = np.array([[C4, 0, E4, 0], [G4, G4, G4, G4], [C4, 1, 0, 0], [0, 0, 0, 0]], np.uint8)


def test_note_density_counts_onsets_only():
    assert note_density(HAND_MADE).tolist() == [0.5, 1.0, 0.25, 0.0]


def test_mean_pitch_ignores_holds_and_note_offs_and_is_nan_in_silence():
    assert mean_pitch(HAND_MADE[:3]).tolist() == [62.0, 67.0, 60.0]
    assert np.isnan(mean_pitch(HAND_MADE[3]))
    assert mean_pitch(HAND_MADE[:2].reshape(1, 2, 4)).shape == (1, 2)
