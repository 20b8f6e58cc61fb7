"""The players in a real browser, on a page that stands alone: their sound, their look, and their keys."""

import io
import os
import wave
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from browser import requests_beyond_this_machine
from test_widgets import DUO, DUO_TOKENS

from mvae_lib.music.melody import Note, notes_to_tokens
from mvae_lib.plots import palette
from mvae_lib.widgets import play
from mvae_lib.widgets.rolls import MAX_TEMPO, MIN_TEMPO

# With silence before each note, so that its beginning can be heard. Steps at tempo 120 are 0.125 s apart.
NOTES = [Note(60, 2, 6), Note(64, 10, 14), Note(67, 18, 20), Note(67, 24, 30)]
TOKENS = notes_to_tokens(NOTES, 32)
LOW, HIGH = notes_to_tokens([Note(48, 0, 16)], 16), notes_to_tokens([Note(72, 0, 16)], 16)

LOUDNESS = """() => {
    const samples = new Float32Array(2048);
    mvae.speakers()?.meter.getFloatTimeDomainData(samples);
    return Math.hypot(...samples) / Math.sqrt(samples.length);
}"""


class Player:
    """The first player of a page, as its reader handles it."""

    def __init__(self, page) -> None:
        self.page = page
        self.element = page.locator("mvae-player").first

    def __getattr__(self, name: str):
        return self.element.evaluate(f"element => element.{name}")

    def button(self, name: str):
        return self.element.get_by_role("button", name=name, exact=True)

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(
            f"(() => {{ const player = document.querySelector('mvae-player'); return {condition}; }})()", timeout=8000
        )

    def loudness(self) -> float:
        return self.page.evaluate(LOUDNESS)


@pytest.fixture
def show(browser, tmp_path):
    """Opens a page with the given things in it; fails at the end if the page met an error or called another host."""
    contexts, errors, external_requests = [], [], []

    def open_page(*shown, **options) -> Player:
        context = browser.new_context(viewport={"width": 900, "height": 600}, **options)
        contexts.append(context)
        path = tmp_path / f"page{len(contexts)}.html"
        body = "".join(thing if isinstance(thing, str) else thing._repr_mimebundle_()["text/html"] for thing in shown)
        path.write_text(f"<!doctype html><meta charset=utf-8><title>A page</title><body>{body}", encoding="utf-8")
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        external_requests.append(requests_beyond_this_machine(page))
        page.goto(path.as_uri())
        return Player(page)

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert not any(external_requests)


def onsets(samples: np.ndarray, rate: int) -> list[float]:
    """Where sound begins after silence, in seconds, by the root mean square of frames of 10 ms."""
    frame = rate // 100
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.sqrt((frames.astype(float) ** 2).mean(axis=1)) > 0.01
    return [index / 100 for index in np.flatnonzero(loud[1:] & ~loud[:-1]) + 1]


def expected_onsets(notes: list[Note], tempo: float) -> list[float]:
    return [note.start / 4 * 60 / tempo for note in notes]


def samples_of(player: Player, rate: int) -> np.ndarray:
    return np.array(
        player.page.evaluate(
            "async (rate) => Array.from(await mvae.render(document.querySelector('mvae-player').player.score, rate))",
            rate,
        )
    )


@pytest.mark.parametrize("tempo", [120, 97.5])
def test_notes_sound_when_they_should(show, tempo):
    samples = samples_of(show(play(TOKENS, tempo=tempo)), 22050)
    assert onsets(samples, 22050) == pytest.approx(expected_onsets(NOTES, tempo), abs=0.02)
    assert np.abs(samples).max() < 1


def test_the_pitch_is_right(show):
    samples = samples_of(show(play([Note(69, 0, 16)])), 22050)[2205:22050]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert spectrum.argmax() * 22050 / len(samples) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("drum", [36, 38, 42, 46, 45, 49])
def test_drums_sound_too(show, drum):
    midi = pretty_midi.PrettyMIDI(initial_tempo=120)
    midi.instruments.append(pretty_midi.Instrument(0, is_drum=True))
    midi.instruments[0].notes += [pretty_midi.Note(100, drum, start, start + 0.1) for start in (0.5, 1.75)]
    assert onsets(samples_of(show(play(midi)), 22050), 22050)[0] == pytest.approx(0.5, abs=0.02)


