"""The explorers in a real browser: without Python, on a page that stands alone, and with a stand-in for Python."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import requests_beyond_this_machine
from test_explorers import a_blender, a_map, a_mixer, a_pad, decode, melody
from test_players_in_browser import LOUDNESS

from mvae_lib.latent import lerp
from mvae_lib.plots import palette
from mvae_lib.widgets.explorers import LatentMap
from mvae_lib.widgets.explorers.page import clip


class Explorer:
    """The explorer of a page, as its reader handles it."""

    def __init__(self, page, element: str) -> None:
        self.page = page
        self.element = page.locator(element).first
        self.keyboard, self.mouse = page.keyboard, page.mouse
        self.root = f"document.querySelector('{element}')"

    def evaluate(self, expression: str):
        """`view` is the explorer, `player` its player."""
        return self.page.evaluate(self._function(expression))

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(self._function(condition), timeout=8000)

    def _function(self, expression: str) -> str:
        parts = f"const view = {self.root}.explorer; const player = view.ui.player;"
        return f"(() => {{ {parts} return {expression}; }})()"

    @property
    def pitches(self) -> list[int]:
        """Of what is in the player, above middle C."""
        return [note[0] - 60 for note in self.evaluate("player.player.score.melodies[0].notes")]

    @property
    def title(self) -> str:
        return self.evaluate("player.player.score.title")

    @property
    def about(self) -> str:
        return self.evaluate("view.ui.about.textContent")

    def loud(self) -> bool:
        self.wait("player.playing && player.position > 0.15")
        return self.page.evaluate(LOUDNESS) > 0.01

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where on the page a place of the map (0 to 1, from the left and from below) is."""
        box = self.element.locator("canvas.canvas").bounding_box()
        across, down = self.evaluate(f"view.pixels([{x}, {y}])")
        return box["x"] + across, box["y"] + down

    def slider(self, number: int = 0):
        return self.element.locator("input[type=range]").nth(number)

    def requests(self) -> list[dict]:
        """The requests that reached Python."""
        return self.page.evaluate("requests")


@pytest.fixture
def show(browser, tmp_path):
    """Opens a page with an explorer; fails at the end if the page met an error or sent a request to another host."""
    contexts, errors, external_requests = [], [], []

    def open_page(explorer, before: str = "", after: str = "", **options) -> Explorer:
        context = browser.new_context(viewport={"width": 820, "height": 720}, **options)
        contexts.append(context)
        path = tmp_path / f"page{len(contexts)}.html"
        body = before + explorer._repr_mimebundle_()[0]["text/html"] + after
        path.write_text(f"<!doctype html><meta charset=utf-8><title>A page</title><body>{body}", encoding="utf-8")
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        external_requests.append(requests_beyond_this_machine(page))
        page.goto(path.as_uri())
        return Explorer(page, explorer.element)

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert not any(external_requests)


@pytest.fixture
def live(show):
    """The same with a Python that responds to each request through the explorer itself, or not while `silent`."""

    def open_page(explorer, **options) -> Explorer:
        shown = show(explorer, **options)

        def response(request: dict) -> dict:
            explorer.set_state({"request": request})
            return json.loads(json.dumps(explorer.response))

        shown.page.expose_function("python", response)
        shown.page.evaluate(f"""() => {{
            globalThis.requests = [];
            globalThis.silent = false;
            const element = {shown.root};
            element.sendRequest = async (request) => {{
                requests.push(request);
                if (!silent) element.receive(await python(request));
            }};
            element.loadFile = (place, name, bytes) => (globalThis.file = [place, name, bytes.byteLength]);
            element.explorer.build();
        }}""")
        return shown

    return open_page


# ---- All of them, on a page that stands alone


@pytest.mark.parametrize("make", [a_map, a_blender, a_mixer, a_pad])
def test_a_still_picture_is_seen_without_scripts(show, make):
    image = show(make(), java_script_enabled=False).element.locator("img")
    assert image.is_visible()
    assert image.bounding_box()["width"] == 640


