"""Export every figure of the chapters as SVG and PNG, for slides.

    python tools/figures.py                        all chapters => build/figures/03_vae/02_the-gap-is-an-area.svg, ...
    python tools/figures.py chapters/03_vae.ipynb [--out FOLDER]

The chapters are executed on a copy, and each figure is saved where the notebook shows it: the same picture that is
stored in the notebook, and the same drawing as SVG. `index.md` of a chapter's folder lists the files with their texts.
The pictures inside of an explorer or beside a slider are no figures of their own and are left out.
"""

import argparse
import re
import sys
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

OUT = ROOT / "build" / "figures"
NAME_LENGTH = 60  # letters of a title that a file name keeps


def slug(title: str) -> str:
    """A title as part of a file name: "Rate (nats) falls" -> "rate-nats-falls"; "figure" where nothing is left."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    name = ""
    for word in words:
        if len(name) + len(word) >= NAME_LENGTH:
            break
        name = f"{name}-{word}" if name else word
    return name or "figure"


def title_of(figure) -> str:
    """The title of a figure: above all panels, or of the first panel that has one."""
    titles = [figure.get_suptitle()]
    titles += [ax.get_title(loc=place) for ax in figure.axes for place in ("left", "center", "right")]
    return next((title for title in titles if title), "")


def save_shown_figures(folder: str) -> None:
    """In a kernel: from now on, save each figure to `folder` when it is shown."""
    from IPython import get_ipython
    from matplotlib.figure import Figure

    display_formatter = get_ipython().display_formatter
    show = display_formatter.format

    def save_and_show(shown, *arguments, **keywords):
        if isinstance(shown, Figure) and shown.axes:
            save(shown, Path(folder))
        return show(shown, *arguments, **keywords)

    display_formatter.format = save_and_show


def save(figure, folder: Path) -> Path:
    """Write `figure` as NN_title.svg and .png, and a line of index.md; NN counts from 01. The path of the SVG."""
    import matplotlib.pyplot as plt

    from mvae_lib.plots import alt_text, figure_png

    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.svg"))) + 1
    stem = f"{number:02}_{slug(title_of(figure))}"
    text = alt_text(figure)
    (folder / f"{stem}.png").write_bytes(figure_png(figure))
    with plt.rc_context({"svg.hashsalt": "course", "svg.fonttype": "path"}):  # the same bytes each time, on any machine
        figure.savefig(folder / f"{stem}.svg", bbox_inches="tight", metadata={"Date": None, "Title": text})
    with (folder / "index.md").open("a", encoding="utf-8", newline="\n") as index:
        index.write(f"{number}. [{stem}]({stem}.svg): {text}\n")
    return folder / f"{stem}.svg"


def export(path: Path, out: Path) -> list[Path]:
    """Execute a copy of the notebook at `path` and save its figures to `out`/NAME; the SVG files in order."""
    from tools import in_kernel, notebooks

    folder = (out / path.stem).resolve()
    if folder.exists():
        for old in [*folder.glob("*.svg"), *folder.glob("*.png"), *folder.glob("index.md")]:
            old.unlink()
    preparation = f"from tools.figures import save_shown_figures\nsave_shown_figures({str(folder)!r})"
    in_kernel.run_after(notebooks.read(path), path.parent, preparation)
    return sorted(folder.glob("*.svg"))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all chapters")
    parser.add_argument("--out", type=Path, default=OUT, help="default: build/figures")
    chosen = parser.parse_args(arguments)
    for path in chosen.notebooks or sorted(ROOT.glob("chapters/*.ipynb")):
        files = export(path.resolve(), chosen.out)
        print(f"{path.name}: {len(files)} figures in {chosen.out / path.stem}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
