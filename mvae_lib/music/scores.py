"""Scores read as melodies: music21 parts and MusicXML files, at the pitch at which they sound.

`notation` writes melodies as music21 parts, `engraving` draws them. Only these three import music21: it is large and
takes a moment.

Chapter: 01.
"""

import io
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pretty_midi
from music21 import instrument, meter, stream
from music21.musicxml.xmlObjects import MusicXMLWarning
from music21.musicxml.xmlToM21 import MusicXMLImporter

from mvae_lib.music.extraction import Source, extract_melodies, skyline
from mvae_lib.music.melody import STEPS_PER_BAR, STEPS_PER_QUARTER, Note, notes_to_tokens
from mvae_lib.music.notation import tokens_to_stream

__all__ = ["ScoreError", "ScoreWindows", "read_musicxml", "stream_to_tokens", "tokens_to_stream"]

MAX_BYTES = 20_000_000  # of MusicXML text
MAX_QUARTERS = 40_000  # of all parts together: music21 walks through silence step by step


class ScoreError(ValueError):
    """A MusicXML file that cannot be read, or that holds no melody; the message names the file and the reason."""


@dataclass(frozen=True)
class ScoreWindows:
    """What a MusicXML file gave: `tokens` uint8 `[windows, steps]`, the source of each window, what to know of it."""

    tokens: np.ndarray
    sources: tuple[Source, ...]
    reasons: tuple[str, ...]


def stream_to_tokens(part: stream.Stream) -> np.ndarray:
    """The tokens `[steps]` (uint8) of a music21 part in 4/4 or 2/2; undoes `tokens_to_stream`.

    A part for a transposing instrument is read as it sounds. A chord counts as its highest note, a note ends where
    the next one begins, grace notes are left out, and a pickup is filled up to a whole bar. Raises ValueError for
    several parts, other metres, an empty part, notes outside the 88 keys, and notes that lie between two 16ths.

    Chapter: 01.
    """
    if len(part.getElementsByClass(stream.Part)) > 1:
        raise ValueError("a score of several parts is not one melody; pass one of its .parts")
    metres = {signature.ratioString for signature in part.recurse().getElementsByClass(meter.TimeSignature)}
    if other := sorted(metres - {"4/4", "2/2"}):
        raise ValueError(f"only 4/4 and 2/2 have 16 steps per bar, and this is in {', '.join(other)}")
    bars = part.recurse().getElementsByClass(stream.Measure)
    pickup = _step(bars[0].paddingLeft, "a pickup") if bars else 0
    flat = _sounding(part).stripTies().flatten()
    notes = []
    for element in flat.notes:
        if not element.pitches or element.duration.isGrace or not element.quarterLength:
            continue
        start = pickup + _step(element.offset, "the beginning of a note")
        end = start + _step(element.quarterLength, f"the length of a note in bar {start // STEPS_PER_BAR + 1}")
        notes.append(Note(max(pitch.midi for pitch in element.pitches), start, end))
    steps = pickup + _step(flat.highestTime, "the end of the music")
    if not steps:
        raise ValueError("the music is empty; a melody needs at least one step")
    return notes_to_tokens(skyline(notes), steps)


def read_musicxml(path: str | Path, bars: int = 2) -> ScoreWindows:
    """All distinct windows of `bars` bars of the melodies in a MusicXML file (.musicxml, .xml, .mxl), as it sounds.

    The rules are those of `extraction`; repeats are played out, a pickup is filled up. A part for a transposing
    instrument is moved to where it sounds, and a reason says so. Raises ScoreError for a file that cannot be read or
    that holds no window, and ValueError for `bars` under 1.

    Chapter: 01.
    """
    music, reasons = _parsed(path)
    for index, part in enumerate(music.parts):
        if interval := _transposes(part):
            name = f" ({part.partName[:40]})" if part.partName else ""
            move = f"{abs(interval)} semitone{'s' * (abs(interval) != 1)} {'lower' if interval < 0 else 'higher'}"
            reasons.append(
                f"instrument {index}{name} is for a transposing instrument; its notes are read as they sound, {move}"
            )
    try:
        found = extract_melodies(_as_midi(music), bars)
    except ValueError as error:
        if bars < 1:
            raise
        raise ScoreError(f"{path}: {str(error).removeprefix('this MIDI object: ')}") from error
    return ScoreWindows(found.tokens, found.sources, (*reasons, *map(str, found.reasons)))