def test_a_click_is_heard_and_moves_the_playhead(show):
    player = show(play(TOKENS))
    assert player.position == 0
    player.button("Play").click()
    player.wait("player.position > 0.75")
    assert player.loudness() > 0.01
    player.button("Pause").click()
    stopped = player.position
    player.page.wait_for_timeout(250)
    assert player.position == stopped
    assert player.loudness() < 0.001
    player.button("Play").click()
    player.wait(f"player.position > {stopped} + 0.1")


def test_it_stops_at_the_end_and_goes_back_to_the_start(show):
    player = show(play(LOW, tempo=400))
    player.button("Play").click()
    player.wait("player.position > 1")
    player.wait("!player.playing")
    assert player.position == 0
    assert player.button("Play").is_visible()


def test_a_loop_goes_on(show):
    player = show(play(LOW, tempo=400))
    player.button("Loop").click()
    assert player.button("Loop").get_attribute("aria-pressed") == "true"
    player.button("Play").click()
    for _ in range(2):
        player.wait("player.position > 3")
        player.wait("player.playing && player.position > 1 && player.position < 3")
        assert player.loudness() > 0.01
    player.button("Loop").click()
    player.wait("!player.playing")


def test_a_click_on_the_roll_and_the_slider_seek(show):
    player = show(play(TOKENS))
    box = player.element.locator("canvas").bounding_box()
    player.page.mouse.click(box["x"] + 26 + (box["width"] - 26) / 2, box["y"] + 20)
    assert player.position == pytest.approx(4, abs=0.05)
    player.element.get_by_role("slider").fill("6")
    assert player.position == 6
    assert player.element.get_by_role("slider").get_attribute("aria-valuetext") == "bar 2, beat 3"


def test_the_tempo_can_be_changed_without_losing_the_beat(show):
    player = show(play(np.tile(TOKENS, 4), tempo=60))
    field = player.element.get_by_label("Tempo")
    assert (float(field.get_attribute("min")), float(field.get_attribute("max"))) == (MIN_TEMPO, MAX_TEMPO)
    player.button("Play").click()
    player.wait("player.position > 0.5")
    before = player.position
    field.fill("400")
    field.press("Enter")
    assert before <= player.position < before + 2
    begin = player.page.evaluate(
        "[mvae.speakers().context.currentTime, document.querySelector('mvae-player').position]"
    )
    player.page.wait_for_timeout(600)
    end = player.page.evaluate("[mvae.speakers().context.currentTime, document.querySelector('mvae-player').position]")
    assert (end[1] - begin[1]) / (end[0] - begin[0]) == pytest.approx(400 / 60, rel=0.02)
    field.fill("5000")
    field.press("Enter")
    assert field.input_value() == "400"


def test_everything_can_be_done_by_keyboard(show):
    player = show(play(TOKENS, tempo=60))
    keyboard = player.page.keyboard
    keyboard.press("Tab")
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    assert player.position == 2
    keyboard.press("ArrowLeft")
    assert player.position == 1
    keyboard.press("End")
    assert player.position == 8
    keyboard.press("Home")
    assert player.position == 0
    keyboard.press("l")
    assert player.button("Loop").get_attribute("aria-pressed") == "true"
    keyboard.press("k")
    assert player.playing
    keyboard.press("Space")  # the focus is on the play button, which the browser presses
    assert not player.playing
    player.button("Loop").focus()
    keyboard.press("Space")
    assert player.button("Loop").get_attribute("aria-pressed") == "false"
    assert not player.playing
    player.element.get_by_role("slider").focus()
    keyboard.press("Space")
    assert player.playing
    keyboard.press("ArrowRight")
    assert player.playing
    assert 1 <= player.position < 2


