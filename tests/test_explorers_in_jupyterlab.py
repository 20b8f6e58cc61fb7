"""The explorers in a real JupyterLab: Python decodes what the mouse requests, and reads what is opened."""

import io

import nbformat
import pytest
from browser import Lab, jupyterlab, requests_beyond_this_machine
from test_jupyterlab import evaluate_in_kernel, wait_for_kernel

from mvae_lib.music.melody import Note
from mvae_lib.music.midi import notes_to_midi

# A latent space made by hand: z is the pitch of the notes on the first beats of two bars, above middle C.
CELLS = [
    """import torch
from mvae_lib.widgets.explorers import Blender, LatentMap
def decode(z):
    tokens = torch.zeros(len(z), 32, dtype=torch.long)
    tokens[:, [0, 16]] = z.round().long() + 41
    return tokens
def encode(tokens):
    return torch.from_numpy(tokens[:, [0, 16]]).float() - 41
z = torch.tensor([[0., 0], [10, 0], [0, 20], [10, 20]])""",
    "latent_map = LatentMap(z, z, decode, titles=['o', 'right', 'up', 'far'])\nlatent_map",
    "blender = Blender(*decode(z[[0, 3]]).numpy(), encode, decode)\nblender",
]


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), root / "explorers.ipynb")
    with jupyterlab(root, home) as lab:
        yield lab


@pytest.fixture(scope="module")
def page(browser, lab: Lab):
    """The notebook after all cells have run."""
    page = browser.new_page(viewport={"width": 1100, "height": 1000})
    external_requests = requests_beyond_this_machine(page)
    lab.open(page, "explorers.ipynb")
    assert lab.run_all(page, seconds=120) == []
    yield page
    assert external_requests == []


def wait_for(page, element: str, condition: str) -> None:
    view = f"document.querySelector('{element}').explorer"
    page.wait_for_function(f"(() => {{ const view = {view}; return {condition}; }})()", timeout=8000)


def test_a_drag_is_decoded_while_the_music_goes_on_and_no_cell_is_added(page):
    latent_map = page.locator("mvae-map")
    latent_map.scroll_into_view_if_needed()
    box = latent_map.locator("canvas.canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    wait_for(page, "mvae-map", "view.ui.player.playing && view.ui.player.player.score.melodies[0].notes[0][0] === 65")
    page.mouse.move(box["x"] + box["width"] - 14, box["y"] + 14, steps=5)
    wait_for(page, "mvae-map", "view.ui.player.player.score.melodies[0].notes[0][0] === 70")
    page.mouse.up()
    wait_for_kernel(page, "latent_map.z.round().tolist()", "[10.0, 20.0]")
    cells = page.locator(".jp-Cell").count()
    page.keyboard.press("b")  # JupyterLab's command mode would add a cell
    page.keyboard.press("k")
    wait_for(page, "mvae-map", "!view.ui.player.playing")
    assert page.locator(".jp-Cell").count() == cells


def test_what_python_requests_is_shown(page):
    evaluate_in_kernel(page, "latent_map.pick(1)")
    wait_for(page, "mvae-map", "view.ui.about.textContent === 'right'")


def test_python_responds_to_the_slider(page):
    page.locator("mvae-blender").get_by_role("combobox", name="Interpolation").select_option("line")
    page.locator("mvae-blender").get_by_role("slider", name="Blend").fill("0.3")
    wait_for(page, "mvae-blender", "view.ui.player.player.score.melodies[0].notes[0][0] === 63")
    wait_for_kernel(page, "blender.z.round().tolist()", "[3.0, 6.0]")


def open_file(page, content: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("mvae-blender").get_by_role("button", name="Open a MIDI file as the last melody").click()
    chooser.value.set_files({"name": "my tune.mid", "mimeType": "audio/midi", "buffer": content})


def test_a_midi_file_of_the_reader_becomes_an_end(page):
    buffer = io.BytesIO()
    notes_to_midi([Note(62, 0, 8), Note(67, 16, 32)]).write(buffer)
    open_file(page, buffer.getvalue())
    wait_for(page, "mvae-blender", "view.data.names[1] === 'my tune'")
    wait_for_kernel(page, "blender.ends.tolist()", "[[0.0, 0.0], [2.0, 7.0]]")


def test_a_broken_file_is_explained(page):
    open_file(page, b"not at all MIDI")
    wait_for(page, "mvae-blender", "view.ui.message.textContent.startsWith('my tune.mid: not a MIDI file')")
