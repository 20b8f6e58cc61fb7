"""The time from a click or a key to the sound, in a real JupyterLab with a real model.

    python benchmarks/explorers.py [--model mel_2bar] [--times 20]

Measured on the page: from the time stamp of the browser's event to the time at which the synthesiser begins with the
melody that Python has decoded (a rest at its beginning does not count). What the sound card adds is not in it. Needs
playwright and a chromium on the PATH.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import chromium, jupyterlab, why_no_browser

SETUP = """import torch
from mvae_lib.latent.attribute_vectors import fit_attribute_vectors
from mvae_lib.music.attributes import ATTRIBUTES
from mvae_lib.data.folk import folk_melodies
from mvae_lib.widgets.explorers import AttributeMixer, Blender, LatentMap, MelodyPad
from mvae_lib.latent import encode_all
from mvae_lib.pretrained import load_pretrained
from mvae_lib.evaluation.projections import fit_pca
torch.set_num_threads(1)
model, data = load_pretrained({model!r}), folk_melodies(2, "test").sample(500, seed=0)
encode = lambda tokens: encode_all(model, tokens).mu
z, a, b, c, d = encode(data.tokens), *data.tokens[:4]
vectors = fit_attribute_vectors(z, {{name: measure(data.tokens) for name, measure in list(ATTRIBUTES.items())[:5]}})"""
CELLS = {
    "mvae-map": "LatentMap(fit_pca(z).transform(z), z, model.decode)",
    "mvae-blender": "Blender(a, b, encode, model.decode)",
    "mvae-mixer": "AttributeMixer(a, encode, model.decode, vectors)",
    "mvae-pad": "MelodyPad([a, b, c, d], encode, model.decode)",
}

# Notes the time of each event, and when its first note is to sound; each response of Python is noted as well.
WATCH = """(name) => {
    const synthesiser = mvae.speakers();
    globalThis.measured = { event: null, sound: null };
    if (!synthesiser.watched) {
        const noteOn = synthesiser.noteOn.bind(synthesiser);
        synthesiser.watched = true;
        synthesiser.noteOn = (note, when, seconds) => {
            if (measured.event !== null && measured.sound === null && measured.responded) {
                const start = when - (note.start * 60) / 120;
                measured.sound = performance.now() + 1000 * Math.max(start - synthesiser.context.currentTime, 0);
            }
            return noteOn(note, when, seconds);
        };
    }
    const element = document.querySelector(name);
    const note = (event) => (measured = { event: event.timeStamp, sound: null, responded: false });
    globalThis.notes?.forEach(([type]) => document.removeEventListener(type, globalThis.noting, true));
    globalThis.noting = note;
    globalThis.notes = [["pointerdown"], ["keydown"]];
    notes.forEach(([type]) => document.addEventListener(type, note, true));
    const explorer = element.explorer;
    if (!explorer.watched) {
        const show = explorer.show.bind(explorer);
        explorer.watched = true;
        explorer.show = (response, request) => {
            measured.responded = true;
            show(response, request);
        };
    }
    explorer.ui.player.pause();
    explorer.ui.player.seek(0);
}"""


def main() -> int:
    """Parses the command line, measures each explorer, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mel_2bar")
    parser.add_argument("--times", type=int, default=20)
    arguments = parser.parse_args()
    if reason := why_no_browser():
        print(f"cannot drive a browser: {reason}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        root, home = Path(temporary) / "root", Path(temporary) / "home"
        root.mkdir(), home.mkdir()
        cells = [nbformat.v4.new_code_cell(source) for source in (SETUP.format(model=arguments.model), *CELLS.values())]
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), root / "measure.ipynb")
        with chromium() as browser, jupyterlab(root, home) as lab:
            page = browser.new_page(viewport={"width": 1100, "height": 1000})
            lab.open(page, "measure.ipynb")
            errors = lab.run_all(page, seconds=120)
            if errors:
                print("\n".join(errors), file=sys.stderr)
                return 1
            print("| explorer | click or key to sound, median | slowest |\n|---|---|---|")
            for name in CELLS:
                times = [measure(page, name, turn) for turn in range(arguments.times + 1)][1:]
                print(f"| {name} | {median(times):.0f} ms | {max(times):.0f} ms |")
    return 0


def measure(page: Any, name: str, turn: int) -> float:
    """Milliseconds from one event to the first note that Python has decoded; the player rests before it."""
    element = page.locator(name)
    element.scroll_into_view_if_needed()
    if turn == 0:
        element.locator(".player").get_by_role("button", name="Play", exact=True).click()  # makes the audio context
        page.wait_for_function("mvae.speakers()?.context.state === 'running'")
    page.evaluate(WATCH, name)
    if name in ("mvae-map", "mvae-pad"):
        box = element.locator("canvas.canvas").bounding_box()
        # Along the upper edge, where the map has hardly a point, so that Python must decode; for the pad, anywhere.
        page.mouse.click(box["x"] + 20 + (turn * 37) % (box["width"] - 40), box["y"] + 16)
    else:
        element.locator("input[type=range]").first.focus()
        page.keyboard.press("ArrowLeft" if turn % 2 else "ArrowRight")
    page.wait_for_function("measured.sound !== null", timeout=5000)
    return page.evaluate("measured.sound - measured.event")


if __name__ == "__main__":
    sys.exit(main())