def test_the_focus_is_visible_and_the_tempo_field_keeps_its_keys(show):
    player = show(play(TOKENS))
    player.page.keyboard.press("Tab")
    outline = player.button("Play").evaluate("button => getComputedStyle(button).outlineStyle")
    assert outline == "solid"
    player.element.get_by_label("Tempo").focus()
    for key in ("k", "Home", "ArrowRight", " "):
        player.page.keyboard.press(key)
    assert not player.playing
    assert player.position == 0


def test_the_element_tells_jupyterlab_to_rest_its_shortcuts(show):
    assert show(play(TOKENS)).element.get_attribute("data-lm-suppress-shortcuts") == "true"


def test_a_melody_is_described_to_those_who_cannot_see_it(show):
    player = show(play(TOKENS, title="A tune"))
    assert player.element.get_by_role("img").get_attribute("aria-label") == "Piano roll, 4 notes from C4 to G4, 2 bars"
    assert player.element.get_by_text("A tune").is_visible()


def test_each_player_has_a_name_of_its_own(show):
    player = show(play(TOKENS, title="A tune"), play(TOKENS[:16]), play([LOW, HIGH]))
    names = player.page.eval_on_selector_all("mvae-player", "players => players.map((player) => player.ariaLabel)")
    assert names == ["Player: A tune", "Player: 2 notes from C4 to E4, 1 bar", "Player: 2 melodies"]


def test_several_tracks_are_drawn_in_lanes_and_all_of_them_sound(show):
    player = show(play(DUO_TOKENS, representation=DUO))
    lanes = player.element.evaluate("player => player.player.lanes.map(({ name, low, high }) => [name, low, high])")
    assert lanes == [["flute", 72, 88], ["low", 36, 51]]
    assert player.element.locator("canvas").bounding_box()["height"] == 144
    assert onsets(samples_of(player, 22050), 22050)[-1] == pytest.approx(1.0, abs=0.02)


def test_the_triangle_of_play_is_seen_in_forced_colours(show, tmp_path):
    player = show(play(TOKENS, title="A tune"), forced_colors="active")
    style = player.button("Play").evaluate(
        "button => [getComputedStyle(button, '::before').backgroundColor, getComputedStyle(button).backgroundColor]"
    )
    assert style[0] != style[1]
    player.page.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / "players_forced_colours.png")


def test_only_one_player_sounds(show):
    player = show(play(TOKENS), play(LOW))
    player.button("Play").click()
    second = player.page.locator("mvae-player").nth(1)
    second.get_by_role("button", name="Play", exact=True).click()
    assert second.evaluate("element => element.playing")
    assert not player.playing


def test_new_notes_go_on_at_the_same_beat(show):
    player = show(play(LOW, tempo=60))
    player.button("Play").click()
    player.wait("player.position > 0.5")
    melody = '{title: "", about: "other notes", beats: 4, notes: [[72, 0, 2], [76, 2, 2]]}'
    before, after = player.element.evaluate(
        f"player => [player.position, (player.setData({{melodies: [{melody}]}}), player.position)]"
    )
    assert after == pytest.approx(before, abs=0.05)
    assert player.playing
    assert player.element.get_by_role("img").get_attribute("aria-label") == "Piano roll, other notes"
    player.wait("player.position > 2.1")
    assert player.loudness() > 0.01


def test_each_note_sounds_once_however_often_notes_are_swapped(show):
    player = show(play(np.tile(TOKENS, 2), tempo=240))
    player.button("Play").click()
    player.element.evaluate("""player => {
        const synthesiser = mvae.speakers();
        const noteOn = synthesiser.noteOn.bind(synthesiser);
        globalThis.voices = [];
        synthesiser.noteOn = (note, when, seconds) => {
            const voice = noteOn(note, when, seconds);
            const { stop } = voice;
            voices.push({ start: note.start, voice });
            voice.stop = () => {
                voice.cut = true;
                stop();
            };
            return voice;
        };
        const swap = setInterval(() => player.setData({ melodies: player.player.score.melodies }), 20);
        player.addEventListener("mvae-change", () => player.playing || clearInterval(swap));
    }""")
    player.wait("!player.playing")
    sounded = player.page.evaluate("voices.filter(({ voice }) => !voice.cut).map(({ start }) => start)")
    beats = [bar * 8 + note.start / 4 for bar in range(2) for note in NOTES]
    assert sorted(sounded) == pytest.approx(beats[-len(sounded) :])
    assert len(sounded) >= len(beats) - 1  # the first may have been planned before this test listened


