"""Kinds of music: what data sets, training, evaluation, players and the command line ask instead of testing for melody.

    representation = get_representation("melody")
    found = representation.from_midi("tune.mid", bars=2)       # found.tokens, found.sources, found.reasons
    representation.to_midi(found.tokens[0], tempo=100)

Another kind of music is one file in this package, which makes a `Representation`, and one line in REPRESENTATIONS,
which names it in text, as in "drums": "mvae_lib.music.drums:DRUMS", because that file imports this one.

Chapter: 01.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mvae_lib.music import melody, transposition
from mvae_lib.music.melody import Note

if TYPE_CHECKING:
    import pretty_midi


class Windows(Protocol):
    """What `from_midi` returns, as `mvae_lib.music.extraction.Extraction` does."""

    tokens: np.ndarray  # [windows, steps], or [windows, steps, tracks]
    # Of each window: .instrument, which plays its first track (what a track of the file plays on one channel, counted
    # from 0), .name, and .bar of the file at which it begins, counted from 1.
    sources: Sequence[Any]
    reasons: Sequence[Any]  # why parts of the file gave no window: with .kind, .notes and .text, or sentences


@dataclass(frozen=True)
class Representation:
    """One kind of music as tokens: `[steps]` for one track, `[steps, tracks]` for several.

    `from_midi(music, bars)` takes a path or a PrettyMIDI object and raises ValueError, with the name of the file and
    the reasons, where it finds no window. It imports `music.midi` when it is called, because a machine that only trains
    has no packages for MIDI. `to_notes(tokens)` gives the notes of each track of one window, in steps; all that the
    players show and play, MIDI files and sound are made of them. `is_onset(tokens)` is True where a note begins: any
    number of windows in, the same shape out. `pitched` has, for each track, the lowest and the highest class that
    a transposition moves, or None. `version` changes whenever `from_midi` gives other windows than before.
    """

    name: str
    vocab_sizes: tuple[int, ...]  # classes of each track
    track_names: tuple[str, ...]
    from_midi: Callable[..., Windows]
    to_notes: Callable[[np.ndarray], Sequence[Sequence[Note]]]
    is_onset: Callable[[np.ndarray], np.ndarray]
    pitched: transposition.Pitched
    programs: tuple[int | None, ...] = ()  # General MIDI programs of the tracks, None for drums; (): all 0 (piano)
    steps_per_bar: int = melody.STEPS_PER_BAR  # of 4/4
    version: int = 1
    from_score: Callable[..., Windows] | None = None  # as `from_midi`, from a MusicXML file; None: scores are not read

    def __post_init__(self):
        for field in ("vocab_sizes", "track_names", "pitched", "programs"):
            if not isinstance(getattr(self, field), tuple | list):
                wrong = f"not {getattr(self, field)!r}"
                raise TypeError(f"{field} of the representation {self.name!r} is a tuple of one entry a track, {wrong}")
        tracks = len(self.vocab_sizes)
        if not tracks or {len(self.track_names), len(self.pitched), len(self.programs) or tracks} != {tracks}:
            raise ValueError(
                f"the representation {self.name!r} needs one entry per track in vocab_sizes, track_names, pitched and "
                f"programs, not {tracks}, {len(self.track_names)}, {len(self.pitched)} and {len(self.programs)}"
            )

    @property
    def dtype(self) -> type[np.integer]:
        """The smallest integer type that holds all classes."""
        return np.uint8 if max(self.vocab_sizes) <= 256 else np.int16

    @property
    def transpose(self) -> Callable[[np.ndarray, int], np.ndarray] | None:
        """`transpose(tokens, semitones)` on tokens `[..., steps(, tracks)]`, or None where no track has pitches.

        What it returns raises ValueError where a note would leave the range of its track.
        """
        if not any(self.pitched):
            return None
        return partial(transposition.transposed, pitched=self.pitched)

    def random_transpose(self, tokens: np.ndarray, rng: np.random.Generator, semitones: int = 5) -> np.ndarray:
        """Each window of a batch `[B, steps(, tracks)]` moved by its own interval.

        It is sampled uniformly from -`semitones` to +`semitones`, or is the widest that leaves no note outside its
        range. Without pitches, the batch comes back as it is.
        """
        if not any(self.pitched):
            return tokens
        shifts = transposition.random_shifts(tokens, rng, semitones, self.pitched)
        return transposition.transposed(tokens, shifts, self.pitched)

    def transpose_to_all_keys(self, tokens: np.ndarray) -> np.ndarray:
        """Windows `[N, ...]` in all 12 keys, from 5 semitones down to 6 up, for what is counted: `[12 N, ...]`.

        A window is left out in the keys in which it would leave the range. Without pitches, the windows as they are.
        """
        if not any(self.pitched):
            return tokens
        down, up = transposition.free_semitones(tokens, self.pitched)
        kept = [(semitones, tokens[(-down <= semitones) & (semitones <= up)]) for semitones in range(-5, 7)]
        return np.concatenate([transposition.transposed(rows, by, self.pitched) for by, rows in kept])

    def interval_form(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens that are equal for windows that are equal up to transposition: the same shape, int16."""
        return transposition.interval_form(tokens, self.pitched)

    def check(self, tokens: np.ndarray, what: str = "tokens") -> np.ndarray:
        """Windows `[windows, steps(, tracks)]` in `dtype`, or ValueError / TypeError that says what is wrong."""
        tokens = np.asarray(tokens)
        axes = ["windows", "steps"] + (["tracks"] if len(self.vocab_sizes) > 1 else [])
        if not np.issubdtype(tokens.dtype, np.integer):
            raise TypeError(f"{what} must be integers, the classes of {self.name}, not {tokens.dtype}")
        if tokens.ndim != len(axes) or (len(axes) == 3 and tokens.shape[2] != len(self.vocab_sizes)):
            named = f"[{', '.join(axes)}]" + (f" with {len(self.vocab_sizes)} tracks" if len(axes) == 3 else "")
            raise ValueError(f"{what} of {self.name} have the shape {named}, not {list(tokens.shape)}")
        tracks = tokens[..., None] if len(axes) == 2 else tokens
        for track, (name, classes) in enumerate(zip(self.track_names, self.vocab_sizes, strict=True)):
            own = tracks[..., track]
            if own.size and (own.min() < 0 or own.max() >= classes):
                raise ValueError(f"{what}: {name} has the classes 0 to {classes - 1}, not {own.min()} to {own.max()}")
        return tokens.astype(self.dtype, copy=False)

    def to_midi(self, tokens: np.ndarray, tempo: float = 120.0, name: str | None = None) -> "pretty_midi.PrettyMIDI":
        """One window as a MIDI object with an instrument for each track; `tempo` in quarter notes per minute.

        `name` is that of the only track; several are called by `track_names`. Raises ValueError for another shape and
        for a tempo that MIDI cannot hold.
        """
        from mvae_lib.music.midi import notes_to_midi  # not above: a training machine has no MIDI

        made = None
        for track, notes in enumerate(self._in_16ths(tokens)):
            program = self.programs[track] if self.programs else 0
            title = name if name is not None and len(self.vocab_sizes) == 1 else self.track_names[track]
            midi = notes_to_midi(notes, tempo, program or 0, name=title)
            midi.instruments[0].is_drum = program is None
            if made is None:
                made = midi
            else:
                made.instruments += midi.instruments
        return made

    def synthesize(self, tokens: np.ndarray, tempo: float = 120.0) -> np.ndarray:
        """One window as sound `[samples]`, all tracks together; `tempo` in quarter notes per minute."""
        from mvae_lib.music.audio import synthesize_notes

        notes = [note for track in self._in_16ths(tokens) for note in track]
        return synthesize_notes(notes, len(tokens) * melody.STEPS_PER_BAR // self.steps_per_bar, tempo)

    def _in_16ths(self, tokens: np.ndarray) -> list[list[Note]]:
        scale = melody.STEPS_PER_BAR / self.steps_per_bar
        tokens = np.asarray(tokens)
        axes = ["steps"] + ([f"{len(self.vocab_sizes)} tracks"] if len(self.vocab_sizes) > 1 else [])
        if tokens.ndim != len(axes):
            raise ValueError(f"one window of {self.name} has the shape [{', '.join(axes)}], not {list(tokens.shape)}")
        self.check(tokens[None])
        tracks = self.to_notes(tokens)
        if scale == 1:
            return [list(track) for track in tracks]
        return [[Note(note.pitch, note.start * scale, note.end * scale) for note in track] for track in tracks]


def get_representation(name: str) -> Representation:
    """The representation of that name. Raises ValueError that lists the names there are."""
    if name not in REPRESENTATIONS:
        raise ValueError(f"no representation is called {name!r}; there are: {', '.join(REPRESENTATIONS)}")
    found = REPRESENTATIONS[name]
    if isinstance(found, str):
        module, _, variable = found.partition(":")
        found = getattr(import_module(module), variable)
    return found


def is_shipped(name: str) -> bool:
    """Whether each process that imports this library finds the same representation under this name."""
    return name in _SHIPPED and REPRESENTATIONS.get(name) is _SHIPPED[name]


def _melodies_from_midi(music: Any, bars: int = 2, **options: Any) -> Windows:
    from mvae_lib.music.extraction import extract_melodies

    return extract_melodies(music, bars, **options)


def _melodies_from_score(path: Any, bars: int = 2) -> Windows:
    from mvae_lib.music.scores import read_musicxml  # not above: music21 takes a moment

    return read_musicxml(path, bars)


MELODY = Representation(
    name="melody",
    vocab_sizes=(melody.VOCABULARY,),
    track_names=("melody",),
    from_midi=_melodies_from_midi,
    to_notes=lambda tokens: [melody.tokens_to_notes(tokens)],
    is_onset=melody.is_note_on,
    pitched=melody.PITCHED,
    from_score=_melodies_from_score,
)
REPRESENTATIONS: dict[str, Representation | str] = {  # or "module:VARIABLE", which is imported when it is asked for
    "melody": MELODY,
}
_SHIPPED = dict(REPRESENTATIONS)  # what another process finds here, too
