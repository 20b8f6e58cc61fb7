"""The explorers from Python: what they put on the page, and how they respond, with a decoder made by hand."""

import base64
import io
import json
import re
import subprocess
import sys
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from test_widgets import DUO, DUO_NOTES, DUO_TOKENS, VISION, cielab, contrast, luminance

from mvae_lib.latent import lerp
from mvae_lib.latent.attribute_vectors import AttributeVector
from mvae_lib.music.melody import Note, note_on
from mvae_lib.music.midi import notes_to_midi
from mvae_lib.plots import palette
from mvae_lib.widgets.explorers import AttributeMixer, Blender, LatentMap, MelodyPad
from mvae_lib.widgets.explorers.page import FIRST_LETTER, SERIES, clip, explorer_module, explorer_script
from mvae_lib.widgets.explorers.pictures import short

KINDS = ("mvae-map", "mvae-blender", "mvae-mixer", "mvae-pad")
# A vector is at home where it is a melody: z [B, 2] -> the pitches of the notes on the first beat of either bar.


def decode(z: torch.Tensor) -> torch.Tensor:
    tokens = torch.zeros(len(z), 32, dtype=torch.long)
    tokens[:, [0, 16]] = z.round().long() + note_on(60)
    return tokens


def encode(tokens: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(tokens)[:, [0, 16]].astype(np.float32)) - note_on(60)


def melody(first: int, second: int) -> np.ndarray:
    return decode(torch.tensor([[float(first), float(second)]]))[0].numpy().astype(np.uint8)


def pitches(tokens: np.ndarray) -> list[int]:
    return encode(tokens[None])[0].int().tolist()


Z = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 20.0], [10.0, 20.0]])
POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 4.0], [1.0, 4.0]])


def a_map(**more) -> LatentMap:
    return LatentMap(POINTS, Z, decode, **({"titles": ["o", "right", "up", "far"], "title": "A map"} | more))


def a_blender(**more) -> Blender:
    return Blender(melody(0, 0), melody(8, 16), encode, decode, **({"titles": ["low", "high"], "steps": 5} | more))


def a_pad(**more) -> MelodyPad:
    corners = [melody(0, 0), melody(8, 0), melody(0, 8), melody(8, 8)]
    return MelodyPad(corners, encode, decode, **({"titles": ["a", "b", "c", "d"], "rows": 3} | more))


VECTORS = {
    "first": AttributeVector(torch.tensor([4.0, 0.0]), 2.0),
    "second": AttributeVector(torch.tensor([1.0, 6.0]), 6.0),
}
MEASURES = {
    "first": lambda tokens: encode(tokens)[:, 0].numpy() / 2,
    "second": lambda tokens: np.where(encode(tokens)[:, 1] > 8, np.nan, encode(tokens)[:, 1]),
}


def a_mixer(**more) -> AttributeMixer:
    return AttributeMixer(melody(2, 3), encode, decode, VECTORS, MEASURES, **more)


EXPLORERS = (a_map, a_blender, a_mixer, a_pad)


def html_of(explorer) -> str:
    return explorer._repr_mimebundle_()[0]["text/html"]


def page_data(explorer) -> dict:
    text = re.search(r"data-instrument='([^']*)'", html_of(explorer))[1]
    return json.loads(text.replace("&lt;", "<").replace("&#39;", "'").replace("&amp;", "&"))


def send_request(explorer, **request) -> dict:
    """What the page does: a message that sets the trait."""
    explorer.set_state({"request": {"n": "abc1", **request}})
    assert explorer.response["n"] == "abc1"
    return explorer.response


def midi_bytes(notes: list[Note]) -> bytes:
    buffer = io.BytesIO()
    notes_to_midi(notes).write(buffer)
    return buffer.getvalue()


def drop(explorer, place: str, name: str, content: bytes) -> dict:
    """What the page does with a file: a message of its own with the bytes beside it."""
    explorer._handle_custom_msg({"place": place, "name": name}, [memoryview(content)])
    return explorer.response


# ---- What all have in common


def test_importing_players_still_imports_no_torch():
    code = "import sys, mvae_lib.widgets; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_a_melody_is_a_text_of_a_letter_a_step():
    tokens = np.array([0, 1, 2, 89], np.uint8)
    assert [ord(letter) - FIRST_LETTER for letter in clip(tokens)] == tokens.tolist()
    assert clip(np.arange(90)).isprintable()
    with pytest.raises(ValueError, match="0 to 89"):
        clip(np.array([90]))
    with pytest.raises(ValueError, match="one melody"):
        clip(np.zeros((2, 4), int))


