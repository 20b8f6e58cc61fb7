"""Melodies as sound: a few sines that fade, and a WAV file, with nothing but numpy and the standard library.

Chapter: 01. The tone is the simplest one that is pleasant: harmonics that grow weaker and fade faster as they rise.
"""

import io
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mvae_lib._files import write_whole
from mvae_lib.music.melody import STEPS_PER_QUARTER, Note, check_tokens, tokens_to_notes

SAMPLE_RATE = 22_050  # samples per second; the highest note's fundamental lies at 4,186 Hz
PEAK = 0.8
HARMONICS = (1.0, 0.45, 0.22, 0.1, 0.05)  # how strong the 1st, 2nd, 3rd ... harmonic begins
FADE_SECONDS = 0.7  # in which the 1st harmonic falls to 1/e; the k-th takes 1/k of it
ATTACK_SECONDS, RELEASE_SECONDS = 0.004, 0.02  # ramps without which each note would begin and end with a click


def synthesize(tokens: np.ndarray, tempo: float = 120.0, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """One melody `[steps]` as sound `[samples]` (float32, -1 to 1); `tempo` in quarter notes per minute.

    Raises ValueError for anything but one melody and for a tempo or sample rate that is not positive.
    """
    return synthesize_notes(tokens_to_notes(tokens), check_tokens(tokens).shape[-1], tempo, sample_rate)


def synthesize_notes(
    notes: Iterable[Note], steps: int, tempo: float = 120.0, sample_rate: int = SAMPLE_RATE
) -> np.ndarray:
    """Notes (polyphony allowed) as sound `[samples]` that lasts exactly `steps` steps, rounded to a whole sample."""
    if tempo <= 0 or sample_rate <= 0:
        raise ValueError(f"tempo and sample rate must be positive, not {tempo} and {sample_rate}")
    samples_per_step = sample_rate * 60.0 / tempo / STEPS_PER_QUARTER
    sound = np.zeros(round(steps * samples_per_step))
    for note in notes:
        span = slice(round(note.start * samples_per_step), round(note.end * samples_per_step))
        sound[span] += _tone(note.pitch, len(sound[span]), sample_rate)
    return sound.astype(np.float32)


def wav_bytes(samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> bytes:
    """Sound `[samples]` as a WAV file of one channel and 16 bits; what exceeds -1 to 1 is made quieter, never clipped.

    Raises ValueError for more than one axis and for samples that are not finite.
    """
    samples = np.asarray(samples, np.float64)
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise ValueError(f"sound has the shape [samples] and finite values; this has the shape {samples.shape}")
    loudest = np.abs(samples).max(initial=1.0)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.round(samples / loudest * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def write_wav(path: str | Path, samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """Write `wav_bytes` under a temporary name, then rename it. Raises OSError where the folder cannot be used."""
    write_whole(path, wav_bytes(samples, sample_rate))


def _tone(pitch: int, samples: int, sample_rate: int) -> np.ndarray:
    seconds = np.arange(samples) / sample_rate
    fundamental = 440.0 * 2.0 ** ((pitch - 69) / 12)
    sound = np.zeros(samples)
    for k, strength in enumerate(HARMONICS, 1):
        if k * fundamental < sample_rate / 2:  # above it a harmonic would fold back to a wrong pitch
            fade = np.exp(-k * seconds / FADE_SECONDS)
            sound += strength * fade * np.sin(2 * np.pi * k * fundamental * seconds)
    until_end = samples / sample_rate - seconds
    ramps = np.clip(seconds / ATTACK_SECONDS, 0, 1) * np.clip(until_end / RELEASE_SECONDS, 0, 1)
    return PEAK / sum(HARMONICS) * ramps * sound
