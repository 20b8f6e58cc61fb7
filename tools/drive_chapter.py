"""Runs a chapter in a real JupyterLab and takes pictures of all of it, so that its author can look at it.

    python tools/drive_chapter.py chapters/03_variational.ipynb pictures/ [--dark] [--seconds 600]

It works on a copy, so the chapter stays as it is. Needs playwright and a chromium on the PATH. The exit status is 1
where a cell failed, or where the page asked for anything beyond this machine.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import chromium, jupyterlab, requests_beyond_this_machine, why_no_browser

WIDTH, HEIGHT = 1100, 1400
OVERLAP = 60  # pixels that two pictures share, so that no line is cut in both


def main() -> int:
    """Parses the command line, drives the chapter, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("out", type=Path, help="folder for the numbered PNG files; made if it is absent")
    parser.add_argument("--dark", action="store_true", help="JupyterLab's dark theme")
    parser.add_argument("--seconds", type=float, default=600, help="how long the chapter may run")
    arguments = parser.parse_args()
    reason = why_no_browser()
    if reason:
        print(f"cannot drive a browser: {reason}", file=sys.stderr)
        return 2
    if not arguments.notebook.is_file():
        print(f"there is no notebook {arguments.notebook}", file=sys.stderr)
        return 2
    return drive(arguments.notebook, arguments.out, arguments.dark, arguments.seconds)


def drive(notebook: Path, out: Path, dark: bool, seconds: float) -> int:
    """Runs a copy of `notebook` with the files beside it; returns the exit status."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        root, home = Path(temporary) / "root", Path(temporary) / "home"
        home.mkdir()
        ignore = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
        shutil.copytree(notebook.resolve().parent, root, ignore=ignore)
        with chromium() as browser, jupyterlab(root, home, dark) as lab:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            external_requests = requests_beyond_this_machine(page)
            lab.open(page, notebook.name)
            begin = time.monotonic()
            errors = lab.run_all(page, seconds)
            print(f"ran in {time.monotonic() - begin:.1f} s")
            page.wait_for_timeout(1000)  # figures and widgets are drawn after the last cell is done
            pictures = photograph(page, out, notebook.stem + ("_dark" if dark else ""))
            print(f"{len(pictures)} pictures in {out}, {page.locator('mvae-player').count()} players")
    for problem in errors:
        print(f"ERROR {problem}")
    for address in external_requests:
        print(f"ASKED FOR {address}")
    return 1 if errors or external_requests else 0


def photograph(page: Any, folder: Path, stem: str) -> list[Path]:
    """Scrolls through the open notebook and writes `stem`_01.png, _02.png, ... to `folder`; old ones go first."""
    for old in folder.glob(f"{stem}_[0-9][0-9].png"):
        old.unlink()
    panel = page.evaluate_handle("jupyterapp.shell.currentWidget.content.outerNode").as_element()
    box = panel.bounding_box()
    # Below the last cell JupyterLab leaves an empty screen.
    total = page.evaluate("""() => {
        const { outerNode, widgets } = jupyterapp.shell.currentWidget.content;
        return widgets.at(-1).node.getBoundingClientRect().bottom - outerNode.getBoundingClientRect().top
            + outerNode.scrollTop;
    }""")
    pictures, top = [], 0
    while True:
        panel.evaluate("(panel, top) => (panel.scrollTop = top)", top)
        page.wait_for_timeout(150)
        path = folder / f"{stem}_{len(pictures) + 1:02}.png"
        page.screenshot(path=path, clip=box)
        pictures.append(path)
        if top + box["height"] > total:
            return pictures
        top += box["height"] - OVERLAP


if __name__ == "__main__":
    sys.exit(main())