@pytest.mark.parametrize("make", EXPLORERS)
def test_the_page_holds_the_data_that_the_view_gets(make):
    explorer = make(title="""'quoted' "twice" <b>&amp;</b> </script>""")
    assert page_data(explorer) == json.loads(json.dumps(explorer.data))
    assert explorer.get_state()["data"] == explorer.data
    assert html_of(explorer).count("<script>") == 1


@pytest.mark.parametrize("make", EXPLORERS)
def test_the_mimebundle_has_three_faces_and_is_always_the_same(make):
    data, _ = make()._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert data["text/html"] == html_of(make())
    assert data["text/plain"] == repr(make())


def test_each_says_in_words_what_it_is():
    assert repr(a_map()) == "<LatentMap 'A map': a map of 4 melodies>"
    assert repr(a_blender()) == "<Blender a way of 5 steps from low to high>"
    assert repr(a_mixer()) == "<AttributeMixer a mixer with sliders for first, second>"
    assert repr(a_pad()) == "<MelodyPad a pad between a, b, c, d>"


@pytest.mark.parametrize("make", EXPLORERS)
def test_where_no_scripts_run_there_is_a_picture_with_words(make):
    explorer = make()
    picture, alt = re.search(
        r'<img src="data:image/svg\+xml;base64,([^"]*)" alt="([^"]*)">', html_of(explorer)
    ).groups()
    assert ElementTree.fromstring(base64.b64decode(picture)).tag.endswith("svg")
    assert alt.endswith(explorer.in_words())


@pytest.mark.parametrize("kind", KINDS)
def test_the_scripts_name_no_other_address_and_close_no_script_early(kind):
    script = explorer_script(kind)
    assert "http" not in script
    assert "</script" not in script
    assert "<!--" not in script
    assert not any(line.startswith((" ", "//")) or not line for line in explorer_module(kind).splitlines())


@pytest.mark.parametrize("make", EXPLORERS)
def test_outputs_stay_small(make):
    assert len(html_of(make()).encode()) < 60_000


def test_the_series_are_as_many_on_dark_paper_as_on_light():
    assert len(set(SERIES["dark"])) == len(set(SERIES["light"])) == 5