@pytest.mark.parametrize(("scheme", "theme"), [("light", palette.LIGHT), ("dark", palette.DARK)])
@pytest.mark.parametrize("make", [a_map, a_blender, a_mixer, a_pad])
def test_it_follows_the_theme_of_the_system_and_then_that_of_jupyterlab(show, tmp_path, make, scheme, theme):
    shown = show(make(title="An explorer"), color_scheme=scheme)

    def background() -> str:
        channels = re.findall(r"\d+", shown.evaluate("getComputedStyle(view.ui.explorer).backgroundColor"))
        return "#" + "".join(f"{int(channel):02x}" for channel in channels[:3])

    assert background() == theme.paper
    assert shown.evaluate("view.ui.title.textContent") == "An explorer"
    pictures = Path(os.environ.get("SCREENSHOTS", tmp_path))
    shown.page.screenshot(path=pictures / f"{shown.evaluate('view.host.localName')}_{scheme}.png")
    shown.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert background() == palette.DARK.paper
    shown.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    assert background() == palette.LIGHT.paper


@pytest.mark.parametrize("make", [a_map, a_blender, a_mixer, a_pad])
def test_jupyterlab_rests_its_shortcuts_and_each_part_has_a_name(show, make):
    shown = show(make())
    assert shown.element.get_attribute("data-lm-suppress-shortcuts") == "true"
    assert shown.element.get_attribute("aria-label")
    assert (
        shown.evaluate("""[...view.host.shadowRoot.querySelectorAll("canvas.canvas, input, select, button")]
        .filter((part) => !part.ariaLabel && !part.labels?.length && !part.textContent).length""")
        == 0
    )


@pytest.mark.parametrize("make", [a_map, a_blender, a_mixer, a_pad])
def test_the_first_part_is_reached_by_tab_and_the_focus_is_seen(show, make):
    shown = show(make())
    shown.keyboard.press("Tab")
    style = shown.evaluate("getComputedStyle(view.host.shadowRoot.activeElement)")
    assert style
    assert shown.evaluate("getComputedStyle(view.host.shadowRoot.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("make", [a_map, a_blender, a_mixer, a_pad])
def test_a_newer_script_takes_over_what_an_older_one_has_shown(show, make):
    shown = show(make())
    html = make()._repr_mimebundle_()[0]["text/html"]
    script = re.search(r"<script>(.*)</script>", html, re.DOTALL)[1]
    newer = script.replace("const EXPLORERS_VERSION = ", "const EXPLORERS_VERSION = 99")
    assert newer != script
    shown.page.add_script_tag(content=newer)
    assert shown.evaluate("mvaeExplorers.kinds[view.host.localName].version") > 99
    assert shown.evaluate("view instanceof mvaeExplorers.kinds[view.host.localName].Kind")
    assert shown.pitches == [2, 3] if make is a_mixer else [0, 0]


# The element of the first version, as stored outputs have it: other names, a registry of its own.
FIRST_VERSION = """<mvae-map data-instrument='%s'></mvae-map><script>
(() => {
    const kinds = (globalThis.mvaeInstruments ??= { version: 1, kinds: {} }).kinds;
    class Old {
        constructor(host) { host.shadowRoot.textContent = "old"; }
        setData(data) { this.data = data; }
        close() {}
    }
    class Shell extends HTMLElement {
        constructor() { super(); this.attachShadow({ mode: "open" }); }
        connectedCallback() { this.open(); }
        disconnectedCallback() { this.instrument.close(); }
        open() {
            const data = this.instrument?.data ?? this.given ?? JSON.parse(this.dataset.instrument);
            this.instrument?.close();
            this.instrument = new globalThis.mvaeInstruments.kinds[this.localName].Kind(this);
            this.instrument.setData(data);
        }
    }
    kinds["mvae-map"] = { Kind: Old };
    if (customElements.get("mvae-map")) document.querySelectorAll("mvae-map").forEach((element) => element.open());
    else customElements.define("mvae-map", Shell);
})();</script>"""


@pytest.mark.parametrize("older_first", [True, False])
def test_outputs_of_the_first_version_work_beside_new_ones(show, older_first):
    older = FIRST_VERSION % json.dumps(a_map(title="older").data).replace("'", "&#39;")
    shown = show(a_map(), **{"before" if older_first else "after": older})
    elements = shown.page.locator("mvae-map")
    assert elements.count() == 2
    titles = elements.evaluate_all("elements => elements.map((element) => element.explorer.ui.title.textContent)")
    assert titles == (["older", "A map"] if older_first else ["A map", "older"])
    elements.evaluate_all("elements => elements.forEach((element) => element.remove())")


def test_colours_that_carry_meaning_are_seen_in_forced_colours(show, tmp_path):
    shown = show(a_mixer(), forced_colors="active")
    shown.slider(0).fill("1")
    colours = shown.evaluate(
        "['.got', '.want', '.scale'].map((part) => getComputedStyle(view.lines[0].querySelector(part)).backgroundColor)"
    )
    assert len(set(colours)) == 3
    shown.page.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / "mixer_forced_colours.png")


