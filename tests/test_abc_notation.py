"""The ABC parser on small tunes made by hand, one feature at a time."""

from fractions import Fraction

import pytest
from abc_notation import AbcError, parse_tune, read_header, split_tunes
from abc_reader import key_signature, parse_metre

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
        ("X:7\nT:Bare\nM:C\nK:C\nV:2\nC", "several voices"),
        ("X:7\nT:Bare\nM:C\nK:C\n[V:2]C", "several voices"),
        ("X:7\nT:Bare\nM:C\nK:C\n|>C", "'>' has no note before it"),
        ("X:7\nT:Bare\nM:C\nK:C\nC0", "has no length"),
        ("X:7\nT:Bare\nM:C\nK:C\n[C?]", r"the chord '\[C\?\]'"),
        ("X:7\nT:Bare\nM:C\nK:C\nC|1D:|E|]", r"the endings \[1\]"),
        ("X:7\nT:Bare\nM:C\nK:C\nC|1D:|2E|C|1D:|2E|]", "the number of an earlier one"),
        ("X:7\nT:Bare\nM:C\nK:C\nC|1646D", "the ending '1646'"),
    ],
)
def test_errors_name_the_tune_and_the_reason(text, reason):
    with pytest.raises(AbcError, match=reason) as error:
        parse_tune(text)
    assert str(error.value).startswith("tune X:7 (Bare): ")
