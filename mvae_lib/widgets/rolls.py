"""What a player can play: tokens, notes, MIDI, and strips of them, as one `Score` with times in beats.

Chapter: 01.
"""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from mvae_lib.music.melody import STEPS_PER_QUARTER, Note, pitch_name, tokens_to_notes

BEATS_PER_BAR = 4
MIN_TEMPO, MAX_TEMPO = 20, 400  # quarter notes a minute; player.js has the same limits
MAX_MELODIES = 32  # more rolls than this are too small to read, and usually a batch handed over by mistake

BASS_PROGRAMS = range(32, 40)  # General MIDI, counted from 0

_SILENCE = "a silent melody is tokens of zeros: np.zeros(32, int)"

# What play() and Player accept as one melody: integer tokens [steps] as an array, a torch tensor or a list; Notes; a
# pretty_midi.PrettyMIDI. Several of them in a list, or tokens [melodies, steps], make a strip. (Neither torch nor
# pretty_midi is imported for it, hence no narrower type.)
Melody = Any


class Sound(NamedTuple):
    """One note of a score: MIDI pitch and velocity; start and length in beats; the voice (keys, bass or drums)."""

    pitch: int
    start: float
    length: float
    velocity: int = 90
    voice: str = "keys"

    def to_json(self) -> list:
        """The fields as a list, without those at the end that have their default."""
        fields = [self.pitch, _short(self.start), _short(self.length), self.velocity, self.voice]
        kept = 5 if self.voice != "keys" else 4 if self.velocity != 90 else 3
        return fields[:kept]


class Roll(NamedTuple):
    """One melody of a score: its title (may be empty), its length in beats, and its sounds in order of time."""

    title: str
    beats: float
    sounds: tuple[Sound, ...]

    @property
    def about(self) -> str:
        """For a reader who cannot see the roll: '12 notes from C4 to G5, 2 bars'."""
        bars = self.beats / BEATS_PER_BAR
        length = f"{bars:g} bar" if bars == 1 else f"{bars:g} bars"
        if not self.sounds:
            return f"no notes, {length}"
        number = "1 note" if len(self.sounds) == 1 else f"{len(self.sounds)} notes"
        low, high = min(sound.pitch for sound in self.sounds), max(sound.pitch for sound in self.sounds)
        span = f"on {pitch_name(low)}" if low == high else f"from {pitch_name(low)} to {pitch_name(high)}"
        return f"{number} {span}, {length}"

    def to_json(self) -> dict:
        """What player.js reads."""
        notes = [sound.to_json() for sound in self.sounds]
        return {"title": self.title, "about": self.about, "beats": _short(self.beats), "notes": notes}


def make_rolls(melody: Melody, titles: Sequence[str] | None = None) -> tuple[Roll, ...]:
    """The rolls of one melody or of a strip of them (see `Melody`).

    Raises TypeError or ValueError for anything else, for an empty list, for more than 32 melodies, and for `titles`
    that are not one a melody.
    """
    melodies = _as_list(melody)
    if isinstance(titles, str):
        raise TypeError(f"titles is a list with one title for each melody, not the text {titles!r}; use title= for one")
    if titles is not None and len(titles) != len(melodies):
        raise ValueError(f"{len(titles)} titles for {len(melodies)} melodies: there must be one for each")
    if titles is None:
        titles = [""] if len(melodies) == 1 else [str(number) for number in range(1, len(melodies) + 1)]
    made = []
    for index, (one, title) in enumerate(zip(melodies, titles, strict=True)):
        try:
            beats, sounds = _sounds(one)
        except (TypeError, ValueError) as error:
            if len(melodies) == 1:
                raise
            raise type(error)(f"melody {index} of the strip: {error}") from error
        made.append(Roll(str(title), beats, tuple(sorted(sounds, key=lambda sound: (sound.start, sound.pitch)))))
    return tuple(made)


