"""Takes the pictures of the explorers that the README shows, with the shipped model.

    python tools/photograph_explorers.py [docs/explorers]

Needs playwright and a chromium on the PATH.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import chromium, why_no_browser

from mvae_lib.data.folk import folk_melodies
from mvae_lib.evaluation.projections import fit_pca
from mvae_lib.latent.attribute_vectors import fit_attribute_vectors
from mvae_lib.latent.interpolation import encode_all
from mvae_lib.music.attributes import ATTRIBUTES
from mvae_lib.pretrained import load_pretrained
from mvae_lib.widgets.explorers import AttributeMixer, Blender, LatentMap, MelodyPad
from mvae_lib.widgets.explorers.base import Explorer

WIDTH, COLOURS = 760, 64  # 64 colours: a third of the bytes, and no difference that an eye sees


CONNECT = """(name) => {
    const element = document.querySelector(name);
    element.sendRequest = async (request) => element.receive(await python(request));
    element.explorer.build();
}"""
PLAYS = "(name) => document.querySelector(name).explorer.ui.player.position > 1.6"


def response(explorer: Explorer, request: dict) -> dict:
    """What the kernel would send back."""
    explorer.request = request
    return explorer.response


def explorers() -> dict[str, Explorer]:
    """One of each kind, on melodies that the model has not learned from."""
    torch.set_num_threads(1)
    model, train = load_pretrained("mel_2bar"), folk_melodies(2, "train").sample(6000, seed=0)
    data = folk_melodies(2, "test").sample(400, seed=0)
    z, titles = encode_all(model, data.tokens).mu, [data.title(i) for i in range(len(data))]
    four = [3, 40, 77, 102]

    def encode(tokens):
        return encode_all(model, tokens).mu

    names = list(ATTRIBUTES)[:6]
    vectors = fit_attribute_vectors(encode(train.tokens), {name: ATTRIBUTES[name](train.tokens) for name in names})
    points = fit_pca(z).transform(z)
    tunes, own = data.tokens[four], [titles[i] for i in four]
    return {
        "map": LatentMap(points, z, model.decode, titles, data.book, "book", title="400 melodies by PCA of z"),
        "blender": Blender(*tunes[:2], encode, model.decode, own[:2], title="From one tune to another"),
        "mixer": AttributeMixer(tunes[0], encode, model.decode, vectors, title=own[0]),
        "pad": MelodyPad(tunes, encode, model.decode, own, title="Between four tunes"),
    }


def main() -> int:
    """Writes map.png, blender.png, mixer.png and pad.png to the folder."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/explorers")
    if reason := why_no_browser():
        print(f"cannot drive a browser: {reason}", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, tempfile.TemporaryDirectory() as temporary:
        for name, explorer in explorers().items():
            html = Path(temporary) / f"{name}.html"
            body = explorer._repr_mimebundle_()[0]["text/html"]
            html.write_text(f"<!doctype html><meta charset=utf-8><body>{body}", encoding="utf-8")
            page = browser.new_page(viewport={"width": WIDTH + 16, "height": 800})
            page.goto(html.as_uri())
            page.expose_function("python", partial(response, explorer))
            page.evaluate(CONNECT, explorer.element)
            element = page.locator(explorer.element)
            if name in ("map", "pad"):
                box = element.locator("canvas.canvas").bounding_box()
                page.mouse.click(box["x"] + 0.37 * box["width"], box["y"] + 0.42 * box["height"])
            else:
                element.locator("input[type=range]").first.fill("0.5")
            page.wait_for_function(PLAYS, arg=explorer.element)
            path = folder / f"{name}.png"
            element.screenshot(path=path)
            Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
            print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
