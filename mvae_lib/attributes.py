"""What can be said of a melody in one number, as functions on whole batches of tokens.

Chapter: 02, 08. Source: Roberts et al. 2018, section 5.4 (the attributes whose vectors they add to a melody).
"""

import numpy as np

from mvae_lib.melody import FIRST_NOTE_ON, MIN_PITCH, check_tokens, is_note_on


def note_density(tokens: np.ndarray) -> np.ndarray:
    """Onsets a step: tokens `[..., steps]` -> `[...]`, 0 (silence) to 1 (a new note at every step)."""
    return is_note_on(check_tokens(tokens)).mean(-1)


def mean_pitch(tokens: np.ndarray) -> np.ndarray:
    """The mean MIDI pitch of the note-ons: tokens `[..., steps]` -> `[...]`; NaN where there is none."""
    tokens = check_tokens(tokens)
    onsets = is_note_on(tokens)
    total = np.where(onsets, tokens.astype(float) - FIRST_NOTE_ON + MIN_PITCH, 0.0).sum(-1)
    count = onsets.sum(-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
