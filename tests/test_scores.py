import os

import numpy as np
import pytest
from music21 import chord, converter, duration, key, meter, note, stream

from mvae_lib.music import scores
from mvae_lib.music.melody import Note, canonical, notes_to_tokens, tokens_to_notes
from mvae_lib.music.scores import score_png, show_score, stream_to_tokens, tokens_to_stream


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


@pytest.mark.parametrize("signature", [None, "G", "e", "B-", "F#"])
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
        [(False, 1, "stop"), (True, 3, None)],
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


@pytest.mark.parametrize("signature", ["H", "", "G major"])
def test_an_unknown_key_is_refused_with_a_hint(signature):
    with pytest.raises(ValueError, match="is no key"):
        tokens_to_stream(random_melody(0, 16), signature)


def test_without_musescore_the_other_picture_is_shown_and_a_sentence_helps(monkeypatch, capsys):
    monkeypatch.setattr(scores, "find_musescore", lambda: None)
    shown, tokens = [], random_melody(0, 32)
    assert score_png(tokens) is None
    show_score(tokens, otherwise=shown.append)
    assert len(shown) == 1 and np.array_equal(shown[0], tokens)
    assert "musescore.org" in capsys.readouterr().out


@pytest.fixture
def musescore(tmp_path, monkeypatch):
    """Make `score_png` call a shell script in the place of MuseScore."""
    if os.name != "posix":
        pytest.skip("the stand-in for MuseScore is a shell script")

    def install(script: str) -> None:
        program = tmp_path / "mscore"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setattr(scores, "find_musescore", lambda: program)

    return install


def test_what_musescore_draws_is_returned(musescore):
    # It numbers the pages, and draws from MusicXML, whose path comes last.
    musescore('for last; do :; done; grep -c "<note" "$last" > "${2%.png}-1.png"')
    assert score_png(notes_to_tokens([Note(60, 0, 4), Note(62, 4, 16)], 16)) == b"2\n"


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$"])
def test_a_musescore_that_fails_is_no_error(musescore, script, capsys):
    musescore(script)
    shown = []
    show_score(random_melody(0, 16), otherwise=shown.append)
    assert len(shown) == 1
    assert "drew no score" in capsys.readouterr().out


def test_a_real_musescore_draws_a_picture():
    if scores.find_musescore() is None:
        pytest.skip("MuseScore is not installed")
    assert score_png(random_melody(0, 32)).startswith(b"\x89PNG")


def test_musescore_is_found_on_the_path(tmp_path, monkeypatch):
    program = tmp_path / ("mscore.exe" if os.name == "nt" else "mscore")
    program.write_bytes(b"")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(scores.environment, "Environment", lambda: {"musescoreDirectPNGPath": None})
    assert scores.find_musescore() == program
    program.unlink()
    assert scores.find_musescore() is None
