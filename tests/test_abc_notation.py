"""The ABC parser on small tunes made by hand, one feature at a time."""

import dataclasses
from fractions import Fraction

import pytest
from abc_fields import AbcError, key_signature, parse_metre
from abc_notation import parse_tune, read_header, split_tunes
from windows import runs

from tools import fuzz_abc

C4, D4, E4, F4, G4, A4, B4, C5 = 60, 62, 64, 65, 67, 69, 71, 72


def tune(music: str, key: str = "C", metre: str = "4/4", unit: str | None = "1/4"):
    length = f"L:{unit}\n" if unit else ""
    return parse_tune(f"X:1\nT:Test\nM:{metre}\n{length}K:{key}\n{music}\n")


def pitches(music: str, **fields) -> list[int]:
    return [note.pitch for note in tune(music, **fields).notes]


def durations(music: str, **fields) -> list[Fraction]:
    return [note.duration for note in tune(music, **fields).notes]


def test_header_and_split():
    text = "a book\n\nX:1\nT:First\nT:Another name\nZ:Ann\nZ:Bob\nM:C|%cut\nK:G\nG4|\n\nX: 2\nT:Second\nM:C\nK:D\nD4|\n"
    first, second = split_tunes(text)
    assert read_header(first) == {"X": "1", "T": "First", "Z": "Ann; Bob", "M": "C|", "K": "G"}
    assert (parse_tune(second).number, parse_tune(second).title) == ("2", "Second")


def test_octaves_and_lengths():
    assert pitches("C, C c c'") == [48, 60, 72, 84]
    assert durations("C2 C C/ C/2 C3/2 C// C/4 C3/4") == [Fraction(n, 4) for n in (8, 4, 2, 2, 6, 1, 1, 3)]


@pytest.mark.parametrize(("metre", "quarters"), [("C", "1/2"), ("3/4", "1/2"), ("2/4", "1/4"), ("6/8", "1/2")])
def test_unit_length_that_is_not_given(metre, quarters):
    assert durations("C", metre=metre, unit=None) == [Fraction(quarters)]


def test_onsets_and_bars():
    found = tune("C2 D2|z E3|")
    assert [(note.pitch, note.onset) for note in found.notes] == [(C4, 0), (D4, 2), (E4, 5)]
    assert [(bar.onset, bar.length, bar.metre) for bar in found.bars] == [(0, 4, (4, 4)), (4, 4, (4, 4))]


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        ("C", {}),
        ("D", {"F": 1, "C": 1}),
        ("Bb", {"B": -1, "E": -1}),
        ("F#m", {"F": 1, "C": 1, "G": 1}),
        ("A Mixolydian", {"F": 1, "C": 1}),
        ("Ador", {"F": 1}),
        ("E Dorian", {"F": 1, "C": 1}),
        ("Aphr", {"B": -1}),
        ("Glyd", {"F": 1, "C": 1}),
        ("GM", {"B": -1, "E": -1}),  # the mode is read in either case: M is m
        ("Cb", dict.fromkeys("BEADGCF", -1)),
        ("Hp", {"F": 1, "C": 1}),
        ("Dmix=c", {"F": 1, "C": 0}),
        ("Dm =c", {"B": -1, "C": 0}),
        ("D exp _b _e ^f", {"B": -1, "E": -1, "F": 1}),
        ("D exp", {}),
        ("D clef=bass", {"F": 1, "C": 1}),
        ("D Dor treble-8", {}),
        ("Bb alto1 octave=-1 stafflines=1", {"B": -1, "E": -1}),
        ("clef=bass", {}),
        ("none", {}),
    ],
)
def test_key_signatures(key, signature):
    assert key_signature(key) == signature


def test_key_signature_sounds_in_every_octave():
    assert pitches("F f F, c", key="D") == [66, 78, 54, 73]


def test_accidentals_last_the_bar_in_their_own_octave():
    assert pitches("^F F f F|F") == [66, 66, 77, 66, 65]
    assert pitches("=F F|F", key="G") == [65, 65, 66]
    assert pitches("^^F __B") == [67, 69]
    assert pitches("^F =F F") == [66, 65, 65]


def test_ties_join_notes_and_carry_accidentals():
    found = tune("C4-|C2 D2|")
    assert [tuple(note) for note in found.notes] == [(C4, 0, 6), (D4, 6, 2)]
    assert pitches("^F4-|F2 F2|") == [66, 65]
    assert durations("^F4-|F2 F2|") == [6, 2]


