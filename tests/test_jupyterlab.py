"""The players in a real JupyterLab: stored, run, played, and driven from Python."""

import os
import shutil
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from browser import Lab, jupyterlab, requests_beyond_this_machine

from mvae_lib.widgets import play

CHAPTERS = Path(__file__).parents[1] / "chapters"
FIRST_CHAPTER = "00_start_here.ipynb"
SMALL = "small.ipynb"

CELLS = [
    "import numpy as np\nfrom mvae_lib.widgets import Player, play",
    "scale = np.zeros(32, int)\nscale[::4] = range(41, 49)",
    "play(scale, title='A scale')",
    "play([scale, scale * 0])",
    "player = Player(scale, tempo=60)\nplayer",
]


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home")
    if CHAPTERS.is_dir():
        shutil.copytree(CHAPTERS, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    nbformat.write(small_notebook(), root / SMALL)
    with jupyterlab(root, home) as lab:
        yield lab


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1100, "height": 1000})
    external_requests = requests_beyond_this_machine(page)
    yield page
    page.close()
    assert external_requests == []


def small_notebook() -> nbformat.NotebookNode:
    """A few players; the first has an output that is stored, but not trusted, since nobody has run it here."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    bundle = play(np.array([41, 0, 0, 0]), title="A scale")._repr_mimebundle_()
    cells[2].outputs = [nbformat.v4.new_output("execute_result", data=bundle, execution_count=3)]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def evaluate_in_kernel(page, expression: str) -> str:
    """The repr of a Python expression in the kernel of the open notebook."""
    reply = page.evaluate(
        """async (expression) => {
            const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
            const request = { code: "", user_expressions: { value: expression } };
            return (await kernel.requestExecute(request).done).content.user_expressions.value;
        }""",
        expression,
    )
    assert reply["status"] == "ok", reply
    return reply["data"]["text/plain"]


def wait_for_kernel(page, expression: str, expected: str) -> None:
    """Waits until the kernel responds `expected`: what the page reports travels to it in a message of its own."""
    until = time.monotonic() + 8
    while (value := evaluate_in_kernel(page, expression)) != expected and time.monotonic() < until:
        page.wait_for_timeout(50)
    assert value == expected


def wait_for(page, condition: str, number: int = 0) -> None:
    """Waits until `condition` holds of `player`, the page's player of that number."""
    player = f"document.querySelectorAll('mvae-player')[{number}]"
    page.wait_for_function(f"(() => {{ const player = {player}; return player && ({condition}); }})()", timeout=8000)


def screenshot(page, name: str, tmp_path: Path) -> None:
    page.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"{name}.png")


def test_a_stored_output_shows_the_notes_before_it_is_trusted(lab: Lab, page, tmp_path):
    lab.open(page, SMALL)
    picture = page.get_by_role("img", name="A scale. Piano roll. 1 note on C4, 0.25 bars")
    picture.wait_for(state="visible")
    assert picture.evaluate("image => image.naturalWidth") == 640
    assert page.locator("mvae-player").count() == 0
    screenshot(page, "untrusted", tmp_path)


@pytest.mark.parametrize("notebook", [SMALL, FIRST_CHAPTER])
def test_a_notebook_runs_and_its_first_player_plays(lab: Lab, page, tmp_path, notebook):
    if notebook == FIRST_CHAPTER and not (CHAPTERS / notebook).is_file():
        pytest.skip(f"chapters/{notebook} is not there")
    lab.open(page, notebook)
    assert lab.run_all(page, seconds=300) == []
    player = page.locator("mvae-player").first
    player.get_by_role("button", name="Play", exact=False).first.click()
    wait_for(page, "player.position > 0.5")
    screenshot(page, Path(notebook).stem, tmp_path)
    cells = page.locator(".jp-Cell").count()
    page.keyboard.press("b")  # JupyterLab's command mode would add a cell
    page.keyboard.press("k")
    wait_for(page, "!player.playing")
    assert page.locator(".jp-Cell").count() == cells


def test_python_drives_a_player_and_follows_it(lab: Lab, page):
    lab.open(page, SMALL)
    assert lab.run_all(page, seconds=60) == []
    last = page.locator("mvae-player").count() - 1
    page.locator("mvae-player").first.get_by_role("button", name="Loop").click()  # browsers want a click before sound
    evaluate_in_kernel(page, "player.seek(2), player.play()")
    wait_for(page, "player.playing && player.position > 2", last)
    wait_for_kernel(page, "player.playing, player.position >= 2", "(True, True)")
    evaluate_in_kernel(page, "player.show(scale[:16]), setattr(player, 'tempo', 240.0)")
    wait_for(page, "!player.playing && player.player.score.melodies[0].beats === 4", last)
    wait_for_kernel(page, "player.playing, player.position", "(False, 0.0)")
    page.locator("mvae-player").nth(last).get_by_label("Tempo").fill("90")
    page.keyboard.press("Enter")
    wait_for(page, "player.player.transport.tempo === 90", last)
    wait_for_kernel(page, "player.tempo", "90.0")