def check_tempo(tempo: float) -> float:
    """`tempo` as a float; raises ValueError outside 20 to 400 quarter notes a minute."""
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise ValueError(f"tempo {tempo} is outside {MIN_TEMPO} to {MAX_TEMPO} quarter notes a minute")
    return float(tempo)


def _as_list(melody: Melody) -> list:
    """The melodies of a strip, or the one melody in a list."""
    if _is_midi(melody):
        return [melody]
    if isinstance(melody, (list, tuple)):
        if not melody:
            raise ValueError(f"an empty list has nothing to play; {_SILENCE}")
        if all(isinstance(item, Integral) for item in melody) or any(isinstance(item, Note) for item in melody):
            return [melody]
        strip = list(melody)
    else:
        tokens = _as_array(melody)
        if tokens.ndim != 2:
            return [tokens]
        strip = list(tokens)
    if not 1 <= len(strip) <= MAX_MELODIES:
        raise ValueError(f"a strip shows 1 to {MAX_MELODIES} melodies, not {len(strip)}; choose some: play(batch[:8])")
    return strip


def _sounds(melody: Melody) -> tuple[float, list[Sound]]:
    """The length in beats and the sounds of one melody."""
    if _is_midi(melody):
        return _midi_sounds(melody)
    if isinstance(melody, (list, tuple)) and not melody:
        raise ValueError(f"it is empty; {_SILENCE}")
    if isinstance(melody, (list, tuple)) and any(isinstance(item, Note) for item in melody):
        notes = _checked_notes(melody)
        steps = max(note.end for note in notes)
        beats = _whole_bars(steps / STEPS_PER_QUARTER)
    else:
        tokens = _as_array(melody)
        notes = tokens_to_notes(tokens)
        beats = len(tokens) / STEPS_PER_QUARTER
    unit = STEPS_PER_QUARTER
    return beats, [Sound(int(pitch), start / unit, (end - start) / unit) for pitch, start, end in notes]


def _checked_notes(notes: Sequence) -> Sequence[Note]:
    for note in notes:
        if not isinstance(note, Note):
            raise TypeError(f"a melody of Notes holds nothing else, but here is {note!r}")
        if not (0 <= note.pitch <= 127 and 0 <= note.start < note.end):
            raise ValueError(f"{note} cannot be played: the pitch is 0 to 127, and 0 <= start < end")
    return notes


def _as_array(melody: Melody) -> np.ndarray:
    if hasattr(melody, "detach"):  # a torch tensor, perhaps on a GPU
        melody = melody.detach().cpu()
    try:
        return np.asarray(melody)
    except ValueError:  # lists of different lengths inside a melody
        raise TypeError(f"cannot play a {type(melody).__name__}: give tokens [steps], Notes, or a PrettyMIDI") from None


def _is_midi(melody: Melody) -> bool:
    return hasattr(melody, "instruments") and hasattr(melody, "time_to_tick")


def _midi_sounds(midi: Melody) -> tuple[float, list[Sound]]:
    """Beats are those of the file, whatever its tempo: it is heard at the tempo of the player."""

    def beat(seconds: float) -> float:
        return midi.time_to_tick(seconds) / midi.resolution

    sounds = []
    for instrument in midi.instruments:
        voice = "drums" if instrument.is_drum else "bass" if instrument.program in BASS_PROGRAMS else "keys"
        for note in instrument.notes:
            start, end = beat(note.start), beat(note.end)
            if end > start and note.velocity:
                sounds.append(Sound(note.pitch, start, end - start, note.velocity, voice))
    return _whole_bars(max((sound.start + sound.length for sound in sounds), default=0)), sounds


def _whole_bars(beats: float) -> float:
    return max(math.ceil(beats / BEATS_PER_BAR), 1) * BEATS_PER_BAR


def _short(number: float) -> int | float:
    """Without the noise of the last digits, and 2 rather than 2.0, to keep outputs small."""
    rounded = round(float(number), 4)
    return int(rounded) if rounded.is_integer() else rounded