def test_an_explorer_is_called_by_its_title(show):
    assert show(a_pad(title="Four tunes")).element.get_attribute("aria-label") == "Melody pad: Four tunes"


def test_an_element_that_is_moved_keeps_what_it_shows(show):
    shown = show(a_map(), "<div id=elsewhere></div>")
    shown.page.evaluate(f"document.querySelector('#elsewhere').append({shown.root})")
    shown.mouse.click(*shown.at(1, 1))
    assert shown.pitches == [10, 20]


# ---- LatentMap


def test_a_click_on_a_point_plays_and_names_it(show):
    shown = show(a_map(color=["x", "y", "x", "y"], label="kind"))
    shown.mouse.click(*shown.at(1, 0))
    assert shown.loud()
    assert shown.pitches == [10, 0]
    assert shown.title == "right"
    assert shown.about == "right, y"
    assert shown.evaluate("view.ui.legend.textContent") == "kindxy"


def test_a_click_starts_from_the_beginning(show):
    shown = show(a_map())
    shown.mouse.click(*shown.at(0, 0))
    shown.wait("player.position > 1")
    shown.mouse.click(*shown.at(1, 0))
    assert shown.evaluate("player.position") < 0.5
    assert shown.evaluate("player.playing")


def test_hovering_names_a_tune_and_plays_nothing(show):
    shown = show(a_map(color=[1.0, 2.0, 3.0, 4.0], label="onsets"))
    shown.mouse.move(*shown.at(0, 1))
    assert shown.about == "up, onsets 3"
    assert not shown.evaluate("player.playing")


def test_without_python_a_drag_plays_the_nearest_points_and_keeps_the_beat(show):
    shown = show(a_map(tempo=60))
    shown.mouse.move(*shown.at(0.3, 0.2))
    shown.mouse.down()
    shown.wait("player.position > 0.3")
    assert shown.pitches == [0, 0]
    before = shown.evaluate("player.position")
    shown.mouse.move(*shown.at(0.9, 0.8), steps=4)
    assert shown.pitches == [10, 20]
    assert shown.evaluate("player.playing")
    assert before <= shown.evaluate("player.position") < before + 1
    assert shown.about == "Nearest: far"
    assert shown.evaluate("player.player.score.loop") is True
    shown.mouse.up()
    assert shown.evaluate("player.player.score.loop") is False


def test_the_map_can_be_played_by_keys(show):
    shown = show(a_map())
    shown.keyboard.press("Tab")
    for key, title in (("ArrowRight", "right"), ("ArrowUp", "far"), ("ArrowLeft", "up"), ("ArrowLeft", "up")):
        shown.keyboard.press(key)
        assert shown.about == title
    assert not shown.evaluate("player.playing")
    shown.keyboard.press("Enter")
    assert shown.pitches == [0, 20]
    assert shown.evaluate("player.playing")
    shown.keyboard.press("k")
    assert not shown.evaluate("player.playing")
    shown.keyboard.press("Space")
    assert shown.evaluate("player.playing")
    shown.keyboard.press("Shift+ArrowDown")
    assert shown.evaluate("view.place.y") == pytest.approx(0.98)
    assert shown.evaluate("player.playing")
    shown.keyboard.press("b")
    assert shown.evaluate("view.place.y") == pytest.approx(0.98)


def test_hundreds_of_points_are_all_drawn_and_all_found(show):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(600, 2))
    shown = show(LatentMap(points, torch.from_numpy(points * 3).float(), decode, color=rng.normal(size=600)))
    place = shown.evaluate("view.data.points[321]")
    shown.mouse.click(*shown.at(*place))
    assert (
        shown.title == "melody 321" or shown.evaluate(f"view.nearest({{x: {place[0]}, y: {place[1]}}}).distance") == 0
    )