@pytest.mark.parametrize("make", EXPLORERS)
def test_an_error_of_the_decoder_is_shown_and_raised(make):
    explorer = make()

    def broken(z: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the decoder stopped")

    explorer._decode = broken
    request = {"x": 0.5, "y": 0.5, "t": 0.5, "way": 0, "strengths": [0.0, 0.0], "n": "1"}
    with pytest.raises(RuntimeError):
        explorer.set_state({"request": request})
    assert explorer.response == {"n": "1", "error": "RuntimeError: the decoder stopped"}


@pytest.mark.parametrize("make", EXPLORERS)
def test_a_tempo_out_of_range_is_refused(make):
    with pytest.raises(ValueError, match="quarter notes per minute"):
        make(tempo=5)
    assert make(tempo=90).data["tempo"] == 90


# ---- LatentMap


def test_the_map_lays_its_points_into_a_unit_square_and_decodes_them_all():
    data = a_map(titles=["o", "same", "same", "far"]).data
    assert data["points"] == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert data["titles"] == ["o", "same", "far"]
    assert data["titleOf"] == [0, 1, 1, 2]
    assert data["clips"] == [clip(tokens) for tokens in decode(Z).numpy()]


def test_a_click_on_a_point_is_its_melody():
    latent_map = a_map()
    response = send_request(latent_map, point=3)
    assert response == {"n": "abc1", "point": 3, "clip": clip(melody(10, 20)), "title": "far"}
    assert pitches(latent_map.tokens) == [10, 20]
    assert torch.equal(latent_map.z, Z[3])
    assert pitches(latent_map.pick(1)) == [10, 0]


def test_a_place_between_points_is_decoded():
    latent_map = a_map()
    response = send_request(latent_map, x=0.5, y=0.5)
    assert response["clip"] == clip(melody(5, 10))  # the mean of the four corners
    assert (response["x"], response["y"]) == (0.5, 0.5)
    assert pitches(latent_map.go(1.0, 4.0)) == [10, 20]  # in the units of the points
    assert "near “far”" in latent_map.response["title"]


def test_the_way_back_from_the_map_can_be_chosen():
    latent_map = a_map(locate=lambda places: places * torch.tensor([3.0, 2.0]))
    assert pitches(latent_map.go(1.0, 4.0)) == [3, 8]
    assert latent_map.z.tolist() == [3.0, 8.0]


def test_the_same_request_twice_gets_two_responses():
    latent_map = a_map()
    latent_map.pick(1)
    once = latent_map.response
    latent_map.pick(1)
    assert latent_map.response != once


def test_colours_are_groups_or_numbers():
    groups = a_map(color=np.array(["ryan", "aird", "ryan", "oneill"]), label="book").data["groups"]
    assert groups == {"label": "book", "names": ["aird", "oneill", "ryan"], "of": [2, 0, 2, 1]}
    ramp = a_map(color=[1.0, np.nan, 3.0, 2.0], label="onsets").data["ramp"]
    assert ramp == {"label": "onsets", "low": 1.0, "high": 3.0, "of": [0.0, None, 1.0, 0.5]}
    assert "groups" not in a_map().data
    with pytest.raises(ValueError, match="one number or name for each"):
        a_map(color=[1.0])
    with pytest.raises(ValueError, match="6 groups"):
        LatentMap(np.zeros((6, 2)), torch.zeros(6, 2), decode, color=list("abcdef"))


@pytest.mark.parametrize(
    ("points", "z", "words"),
    [
        (POINTS[:3], Z, "not points"),
        (POINTS[:, :1], Z, "not points"),
        (np.full((4, 2), np.nan), Z, "not finite"),
        (np.zeros((0, 2)), Z[:0], "1 to 2,000"),
        (np.zeros((2001, 2)), torch.zeros(2001, 2), "1 to 2,000"),
    ],
)
def test_a_map_that_cannot_be_drawn_is_refused(points, z, words):
    with pytest.raises(ValueError, match=words):
        LatentMap(points, z, decode)


def test_melodies_all_at_one_place_can_be_shown():
    assert LatentMap(np.ones((3, 2)), Z[:3], decode).data["points"] == [[0, 0]] * 3


# ---- Blender


def test_the_strip_goes_from_one_to_the_other_by_each_way():
    data = a_blender().data
    assert data["ways"] == ["arc", "line"]
    assert data["paths"][1] == [clip(melody(2 * step, 4 * step)) for step in range(5)]
    assert data["paths"][0][0] == clip(melody(0, 0))


def test_the_slider_gets_a_response_at_any_place():
    blender = a_blender()
    assert send_request(blender, t=0.25, way=1)["clip"] == clip(melody(2, 4))
    assert pitches(blender.blend(0.625, "line")) == [5, 10]
    assert blender.response["way"] == 1
    assert blender.z.tolist() == [5.0, 10.0]


def test_a_dropped_file_becomes_an_end():
    blender = a_blender()
    response = drop(blender, "finish", "mine.mid", midi_bytes([Note(64, 0, 4), Note(68, 16, 20)]))
    assert response["note"] == ""
    assert blender.data["names"] == ["low", "mine"]
    assert blender.data["paths"][1][-1] == clip(melody(4, 8))
    assert pitches(blender.blend(0.5, "line")) == [2, 4]
    drop(blender, "start", "other.mid", midi_bytes([Note(64, 0, 4), Note(68, 16, 20)]))
    assert blender.data["names"] == ["other", "mine"]
    assert pitches(blender.blend(0, "line")) == [4, 8]


def test_of_several_windows_the_first_is_taken_and_the_page_says_so():
    notes = [Note(60 + bar, 16 * bar, 16 * bar + 4) for bar in range(4)]
    response = drop(a_blender(), "start", "long.mid", midi_bytes(notes))
    assert response["note"] == "long.mid: this is the first of its 3 windows of this length."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "tune.mid: the file is empty"),
        (b"hello", "tune.mid: not a MIDI file"),
        (midi_bytes([Note(64, 0, 4)]), "tune.mid: no melody of 2 bars was found"),
    ],
)
def test_a_file_without_a_melody_is_explained_under_its_own_name_and_changes_nothing(content, words):
    blender = a_blender()
    before = blender.data
    response = drop(blender, "start", "tune.mid", content)
    assert response["error"].startswith(words)
    assert "/" not in response["error"].split(":")[0]
    assert blender.data == before


