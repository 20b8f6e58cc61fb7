"""What a player can play: tokens, notes, MIDI, and strips of them, as rolls with times in beats.

Chapter: 01.
"""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple, Protocol

import numpy as np

from mvae_lib.music.melody import STEPS_PER_QUARTER, Note, pitch_name, tokens_to_notes
from mvae_lib.widgets.text import printable

BEATS_PER_BAR = 4
MIN_TEMPO, MAX_TEMPO = 20, 400  # quarter notes per minute; player.js has the same limits
MAX_MELODIES = 32  # more rolls than this are too small to read, and usually a batch handed over by mistake

BASS_PROGRAMS = range(32, 40)  # General MIDI, counted from 0

_SILENCE = "a silent melody is tokens of zeros: np.zeros(32, int)"

# What play() and Player accept as one melody: integer tokens [steps] (of several tracks: [steps, tracks]) as an array,
# a torch tensor or a list; Notes; a pretty_midi.PrettyMIDI. Several of them in a list, or tokens with one more axis
# in front, make a strip. (Neither torch nor pretty_midi is imported for it, hence no narrower type.)
Melody = Any


class Representation(Protocol):
    """What the players ask of a representation (`music.representation`)."""

    name: str
    vocab_sizes: Sequence[int]  # classes of each track
    steps_per_bar: int
    track_names: Sequence[str]

    def to_midi(self, tokens: np.ndarray) -> Any:
        """A pretty_midi.PrettyMIDI of the tokens of one sequence."""


class Sound(NamedTuple):
    """One note: MIDI pitch and velocity; start and length in beats; the voice (keys, bass or drums); the track."""

    pitch: int
    start: float
    length: float
    velocity: int = 90
    voice: str = "keys"
    track: int = 0

    def to_json(self) -> list:
        """The fields as a list, without those at the end that have their default."""
        fields = [self.pitch, _short(self.start), _short(self.length), self.velocity, self.voice, self.track]
        defaults = [None, None, None, 90, "keys", 0]
        while fields[-1] == defaults[len(fields) - 1]:
            fields.pop()
        return fields


class Roll(NamedTuple):
    """One melody of a score: its title (may be empty), its length in beats, and its sounds in order of time.

    `tracks` names the lanes in which music of several tracks is drawn, the first on top; it is empty for one lane.
    """

    title: str
    beats: float
    sounds: tuple[Sound, ...]
    tracks: tuple[str, ...] = ()

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
        data = {"title": self.title, "about": self.about, "beats": _short(self.beats), "notes": notes}
        return {**data, "tracks": list(self.tracks)} if self.tracks else data


def make_rolls(
    melody: Melody, titles: Sequence[str] | None = None, representation: str | Representation = "melody"
) -> tuple[Roll, ...]:
    """The rolls of one melody or of a strip of them (see `Melody`), whose tokens are of that representation.

    Raises TypeError or ValueError for anything else, for an empty list, for more than 32 melodies, and for `titles`
    that are not one for each melody.
    """
    kind = as_representation(representation)
    melodies = _as_list(melody, kind)
    if isinstance(titles, str):
        raise TypeError(f"titles is a list with one title for each melody, not the text {titles!r}; use title= for one")
    if titles is not None and len(titles) != len(melodies):
        raise ValueError(f"{len(titles)} titles for {len(melodies)} melodies: there must be one for each")
    if titles is None:
        titles = [""] if len(melodies) == 1 else [str(number) for number in range(1, len(melodies) + 1)]
    made = []
    for index, (one, title) in enumerate(zip(melodies, titles, strict=True)):
        try:
            beats, sounds = _sounds(one, kind)
        except (TypeError, ValueError) as error:
            if len(melodies) == 1:
                raise
            raise type(error)(f"melody {index} of the strip: {error}") from error
        in_order = tuple(sorted(sounds, key=lambda sound: (sound.start, sound.pitch)))
        tracks = tuple(kind.track_names) if kind and len(kind.vocab_sizes) > 1 else ()
        made.append(Roll(printable(str(title)), beats, in_order, tracks))
    return tuple(made)


def as_representation(representation: str | Representation) -> Representation | None:
    """The representation of that name; None for melodies, which are read here. An unknown name raises ValueError."""
    if getattr(representation, "name", representation) == "melody":
        return None
    if isinstance(representation, str):
        from mvae_lib.music.representation import get_representation  # at need, since it loads pretty_midi

        return get_representation(representation)
    return representation


def check_tempo(tempo: float) -> float:
    """`tempo` as a float; raises ValueError outside 20 to 400 quarter notes per minute."""
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise ValueError(f"tempo {tempo} is outside {MIN_TEMPO} to {MAX_TEMPO} quarter notes per minute")
    return float(tempo)


def _as_list(melody: Melody, kind: Representation | None) -> list:
    """The melodies of a strip, or the one melody in a list."""
    tracks = len(kind.vocab_sizes) if kind else 1
    if _is_midi(melody):
        return [melody]
    if isinstance(melody, (list, tuple)):
        if not melody:
            raise ValueError(f"an empty list has nothing to play; {_SILENCE}")
        if all(isinstance(item, Integral) for item in melody) or _holds_notes(melody):
            return [melody]
        if tracks > 1 and _depth(melody) == 2:  # lists of one class for each track
            return [_as_array(melody)]
        strip = list(melody)
    else:
        tokens = _as_array(melody)
        if tokens.ndim != (2 if tracks == 1 else 3):
            return [tokens]
        strip = list(tokens)
    if kind is None:
        _refuse_tracks(strip)
    if not 1 <= len(strip) <= MAX_MELODIES:
        raise ValueError(f"a strip shows 1 to {MAX_MELODIES} melodies, not {len(strip)}; choose some: play(batch[:8])")
    return strip