def test_tie_between_different_pitches_is_a_slur():
    assert pitches("C-D") == [C4, D4]
    assert pitches("C>-C D") == [C4, D4]


def test_tuplets():
    assert durations("(3CDE F") == [Fraction(2, 3)] * 3 + [1]
    assert durations("(3:2:2C2D E") == [Fraction(4, 3), Fraction(2, 3), 1]
    assert durations("(2CD E", metre="6/8", unit="1/8") == [Fraction(3, 4)] * 2 + [Fraction(1, 2)]
    assert durations("(5CDEFG") == [Fraction(2, 5)] * 5
    assert durations("(5CDEFG", metre="6/8") == [Fraction(3, 5)] * 5
    assert durations("((3CDE) F") == [Fraction(2, 3)] * 3 + [1]


def test_broken_rhythm():
    assert durations("C>D E<F") == [Fraction(3, 2), Fraction(1, 2), Fraction(1, 2), Fraction(3, 2)]
    assert durations("C>>D") == [Fraction(7, 4), Fraction(1, 4)]
    assert durations("(C>{e}.D) ~E > F") == [Fraction(3, 2), Fraction(1, 2)] * 2


def test_graces_texts_and_decorations_make_no_sound():
    assert pitches('{ag}C "Am"D !trill!E .F ~G HA uB vc Tc `C y') == [C4, D4, E4, F4, G4, A4, B4, C5, C5, C4]


def test_chords_keep_the_highest_note():
    found = tune("[CEG]2 [E2C2] +CE+")
    assert [tuple(note) for note in found.notes] == [(G4, 0, 2), (E4, 2, 2), (E4, 4, 1)]


def test_rests():
    found = tune("C z x2 D")
    assert [tuple(note) for note in found.notes] == [(C4, 0, 1), (D4, 4, 1)]


@pytest.mark.parametrize(
    ("music", "played"),
    [
        ("|:C|D:|E|]", "CDCDE"),
        ("C|D:|E|]", "CDCDE"),  # without |: from the beginning
        ("C|D:|E|F:|", "CDCDEFEF"),  # ... or from the repeat before
        ("C|D||E|F:|", "CDEFEF"),  # ... or from the double bar line before
        ("C|D|]E|F:|", "CDEFEF"),
        ("|:C::D:|", "CCDD"),
        ("|:C:||:D:|", "CCDD"),
        ("C:||:D:|", "CCDD"),
        ("C|:|D|]", "CCD"),
        ("|:C|[1D:|[2E|]", "CDCE"),
        ("|:C|1D:|2E||F:|", "CDCEFF"),
        ("C|1D|2E|]", "CDCE"),
        ("|:C|[1,3D:|[2E:|", "CDCECD"),
        ("|:C|[1-2D:|[3E|]", "CDCDCE"),
        ("C\nP:B\nD:|", "CDD"),
        ("C[P:B]D:|", "CDD"),
        ("C\n|\n:D:|", "CDD"),
        ('C "Segno"[|]|]D:|', "CDD"),
    ],
)
def test_repeats_are_unfolded(music, played):
    assert pitches(music) == ["C_D_EF".index(letter) + 60 for letter in played]


def test_parts_open_and_close():
    found = tune("G|C4|C3:|G|C4|C3:|")
    flags = [(bar.length, bar.opens, bar.closes) for bar in found.bars]
    once = [(1, True, False), (4, False, False), (3, False, True)]
    assert flags == once * 4


def test_fields_inside_a_tune():
    assert durations("C\nL:1/8\nC [L:1/16]C") == [1, Fraction(1, 2), Fraction(1, 4)]
    assert pitches("F|[K:D]F|\nK:F\nB") == [65, 66, 70]
    assert [bar.metre for bar in tune("C4|[M:3/4]C3|\nM:2/4\nC2|").bars] == [(4, 4), (3, 4), (2, 4)]


def test_comments_continuations_and_mail():
    assert pitches("C % D\n%E\nF\\\nG") == [C4, F4, G4]
    assert pitches("C D =\nE=20\nF=3DG") == [C4, D4, E4, F4, G4]


def test_a_key_field_with_a_clef_alone_leaves_the_key():
    assert pitches("F [K:clef=bass]F [K:C]F", key="D") == [66, 66, 65]


