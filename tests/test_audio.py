import io
import wave

import numpy as np
import pytest

from mvae_lib.music import audio
from mvae_lib.music.audio import synthesize, synthesize_notes, wav_bytes, write_wav
from mvae_lib.music.melody import Note, notes_to_tokens

RATE = audio.SAMPLE_RATE
TEMPO = 120.0
STEP_SECONDS = 60 / TEMPO / 4


def loudness(samples: np.ndarray, rate: int, seconds: float = 0.01) -> np.ndarray:
    """Root mean square in blocks of `seconds`: `[blocks]`."""
    block = round(rate * seconds)
    return np.sqrt((samples[: len(samples) // block * block].reshape(-1, block) ** 2).mean(axis=1))


def peak_frequency(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**18))
    return spectrum.argmax() * rate / 2**18


@pytest.mark.parametrize("steps", [1, 16, 32, 256])
@pytest.mark.parametrize(("tempo", "rate"), [(120.0, 22_050), (97.0, 22_050), (133.3, 44_100), (60.0, 8_000)])
def test_the_length_is_exact(steps, tempo, rate):
    sound = synthesize(np.zeros(steps, np.uint8), tempo, rate)
    assert sound.dtype == np.float32
    assert sound.shape == (round(steps * rate * 15 / tempo),)


def test_notes_sound_in_their_steps_and_rests_are_silent():
    notes = [Note(60, 2, 5), Note(67, 8, 9), Note(72, 12, 16)]
    sound = synthesize(notes_to_tokens(notes, 20), TEMPO)
    for note in notes:
        start, end = (round(step * STEP_SECONDS * RATE) for step in (note.start, note.end))
        assert loudness(sound[start:end], RATE)[:-3].min() > 0.02
        assert loudness(sound[start:end], RATE)[1] > 0.1
    for start, end in ((0, 2), (5, 8), (9, 12), (16, 20)):
        assert not sound[round(start * STEP_SECONDS * RATE) : round(end * STEP_SECONDS * RATE)].any()


def test_a_note_ends_without_a_click():
    sound = synthesize(notes_to_tokens([Note(61, 0, 3), Note(68, 4, 8)], 16), TEMPO)
    assert np.abs(np.diff(sound)).max() > 0.05
    for end in (3, 8):
        last = round(end * STEP_SECONDS * RATE)
        assert np.abs(sound[last - 5 : last]).max() < 0.01


def test_onsets_are_heard_at_their_times():
    starts, ends = [1, 4, 6, 9, 13], [3, 5, 8, 12, 16]
    notes = [Note(64 + i, *span) for i, span in enumerate(zip(starts, ends, strict=True))]
    level = loudness(synthesize(notes_to_tokens(notes, 16), TEMPO), RATE, 0.005)
    heard = level > 0.02
    rises = np.flatnonzero(heard[1:] & ~heard[:-1]) + 1
    assert rises * 0.005 == pytest.approx(np.array(starts) * STEP_SECONDS, abs=0.006)


@pytest.mark.parametrize("pitch", [33, 45, 60, 69, 81, 108])
def test_the_pitch_is_right(pitch):
    sound = synthesize(notes_to_tokens([Note(pitch, 0, 16)], 16), TEMPO)
    cents = 1200 * np.log2(peak_frequency(sound, RATE) / (440 * 2 ** ((pitch - 69) / 12)))
    assert abs(cents) < 10


def test_nothing_sounds_below_a_high_note():
    # A harmonic above half the sample rate would come back as a lower pitch.
    sound = synthesize(notes_to_tokens([Note(108, 0, 16)], 16), TEMPO, 10_000)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    frequencies = np.fft.rfftfreq(len(sound), 1 / 10_000)
    assert spectrum[frequencies < 3_500].max() < 1e-3 * spectrum.max()


def test_sound_stays_in_range_and_is_the_same_each_time():
    tokens = notes_to_tokens([Note(21 + 5 * i, 2 * i, 2 * i + 2) for i in range(16)], 32)
    sound = synthesize(tokens)
    assert 0.2 < np.abs(sound).max() <= 1
    assert np.array_equal(sound, synthesize(tokens))


def test_notes_that_sound_together_are_added():
    low, high = Note(60, 0, 8), Note(64, 4, 12)
    together = synthesize_notes([low, high], 16)
    assert together == pytest.approx(synthesize_notes([low], 16) + synthesize_notes([high], 16), abs=1e-6)


@pytest.mark.parametrize(("tempo", "rate"), [(0, 22_050), (-1, 22_050), (120, 0)])
def test_time_that_does_not_pass_is_refused(tempo, rate):
    with pytest.raises(ValueError, match="must be positive"):
        synthesize(np.zeros(16, np.uint8), tempo, rate)


def samples_of(data: bytes) -> tuple[np.ndarray, wave._wave_params]:
    with wave.open(io.BytesIO(data)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767, file.getparams()


def test_a_wav_file_holds_the_sound(tmp_path):
    sound = synthesize(notes_to_tokens([Note(60, 0, 8)], 16))
    write_wav(tmp_path / "melody.wav", sound)
    samples, params = samples_of((tmp_path / "melody.wav").read_bytes())
    assert (params.nchannels, params.sampwidth, params.framerate, params.nframes) == (1, 2, RATE, len(sound))
    assert samples == pytest.approx(sound, abs=1 / 32767)
    assert [path.name for path in tmp_path.iterdir()] == ["melody.wav"]


def test_what_is_too_loud_is_made_quieter_and_not_clipped():
    loud = 3 * np.sin(np.linspace(0, 50, 1000))
    samples, _ = samples_of(wav_bytes(loud, 8_000))
    assert samples == pytest.approx(loud / np.abs(loud).max(), abs=1e-4)


def test_silence_is_a_wav_file_too():
    assert samples_of(wav_bytes(np.zeros(0)))[0].shape == (0,)
    assert not samples_of(wav_bytes(np.zeros(10)))[0].any()


@pytest.mark.parametrize("wrong", [np.zeros((2, 10)), np.array([0.0, np.nan]), np.array([np.inf])])
def test_what_is_no_sound_is_refused(wrong):
    with pytest.raises(ValueError, match="samples"):
        wav_bytes(wrong)