# ---- LatentMap with Python


def test_a_drag_on_empty_space_is_decoded_by_python(live):
    latent_map = a_map(tempo=60)
    shown = live(latent_map)
    shown.mouse.move(*shown.at(0.5, 0.5))
    shown.mouse.down()
    shown.wait("player.playing")
    assert shown.pitches == [5, 10]
    assert shown.about.startswith("between melodies")
    before = shown.evaluate("player.position")
    shown.mouse.move(*shown.at(0.97, 0.97), steps=8)
    shown.wait("player.player.score.melodies[0].notes[0][0] > 68")
    assert shown.evaluate("player.position") >= before
    shown.mouse.up()
    assert pytest.approx(latent_map.z.numpy(), abs=1.5) == [10, 20]


def test_a_point_plays_at_once_and_python_gets_the_request(live):
    latent_map = a_map()
    shown = live(latent_map)
    shown.page.evaluate("silent = true")
    shown.mouse.click(*shown.at(1, 1))
    assert shown.pitches == [10, 20]
    assert [request["point"] for request in shown.requests()] == [3]


def test_one_request_is_on_its_way_and_only_the_newest_waits(live):
    shown = live(a_map())
    shown.page.evaluate("silent = true")
    shown.mouse.move(*shown.at(0.5, 0.5))
    shown.mouse.down()
    shown.mouse.move(*shown.at(0.2, 0.7), steps=10)
    assert len(shown.requests()) == 1
    shown.page.evaluate(f"silent = false; python(requests[0]).then((response) => {shown.root}.receive(response))")
    shown.wait("requests.length === 2")
    assert shown.requests()[1]["x"] == pytest.approx(0.2, abs=0.01)
    shown.mouse.up()


def test_where_python_is_silent_the_nearest_point_plays_and_the_page_says_so(live):
    shown = live(a_map())
    shown.page.evaluate("silent = true")
    shown.mouse.click(*shown.at(0.7, 0.8))
    shown.wait("player.playing")
    assert shown.pitches == [10, 20]
    assert "Python does not respond" in shown.evaluate("view.ui.message.textContent")
    shown.page.evaluate("silent = false")
    shown.mouse.click(*shown.at(0.5, 0.5))
    shown.wait("!view.ui.message.textContent")
    assert shown.pitches == [5, 10]


def test_an_error_in_python_is_shown(live):
    shown = live(a_map())
    says = f"{shown.root}.receive({{ n: request.n, error: 'ValueError: no' }})"
    shown.page.evaluate(f"() => {{ {shown.root}.sendRequest = (request) => {says}; }}")
    shown.mouse.click(*shown.at(0.5, 0.5))
    assert shown.evaluate("view.ui.message.textContent") == "ValueError: no"


def test_what_python_picks_is_shown_and_not_played(live):
    shown = live(a_map())
    shown.page.evaluate(
        f"{shown.root}.receive({{ n: 'python 1', point: 2, clip: {json.dumps(clip(melody(0, 20)))}, title: 'up' }})"
    )
    assert shown.pitches == [0, 20]
    assert shown.about == "up"
    assert not shown.evaluate("player.playing")


# ---- Blender


def test_the_slider_plays_the_nearest_step_without_python(show):
    shown = show(a_blender(interpolations={"line": lerp}))
    shown.slider().fill("0.45")
    assert shown.loud()
    assert shown.pitches == [4, 8]
    assert shown.evaluate("view.ui.strip.position") == 16  # the beginning of the third step
    assert shown.title == "50 % low, 50 % high"  # what sounds, though the slider stands at 45 %
    assert shown.slider().get_attribute("aria-valuetext") == shown.title


def test_the_slider_is_moved_by_keys_and_the_beat_is_kept(show):
    shown = show(a_blender(tempo=60))
    shown.slider().focus()
    shown.keyboard.press("ArrowRight")
    shown.wait("player.position > 0.5")
    before = shown.evaluate("player.position")
    shown.keyboard.press("End")
    assert shown.pitches == [8, 16]
    assert shown.title == "high, reconstructed"
    assert before <= shown.evaluate("player.position") < before + 0.5