def test_clefs_and_settings_that_move_the_music():
    assert pitches("C", key="C treble-8") == [48]
    assert pitches("C", key="Am clef=treble+8 transpose=-2") == [70]
    assert pitches("V:1 octave=1\nC [K:C bass]D") == [72, 74]


def test_what_stands_at_the_head_of_the_file_holds_for_every_tune():
    book = "%abc-2.1\nM:4/4\nL:1/4\nZ:Ann\n\nabout L:\nL:1/2\n\nX:1\nT:one\nK:C\nCDEF|\n\nX:2\nL:1/8\nK:C\nC\n"
    one, two = (parse_tune(text) for text in split_tunes(book))
    assert (one.metre, one.transcriber, [note.duration for note in one.notes]) == ("4/4", "Ann", [1] * 4)
    assert [note.duration for note in two.notes] == [Fraction(1, 2)]
    assert split_tunes("X:1\nL:1/2\n\nX:2\nK:C") == ["X:1\nL:1/2", "X:2\nK:C"]  # no head: as it was


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_and_foreign_line_ends(end):
    text = "\ufeffX:1\nT:t\nM:4/4\nL:1/4\nK:C\nCDEF|\n".replace("\n", end)
    assert [note.pitch for note in parse_tune(text).notes] == [C4, D4, E4, F4]
    assert len(split_tunes(text)) == 1


@pytest.mark.parametrize("text", ["", "hello\n", "x:1\nK:C\nC"])
def test_a_text_without_a_tune_is_refused(text):
    with pytest.raises(AbcError, match="X:"):
        split_tunes(text)


@pytest.mark.parametrize("after", ["\n\nAged Abe\n", "\n \t\nAged Abe", "\n%%begintext\nAged Abe\n%%endtext\n"])
def test_free_text_gives_no_notes(after):
    assert pitches(f"CDEF|{after}") == [C4, D4, E4, F4]


def test_an_empty_line_before_the_key_ends_the_tune():
    with pytest.raises(AbcError, match="no key"):
        parse_tune("X:1\nT:t\n\nM:4/4\nK:C\nCDEF|\n")


def test_one_voice_may_be_named():
    assert pitches("V:1 clef=treble\nCD[V:1]E\nV:1\nF") == [C4, D4, E4, F4]


def test_rests_of_several_bars():
    found = tune("C4|Z|D4|Z3|X2|E4|")
    assert [(note.pitch, note.onset) for note in found.notes] == [(C4, 0), (D4, 8), (E4, 32)]
    assert [bar.length for bar in found.bars] == [4] * 9
    assert runs(found)[0].tokens.shape == (9, 16)
    with pytest.raises(AbcError, match="'Z' in 'C Z'"):
        tune("C Z")


def test_decorations_of_both_dialects_and_line_breaks():
    assert pitches("+trill+C !trill!D !trill(!E !/!F +fermata+G !ff!A +f+B !D.C.!c") == [60, 62, 64, 65, 67, 69, 71, 72]
    assert pitches("C!DE!F") == [C4, D4, E4, F4]  # two line breaks of an old program
    assert pitches("+CE+ +EG+") == [E4, G4]


def test_text_fields_go_on_with_a_plus():
    assert pitches("C\nw:la\n+:la A B\nD[r:a remark A]") == [C4, D4]