def _parsed(path: str | Path) -> tuple[stream.Score, list[str]]:
    """The score in a file, repeats played out, and what music21 could not read of it. Raises ScoreError."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ScoreError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        if data.startswith(b"PK"):
            data = _unpacked(data)
        if len(data) > MAX_BYTES:
            raise ScoreError(f"it has more than {MAX_BYTES:,} bytes")
        root = ElementTree.fromstring(data)
        if root.tag != "score-partwise":
            raise ScoreError(
                f"it is XML, but not MusicXML in parts: its root is <{root.tag[:40]}>, not <score-partwise>"
            )
        if _sum(root, "duration") > MAX_QUARTERS * max(1.0, _sum(root, "divisions")):
            raise ScoreError(f"it is longer than {MAX_QUARTERS:,} quarter notes")
        importer = MusicXMLImporter()
        importer.xmlText = data
        with warnings.catch_warnings(record=True) as lost:
            warnings.simplefilter("always", MusicXMLWarning)
            importer.parseXMLText()
    except ScoreError as error:
        raise ScoreError(f"{path}: {error}") from None
    except (ElementTree.ParseError, zipfile.BadZipFile, UnicodeError) as error:
        raise ScoreError(f"{path}: it is not MusicXML ({str(error)[:100]})") from error
    except Exception as error:  # music21 lets many exceptions out
        reason = f"{type(error).__name__}: {str(error)[:100]}"
        raise ScoreError(f"{path}: music21 cannot read this MusicXML ({reason})") from error
    lost = [each.message for each in lost if isinstance(each.message, MusicXMLWarning)]
    reasons = [f"music21 leaves out what it cannot read: {' '.join(str(each).split())[:100]}" for each in lost[:8]]
    try:
        return importer.stream.expandRepeats(), reasons
    except Exception as error:  # as above
        return importer.stream, [*reasons, f"its repeats are not played out ({str(error)[:100]})"]


def _sum(root: ElementTree.Element, name: str) -> float:
    """The numbers in all elements of a name, added up; what is no number is passed over."""
    return sum(
        float(element.text)
        for element in root.iter(name)
        if re.fullmatch(r"\d+(\.\d+)?(e\d{1,3})?", element.text or "")
    )


def _unpacked(data: bytes) -> bytes:
    """The MusicXML inside a .mxl file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        scores = [
            item
            for item in archive.infolist()
            if item.filename.lower().endswith((".xml", ".musicxml")) and not item.filename.startswith("META-INF")
        ]
        if not scores:
            raise ScoreError("it is a zip file without a MusicXML file")
        if scores[0].file_size > MAX_BYTES:
            raise ScoreError(f"it unpacks to more than {MAX_BYTES:,} bytes")
        return archive.read(scores[0])


def _transposes(part: stream.Stream) -> int:
    """The semitones from the written to the sounding pitch, of the first instrument that has any."""
    for played in part.recurse().getElementsByClass(instrument.Instrument):
        if played.transposition is not None and played.transposition.semitones:
            return int(played.transposition.semitones)
    return 0


def _sounding(part: stream.Stream) -> stream.Stream:
    """A part at sounding pitch. Where music21 does not know how it is written, its notes are read as written."""
    if not _transposes(part) or part.atSoundingPitch is True:
        return part
    if part.atSoundingPitch == "unknown":
        part = part.coreCopyAsDerivation("sounding")
        part.atSoundingPitch = False
    return part.toSoundingPitch()


def _as_midi(music: stream.Score) -> pretty_midi.PrettyMIDI:
    """The parts as a MIDI object (120 quarter notes per minute) in which every bar of the score is one of the metre."""
    midi = pretty_midi.PrettyMIDI(resolution=480, initial_tempo=120)
    for part in music.parts:
        part = _sounding(part)
        measures = list(part.getElementsByClass(stream.Measure))
        shift, changes = _metres(measures)
        if not midi.time_signature_changes:
            midi.time_signature_changes = changes
        players = list(part.recurse().getElementsByClass(instrument.Instrument))
        drums = any(isinstance(player, instrument.UnpitchedPercussion) for player in players)
        line = pretty_midi.Instrument(0, is_drum=drums, name=part.partName or "")
        for element in part.stripTies().flatten().notes:
            if element.duration.isGrace or not element.quarterLength:
                continue
            start = float(element.offset) + shift
            for sounding in element.pitches:
                if 0 <= sounding.midi <= 127:
                    times = (start / 2, (start + float(element.quarterLength)) / 2)
                    line.notes.append(pretty_midi.Note(80, sounding.midi, *times))
        midi.instruments.append(line)
    return midi


def _metres(measures: list[stream.Measure]) -> tuple[float, list[pretty_midi.TimeSignature]]:
    """The silence (in quarters) that fills up a pickup, and the metres, said again behind a bar of a wrong length."""
    shift, changes, said, since = 0.0, [], None, 0.0
    for number, bar in enumerate(measures):
        metre = bar.timeSignature or bar.getContextByClass(meter.TimeSignature)
        if metre is None:
            continue
        full, length = float(metre.barDuration.quarterLength), float(bar.duration.quarterLength)
        if number == 0 and length < full:
            shift = full - length
        start = 0.0 if number == 0 else float(bar.offset) + shift
        late = bool((start - since) % full) and length == full
        if (metre.numerator, metre.denominator) != said or late:
            said, since = (metre.numerator, metre.denominator), start
            changes.append(pretty_midi.TimeSignature(*said, start / 2))
    return shift, changes


def _step(quarters: float, what: str) -> int:
    step = quarters * STEPS_PER_QUARTER
    if step != int(step):
        raise ValueError(f"{what} lies between two 16ths ({quarters} quarter notes), so it fits no step")
    return int(step)
