"""Melodies as engraved music: what the drawing shows, what it must not hold, and what stands there without Verovio."""

import base64
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from mvae_lib.music import engraving
from mvae_lib.music.engraving import VerovioMissing, estimate_key, score
from mvae_lib.music.melody import Note, notes_to_tokens

TUNE = notes_to_tokens(
    [Note(pitch, 2 * i, 2 * i + 2) for i, pitch in enumerate([57, 61, 64, 69, 68, 69, 64, 61] * 2)], 32
)
USE = "{http://www.w3.org/2000/svg}use"


@pytest.fixture(autouse=True)
def needs_verovio():
    pytest.importorskip("verovio")


def html_of(shown) -> str:
    return shown._repr_mimebundle_()["text/html"]


def drawing(shown) -> ElementTree.Element:
    image = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html_of(shown))[1]
    return ElementTree.fromstring(base64.b64decode(image))


def test_the_drawing_has_a_head_for_every_note_and_signs_by_the_key():
    in_a, in_c = (len(list(drawing(score(TUNE, key=name)).iter(USE))) for name in ("A", "C"))
    signs_in_a = 3  # sharps of the signature
    assert in_a == 1 + signs_in_a + 2 + 16  # clef, signature, metre, heads
    # In C major each bar of this tune needs its own sharps: C and G twice, a bar; the second C sharp of a bar has none.
    assert in_c > in_a - signs_in_a


def test_the_drawing_stands_on_white_and_holds_no_script_no_class_and_no_font():
    svg = score(TUNE).svg
    root = ElementTree.fromstring(svg)
    ground = root.find("{http://www.w3.org/2000/svg}rect")
    assert ground.get("fill") == "#fff" and ground.get("width") == root.get("width")
    assert not re.search(r"<script|<style|class=|font-face|currentColor|href=\"(?!#)", svg)


def test_two_processes_draw_the_same_bytes():
    code = "from test_engraving import TUNE, html_of, score; print(html_of(score(TUNE, title='Tune')))"
    run = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    one, two = (subprocess.run(run, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert one == two and one.strip() == html_of(score(TUNE, title="Tune"))


def test_a_window_of_two_bars_is_small():
    busy = notes_to_tokens([Note(60 + (i * 7) % 12, i, i + 1) for i in range(32)], 32)
    assert len(html_of(score(busy, key="C"))) < 12_000


def test_the_alternative_text_names_the_notes_as_they_are_spelt():
    tied = notes_to_tokens([Note(63, 0, 20), Note(68, 20, 24)], 32)
    said = score(tied, key="Eb").description
    assert said == "E♭ major, 4/4. Bar 1: E♭4. Bar 2: A♭4."
    assert f'alt="Score in {said}"' in html_of(score(tied, key="Eb"))
    assert "no new note" in score(notes_to_tokens([Note(60, 0, 32)], 32)).description


def test_titles_are_text_and_the_repr_has_no_address():
    shown = score(TUNE, title="<b>&'\"")
    assert "<b>&'" not in html_of(shown) and "&lt;b&gt;&amp;" in html_of(shown)
    assert shown._repr_mimebundle_()["text/plain"] == repr(shown) and "0x" not in repr(shown)


def test_the_key_is_estimated_from_the_notes():
    assert estimate_key(TUNE) == "A major"
    assert estimate_key(np.zeros(16, np.uint8)) is None
    assert score(np.zeros(16, np.uint8)).svg  # a bar of rest


def test_without_verovio_the_notes_stand_there_in_words(monkeypatch):
    monkeypatch.setattr(engraving, "find_spec", lambda name: None)
    shown = score(TUNE)
    assert "pip install verovio" in html_of(shown) and "Bar 1: A3" in html_of(shown)
    with pytest.raises(VerovioMissing, match="pip install verovio"):
        _ = shown.svg


@pytest.mark.parametrize(
    ("tokens", "settings"),
    [
        (np.zeros((2, 32), int), {}),
        (np.zeros(65 * 16, int), {}),
        (np.full(32, 95), {}),
        (TUNE, {"key": "H"}),
    ],
)
def test_what_is_no_melody_or_no_key_is_refused(tokens, settings):
    with pytest.raises(ValueError):
        score(tokens, **settings)


def test_lists_are_taken_too():
    assert score(TUNE.tolist()).svg == score(TUNE).svg