def test_a_held_note_goes_on_after_a_jump_into_it(show):
    player = show(play(LOW, tempo=60))
    player.element.evaluate("player => player.seek(2)")
    player.button("Play").click()
    player.wait("player.position > 2.2")
    assert player.loudness() > 0.01


def test_a_strip_may_shrink_while_its_last_melody_plays(show):
    player = show(play([LOW, HIGH, LOW], tempo=60))
    player.element.get_by_role("button", name="Melody 3 of 3").click()
    player.element.evaluate("player => player.setData({melodies: player.player.score.melodies.slice(0, 1)})")
    player.wait("!player.playing")
    assert player.element.get_by_role("img").count() == 1


def test_swapped_notes_keep_the_tempo_that_the_reader_chose(show):
    player = show(play(LOW, tempo=60))
    field = player.element.get_by_label("Tempo")
    field.fill("90")
    field.press("Enter")
    player.element.evaluate("player => player.setData({melodies: player.player.score.melodies})")
    assert field.input_value() == "90"


def test_an_element_that_is_moved_keeps_what_it_shows(show):
    player = show(play(LOW), "<div id=elsewhere></div>")
    player.element.evaluate("player => player.setData({title: 'another'})")
    player.element.evaluate("player => document.querySelector('#elsewhere').append(player)")
    assert player.element.get_by_text("another").is_visible()


def test_a_click_on_one_of_a_strip_plays_that_one(show):
    player = show(play([LOW, HIGH, LOW], titles=["from", "between", "to"], tempo=400))
    between = player.element.get_by_role("button", name="Melody 2 of 3, between")
    between.click()
    assert 4 <= player.position < 8
    player.wait("!player.playing")
    assert player.position == 0
    between.focus()
    player.page.keyboard.press("Enter")
    player.wait("player.position > 4.5 && player.position < 8")
    between.click()
    assert not player.playing


def test_play_all_walks_through_a_strip(show):
    player = show(play([LOW, HIGH, LOW], titles=["from", "between", "to"], tempo=400))
    player.element.evaluate("""player => {
        globalThis.seen = [];
        player.addEventListener("mvae-change", () => seen.push(
            [...player.shadowRoot.querySelectorAll(".rolls > *")].findIndex((roll) => roll.matches(".current"))));
    }""")
    player.button("Play all").click()
    player.wait("player.playing")
    player.wait("!player.playing")
    seen = player.page.evaluate("seen")
    assert seen[:-1] == sorted(seen[:-1])
    assert set(seen) == {0, 1, 2}


def test_all_melodies_of_a_strip_sound(show):
    silence = np.zeros(16, int)
    strip = play([notes_to_tokens([Note(60, 4, 8)], 16), silence, notes_to_tokens([Note(72, 8, 12)], 16)])
    assert onsets(samples_of(show(strip), 22050), 22050) == pytest.approx([0.5, 5.0], abs=0.02)


def test_silence_says_so_and_runs_its_length(show):
    player = show(play(np.zeros(16, int), tempo=400))
    player.button("Play").click()
    player.wait("player.position > 1")
    player.wait("!player.playing")
    with player.page.expect_download() as download:
        player.button("Save as MIDI file").click()
    assert pretty_midi.PrettyMIDI(str(download.value.path())).instruments == []


def test_the_saved_midi_holds_the_notes(show):
    midi = pretty_midi.PrettyMIDI(initial_tempo=120)
    for program, is_drum, pitch in ((0, False, 60), (33, False, 40), (0, True, 38)):
        midi.instruments.append(pretty_midi.Instrument(program, is_drum))
        midi.instruments[-1].notes += [pretty_midi.Note(80, pitch, start / 2, start / 2 + 0.5) for start in range(4)]
    player = show(play(midi, title="Three voices!", tempo=90))
    with player.page.expect_download() as download:
        player.button("Save as MIDI file").click()
    assert download.value.suggested_filename == "Three-voices-.mid"
    saved = pretty_midi.PrettyMIDI(str(download.value.path()))
    assert saved.get_tempo_changes()[1][0] == pytest.approx(90, rel=1e-4)

    def notes(of: pretty_midi.PrettyMIDI, tempo: float) -> set:
        return {
            (i.program, i.is_drum, n.pitch, n.velocity, *(round(t * tempo / 60, 2) for t in (n.start, n.end)))
            for i in of.instruments
            for n in i.notes
        }

    assert notes(saved, 90) == notes(midi, 120)


