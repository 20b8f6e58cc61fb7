"""Files as musicians really have them: each is a plain file with one change, with what has to be read from it.

The plain file is the C major scale in quarter notes, two bars of 4/4.
"""

import pickle
from dataclasses import dataclass

import pytest
from midi_bytes import END, SCALE, chunk, header, melody, meta, metre, number, smf, track

from mvae_lib.music.extraction import Extraction, NoMelodyError, Source, extract_melodies
from mvae_lib.music.melody import tokens_to_notes
from mvae_lib.music.midi import read_midi
from mvae_lib.music.midi_file import MidiError

GOOD = melody() + END
QUARTERS = [(pitch, 4 * i, 4 * i + 4) for i, pitch in enumerate(SCALE)]
FIRST_HALF, SECOND_HALF = QUARTERS[:4], [(pitch, start - 16, end - 16) for pitch, start, end in QUARTERS[4:]]
HALVES_SWAPPED = [*SECOND_HALF, *((pitch, start + 16, end + 16) for pitch, start, end in FIRST_HALF)]


def later(notes, steps):
    return [(pitch, start + steps, end + steps) for pitch, start, end in notes]


@dataclass(frozen=True)
class Case:
    """A file, the notes (pitch, start, end, in steps) of its windows of two bars, and what has to be told."""

    data: bytes
    windows: tuple = (QUARTERS,)
    reasons: tuple[tuple[str, int], ...] = ()  # kind, notes
    bars: tuple[int, ...] = (1,)
    note_ons: int = 8


def in_front(events: bytes, **expected) -> Case:
    """The plain file with something before the first note."""
    return Case(smf(events + GOOD), **expected)


TWICE = melody() * 2 + END
TWO_WINDOWS = {"windows": (QUARTERS, HALVES_SWAPPED), "reasons": (("repeated", 4),), "note_ons": 16}
DAMAGED_TEMPO, DAMAGED_METRE = (("damaged tempo event", 0),), (("damaged metre event", 0),)

