import mido
import numpy as np
import pretty_midi
import pytest
from midi_bytes import END, melody, smf

from mvae_lib import _files as files
from mvae_lib.music import midi_file
from mvae_lib.music.melody import Note, canonical, notes_to_tokens, tokens_to_notes
from mvae_lib.music.midi import MidiError, midi_to_tokens, notes_to_midi, read_midi, tokens_to_midi, write_midi


def random_melody(seed: int, steps: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return canonical(generator.choice([0, 0, 0, 1, 2, 40, 40, 47, 89], steps).astype(np.uint8))


def through_file(music: pretty_midi.PrettyMIDI, folder) -> pretty_midi.PrettyMIDI:
    write_midi(music, folder / "melody.mid")
    return read_midi(folder / "melody.mid")


NOTE = b"\x00\x90\x3c\x40\x60\x80\x3c\x40"


@pytest.mark.parametrize("tempo", [4, 33, 59.94, 97, 120, 123.456, 140, 251.7, 1000])
@pytest.mark.parametrize("steps", [1, 16, 32, 256])
def test_tokens_come_back_at_any_tempo(tempo, steps, tmp_path):
    tokens = random_melody(steps, steps)
    music = tokens_to_midi(tokens, tempo)
    assert np.array_equal(midi_to_tokens(music, steps), tokens)
    assert np.array_equal(midi_to_tokens(through_file(music, tmp_path), steps), tokens)


@pytest.mark.parametrize("seed", range(20))
def test_random_melodies_come_back_from_files(seed, tmp_path):
    tokens = random_melody(seed, 32)
    assert np.array_equal(midi_to_tokens(through_file(tokens_to_midi(tokens), tmp_path), 32), tokens)


def test_silence_comes_back(tmp_path):
    silence = np.zeros(32, np.uint8)
    assert np.array_equal(midi_to_tokens(through_file(tokens_to_midi(silence), tmp_path), 32), silence)


def test_what_is_written_besides_the_notes_comes_back(tmp_path):
    music = through_file(tokens_to_midi(random_melody(1, 32), 90, program=73, velocity=33, name="flûte ♭"), tmp_path)
    (instrument,) = music.instruments
    assert (instrument.program, instrument.name, instrument.is_drum) == (73, "flûte ♭", False)
    assert {note.velocity for note in instrument.notes} == {33}
    assert music.get_tempo_changes()[1] == pytest.approx([90], rel=1e-5)
    assert [(metre.numerator, metre.denominator) for metre in music.time_signature_changes] == [(4, 4)]


def test_names_in_an_older_encoding_are_read(tmp_path):
    name = "flûte".encode("latin-1")
    (tmp_path / "old.mid").write_bytes(smf(b"\x00\xff\x03" + bytes([len(name)]) + name + NOTE + END))
    assert read_midi(tmp_path / "old.mid").instruments[0].name == "flûte"


@pytest.mark.parametrize("bars", [2, 16])
def test_a_sample_of_shipped_windows_comes_back_from_files(bars, tmp_path):
    datasets = pytest.importorskip("mvae_lib.data.folk")
    windows = np.asarray(datasets.folk_melodies(bars=bars, split="train").tokens)
    for tokens in np.random.default_rng(bars).choice(windows, 100, replace=False):
        assert np.array_equal(midi_to_tokens(through_file(tokens_to_midi(tokens), tmp_path), len(tokens)), tokens)


@pytest.mark.parametrize(
    "wrong", [{"tempo": 3}, {"tempo": 1001}, {"tempo": float("nan")}, {"program": 128}, {"velocity": 0}]
)
def test_what_midi_cannot_hold_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        tokens_to_midi(random_melody(0, 16), **wrong)


def test_only_one_melody_on_the_grid_is_turned_into_tokens():
    music = notes_to_midi([Note(60, 0, 4), Note(64, 0, 4)])
    with pytest.raises(ValueError, match="overlaps"):
        midi_to_tokens(music, 16)
    with pytest.raises(ValueError, match="leaves the 2 steps"):
        midi_to_tokens(notes_to_midi([Note(60, 0, 4)]), 2)
    music = notes_to_midi([Note(60, 0, 4)])
    music.instruments.append(notes_to_midi([Note(62, 0, 4)]).instruments[0])
    with pytest.raises(MidiError, match="2 instruments"):
        midi_to_tokens(music, 16)
    music = notes_to_midi([Note(60, 0, 4)])
    music.instruments[0].notes[0].start = 0.03
    with pytest.raises(MidiError, match="between two 16ths"):
        midi_to_tokens(music, 16)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "melody.mid"
    write_midi(tokens_to_midi(notes_to_tokens([Note(60, 0, 4)], 16)), path)
    before = path.read_bytes()
    broken = notes_to_midi([Note(60, 0, 4)])
    broken.instruments[0].notes[0].pitch = 300
    with pytest.raises(ValueError):
        write_midi(broken, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError, match="create it first"):
        write_midi(tokens_to_midi(random_melody(0, 16)), tmp_path / "nowhere" / "melody.mid")


def test_where_renaming_fails_the_old_file_stays_and_nothing_is_left_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise PermissionError("somebody has the file open")

    path = tmp_path / "melody.mid"
    files.write_whole(path, b"old")
    monkeypatch.setattr(files.Path, "replace", fail)
    with pytest.raises(PermissionError):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


BROKEN = {
    "empty": (b"", "empty"),
    "no MIDI": (b"RIFF and so on, at some length", "not a MIDI file"),
    "header cut off": (smf(NOTE + END)[:10], "middle of its header"),
    "track cut off": (smf(NOTE + END)[:-6], "ends in the middle of an event"),
    "no tracks": (smf(), "no track"),
    "many tracks": (smf(*[NOTE + END] * 257), "256 tracks"),
    "division 0": (smf(NOTE + END, division=0), "no ticks"),
    "division in frames": (smf(NOTE + END, division=0xE728), "SMPTE"),
    "long silence": (smf(b"\xff\xff\xff\x7f\x90\x3c\x40\x60\x80\x3c\x40" + END), "silence"),
    "endless number": (smf(b"\x80" * 500_000), "more than four bytes"),
    "no event": (smf(b"\x00\x3c\x40" + END), "where an event should begin"),
    "impossible pitch": (smf(b"\x00\x90\xff\x40" + END), "impossible note"),
    "impossible velocity": (smf(NOTE + b"\x00\x90\x3c\xff" + END), "impossible note"),
    "many notes": (smf(b"\x00\x90\x3c\x40" + b"\x00\x3c\x40" * midi_file.MAX_NOTES + END), "notes are more"),
    "many bytes": (smf(NOTE + b"\x00\xff\x01\x01a" * (midi_file.MAX_BYTES // 5) + END), "bytes that are read"),
    "many changes": (smf(b"\x00\xff\x51\x03\x07\xa1\x20" * 20_001 + NOTE + END), "tempo and metre events are more"),
    "many instruments": (
        smf(*[b"".join(bytes([0, 0x90 | channel, 60, 9]) for channel in range(16)) + END] * 40),
        "640 channels of tracks",
    ),
}


@pytest.mark.parametrize(("data", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_with_its_name_and_the_reason(data, reason, tmp_path):
    path = tmp_path / "broken.mid"
    path.write_bytes(data)
    with pytest.raises(MidiError, match=reason) as caught:
        read_midi(path)
    assert str(path) in str(caught.value)


def test_hours_in_the_slowest_tempo_are_read(tmp_path):
    slow = b"\x00\xff\x51\x03\xff\xff\xff"
    (tmp_path / "slow.mid").write_bytes(smf(slow + b"\x00\x90\x3c\x40\xbf\x7f\x80\x3c\x40" + END, division=1))
    assert read_midi(tmp_path / "slow.mid").instruments[0].notes[0].end == pytest.approx(8191 * 16.777215)


@pytest.mark.parametrize(("division", "bars"), [(10_080, 130), (32_767, 1), (32_767, 200), (7, 2), (1, 2)])
def test_a_midi_object_keeps_the_quarters_of_any_time_grid(division, bars, tmp_path):
    pitches = [60, 62, 64, 65] * bars
    (tmp_path / "fine.mid").write_bytes(smf(melody(pitches, division) + END, division=division))
    tokens = midi_to_tokens(read_midi(tmp_path / "fine.mid"), 16 * bars)
    assert tokens_to_notes(tokens) == [Note(pitch, 4 * i, 4 * i + 4) for i, pitch in enumerate(pitches)]


def test_a_change_of_program_makes_two_instruments_of_a_midi_object(tmp_path):
    track = b"\x00\xff\x03\x01x\x00\xc0\x05" + NOTE + b"\x00\xc0\x06" + NOTE + b"\x00\x99\x24\x40\x01\x24\x00" + END
    (tmp_path / "three.mid").write_bytes(smf(track))
    made = [(i.name, i.program, i.is_drum, len(i.notes)) for i in read_midi(tmp_path / "three.mid").instruments]
    assert made == [("x", 5, False, 1), ("x", 6, False, 1), ("x", 0, True, 1)]


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(MidiError, match="no such file"):
        read_midi(tmp_path / "missing.mid")
    with pytest.raises(MidiError, match="folder"):
        read_midi(tmp_path)


def test_an_empty_track_does_no_harm(tmp_path):
    (tmp_path / "empty.mid").write_bytes(smf(b"", NOTE + END, b""))
    assert len(read_midi(tmp_path / "empty.mid").instruments[0].notes) == 1


def test_changes_count_on_whatever_track_they_stand(tmp_path):
    notes = mido.MidiTrack([mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=960)])
    late = mido.MidiTrack(
        [
            mido.MetaMessage("time_signature", numerator=3, denominator=4, time=480),
            mido.MetaMessage("set_tempo", tempo=1_000_000, time=0),
        ]
    )
    mido.MidiFile(ticks_per_beat=480, tracks=[notes, late]).save(tmp_path / "late.mid")
    music = read_midi(tmp_path / "late.mid")
    assert [(metre.numerator, metre.time) for metre in music.time_signature_changes] == [(3, 0.5)]
    assert music.instruments[0].notes[0].end == pytest.approx(1.5)
