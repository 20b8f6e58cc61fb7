import base64
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import combinations
from types import SimpleNamespace
from xml.etree import ElementTree

import ipywidgets
import numpy as np
import pretty_midi
import pytest

from mvae_lib.music.melody import Note, notes_to_tokens
from mvae_lib.plots import palette
from mvae_lib.widgets import Player, column, play
from mvae_lib.widgets.page import player_script, widget_module

NOTES = [Note(60, 0, 4), Note(64, 6, 8), Note(67, 8, 16), Note(60, 24, 32)]
TOKENS = notes_to_tokens(NOTES, 32)


class Page(HTMLParser):
    """What a browser finds in a player's HTML: the score, the picture with its text, the number of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        named = dict(attributes)
        if tag == "mvae-player":
            self.score = json.loads(named["data-score"])
        elif tag == "img":
            kind, data = named["src"].split(",")
            assert kind == "data:image/svg+xml;base64"
            self.picture, self.alt = base64.b64decode(data).decode(), named["alt"]
        elif tag == "script":
            self.scripts += 1


def html_of(shown) -> str:
    bundle = shown._repr_mimebundle_()
    return (bundle[0] if isinstance(bundle, tuple) else bundle)["text/html"]


def page_of(shown) -> Page:
    return Page(html_of(shown))


def midi_of(notes: list[Note], seconds_per_step: float, **instrument) -> pretty_midi.PrettyMIDI:
    midi = pretty_midi.PrettyMIDI(initial_tempo=15 / seconds_per_step)
    made = pretty_midi.Instrument(**({"program": 0} | instrument))
    for pitch, start, end in notes:
        made.notes.append(pretty_midi.Note(90, pitch, start * seconds_per_step, end * seconds_per_step))
    midi.instruments.append(made)
    return midi


def test_importing_players_imports_nothing_heavy():
    code = "import sys, mvae_lib.widgets; print([m for m in ('torch', 'music21', 'pretty_midi') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_score_holds_the_notes_in_beats():
    (melody,) = page_of(play(TOKENS)).score["melodies"]
    assert melody["notes"] == [[60, 0, 1], [64, 1.5, 0.5], [67, 2, 2], [60, 6, 2]]
    assert melody["beats"] == 8


@pytest.mark.parametrize("of", [np.asarray, list, lambda tokens: tokens.astype(np.int64), lambda tokens: tokens[None]])
def test_tokens_may_come_as_arrays_and_lists(of):
    assert html_of(play(of(TOKENS))) == html_of(play(TOKENS))


def test_tokens_may_come_as_a_torch_tensor():
    torch = pytest.importorskip("torch")
    assert html_of(play(torch.tensor(TOKENS))) == html_of(play(TOKENS))
    assert html_of(play(torch.tensor(np.stack([TOKENS, TOKENS])))) == html_of(play([TOKENS, TOKENS]))


def test_notes_and_midi_give_the_same_page_as_their_tokens():
    assert html_of(play(NOTES)) == html_of(play(TOKENS))
    assert html_of(play(midi_of(NOTES, seconds_per_step=0.125))) == html_of(play(TOKENS))


def test_midi_is_read_in_beats_whatever_its_tempo():
    assert html_of(play(midi_of(NOTES, seconds_per_step=0.25))) == html_of(play(TOKENS))


def test_midi_instruments_become_voices():
    midi = midi_of(NOTES[:1], 0.125)
    midi.instruments += midi_of(NOTES[1:2], 0.125, program=33).instruments
    midi.instruments += midi_of([Note(38, 8, 9)], 0.125, is_drum=True).instruments
    notes = page_of(play(midi)).score["melodies"][0]["notes"]
    assert notes == [[60, 0, 1], [64, 1.5, 0.5, 90, "bass"], [38, 2, 0.25, 90, "drums"]]


def test_a_strip_has_one_script_and_a_title_for_each_melody():
    page = page_of(play([TOKENS, NOTES, np.zeros(16, int)], titles=["from", "to", "silence"]))
    assert [melody["title"] for melody in page.score["melodies"]] == ["from", "to", "silence"]
    assert page.scripts == 1
    assert [m["title"] for m in page_of(play(np.stack([TOKENS, TOKENS]))).score["melodies"]] == ["1", "2"]


def test_silence_can_be_played():
    page = page_of(play(np.zeros(32, int)))
    assert page.score["melodies"][0]["notes"] == []
    assert "no notes, 2 bars" in page.alt
    assert "no notes" in page.picture


@pytest.mark.parametrize(
    ("melody", "error", "words"),
    [
        ([], ValueError, "empty list"),
        ([[]], ValueError, "it is empty"),
        ([TOKENS, []], ValueError, "melody 1 of the strip: it is empty"),
        ([0, 90], ValueError, "0 to 89"),
        ([TOKENS, [0, -1]], ValueError, "melody 1 of the strip"),
        (np.zeros((4, 90)), TypeError, "integers"),
        (np.zeros((2, 2, 2), int), ValueError, "shape"),
        (np.zeros((0, 16), int), ValueError, "1 to 32"),
        (np.zeros((512, 16), int), ValueError, "512"),
        ([Note(60, 4, 4)], ValueError, "cannot be played"),
        ([Note(200, 0, 4)], ValueError, "cannot be played"),
        ([Note(60, 0, 4), 3], TypeError, "Note"),
        ("C D E", TypeError, "integers"),
        (None, TypeError, "integers"),
    ],
)
def test_what_cannot_be_played_is_named(melody, error, words):
    with pytest.raises(error, match=words):
        play(melody)


def test_titles_must_be_one_for_each_melody():
    with pytest.raises(ValueError, match="1 titles for 2 melodies"):
        play([TOKENS, TOKENS], titles=["one"])
    with pytest.raises(TypeError, match="title="):
        play(TOKENS, titles="one")


@pytest.mark.parametrize("tempo", [0, 19.9, 401, float("nan")])
def test_a_tempo_out_of_range_is_refused(tempo):
    with pytest.raises(ValueError, match="quarter notes per minute"):
        play(TOKENS, tempo=tempo)
    player = Player(TOKENS)
    with pytest.raises(ValueError, match="quarter notes per minute"):
        player.tempo = tempo
    assert player.tempo == 120


def test_titles_survive_the_way_through_html():
    title = """'quoted' "twice" <b>&amp;</b> </script> 곡"""
    page = page_of(play([TOKENS, TOKENS], titles=[title, "x"], title=title))
    assert page.score["title"] == page.score["melodies"][0]["title"] == title
    assert title in page.alt
    assert page.scripts == 1
    assert title in "".join(ElementTree.fromstring(page.picture).itertext())


def test_the_page_is_the_same_each_time_and_in_each_process():
    code = "from mvae_lib.widgets import play; print(play([60, 0, 1, 0], title='t')._repr_mimebundle_())"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
    assert html_of(play(TOKENS)) == html_of(play(TOKENS)) != html_of(play(TOKENS, loop=True))


def test_the_page_names_no_other_address_and_closes_no_script_early():
    page = html_of(play([TOKENS, TOKENS], titles=["a", "b"]))
    picture = page_of(play([TOKENS, TOKENS], titles=["a", "b"])).picture
    assert "http" not in page
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    assert "</script" not in player_script()
    assert "<!--" not in player_script()


def test_the_script_is_sent_without_comments():
    assert not any(line.startswith((" ", "//")) or not line for line in widget_module().splitlines())


def test_outputs_stay_small():
    assert len(html_of(play(TOKENS, title="A tune")).encode()) < 27_000
    assert len(html_of(play([TOKENS] * 9)).encode()) < 35_000


def test_the_picture_has_a_mark_for_each_note_and_tells_voices_apart():
    midi = midi_of(NOTES, 0.125)
    midi.instruments += midi_of([Note(38, 8, 9)], 0.125, is_drum=True).instruments
    paths = {
        path.get("stroke"): path.get("d")
        for path in ElementTree.fromstring(page_of(play(midi)).picture).iter("{http://www.w3.org/2000/svg}path")
    }
    assert paths[palette.LIGHT.keys].count("M") == len(NOTES)
    assert paths[palette.LIGHT.drums].count("M") == 1
    assert palette.LIGHT.bass not in paths


def test_plain_text_says_what_is_shown():
    assert repr(play(TOKENS, title="A tune")) == "<play 'A tune': 4 notes from C4 to G4, 2 bars, tempo 120>"
    assert repr(play([TOKENS, TOKENS], tempo=90)) == "<play 2 melodies, tempo 90>"
    assert repr(play([41] + [0] * 15)) == "<play 1 note on C4, 1 bar, tempo 120>"


def test_a_player_shows_the_same_page_beside_its_view():
    player = Player(TOKENS, title="A tune", loop=True)
    data, _ = player._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert data["text/html"] == html_of(play(TOKENS, title="A tune", loop=True))
    assert data["text/plain"] == "<Player 'A tune': 4 notes from C4 to G4, 2 bars, tempo 120>"


def test_a_player_follows_what_the_page_reports():
    player = Player(TOKENS)
    heard = []
    player.observe(lambda change: heard.append((change["name"], change["new"])), ["playing", "position", "tempo"])
    player.set_state({"playing": True, "position": 2.0, "tempo": 90.0})
    assert sorted(heard) == [("playing", True), ("position", 2.0), ("tempo", 90.0)]


def test_show_swaps_the_notes_everywhere():
    player = Player(TOKENS)
    player.show([TOKENS, TOKENS])
    assert len(player.get_state()["melodies"]) == 2
    assert html_of(player) == html_of(play([TOKENS, TOKENS]))
    with pytest.raises(ValueError, match="0 to 89"):
        player.show([99])
    assert len(player.melodies) == 2


def test_a_player_sends_commands(monkeypatch):
    player, sent = Player(TOKENS), []
    monkeypatch.setattr(player, "send", sent.append)
    player.play()
    player.seek(3)
    player.pause()
    assert sent == [{"do": "play"}, {"do": "seek", "beat": 3.0}, {"do": "pause"}]


# ---- Music of several tracks


def duo_to_midi(tokens: np.ndarray) -> pretty_midi.PrettyMIDI:
    """Class 0 is a rest, any other one a note of a quarter: of a flute above C5, of a bass above C2."""
    midi = pretty_midi.PrettyMIDI(initial_tempo=60)
    for track, (name, program, lowest) in enumerate((("flute", 73, 72), ("low", 33, 36))):
        midi.instruments.append(pretty_midi.Instrument(program, name=name))
        for step, token in enumerate(np.asarray(tokens)[:, track].tolist()):
            if token:
                midi.instruments[-1].notes.append(pretty_midi.Note(90, lowest + token, step, step + 1))
    return midi


DUO = SimpleNamespace(
    name="duo", vocab_sizes=(13, 5), steps_per_bar=4, track_names=("flute", "low"), to_midi=duo_to_midi
)
DUO_TOKENS = np.array([[12, 1], [0, 0], [1, 4], [0, 0]])
DUO_NOTES = [[37, 0, 1, 90, "bass", 1], [84, 0, 1], [40, 2, 1, 90, "bass", 1], [73, 2, 1]]


@pytest.mark.parametrize("of", [np.asarray, np.ndarray.tolist, lambda tokens: tokens.astype(np.uint8)])
def test_tokens_of_several_tracks_are_one_roll_with_a_lane_for_each_track(of):
    (roll,) = page_of(play(of(DUO_TOKENS), representation=DUO)).score["melodies"]
    assert roll["notes"] == DUO_NOTES
    assert roll["tracks"] == ["flute", "low"]
    assert roll["beats"] == 4
    assert "tracks" not in page_of(play(TOKENS)).score["melodies"][0]


@pytest.mark.parametrize("of", [lambda batch: batch, list, np.ndarray.tolist])
def test_a_batch_of_several_tracks_is_a_strip(of):
    batch = np.stack([DUO_TOKENS, DUO_TOKENS[::-1], DUO_TOKENS])
    rolls = page_of(play(of(batch), representation=DUO)).score["melodies"]
    assert [roll["notes"] == DUO_NOTES for roll in rolls] == [True, False, True]


def test_one_track_of_another_representation_has_no_lanes():
    drums = SimpleNamespace(
        name="beats",
        vocab_sizes=(2,),
        steps_per_bar=4,
        track_names=("drums",),
        to_midi=lambda tokens: midi_of([Note(38, 4 * step, 4 * step + 4) for step in np.flatnonzero(tokens)], 0.125),
    )
    (roll,) = page_of(play([1, 0, 0, 1], representation=drums)).score["melodies"]
    assert roll["notes"] == [[38, 0, 1], [38, 3, 1]]
    assert "tracks" not in roll
    assert len(page_of(play(np.eye(4, dtype=int), representation=drums)).score["melodies"]) == 4


def test_the_still_picture_of_several_tracks_names_them_and_their_voices():
    picture = page_of(play(DUO_TOKENS, representation=DUO, title="Two")).picture
    assert list(ElementTree.fromstring(picture).itertext()) == ["Two", "flute", "low", "keys", "bass"]


@pytest.mark.parametrize(
    ("tokens", "representation", "words"),
    [
        (np.zeros((32, 3), int), "melody", r"\[32, 3\].*representation="),
        (np.zeros((32, 3), int).tolist(), "melody", r"\[32, 3\].*representation="),
        (np.zeros((32, 3), int), DUO, r"\[steps, 2\], not \[32, 3\]"),
        (np.zeros(32, int), DUO, r"\[steps, 2\], not \[32\]"),
        (np.full((4, 2), 5), DUO, "'low' of 'duo' are 0 to 4, not 5 to 5"),
        (np.zeros((4, 2)), DUO, "integers"),
    ],
)
def test_tokens_that_do_not_fit_the_representation_are_refused(tokens, representation, words):
    with pytest.raises((TypeError, ValueError), match=words):
        play(tokens, representation=representation)


def test_short_melodies_of_notes_are_not_taken_for_tracks():
    assert len(page_of(play([NOTES[:2], NOTES[:2]])).score["melodies"]) == 2


def test_a_player_keeps_its_representation():
    player = Player(DUO_TOKENS, representation=DUO)
    player.show(np.stack([DUO_TOKENS, DUO_TOKENS]))
    assert [melody["notes"] for melody in player.melodies] == [DUO_NOTES, DUO_NOTES]


# ---- Titles


@pytest.mark.parametrize("letter", ["\ud800", "\x00", "\x1b", "\x9b", "\ufffe"])
def test_letters_that_cannot_be_shown_are_replaced_in_titles(letter):
    title = f"a{letter}[31mb"
    for shown in (play([TOKENS, TOKENS], titles=[title, title], title=title), Player(TOKENS, title=title)):
        page = page_of(shown)
        html_of(shown).encode()
        assert page.score["title"] == "a\ufffd[31mb"
        assert "a\ufffd[31mb" in page.alt
        assert "a\ufffd[31mb" in "".join(ElementTree.fromstring(page.picture).itertext())
        assert letter not in repr(shown)


def test_the_still_picture_shows_the_title():
    assert "A tune" in "".join(ElementTree.fromstring(page_of(play(TOKENS, title="A tune")).picture).itertext())
    midi = midi_of(NOTES, 0.125)
    midi.instruments += midi_of([Note(38, 8, 9)], 0.125, is_drum=True).instruments
    assert list(ElementTree.fromstring(page_of(play(midi)).picture).itertext()) == ["keys", "drums"]


# ---- Columns


def test_a_column_shows_its_players_without_a_kernel():
    button = ipywidgets.Button(description="Another <one>")
    shown = column(button, Player(TOKENS, title="A tune"), ipywidgets.VBox([Player(TOKENS[:16])]))
    bundle = shown._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == shown.model_id
    page = bundle["text/html"]
    assert len(re.findall("<mvae-player ", page)) == 2
    assert page.count("<script>") == 1
    assert "Another &lt;one&gt;" in page
    assert bundle["text/plain"].startswith("<column of Button “Another <one>”, <Player 'A tune': 4 notes")


def test_a_column_shows_pictures_and_texts_without_a_kernel():
    picture = ipywidgets.Image(value=b"abc", format="png")
    page = column(picture, ipywidgets.HTML("<b>bold</b>"), ipywidgets.Label("a < b"))._repr_mimebundle_()["text/html"]
    assert f"data:image/png;base64,{base64.b64encode(b'abc').decode()}" in page
    assert "<b>bold</b>" in page
    assert "a &lt; b" in page


def test_a_column_is_the_same_in_each_run_and_refuses_what_is_no_widget():
    def page() -> str:
        return column(Player(TOKENS), ipywidgets.IntSlider())._repr_mimebundle_()["text/html"]

    assert page() == page()
    with pytest.raises(TypeError, match="PlayerOutput"):
        column(play(TOKENS))


# ---- Colours


def luminance(colour: str) -> np.ndarray:
    """Linear light of red, green and blue (sRGB)."""
    encoded = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio, 1 to 21."""
    low, high = sorted(float(luminance(colour) @ [0.2126, 0.7152, 0.0722]) + 0.05 for colour in (one, other))
    return high / low


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK])
def test_colours_stand_out_from_their_paper(theme):
    for background in (theme.paper, theme.shade):
        assert contrast(theme.ink, background) >= 4.5
        assert contrast(theme.muted, background) >= 4.5
        for colour in (theme.accent, theme.keys, theme.bass, theme.drums, theme.bar):
            assert contrast(colour, background) >= 3


# How people without one kind of cone see linear light (Machado, Oliveira and Fernandes 2009, severity 1).
VISION = {
    "usual": np.eye(3),
    "no red cones": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no green cones": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no blue cones": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def cielab(light: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = to_xyz @ np.clip(light, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_series_stay_apart_for_every_eye(vision):
    seen = {colour: cielab(np.array(VISION[vision]) @ luminance(colour)) for colour in palette.SERIES}
    for one, other in combinations(palette.SERIES, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 12, (one, other)