def test_repeated_notes_of_the_saved_midi_do_not_overlap(show):
    player = show(play([Note(60, 4, 8), Note(60, 0, 4), Note(60, 8, 12)]))
    with player.page.expect_download() as download:
        player.button("Save as MIDI file").click()
    messages = [message.type for message in mido.MidiFile(str(download.value.path())) if not message.is_meta]
    assert messages[2:] == ["note_on", "note_off"] * 3


def test_the_saved_wav_holds_the_sound(show):
    player = show(play(TOKENS, tempo=150))
    with player.page.expect_download() as download:
        player.button("Save as WAV sound").click()
    assert download.value.suggested_filename == "melody.wav"
    with wave.open(io.BytesIO(Path(download.value.path()).read_bytes())) as sound:
        rate = sound.getframerate()
        assert (sound.getnchannels(), sound.getsampwidth(), rate) == (1, 2, 44100)
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768
    assert onsets(samples, rate) == pytest.approx(expected_onsets(NOTES, 150), abs=0.02)


def test_a_newer_script_takes_over_players_that_are_on_the_page(show):
    newer = play(LOW)._repr_mimebundle_()["text/html"].replace("const VERSION = ", "const VERSION = 99")
    assert newer != play(LOW)._repr_mimebundle_()["text/html"]
    player = show(play(TOKENS, title="older"), newer, play(HIGH))
    assert player.page.evaluate("mvae.version") > 99
    assert player.page.evaluate(
        "[...document.querySelectorAll('mvae-player')].every(element => element.player instanceof mvae.Player)"
    )
    player.button("Play").click()
    player.wait("player.position > 0.5")


def test_without_scripts_the_notes_are_seen(show):
    player = show(play(TOKENS), java_script_enabled=False)
    picture = player.page.get_by_role("img", name="Piano roll. 4 notes from C4 to G4, 2 bars")
    assert picture.is_visible()
    assert picture.bounding_box()["width"] == 640
    assert picture.evaluate("image => image.naturalWidth") == 640


def background(player: Player) -> str:
    red, green, blue = player.element.evaluate(
        "player => getComputedStyle(player.shadowRoot.querySelector('.player')).backgroundColor.match(/\\d+/g)"
    )
    return f"#{int(red):02x}{int(green):02x}{int(blue):02x}"


@pytest.mark.parametrize(("scheme", "theme"), [("light", palette.LIGHT), ("dark", palette.DARK)])
def test_a_player_follows_the_system_where_there_is_no_jupyterlab(show, tmp_path, scheme, theme):
    titles = [f"{step / 4:.2f}" for step in range(5)]
    player = show(play(TOKENS, title="A tune"), play([LOW, HIGH] * 2 + [LOW * 0], titles), color_scheme=scheme)
    assert background(player) == theme.paper
    player.button("Play").click()
    player.wait("player.position > 1")
    pictures = Path(os.environ.get("SCREENSHOTS", tmp_path))  # to be looked at: SCREENSHOTS=some_folder pytest ...
    player.page.screenshot(path=pictures / f"players_{scheme}.png")


def test_a_player_follows_the_theme_of_jupyterlab(show):
    player = show(play(TOKENS), color_scheme="dark")
    player.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    assert background(player) == palette.LIGHT.paper
    player.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert background(player) == palette.DARK.paper


def test_what_is_seen_changes_while_it_plays(show):
    player = show(play(TOKENS))
    canvas = player.element.locator("canvas")
    before = canvas.screenshot()
    player.button("Play").click()
    player.wait("player.position > 1")
    player.button("Pause").click()
    assert canvas.screenshot() != before