CASES = {
    "good": Case(smf(GOOD)),
    # chunks, headers, containers
    "alien_chunk_first": Case(header(1) + chunk(b"XFIH", b"abc", 3) + track(GOOD)),
    "alien_chunk_middle": Case(
        header(2) + track(GOOD) + chunk(b"SEM1", b"abcd") + track(melody([48] * 8, channel=1) + END),
        windows=(QUARTERS, [(48, start, end) for _, start, end in QUARTERS]),
        bars=(1, 1),
        note_ons=16,
    ),
    "header_8_bytes": Case(header(1, more=b"\0\0") + track(GOOD)),
    "header_says_one_track_too_few": Case(smf(meta(3, b"a") + END, GOOD, count=1)),
    "header says one track too many": Case(smf(GOOD, count=2)),
    "header says 40,000 tracks": Case(smf(GOOD, count=40_000)),
    "format2": Case(smf(GOOD, GOOD, form=2), reasons=(("repeated", 8),), note_ons=16),
    "format 2 with a metre in one track": Case(
        smf(metre(3, 2) + melody([48] * 8) + END, GOOD, form=2), reasons=(("metre", 8),), note_ons=16
    ),
    "an unknown format": Case(smf(GOOD, form=7)),
    "track_length_0": Case(header(1) + track(GOOD, 0)),
    "track_length_4_too_long": Case(header(1) + track(GOOD, len(GOOD) + 4)),
    "the first of two tracks too long": Case(
        header(2) + track(meta(3, b"a") + END, 12) + track(GOOD),
    ),
    "the first of two tracks too short": Case(header(2) + track(meta(3, b"abcdef") + END, 3) + track(GOOD)),
    "trailing_bytes": Case(smf(GOOD) + bytes(64)),
    "a byte between tracks": Case(header(2) + track(meta(3, b"a") + END) + b"\0" + track(GOOD)),
    "an empty track": Case(smf(b"", GOOD, b"")),
    "riff": Case(b"RIFF\x6e\0\0\0RMIDdata\x62\0\0\0" + smf(GOOD)),
    "riff with a list before and after": Case(
        b"RIFF\x86\0\0\0RMIDLIST\4\0\0\0INFOdata\x62\0\0\0" + smf(GOOD) + b"LIST\4\0\0\0INFO"
    ),
    "MacBinary": Case(b"\0\x04tune" + bytes(59) + b"Midi" + bytes(59) + smf(GOOD) + bytes(30)),
    # the end of a track, and the ends of notes
    "late_end_of_track": Case(smf(melody() + number(6_000_000) + END[1:])),
    "no_end_of_track": Case(smf(melody())),
    "two_end_of_tracks": Case(smf(GOOD + END)),
    "garbage behind the end of the track": Case(smf(GOOD + b"\xff\xff\xff\xff\xff")),
    "last_note_open": Case(smf(melody(SCALE[:7]) + b"\0\x90\x48\x50" + number(480) + END[1:])),
    "last note open, the end of the track late": Case(
        smf(melody(SCALE[:7]) + b"\0\x90\x48\x50" + number(2**28 - 1) + END[1:]),
        windows=(QUARTERS, [*SECOND_HALF[:3], (72, 12, 32)]), bars=(1, 2),
    ),
    "no_note_offs": Case(
        smf(b"\0" + b"".join(bytes([0x90, p, 0x50]) + number(480) for p in SCALE) + END[1:])
    ),
    "repeated notes without note-offs": Case(
        smf(b"\0\x90\x3c\x50" + (number(480) + b"\x3c\x50") * 7 + number(480) + END[1:]),
        windows=([(60, start, end) for _, start, end in QUARTERS],),
    ),
    "zero_length_all": Case(
        smf(b"\0" + b"".join(bytes([0x90, p, 0x50, 0, 0x80, p, 0x40]) + number(480) for p in SCALE) + END[1:]),
        windows=([(pitch, start, start + 1) for pitch, start, _ in QUARTERS],),
    ),
    "all notes off": Case(
        smf(b"\0\x90\x3c\x50" + number(480) + b"\xb0\x7b\0" + number(480) + b"\x90\x3e\x50" + number(480)
            + b"\xb0\x78\0" + number(960) + b"\x90\x40\x50" + number(960) + b"\x80\x40\x40" + END),
        windows=([(60, 0, 4), (62, 8, 12), (64, 20, 28)],),
        note_ons=3,
    ),
    "same_pitch_overlap": Case(
        smf(b"\0\x90\x3c\x50" + number(480) + b"\x90\x3c\x50" + number(480) + b"\x80\x3c\x40" + number(480)
            + b"\x80\x3c\x40" + GOOD),
        windows=([(60, 0, 4), (60, 4, 8), *later(QUARTERS, 12)[:5]], [(p, s - 4, e - 4) for p, s, e in QUARTERS[1:]]),
        bars=(1, 2),
        note_ons=10,
    ),
    "on_before_off_same_tick": Case(
        smf(b"\0\x90\x3c\x50" + number(480) + b"\x90\x3c\x50\0\x80\x3c\0" + number(480) + b"\x80\x3c\0" + GOOD),
        windows=([(60, 0, 4), (60, 4, 8), *later(QUARTERS, 8)[:6]], [(p, s - 8, e - 8) for p, s, e in QUARTERS[2:]]),
        bars=(1, 2),
        note_ons=10,
    ),
    # damaged meta events
    "channel_prefix_length_0": in_front(meta(0x20, b"")),
    "port of 3 bytes": in_front(meta(0x21, b"\1\2\3")),
    "key_8_flats": in_front(meta(0x59, b"\xf8\0")),
    "key_length_0": in_front(meta(0x59, b"")),
    "sequence_number_length_0": in_front(meta(0, b"")),
    "smpte_offset_99s": in_front(meta(0x54, b"\0cccc")),
    "smpte_offset_hour_96": in_front(meta(0x54, b"\xff\0\0\0\0")),
    "lyric_odd_bytes": in_front(meta(5, b"\x81\xff\xfe")),
    "an unknown meta event": in_front(meta(0x99, b"\0" * 300)),
    "tempo_length_0": in_front(meta(0x51, b""), reasons=DAMAGED_TEMPO),
    "a tempo of 0": in_front(meta(0x51, b"\0\0\0"), reasons=DAMAGED_TEMPO),
    "metre_length_2": in_front(meta(0x58, b"\4\2"), reasons=DAMAGED_METRE),
    "metre_denominator_256": in_front(meta(0x58, b"\4\xff\x18\x08"), reasons=DAMAGED_METRE),
    "a metre of 0/4": in_front(meta(0x58, b"\0\2\x18\x08"), reasons=DAMAGED_METRE),
    # other events
    "controller_255": in_front(b"\0\xb0\7\xff"),
    "status_f4": in_front(b"\0\xf4"),
    "song position": in_front(b"\0\xf2\1\2"),
    "sysex_high_bit": in_front(b"\0\xf0\4\x41\x90\x10\xf7"),
    "running_status_after_sysex": Case(
        smf(b"\0\x90\x3c\x50" + number(480) + b"\x3c\0\0\xf0\5\x7e\x7f\x09\1\xf7"
            + b"".join(bytes([0, p, 0x50]) + number(480) + bytes([p, 0]) for p in SCALE[1:]) + END)
    ),
    "running status after a meta event": Case(
        smf(b"".join((b"\0\x90" if i == 0 else meta(1, b"la") + b"\0") + bytes([p, 0x50]) + number(480) + bytes([p, 0])
            for i, p in enumerate(SCALE)) + END)
    ),
    "a change of program inside": Case(smf(melody(SCALE[:4]) + b"\0\xc0\x28" + melody(SCALE[4:]) + END)),
    "piano_on_channel10_and_1": Case(
        smf(GOOD, melody(channel=9) + END), reasons=(("drums", 8),), note_ons=16
    ),
    # names
    "name_chinese": in_front(meta(3, "音轨1".encode())),
    "name_with_escapes": in_front(meta(3, b"\x1b[2J\x1b[31mred\nleft out: nothing\r\x07\0")),
    "a name with braces": Case(
        smf(meta(3, b"{0} {} {x") + GOOD, meta(3, b"{0} {} {x") + GOOD), reasons=(("repeated", 8),), note_ons=16
    ),
    # time
    "ritardando_in_bar_2": Case(
        smf(b"".join(meta(0x51, value.to_bytes(3, "big"), delta)
            for value, delta in ((500_000, 0), (520_000, 2400), (540_000, 480), (560_000, 480))) + END, GOOD)
    ),
    "metre_8_8": Case(smf(metre(8, 3) + END, TWICE), bars=(1, 2), **TWO_WINDOWS),
    "metre 16/16": Case(smf(metre(16, 4) + END, TWICE), bars=(1, 2), **TWO_WINDOWS),
    "metre 1/1": Case(smf(metre(1, 0) + END, TWICE), bars=(1, 2), **TWO_WINDOWS),
    "metre 2/2": Case(smf(metre(2, 1) + END, TWICE), bars=(1, 2), **TWO_WINDOWS),
    "metre_2_4": Case(smf(metre(2, 2) + END, TWICE), bars=(1, 3), **TWO_WINDOWS),
    "metre 4/8": Case(smf(metre(4, 3) + END, TWICE), bars=(1, 3), **TWO_WINDOWS),
    "4/4, then 2/2 and 8/8": Case(
        smf(metre(4, 2) + metre(2, 1, 1920) + metre(8, 3, 1920) + END, TWICE), bars=(1, 2), **TWO_WINDOWS
    ),
    "metre_late": Case(
        smf(metre(4, 2, 480) + END, melody([55]) + GOOD),
        windows=([(55, 12, 16), *later(FIRST_HALF, 16)], QUARTERS),
        bars=(1, 2),
        note_ons=9,
    ),
    "a pickup of an 8th before 2/4": Case(
        smf(metre(2, 2, 240) + END, melody([55], 240) + GOOD),
        windows=([(55, 14, 16), *later(FIRST_HALF, 16)], QUARTERS),
        bars=(1, 3),
        note_ons=9,
    ),
    "swing": Case(
        smf(b"".join(melody([60 + i % 8], (320, 160)[i % 2]) for i in range(16)) + END),
        windows=([(60 + i % 8, 4 * (i // 2) + (0, 3)[i % 2], 4 * (i // 2) + (3, 4)[i % 2]) for i in range(16)],),
        note_ons=16,
    ),
    "triplets": Case(
        smf(melody(SCALE * 3, 160) + END),
        windows=([(SCALE[i % 8], (8 * i + 3) // 6, (8 * i + 11) // 6) for i in range(24)],),
        note_ons=24,
    ),
    "music21_130bars": Case(
        smf(meta(0x51, b"\7\xa1\x20") + metre(4, 2) + number(10_080) + END[1:],
            meta(3, b"") + b"\0\xe0\0\x40" + melody([60 + i % 12 for i in range(520)], 10_080, velocities=(0x5A, 0))
            + number(10_080) + END[1:], division=10_080),
        windows=tuple([(60 + (4 * bar + i) % 12, 4 * i, 4 * i + 4) for i in range(8)] for bar in range(3)),
        bars=(1, 2, 3), reasons=(("repeated", 504),), note_ons=520,
    ),
    "ppq10080_130bars": Case(
        smf(melody(SCALE * 65, 10_080) + END, division=10_080),
        windows=(QUARTERS, HALVES_SWAPPED), bars=(1, 2), reasons=(("repeated", 508),), note_ons=520,
    ),
    "ppq32767_40bars": Case(
        smf(melody(SCALE * 20, 32_767) + END, division=32_767),
        windows=(QUARTERS, HALVES_SWAPPED), bars=(1, 2), reasons=(("repeated", 148),), note_ons=160,
    ),
    "one tick per quarter note": Case(smf(melody(SCALE, 1) + END, division=1)),
    # what is damaged, and what is left
    "an impossible note in the second track": Case(
        smf(GOOD, melody([48, 50]) + b"\0\x90\xff\x40" + END), reasons=(("damaged track", 2),), note_ons=10
    ),
    "an impossible note in the first track": Case(
        smf(melody([48, 50]) + b"\0\x90\x40\xff" + END, GOOD), reasons=(("damaged track", 2),), note_ons=10
    ),
    "a second track that is cut off": Case(
        smf(GOOD, melody([48, 50]))[:-1], reasons=(("damaged track", 2),), note_ons=10
    ),
    "a number without end in the second track": Case(
        smf(GOOD, b"\x80" * 100), reasons=(("damaged track", 0),)
    ),
}  # fmt: skip

REFUSED = {
    "metre_12_8": (smf(metre(12, 3) + END, TWICE), r"12/8 throughout: 24 steps per bar.*assume_metre='4/4'"),
    "metre_8_4": (smf(metre(8, 2) + END, TWICE), r"8/4 throughout: 32 steps per bar.*assume_metre='4/4'"),
    "1/4 throughout": (smf(metre(1, 2) + END, TWICE), r"1/4 throughout: 4 steps per bar.*assume_metre='4/4'"),
    "smpte_division": (smf(GOOD, division=0xE728), r"frames per second \(SMPTE\).*ticks per quarter"),
}


def sounding(extraction: Extraction) -> list[list[tuple]]:
    return [[tuple(note) for note in tokens_to_notes(tokens)] for tokens in extraction.tokens]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_players_accept_is_read_and_what_is_left_out_is_told(case):
    found = extract_melodies(case.data)
    assert sounding(found) == [list(window) for window in case.windows]
    assert [(reason.kind, reason.notes) for reason in found.reasons] == list(case.reasons)
    assert tuple(source.bar for source in found.sources) == case.bars
    assert found.note_ons == case.note_ons
    assert found.notes_used + sum(reason.notes for reason in found.reasons) == found.note_ons
    again = pickle.loads(pickle.dumps(found))
    assert again.sources == found.sources and again.reasons == found.reasons


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_midi_object_of_a_file_has_all_notes_of_its_sound_tracks(case, tmp_path):
    (tmp_path / "tune.mid").write_bytes(case.data)
    midi = read_midi(tmp_path / "tune.mid")
    damaged = sum(notes for kind, notes in case.reasons if kind == "damaged track")
    notes = [note for instrument in midi.instruments for note in instrument.notes]
    assert len(notes) == case.note_ons - damaged
    assert all(note.end > note.start for note in notes)


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_true_and_names_the_way_out(data, words):
    with pytest.raises(MidiError, match=words):
        extract_melodies(data)


@pytest.mark.parametrize("name", ["metre_12_8", "metre_8_4", "1/4 throughout"])
def test_a_metre_can_be_assumed(name):
    found = extract_melodies(REFUSED[name][0], assume_metre="4/4")
    assert sounding(found) == [QUARTERS, HALVES_SWAPPED]


@pytest.mark.parametrize("metre", ["3/4", "4", "four", "4/0", "", 4])
def test_an_assumed_metre_without_bars_of_16_steps_is_refused(metre):
    with pytest.raises(ValueError, match="assume_metre"):
        extract_melodies(smf(GOOD), assume_metre=metre)


def test_a_refusal_accounts_for_all_notes():
    with pytest.raises(NoMelodyError) as caught:
        extract_melodies(REFUSED["metre_12_8"][0])
    found = pickle.loads(pickle.dumps(caught.value)).extraction
    assert (found.note_ons, found.notes_used) == (16, 0)
    assert [(reason.kind, reason.notes) for reason in found.reasons] == [("metre", 16)]


def test_names_are_printable_and_short():
    escapes = extract_melodies(CASES["name_with_escapes"].data).sources[0].name
    assert escapes == "[2J [31mred left out: nothing"
    assert extract_melodies(CASES["name_chinese"].data).sources[0].name == "音轨1"
    long = extract_melodies(smf(meta(3, b"x" * 5000) + GOOD)).sources
    assert long == (Source(0, "x" * 40, 1),)


OTHER_FORMATS = {
    "tune.musicxml": (b'<?xml version="1.0"?>\n<score-partwise version="4.0">', "MusicXML.*read_melody"),
    "utf16.musicxml": ('<?xml version="1.0"?><score-timewise>'.encode("utf-16"), "MusicXML.*read_melody"),
    "tune.mxl": (b"PK\3\4" + bytes(26) + b"META-INF/container.xml", "compressed MusicXML.*mxl.*read_melody"),
    "tunes.zip": (b"PK\3\4" + bytes(26) + b"a.mid" + smf(GOOD), "zip archive; unpack"),
    "tune.mscz": (b"PK\3\4" + bytes(26) + b"tune.mscx", "MuseScore.*export"),
    "tune.abc": (b"\xef\xbb\xbfX:1\nT:t\nK:C\nCDEF|\n", "ABC notation.*abc2midi"),
    "header.abc": (b"M:4/4\nL:1/4\n\nX:1\nK:C\nCDEF|\n", "ABC notation"),
    "tune.mid.gz": (b"\x1f\x8b\x08\0", "gzip archive.*unpack"),
    "tune.wav": (b"RIFF\x24\0\0\0WAVEfmt ", "audio recording.*WAV"),
    "tune.mp3": (b"ID3\4\0", "audio recording.*MP3"),
    "long.mp3": (b"ID3\4\0" + bytes(2**20), "audio recording.*MP3"),
    "tune.flac": (b"fLaC\0", "audio recording.*FLAC"),
    "tune.m4a": (b"\0\0\0\x20ftypM4A ", "audio recording.*MP4"),
    "page.mid": (b"<!DOCTYPE html><html>", "web page"),
    "score.pdf": (b"%PDF-1.7", "PDF"),
    "other.mid": (b"RIFF and so on, at some length", "not a MIDI file"),
    "empty.mid": (b"", "empty"),
}


@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_another_format_is_named_with_the_way_to_read_it(name, tmp_path):
    data, words = OTHER_FORMATS[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MidiError, match=words) as caught:
        extract_melodies(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(MidiError, match=words):
        read_midi(tmp_path / name)


def test_a_folder_a_missing_file_and_an_impossible_name_are_refused(tmp_path):
    for path, words in ((tmp_path, "folder"), (tmp_path / "no.mid", "no such file"), ("a\0b.mid", "cannot be read")):
        with pytest.raises(MidiError, match=words):
            extract_melodies(path)