def test_metres():
    assert (parse_metre("C"), parse_metre("C|"), parse_metre(" 6/8 ")) == ((4, 4), (2, 2), (6, 8))
    with pytest.raises(AbcError, match="the metre 'none'"):
        parse_metre("none")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X:7\nT:Bare\nM:C\nCDE", r"tune X:7 \(Bare\): it has no key"),
        ("X:7\nT:Bare\nK:C\nCDE", "no metre"),
        ("X:7\nT:Bare\nM:C\nK:C\n", "no notes"),
        ("X:7\nT:Bare\nM:C\nK:Q\nC", "the key 'Q'"),
        ("X:7\nT:Bare\nM:C\nL:8\nK:C\nC", "the unit length '8'"),
        ("X:7\nT:Bare\nM:C\nK:C\nC ? D", r"'\?'"),
        ("X:7\nT:Bare\nM:C\nK:C\nV:1\nC\nV:2\nC", "several voices"),
        ("X:7\nT:Bare\nM:C\nK:C\n[V:1]C|[V:2]C", "several voices"),
        ("X:7\nT:Bare\nM:C\nK:C\n|>C", "'>' has no note before it"),
        ("X:7\nT:Bare\nM:C\nK:C\nC0", "has no length"),
        ("X:7\nT:Bare\nM:C\nK:C\n[C?]", r"the chord '\[C\?\]'"),
        ("X:7\nT:Bare\nM:C\nK:C\nC|1D:|E|]", r"the endings \[1\]"),
        ("X:7\nT:Bare\nM:C\nK:C\nC|1D:|2E|C|1D:|2E|]", "the number of an earlier one"),
        ("X:7\nT:Bare\nM:C\nK:C\nC|1646D", "the ending '1646'"),
        ("X:7\nT:Bare\nM:C\nK:C\nC|[1-99999999D", "the ending '1-99999999'"),
        ("X:7\nT:Bare\nM:C\nK:C\nC|[2-1D", "the ending '2-1'"),
        ("X:7\nT:Bare\nM:C\nK:C\nc''''", "MIDI pitch 120"),
        ("X:7\nT:Bare\nM:C\nK:C\nC,,,,", "MIDI pitch 12"),
        ("X:7\nT:Bare\nM:C\nK:C transpose=70\nC", "MIDI pitch 130"),
        ("X:7\nT:Bare\nM:C\nK:C octave=1000\nC", "'octave=1000'"),
        ("X:7\nT:Bare\nM:C\nK:C\n(3:0CDE", "has no length"),
        ("X:7\nT:Bare\nM:C\nK:C\n(3:2:0CDE", "has no length"),
        ("X:7\nT:Bare\nM:C\nK:C\nC/0", "has no length"),
        ("X:7\nT:Bare\nM:9999/1\nK:C\n" + "CDEF|" * 4000, "the metre '9999/1'"),
        ("X:7\nT:Bare\nM:C\nK:C\n" + "C|" * 10_001, "more than 10,000 bars"),
        ("X:7\nT:Bare\nM:C\nK:C\nZ9999|Z9999|C", "more than 10,000 bars"),
    ],
)
def test_errors_name_the_tune_and_the_reason(text, reason):
    with pytest.raises(AbcError, match=reason) as error:
        parse_tune(text)
    assert str(error.value).startswith("tune X:7 (Bare): ")


@pytest.mark.parametrize(
    "music", ["C{}", "C/{}", "C|[{}D", "C|[1-{}D", "(3:{}CDE", "(3:2:{}CDE", "Z{}", "[CE]{}", "[M:{}/4]C", "[L:1/{}]C"]
)
def test_numbers_of_any_length_are_refused_with_a_short_message(music):
    for digits in (20, 5000):
        with pytest.raises(AbcError) as error:
            tune(music.format("9" * digits))
        assert len(str(error.value)) < 300


@pytest.mark.parametrize("music", ["C" + "/" * 5000, "C" + ">" * 5000 + "D", "C" + "'" * 5000, "?" * 5000])
def test_signs_without_end_are_refused_with_a_short_message(music):
    with pytest.raises(AbcError) as error:
        tune(music)
    assert len(str(error.value)) < 300


def test_messages_show_no_signs_that_a_terminal_obeys():
    with pytest.raises(AbcError) as error:
        parse_tune(f"X:7\nT:\x1b[31mRed{'x' * 5000}\nM:C\nK:Q\x1b\nC")
    assert str(error.value).isprintable() and len(str(error.value)) < 300


@pytest.mark.parametrize("metre", ["99/1", "1/8"])
def test_the_work_on_bars_of_a_wrong_length_is_linear(metre):
    """Counted, not timed: additions of lengths while bars are put together."""
    found = tune("CDEF|" * 300, metre=metre)
    looked_at = []

    class Counting(tuple):
        def __getitem__(self, index):
            looked_at.append(index)
            return super().__getitem__(index)

    assert runs(dataclasses.replace(found, bars=Counting(found.bars))) == []
    assert len(looked_at) < 30 * len(found.bars)


def test_damaged_texts_give_notes_or_one_clear_refusal():
    """The full count is `python tools/fuzz_abc.py 3000`."""
    report = fuzz_abc.fuzz(300, seed=1)
    assert report.others == []
    assert min(report.outcomes["read"], report.outcomes["refused"]) > 30