def _depth(nested: Any) -> int:
    """The axes of nested lists, by their first items; arrays and tensors inside count with theirs."""
    if isinstance(nested, (list, tuple)):
        return 1 + (_depth(nested[0]) if nested else 0)
    return getattr(nested, "ndim", 0)


def _refuse_tracks(strip: list) -> None:
    """Tokens [steps, tracks] look like many melodies of two or three steps, which is an error of the caller."""
    if len(strip) == 1 or any(_is_midi(melody) or _holds_notes(melody) for melody in strip):
        return
    lengths = {len(melody) if hasattr(melody, "__len__") else 0 for melody in strip}
    if len(lengths) == 1 and 1 <= min(lengths) < STEPS_PER_QUARTER:
        (steps,), count = lengths, len(strip)
        raise ValueError(
            f"tokens [{count}, {steps}] would be {count} melodies of {steps} steps, each less than a beat; "
            f"for one sequence of {steps} tracks, give its representation: play(tokens, representation=...)"
        )


def _sounds(melody: Melody, kind: Representation | None) -> tuple[float, list[Sound]]:
    """The length in beats and the sounds of one melody."""
    if _is_midi(melody):
        return _midi_sounds(melody, kind)
    if isinstance(melody, (list, tuple)) and not melody:
        raise ValueError(f"it is empty; {_SILENCE}")
    if _holds_notes(melody):
        notes = _checked_notes(melody)
        steps = max(note.end for note in notes)
        beats = _whole_bars(steps / STEPS_PER_QUARTER)
    elif kind is not None:
        tokens = _checked_tokens(_as_array(melody), kind)
        return len(tokens) * BEATS_PER_BAR / kind.steps_per_bar, _midi_sounds(kind.to_midi(tokens), kind)[1]
    else:
        tokens = _as_array(melody)
        notes = tokens_to_notes(tokens)
        beats = len(tokens) / STEPS_PER_QUARTER
    unit = STEPS_PER_QUARTER
    return beats, [Sound(int(pitch), start / unit, (end - start) / unit) for pitch, start, end in notes]


def _checked_tokens(tokens: np.ndarray, kind: Representation) -> np.ndarray:
    """Tokens of one sequence: `[steps]` of one track, `[steps, tracks]` of several."""
    tracks = len(kind.vocab_sizes)
    shape = "[steps]" if tracks == 1 else f"[steps, {tracks}]"
    if not np.issubdtype(tokens.dtype, np.integer):
        raise TypeError(f"tokens of {kind.name!r} are integers, not {tokens.dtype}")
    if tokens.ndim != (1 if tracks == 1 else 2) or not tokens.size or (tracks > 1 and tokens.shape[1] != tracks):
        raise ValueError(f"one sequence of {kind.name!r} has the shape {shape}, not {list(tokens.shape)}")
    for track, (name, classes) in enumerate(zip(kind.track_names, kind.vocab_sizes, strict=True)):
        column = tokens if tracks == 1 else tokens[:, track]
        if column.min() < 0 or column.max() >= classes:
            worst = f"{column.min()} to {column.max()}"
            raise ValueError(f"tokens of the track {name!r} of {kind.name!r} are 0 to {classes - 1}, not {worst}")
    return tokens


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


def _holds_notes(melody: Melody) -> bool:
    return isinstance(melody, (list, tuple)) and any(isinstance(item, Note) for item in melody)


def _is_midi(melody: Melody) -> bool:
    return hasattr(melody, "instruments") and hasattr(melody, "time_to_tick")


def _midi_sounds(midi: Melody, kind: Representation | None) -> tuple[float, list[Sound]]:
    """Beats are those of the file, whatever its tempo: it is played at the tempo of the player.

    With a representation of several tracks, an instrument belongs to the track of its name, or else of its number.
    """
    names = list(kind.track_names) if kind else [""]

    def beat(seconds: float) -> float:
        return midi.time_to_tick(seconds) / midi.resolution

    sounds = []
    for index, instrument in enumerate(midi.instruments):
        track = names.index(instrument.name) if instrument.name in names else min(index, len(names) - 1)
        voice = "drums" if instrument.is_drum else "bass" if instrument.program in BASS_PROGRAMS else "keys"
        for note in instrument.notes:
            start, end = beat(note.start), beat(note.end)
            if end > start and note.velocity:
                sounds.append(Sound(note.pitch, start, end - start, note.velocity, voice, track))
    return _whole_bars(max((sound.start + sound.length for sound in sounds), default=0)), sounds


def _whole_bars(beats: float) -> float:
    return max(math.ceil(beats / BEATS_PER_BAR), 1) * BEATS_PER_BAR


def _short(number: float) -> int | float:
    """Without the noise of the last digits, and 2 rather than 2.0, to keep outputs small."""
    rounded = round(float(number), 4)
    return int(rounded) if rounded.is_integer() else rounded