def test_an_encoder_that_fails_on_a_file_is_shown():
    blender = a_blender()

    def broken(tokens: np.ndarray) -> torch.Tensor:
        raise RuntimeError("no encoder")

    blender._encode = broken
    drop(blender, "start", "a.mid", midi_bytes([Note(64, 0, 4), Note(68, 16, 20)]))  # ipywidgets logs what is raised
    assert blender.response["error"] == "RuntimeError: no encoder"


def test_a_blender_needs_two_melodies_of_one_length():
    with pytest.raises(ValueError, match="32 and 16"):
        Blender(melody(0, 0), melody(0, 0)[:16], encode, decode)
    with pytest.raises(ValueError, match="2 to 32"):
        a_blender(steps=1)
    with pytest.raises(ValueError, match="two titles"):
        a_blender(titles=["one"])
    with pytest.raises(ValueError, match="one melody"):
        Blender(np.zeros((1, 32), int), melody(0, 0), encode, decode)


# ---- MelodyPad


def test_the_pad_has_its_melodies_in_the_corners():
    data = a_pad().data
    assert (len(data["grid"]), len(data["grid"][0])) == (3, 5)
    corners = [data["grid"][row][column] for row in (0, -1) for column in (0, -1)]
    assert corners == [clip(melody(0, 0)), clip(melody(8, 0)), clip(melody(0, 8)), clip(melody(8, 8))]


def test_a_place_of_the_pad_is_decoded():
    pad = a_pad(interpolation=lerp)
    assert send_request(pad, x=0.5, y=0.25)["clip"] == clip(melody(4, 2))
    assert pitches(pad.go(1, 0.5)) == [8, 4]
    assert pad.data["grid"][1][1] == clip(melody(2, 4))


def test_a_dropped_file_becomes_a_corner():
    pad = a_pad()
    drop(pad, "3", "mine.mid", midi_bytes([Note(64, 0, 4), Note(68, 16, 20)]))
    assert pad.data["names"] == ["a", "b", "c", "mine"]
    assert pad.data["grid"][-1][-1] == clip(melody(4, 8))


def test_a_pad_needs_four_melodies_of_one_length():
    four = [melody(0, 0)] * 4
    for melodies, words in ((four[:3], "four melodies"), ([*four[:3], four[0][:16]], "one length")):
        with pytest.raises(ValueError, match=words):
            MelodyPad(melodies, encode, decode)
    with pytest.raises(ValueError, match="rows and columns"):
        a_pad(columns=1)


# ---- AttributeMixer


def test_the_mixer_moves_along_its_vectors_and_measures_what_came():
    mixer = a_mixer()
    response = send_request(mixer, strengths=[1.0, 0.5])
    assert response["clip"] == clip(melody(2 + 4 + 0.5, 3 + 3))
    assert response["changes"] == [2.0, 3.0]  # 6.5 is rounded to 6; half of the first number
    assert mixer.changes == {"first": 2.0, "second": 3.0}
    assert pitches(mixer.mix(second=-0.5)) == [2, 0]
    assert pitches(mixer.mix()) == [2, 3]
    assert mixer.changes == {"first": 0.0, "second": 0.0}


def test_whole_numbers_from_the_page_are_strengths_too():
    assert send_request(a_mixer(), strengths=[1, 0])["changes"] == [2.0, 0.0]
    assert send_request(a_blender(), t=1, way=0)["clip"] == clip(melody(8, 16))
    assert send_request(a_pad(), x=1, y=0)["clip"] == clip(melody(8, 0))
    assert send_request(a_map(), x=0, y=1)["clip"] == clip(melody(0, 20))


def test_what_cannot_be_measured_is_none():
    assert send_request(a_mixer(), strengths=[0.0, 1.0])["changes"][1] is None


def test_each_slider_alone_is_decoded_beforehand():
    mixer = a_mixer(reach=2.0)
    data = mixer.data
    assert data["positions"] == [-2, -1, 0, 1, 2]
    assert data["gaps"] == [2.0, 6.0]
    for index, name in enumerate(VECTORS):
        for place, position in enumerate(data["positions"]):
            assert data["alone"][index][place] == clip(mixer.mix(**{name: position}))
            assert data["changes"][index][place] == mixer.response["changes"]
    assert data["clip"] == clip(melody(2, 3))