def test_the_strip_plays_the_whole_way_and_the_slider_follows(show):
    shown = show(a_blender(tempo=400))
    shown.element.locator(".strip").get_by_role("button", name="Play all").click()
    shown.wait("+view.ui.slider.value === 0.5")
    assert shown.evaluate("view.ui.strip.playing")
    assert not shown.evaluate("player.playing")
    shown.wait("+view.ui.slider.value === 1")
    shown.slider().fill("0")
    shown.wait("player.playing && !view.ui.strip.playing")


def test_the_way_can_be_changed(show):
    shown = show(a_blender())
    shown.slider().fill("0.5")
    arc = shown.pitches
    shown.element.get_by_role("combobox", name="Interpolation").select_option("line")
    assert shown.pitches == [4, 8]
    assert shown.evaluate("view.ui.strip.player.score.melodies[2].notes[0][0]") == 64
    assert shown.evaluate("player.playing")
    assert arc == [4, 8] or arc != shown.pitches


def test_python_blends_at_any_place(live):
    blender = a_blender()
    shown = live(blender)
    shown.element.get_by_role("combobox", name="Interpolation").select_option("line")
    shown.slider().fill("0.37")
    shown.wait("player.player.score.title.startsWith('63 %')")
    assert shown.pitches == [3, 6]
    assert blender.z.numpy() == pytest.approx([2.96, 5.92])


def test_files_are_handed_to_python_by_drop_and_by_button(live, tmp_path):
    shown = live(a_blender())
    path = tmp_path / "mine.mid"
    path.write_bytes(b"MThd and so on")
    with shown.page.expect_file_chooser() as chooser:
        shown.element.get_by_role("button", name="Open a MIDI file as the last melody").click()
    chooser.value.set_files(path)
    shown.page.wait_for_function("globalThis.file")
    assert shown.page.evaluate("file") == ["finish", "mine.mid", 14]
    shown.page.evaluate(f"""() => {{
        globalThis.file = null;
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["MThd"], "dropped.mid"));
        const {{ start }} = {shown.root}.explorer.ui;
        const event = (type) => new DragEvent(type, {{ dataTransfer, cancelable: true }});
        for (const type of ["dragover", "drop"]) start.dispatchEvent(event(type));
    }}""")
    shown.page.wait_for_function("globalThis.file")
    assert shown.page.evaluate("file") == ["start", "dropped.mid", 4]


def test_without_python_there_is_nothing_to_open_files_with(show):
    shown = show(a_blender())
    assert shown.element.get_by_role("button", name="Open a MIDI file").count() == 0


def test_new_ends_from_python_are_shown(live):
    blender = a_blender()
    shown = live(blender)
    shown.slider().fill("1")
    shown.wait("player.playing")
    blender.load_file("finish", melody(3, 5), "mine")
    shown.page.evaluate(f"data => {shown.root}.setData(data)", blender.data)
    assert shown.pitches == [3, 5]
    assert shown.evaluate("view.ui.finish.textContent") == "mine"
    assert shown.evaluate("player.playing")


# ---- MelodyPad


def press(shown: Explorer, x: float, y: float) -> tuple[float, float]:
    """Where on the page a share of the pad's width and height is."""
    box = shown.element.locator("canvas.canvas").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_the_pad_plays_where_it_is_pressed_and_keeps_the_beat(show):
    shown = show(a_pad(tempo=60))
    shown.mouse.move(*press(shown, 0.95, 0.05))
    shown.mouse.down()
    assert shown.loud()
    assert shown.pitches == [8, 0]
    assert shown.about == "100 % b"
    before = shown.evaluate("player.position")
    shown.mouse.move(*press(shown, 0.95, 0.97), steps=5)
    assert shown.pitches == [8, 8]
    assert before <= shown.evaluate("player.position") < before + 1
    shown.mouse.up()
    shown.mouse.move(*press(shown, 0.05, 0.05))
    assert shown.pitches == [8, 8]


def test_without_python_the_pad_names_the_field_that_sounds(show):
    shown = show(a_pad(interpolation=lerp))
    shown.mouse.click(*press(shown, 0.45, 0.6))  # between fields: the nearest one is in the middle
    assert shown.pitches == [4, 4]
    assert shown.about == "25 % a, 25 % b, 25 % c, 25 % d"


