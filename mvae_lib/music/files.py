"""Music out of files of any format that the library reads: windows of a representation, or one melody that is chosen.

    a = read_melody("a.mid")                                  # the first window of 2 bars: tokens [32]
    b = read_melody("b.mid", bars=2, track=3, bar=17)         # the window of track 3 that begins at bar 17
    print(list_file("b.mid"))                                 # what tracks and windows there are
    write_midi(a, "copy.mid")

Chapter: 00.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from mvae_lib.music.representation import Windows, get_representation, is_shipped

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
SCORE_SUFFIXES = (".musicxml", ".mxl", ".xml")
_LONGEST_NAME = 40
_RANGES = 6  # of bars that a message spells out


def read_windows(
    path: str | Path, bars: int = 2, representation: str = "melody", assume_metre: str | None = None
) -> Windows:
    """All windows of `bars` bars in a file, with where each comes from and why parts of the file gave none.

    Raises ValueError, naming the file and the reason, where it holds none or cannot be read.
    """
    kind = get_representation(representation)
    if not _is_score(path):
        options = {} if assume_metre is None else {"assume_metre": assume_metre}
        return kind.from_midi(path, bars, **options)
    if kind.from_score is None:
        raise ValueError(f"{path}: a score cannot be read as {kind.name}; export it as MIDI from a notation program")
    return kind.from_score(path, bars)


def read_melody(
    path: str | Path,
    bars: int = 2,
    track: int | None = None,
    bar: int | None = None,
    assume_metre: str | None = None,
) -> np.ndarray:
    """One melody of a MIDI or MusicXML file: tokens `[steps]` of `bars` bars, the first window or the one chosen.

    `track` counts the tracks with notes from 0, `bar` the bars of the file from 1, both as `list_file` shows them.
    `assume_metre`, such as "4/4", stands in place of the metres of a MIDI file whose own are wrong.
    Raises ValueError, naming the file and the reason, where there is no such window.

    Chapter: 00.
    """
    found = read_windows(path, bars, assume_metre=assume_metre)
    return found.tokens[choose_window(found, path, bars, track, bar)]


def write_midi(music: Any, path: str | Path, tempo: float = 120.0, representation: str = "melody") -> None:
    """Write one example as a MIDI file: tokens `[steps(, tracks)]` (array, tensor or list), or a PrettyMIDI object.

    `tempo` in quarter notes per minute. Raises ValueError or TypeError for what is not one example of the
    representation, and OSError where the file cannot be written; a file of that name is replaced whole or not at all.

    Chapter: 00.
    """
    from mvae_lib.music import midi  # not above: a training machine has no MIDI

    if not hasattr(music, "instruments"):
        kind = get_representation(representation)
        music = kind.to_midi(kind.check(np.asarray(music)[None])[0], tempo, printable(Path(path).stem))
    midi.write_midi(music, path)


def choose_window(found: Windows, path: str | Path, bars: int, track: int | None = None, bar: int | None = None) -> int:
    """The first window of a track that begins at a bar; None: of any track, at any bar.

    Raises ValueError that says which windows there are.
    """
    of_track = [index for index, where in enumerate(found.sources) if track in (None, where.instrument)]
    if not of_track:
        tracks = sorted({where.instrument for where in found.sources})
        raise ValueError(
            f"{path}: track {track} has no window of {bars} bars; these have: {', '.join(map(str, tracks))}"
            + (f" ({'; '.join(sentences(found)[:3])})" if found.reasons else "")
        )
    chosen = [index for index in of_track if bar in (None, found.sources[index].bar)]
    if not chosen:
        there_are = bar_ranges([found.sources[index].bar for index in of_track])
        raise ValueError(
            f"{path}: no window of {bars} bars{'' if track is None else f' of track {track}'} begins at bar {bar}; "
            f"there are windows at {there_are} (one that repeats an earlier one is left out)"
        )
    return chosen[0]


def sentences(found: Windows) -> list[str]:
    """Why parts of a file gave no window, as sentences."""
    return [str(getattr(reason, "text", reason)) for reason in found.reasons]


def list_file(path: str | Path, bars: int = 2, representation: str = "melody") -> str:
    """What a file holds, as a table: its tracks with names and notes, their windows, and why parts gave none.

    Raises ValueError, naming the file and the reason, for a file that cannot be read.
    """
    try:
        found = read_windows(path, bars, representation)
    except ValueError as error:  # a readable file without a window has tracks and reasons all the same
        found = getattr(error, "extraction", None)
        if found is None:
            raise
    tracks = {where.instrument: (where.name, "") for where in found.sources}
    one_track = len(get_representation(representation).vocab_sizes) == 1  # a window of several is of no single one
    if one_track and is_shipped(representation) and not _is_score(path):
        tracks = _midi_tracks(path)
    rows = [("track", "name", "notes", f"windows of {bars} bars, by the bar at which they begin")]
    for index, (name, notes) in sorted(tracks.items()):
        own = [where.bar for where in found.sources if where.instrument == index]
        rows.append((str(index), printable(name), notes, f"{len(own):,}" + (f": {bar_ranges(own)}" if own else "")))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]) for row in rows
    ]
    lines += [f"left out: {printable(reason, 200)}" for reason in sentences(found)]
    return "\n".join(line.rstrip() for line in lines)


def _midi_tracks(path: str | Path) -> dict[int, tuple[str, str]]:
    """(name, notes) of what each track plays on each channel, counted as `Source.instrument` counts."""
    from mvae_lib.music.midi_file import DRUM_CHANNEL, read_bytes, read_music

    music = read_music(read_bytes(path))
    keys, counts = np.unique(music.notes["track"].astype(int) * 16 + music.notes["channel"], return_counts=True)
    drums = [" (drums)" if key % 16 == DRUM_CHANNEL else "" for key in keys]
    names = [music.names[key // 16] for key in keys]
    return {index: (name, f"{counts[index]:,}{drums[index]}") for index, name in enumerate(names)}


def _is_score(path: str | Path) -> bool:
    return Path(path).suffix.lower() in SCORE_SUFFIXES


def bar_ranges(bars: list[int]) -> str:
    """[1, 2, 3, 7] -> 'bars 1 to 3, 7'; of many ranges only the first few are spelt out."""
    ranges: list[list[int]] = []
    for bar in sorted(set(bars)):
        if ranges and bar == ranges[-1][1] + 1:
            ranges[-1][1] = bar
        else:
            ranges.append([bar, bar])
    shown = [f"{first}" if first == last else f"{first} to {last}" for first, last in ranges[:_RANGES]]
    more = f" and {len(ranges) - _RANGES} more ranges" if len(ranges) > _RANGES else ""
    return f"bar{'s' if len(bars) > 1 else ''} {', '.join(shown)}{more}"


def printable(text: str, longest: int | None = _LONGEST_NAME) -> str:
    """A name out of a file, fit to be shown: one line of `longest` characters at most, without control characters."""
    text = re.sub(r"\s+", " ", text).strip()
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"