def test_a_vector_without_a_measure_is_refused():
    with pytest.raises(ValueError, match="none for: first, second"):
        AttributeMixer(melody(0, 0), encode, decode, VECTORS)
    with pytest.raises(ValueError, match="needs vectors"):
        AttributeMixer(melody(0, 0), encode, decode, {})
    with pytest.raises(ValueError, match="no slider third; there are: first, second"):
        a_mixer().mix(third=1.0)


# ---- Other music than melodies, and names as they come


def duo_decode(z: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(DUO_TOKENS)[None].repeat(len(z), 1, 1)


def duo_encode(tokens: np.ndarray) -> torch.Tensor:
    assert tokens.shape[1:] == DUO_TOKENS.shape
    return torch.eye(len(tokens), 4)


def test_explorers_of_several_tracks_play_their_rolls():
    settings = {"encode": duo_encode, "decode": duo_decode, "representation": DUO}
    blender = Blender(DUO_TOKENS, DUO_TOKENS, **settings)
    pad = MelodyPad([DUO_TOKENS] * 4, **settings)
    vectors = {"low": AttributeVector(torch.ones(4), 1.0)}
    mixer = AttributeMixer(
        DUO_TOKENS, vectors=vectors, measures={"low": lambda tokens: tokens[..., 1].mean(1)}, **settings
    )
    latent_map = LatentMap(np.eye(2), torch.eye(2), duo_decode, representation=DUO)
    blender.blend(0.5), pad.go(0.5, 0.5), mixer.mix(low=0.5), latent_map.pick(1)
    for explorer in (blender, pad, mixer, latent_map):
        assert explorer.response["clip"]["notes"] == DUO_NOTES
        assert explorer.tokens.tolist() == DUO_TOKENS.tolist()
        assert page_data(explorer) == json.loads(json.dumps(explorer.data))
        assert not explorer.data.get("reads")  # a MIDI file is read as a melody
    with pytest.raises(ValueError, match=r"\[steps, 2\]"):
        Blender(DUO_TOKENS[:, 0], DUO_TOKENS[:, 0], **settings)


def picture_texts(explorer) -> list[str]:
    picture = re.search(r'base64,([^"]*)"', html_of(explorer))[1]
    return list(ElementTree.fromstring(base64.b64decode(picture)).itertext())


@pytest.mark.parametrize("letter", ["\ud800", "\x00", "\x1b"])
def test_letters_that_cannot_be_shown_are_replaced(letter):
    name = f"a{letter}b"
    explorers = [
        a_map(titles=[name] * 4, title=name, color=[name, "c", "c", "c"], label=name),
        a_blender(titles=[name, "high"], title=name, interpolations={name: lerp}),
        a_pad(titles=[name, "b", "c", "d"], title=name),
        a_mixer(title=name),
    ]
    for explorer in explorers:
        json.dumps(explorer.data, ensure_ascii=False).encode()
        assert letter not in html_of(explorer) + repr(explorer)
        assert "a\ufffdb" in picture_texts(explorer)
    drop(explorers[1], "start", f"{name}.mid", b"hello")
    assert explorers[1].response["error"].startswith("a\ufffdb.mid")


def test_still_pictures_have_titles_and_legends():
    assert picture_texts(a_map(title="", color=list("yxyx"), label="kind")) == ["kind", "x", "y"]
    assert picture_texts(a_map(color=[300.0, 20, 20, 20], label="onsets")) == ["A map", "onsets 20", "300"]
    assert picture_texts(a_pad(title="A pad")) == ["A pad", "a", "b", "c", "d"]


def test_numbers_of_a_legend_have_no_exponent():
    assert [short(number) for number in (300.0, 0, 3.04, 0.0123, -12.3, 1e-30)] == [
        "300",
        "0",
        "3",
        "0.012",
        "-12",
        "0",
    ]


# ---- Colours of groups


@pytest.mark.parametrize(("name", "theme"), [("light", palette.LIGHT), ("dark", palette.DARK)])
def test_groups_stand_out_from_their_paper_and_from_one_another_for_every_eye(name, theme):
    for colour in SERIES[name]:
        assert contrast(colour, theme.paper) >= 3
    for seen in VISION.values():
        places = [cielab(np.array(seen) @ luminance(colour)) for colour in SERIES[name]]
        for one, other in combinations(places, 2):
            assert np.linalg.norm(one - other) > 12