def test_the_pad_can_be_played_by_keys(show):
    shown = show(a_pad())
    shown.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        shown.keyboard.press(key)
    assert shown.evaluate("[view.place.x, view.place.y]") == [0.5, 0.5]
    assert shown.about == "25 % a, 25 % b, 25 % c, 25 % d"
    assert shown.evaluate("player.playing")
    shown.keyboard.press("Shift+ArrowLeft")
    assert shown.evaluate("view.place.x") == pytest.approx(0.45)
    shown.keyboard.press("ArrowLeft")
    assert shown.evaluate("view.place.x") == pytest.approx(0.25)
    for _ in range(5):
        shown.keyboard.press("ArrowUp")
    assert shown.evaluate("view.place.y") == 0
    shown.keyboard.press("Space")
    assert not shown.evaluate("player.playing")
    shown.keyboard.press("Enter")
    assert shown.evaluate("player.playing && player.position < 0.5")


def test_python_decodes_between_the_fields(live):
    pad = a_pad()
    shown = live(pad)
    shown.mouse.click(*press(shown, 0.3, 0.4))
    shown.wait("player.playing")
    assert (pad.response["x"], pad.response["y"]) == (pytest.approx(0.25, abs=0.01), pytest.approx(0.35, abs=0.01))
    assert shown.pitches == [note - 41 for note in pad.tokens[[0, 16]].tolist()]


def test_a_file_dropped_on_a_quarter_goes_to_its_corner(live):
    shown = live(a_pad())
    shown.page.evaluate(f"""() => {{
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["MThd"], "dropped.mid"));
        const {{ surface }} = {shown.root}.explorer.ui;
        const {{ left, top, width, height }} = surface.getBoundingClientRect();
        const place = {{ clientX: left + 0.8 * width, clientY: top + 0.9 * height, dataTransfer, cancelable: true }};
        for (const type of ["dragover", "drop"]) surface.dispatchEvent(new DragEvent(type, place));
    }}""")
    shown.page.wait_for_function("globalThis.file")
    assert shown.page.evaluate("file") == ["3", "dropped.mid", 4]
    assert shown.element.get_by_role("button", name="Open a MIDI file").count() == 4


# ---- AttributeMixer


def numbers(shown: Explorer, line: int) -> str:
    return shown.element.locator(".numbers").nth(line).text_content()


def test_without_python_one_slider_at_a_time_plays_with_its_measured_changes(show):
    shown = show(a_mixer())
    assert numbers(shown, 0) == "requested 0, measured 0"
    shown.slider(0).fill("0.9")
    assert shown.loud()
    assert shown.pitches == [6, 3]
    assert numbers(shown, 0) == "requested +2, measured +2"
    shown.slider(1).fill("-0.55")
    assert shown.slider(0).input_value() == "0"
    assert shown.pitches == [2, 0]
    assert numbers(shown, 1) == "requested −3, measured −3"
    shown.slider(1).fill("1")
    assert numbers(shown, 1) == "requested +6, measured none"


def test_python_mixes_all_sliders(live):
    mixer = a_mixer()
    shown = live(mixer)
    shown.slider(0).fill("1")
    shown.slider(1).fill("0.5")
    shown.wait("player.player.score.melodies[0].notes[1][0] === 66")
    assert shown.pitches == [6, 6]
    assert (numbers(shown, 0), numbers(shown, 1)) == ("requested +2, measured +2", "requested +3, measured +3")
    shown.element.get_by_role("button", name="All to 0").click()
    shown.wait("player.player.score.title === 'as it was'")
    assert mixer.z.tolist() == [2.0, 3.0]


def test_a_slider_says_the_requested_and_the_measured_change(live):
    shown = live(a_mixer())
    shown.slider(0).focus()
    for _ in range(10):
        shown.keyboard.press("ArrowRight")
    shown.wait("view.lines[0].children[3].textContent.startsWith('requested +1,') && !view.onItsWay")
    assert shown.slider(0).get_attribute("aria-valuetext") == numbers(shown, 0) == "requested +1, measured +1"
    bar, line = (shown.element.locator(f".row .{name}").first.bounding_box() for name in ("got", "want"))
    assert bar["x"] + bar["width"] == pytest.approx(line["x"] + 1, abs=1.5)  # the bar reaches the line
