"""Corrupted melodies: a model of p(x) should find them improbable, and a denoiser should restore them.

Chapter: none yet.
"""

import numpy as np

from mvae_lib.music.melody import FIRST_NOTE_ON, VOCABULARY, check_tokens, is_note_on


def wrong_notes(tokens: np.ndarray, notes: int, rng: np.random.Generator, semitones: int = 6) -> np.ndarray:
    """Melodies `[N, T]` with `notes` of each one's notes moved by 1 to `semitones`, up or down; the rhythm stays.

    A melody of fewer notes has all of them moved. At the ends of the range a note goes the other way. Raises ValueError
    for another shape, and for an invalid number of notes or semitones.
    """
    tokens = check_tokens(tokens)
    if tokens.ndim != 2:
        raise ValueError(f"melodies have the shape [N, T], not {tokens.shape}")
    if notes < 0 or not 1 <= semitones <= (VOCABULARY - FIRST_NOTE_ON) // 2:
        raise ValueError(f"cannot move {notes} notes by up to {semitones} semitones")
    order = np.where(is_note_on(tokens), rng.random(tokens.shape), 2.0)  # note-ons first, in random order
    chosen = (order.argsort(-1).argsort(-1) < notes) & is_note_on(tokens)  # [N, T]
    shift = rng.integers(1, semitones, endpoint=True, size=tokens.shape) * rng.choice([-1, 1], tokens.shape)
    moved = tokens + np.where(chosen, shift, 0)
    outside = chosen & ((moved < FIRST_NOTE_ON) | (moved >= VOCABULARY))
    return np.where(outside, tokens - shift, moved).astype(tokens.dtype)
