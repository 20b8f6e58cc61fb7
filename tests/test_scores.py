"""music21 parts made of tokens and read back; MusicXML files."""

import io
import itertools
import zipfile

import numpy as np
import pytest
from music21 import chord, converter, duration, instrument, key, meter, note, stream

from mvae_lib.music.melody import Note, canonical, notes_to_tokens, tokens_to_notes
from mvae_lib.music.notation import note_values, rest_values, spelling
from mvae_lib.music.scores import ScoreError, read_musicxml, stream_to_tokens, tokens_to_stream


def random_melody(seed: int, steps: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return canonical(generator.choice([0, 0, 0, 0, 1, 2, 40, 40, 45, 47, 89], steps).astype(np.uint8))


def part(*elements, metre: str = "4/4") -> stream.Part:
    made = stream.Part([meter.TimeSignature(metre)])
    for element in elements:
        made.append(element)
    return made


@pytest.mark.parametrize("seed", range(30))
def test_tokens_come_back(seed):
    tokens = random_melody(seed, [16, 32, 48, 37, 1][seed % 5])
    again = stream_to_tokens(tokens_to_stream(tokens))
    assert again.dtype == np.uint8 and np.array_equal(again, tokens)


@pytest.mark.parametrize("signature", [None, "G", "e", "B-", "F#", "Db major", "G# minor"])
def test_tokens_come_back_in_any_key_and_from_a_file(signature, tmp_path):
    tokens = random_melody(3, 48)
    written = tokens_to_stream(tokens, signature, bpm=90).write("musicxml", fp=tmp_path / "melody.musicxml")
    assert np.array_equal(stream_to_tokens(converter.parse(written)), tokens)


@pytest.mark.parametrize("bars", [2, 16])
def test_a_sample_of_shipped_windows_comes_back(bars):
    datasets = pytest.importorskip("mvae_lib.data.folk")
    windows = np.asarray(datasets.folk_melodies(bars=bars, split="train").tokens)
    for tokens in np.random.default_rng(bars).choice(windows, 40, replace=False):
        assert np.array_equal(stream_to_tokens(tokens_to_stream(tokens)), tokens)


def test_bars_rests_and_ties_stand_where_a_reader_expects_them():
    tokens = notes_to_tokens([Note(60, 4, 8), Note(67, 12, 36)], 48)
    bars = tokens_to_stream(tokens, "G").getElementsByClass(stream.Measure)
    written = [
        [(element.isRest, element.quarterLength, element.tie and element.tie.type) for element in bar.notesAndRests]
        for bar in bars
    ]
    assert written == [
        [(True, 1, None), (False, 1, None), (True, 1, None), (False, 1, "start")],
        [(False, 4, "continue")],
        [(False, 1, "stop"), (True, 1, None), (True, 2, None)],
    ]
    assert bars[0].timeSignature.ratioString == "4/4" and bars[0].keySignature == key.Key("G")


def test_white_keys_get_no_natural_signs_in_c_major():
    tokens = notes_to_tokens(
        [Note(pitch, i, i + 1) for i, pitch in enumerate([60, 62, 64, 65, 67, 69, 71, 72] * 4)], 32
    )
    shown = [element.pitch.accidental for element in tokens_to_stream(tokens, "C").recurse().notes]
    assert not any(accidental and accidental.displayStatus for accidental in shown)


def test_a_chord_counts_as_its_highest_note_and_grace_notes_are_left_out():
    made = part(
        chord.Chord(["C4", "G4", "E4"], quarterLength=2),
        note.Note("A5").getGrace(),
        note.Note("D4", quarterLength=2),
    )
    assert tokens_to_notes(stream_to_tokens(made)) == [Note(67, 0, 8), Note(62, 8, 16)]


def test_a_pickup_is_filled_up_to_a_bar():
    upbeat = stream.Measure([meter.TimeSignature("4/4"), note.Note("G4")], number=0)
    upbeat.padAsAnacrusis()
    tokens = stream_to_tokens(stream.Part([upbeat, stream.Measure([note.Note("C5", quarterLength=4)], number=1)]))
    assert len(tokens) == 32
    assert tokens_to_notes(tokens) == [Note(67, 12, 16), Note(72, 16, 32)]


def test_two_halves_are_one_bar():
    assert len(stream_to_tokens(part(note.Note("C4", quarterLength=4), metre="2/2"))) == 16


@pytest.mark.parametrize(
    ("music", "reason"),
    [
        (part(note.Note("C4", quarterLength=3), metre="3/4"), "3/4"),
        (part(note.Note("C4", quarterLength=1), meter.TimeSignature("6/8"), note.Note("D4")), "6/8"),
        (part(*[note.Note("C4", duration=duration.Duration(1 / 3)) for _ in range(3)]), "bar 1 lies between two 16ths"),
        (part(note.Note("C4", quarterLength=4), note.Note("D4", quarterLength=0.125)), "bar 2 lies between two 16ths"),
        (part(note.Note("C0")), "outside 21 to 108"),
        (stream.Score([part(note.Note("C4")), part(note.Note("E4"))]), "several parts"),
        (part(), "empty"),
    ],
)
def test_what_has_no_tokens_is_refused_with_the_reason(music, reason):
    with pytest.raises(ValueError, match=reason):
        stream_to_tokens(music)


@pytest.mark.parametrize("signature", ["H", "", "G foo", "Gis", "G do"])
def test_an_unknown_key_is_refused_with_a_hint(signature):
    with pytest.raises(ValueError, match="is no key"):
        tokens_to_stream(random_melody(0, 16), signature)


@pytest.mark.parametrize(
    ("start", "end", "written"),
    [
        (0, 5, [(0, 4), (4, 5)]),
        (3, 8, [(3, 4), (4, 8)]),  # not a quarter tied to a sixteenth, which hides the beat
        (2, 6, [(2, 6)]),
        (1, 3, [(1, 3)]),
        (3, 5, [(3, 4), (4, 5)]),
        (6, 10, [(6, 8), (8, 10)]),  # the middle of the bar shows
        (4, 12, [(4, 12)]),
        (4, 16, [(4, 16)]),
        (0, 16, [(0, 16)]),
        (0, 14, [(0, 8), (8, 14)]),
        (0, 7, [(0, 4), (4, 7)]),
    ],
)
def test_durations_are_written_as_musicians_do(start, end, written):
    assert note_values(start, end) == written


def test_every_duration_is_made_of_single_values_that_lie_side_by_side():
    for start in range(16):
        for end in range(start + 1, 17):
            for values in (note_values(start, end), rest_values(start, end)):
                assert [values[0][0], values[-1][1]] == [start, end]
                assert all(before[1] == after[0] for before, after in itertools.pairwise(values))
                assert {right - left for left, right in values} <= {1, 2, 3, 4, 6, 8, 12, 16}


@pytest.mark.parametrize(
    ("signature", "midi", "written"),
    [
        ("Eb", (58, 63, 68, 61), "B-3 E-4 A-4 D-4"),
        ("F#", (70, 77, 66, 72), "A#4 E#5 F#4 B#4"),
        ("Gb", (59, 71), "C-4 C-5"),
        ("Am", (68, 66, 70, 63), "G#4 F#4 B-4 D#4"),
        ("C#m", (72, 60, 69), "B#4 B#3 A4"),
        ("Ador", (66, 68, 70), "F#4 G#4 B-4"),
        ("D Mixolydian", (66, 68, 70), "F#4 G#4 B-4"),
        (None, (61, 63, 66, 68, 70), "C#4 E-4 F#4 A-4 B-4"),
    ],
)
def test_spelling_follows_the_key(signature, midi, written):
    tokens = notes_to_tokens([Note(pitch, 4 * i, 4 * i + 4) for i, pitch in enumerate(midi)], 32)
    found = [element.pitch for element in tokens_to_stream(tokens, signature).recurse().notes]
    assert " ".join(pitch.nameWithOctave for pitch in found) == written
    assert tuple(pitch.midi for pitch in found) == midi


def test_a_spelling_names_each_pitch_class_once_and_the_scale_without_accidentals():
    for signature in ("C", "F#", "G-", "c#", "e-", "A", "d"):
        in_key = key.Key(signature)
        names = spelling(in_key)
        assert sorted(names) == list(range(12))
        assert {pitch.name for pitch in in_key.getScale(in_key.mode).pitches} <= set(names.values())


CLARINET = """<?xml version="1.0" encoding="utf-8"?>
<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Clarinet</part-name>
<score-instrument id="I1"><instrument-name>Clarinet</instrument-name></score-instrument></score-part></part-list>
<part id="P1">{measures}</part></score-partwise>"""


def measure(number: int, notes: str, head: str = "", implicit: str = "no") -> str:
    written = "".join(
        f"<note><pitch><step>{step}</step><alter>{alter}</alter><octave>4</octave></pitch>"
        f"<duration>{length}</duration></note>"
        for step, alter, length in (
            (one[0], 1 if "#" in one else 0, one.strip("ABCDEFG#") or 2) for one in notes.split()
        )
    )
    return f'<measure number="{number}" implicit="{implicit}">{head}{written}</measure>'


def attributes(beats: int = 4, unit: int = 4, transpose: int = 0) -> str:
    moved = f"<transpose><diatonic>-1</diatonic><chromatic>{transpose}</chromatic></transpose>" if transpose else ""
    time = f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
    return f"<attributes><divisions>2</divisions>{time}{moved}</attributes>"


def musicxml(path, *measures: str):
    path.write_text(CLARINET.format(measures="".join(measures)), encoding="utf-8")
    return path


def pitches_of(tokens: np.ndarray) -> list[int]:
    return [sounding.pitch for sounding in tokens_to_notes(tokens)]


def test_a_transposing_instrument_is_read_as_it_sounds_and_a_reason_says_so(tmp_path):
    path = musicxml(tmp_path / "clarinet.musicxml", measure(1, "D E F# G", attributes(transpose=-2)))
    found = read_musicxml(path, bars=1)
    assert pitches_of(found.tokens[0]) == [60, 62, 64, 65]
    assert "Clarinet" in found.reasons[0] and "2 semitones lower" in found.reasons[0]
    assert found.sources[0].bar == 1 and found.sources[0].name == "Clarinet"


def test_a_part_at_written_pitch_has_no_such_reason(tmp_path):
    found = read_musicxml(musicxml(tmp_path / "c.xml", measure(1, "D E F# G", attributes())), bars=1)
    assert pitches_of(found.tokens[0]) == [62, 64, 66, 67] and not found.reasons


def test_a_music21_part_for_a_transposing_instrument_is_read_as_it_sounds():
    made = part(instrument.Clarinet(), note.Note("D4", quarterLength=4))
    assert pitches_of(stream_to_tokens(made)) == [60]
    made = part(instrument.Clarinet(), note.Note("D4", quarterLength=4))
    made.atSoundingPitch = True
    assert pitches_of(stream_to_tokens(made)) == [62]
    assert made.recurse().notes[0].pitch.midi == 62  # the caller's part stays as it was


def test_a_pickup_is_filled_up_and_windows_slide_by_bars(tmp_path):
    bars = [measure(number, notes) for number, notes in ((1, "A B A G"), (2, "F E D C"))]
    path = musicxml(tmp_path / "pickup.musicxml", measure(0, "G", attributes(), implicit="yes"), *bars)
    found = read_musicxml(path, bars=2)
    assert [tokens_to_notes(row)[0].start for row in found.tokens] == [12, 0]
    assert [where.bar for where in found.sources] == [1, 2]
    assert pitches_of(found.tokens[0]) == [67, 69, 71, 69, 67]


def test_repeats_are_played_out(tmp_path):
    repeated = '<barline location="right"><repeat direction="backward"/></barline>'
    first = measure(1, "C D E F", attributes()).replace("</measure>", f"{repeated}</measure>")
    found = read_musicxml(musicxml(tmp_path / "repeat.musicxml", first, measure(2, "G A B G")), bars=3)
    assert pitches_of(found.tokens[0]) == [60, 62, 64, 65] * 2 + [67, 69, 71, 67]


def test_a_bar_of_a_wrong_length_does_not_move_the_bars_behind_it(tmp_path):
    bars = [measure(1, "C D E F", attributes()), measure(2, "G A B"), measure(3, "E F G A"), measure(4, "B A G F")]
    found = read_musicxml(musicxml(tmp_path / "short.musicxml", *bars), bars=1)
    wanted = [64, 65, 67, 69]
    assert wanted in [pitches_of(row) for row in found.tokens]
    assert all(tokens_to_notes(row)[0].start == 0 for row in found.tokens)


def test_a_compressed_file_is_unpacked(tmp_path):
    inside = musicxml(tmp_path / "inside.xml", measure(1, "D E F# G", attributes(transpose=-2)))
    with zipfile.ZipFile(tmp_path / "tune.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.write(inside, "score.xml")
    assert pitches_of(read_musicxml(tmp_path / "tune.mxl", bars=1).tokens[0]) == [60, 62, 64, 65]


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MThd\0\0\0\6",
        b"PK\3\4 not a zip",
        b"<html></html>",
        b"<score-timewise/>",
        b"<score-partwise>",
        b"<score-partwise/>",
        CLARINET.format(measures="").encode(),
        CLARINET.format(measures=measure(1, "C1e9 D", attributes())).encode(),
        CLARINET.format(measures=measure(1, "C D E", attributes(3, 4))).encode(),
        CLARINET.format(measures=measure(1, "C", attributes()).replace("<duration>2", "<duration>x")).encode(),
        b'<!DOCTYPE a [<!ENTITY a "'
        + b"a" * 9999
        + b'"><!ENTITY b "'
        + b"&a;" * 9999
        + b'">]><a>'
        + b"&b;" * 99
        + b"</a>",
        zipped("cover.png", b""),
        zipped("big.xml", bytes(30_000_000)),
    ],
    ids=lambda data: f"{len(data)} bytes",  # the content of a zip file tells the time
)
def test_what_is_no_melody_in_musicxml_is_refused_with_the_name_of_the_file(data, tmp_path):
    (tmp_path / "it.musicxml").write_bytes(data)
    with pytest.raises(ScoreError, match=r"it\.musicxml: ") as error:
        read_musicxml(tmp_path / "it.musicxml", bars=1)
    assert len(str(error.value)) < 500 + len(str(tmp_path))


def test_a_missing_file_and_a_wrong_number_of_bars(tmp_path):
    with pytest.raises(ScoreError, match=r"none\.xml"):
        read_musicxml(tmp_path / "none.xml")
    with pytest.raises(ValueError, match="not 0"):
        read_musicxml(musicxml(tmp_path / "c.xml", measure(1, "D E F# G", attributes())), bars=0)
