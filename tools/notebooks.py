"""Execute the notebooks, store them in one normal form, and report where one is not in that form.

    python tools/notebooks.py            execute all chapters and solutions, and store them normalised
    python tools/notebooks.py PATH ...   the same for some of them
    python tools/notebooks.py --exercises   only copy the exercises from the solutions into the chapters

An exercise has one source: the three cells `exercise-01-1-task`, `-answer` and `-check` of `solutions/01_*.ipynb`. The
chapter of the same name holds a copy in which the lines between BEGIN SOLUTION and END SOLUTION of the answer are cut.
"""

import base64
import io
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

from mvae_lib.plots.pictures import compact_png

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 600_000
MAX_CELL_LINES = 25
MAX_CODE_CELLS = 40  # the cells of the exercises among them
MAX_WORDS = 1_800  # of prose, as `prose_words` counts it
MIN_FIGURE_WIDTH = 1_400  # pixels
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SOLUTION = re.compile(r"(?P<indent>[ ]*)# BEGIN SOLUTION\n.*?# END SOLUTION(?=\n|$)", re.DOTALL)
TO_DO = 'raise NotImplementedError("write your answer here")'
SHOWS = re.compile(r"^(?:plt\.show|print|play|score)\(", re.MULTILINE)  # what a cell cannot do without an output
WORD = re.compile(r"[^\W\d_][\w'’-]*")  # a number or a sign is none
NO_PROSE = re.compile(
    r"<details>.*?</details>|\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)\s]*\)", re.DOTALL
)  # folded, formulas, addresses
LOCAL_PATH = re.compile(r"(?:/home/|/root/|/Users/|/tmp/|/work/|[A-Z]:\\\\Users)")


def notebook_paths() -> list[Path]:
    """All notebooks of the course, chapters before solutions."""
    return sorted(ROOT.glob("chapters/*.ipynb")) + sorted(ROOT.glob("solutions/*.ipynb"))


def read(path: Path):
    """The notebook at `path`, in format 4."""
    return nbformat.read(path, as_version=4)


def write(notebook, path: Path) -> None:
    """Write by a temporary name, so that an interrupted run leaves the old notebook whole."""
    temporary = path.with_suffix(".ipynb.part")
    temporary.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
    temporary.replace(path)


def without_solution(source: str) -> str:
    """The answer cell of an exercise as a learner first sees it."""
    return SOLUTION.sub(lambda match: f"{match['indent']}{TO_DO}", source)


def exercise_cells(notebook, blank: bool) -> dict[str, str]:
    """Exercise cell id -> source; `blank` cuts the answers as in a chapter."""
    cells = {cell.id: cell.source for cell in notebook.cells if cell.id.startswith("exercise-")}
    return {id: without_solution(source) if blank else source for id, source in cells.items()}


def copy_exercises(chapter, solution) -> None:
    """Bring the exercise cells of `chapter` to what `solution` says; their order and ids must agree already."""
    sources = exercise_cells(solution, blank=True)
    mine = exercise_cells(chapter, blank=False)
    if list(mine) != list(sources):
        raise ValueError(f"the chapter has the exercise cells {list(mine)}, its solution {list(sources)}")
    for cell in chapter.cells:
        cell.source = sources.get(cell.id, cell.source)


def read_with_exercises(path: Path):
    """The notebook at `path`; a chapter that has a solution with the exercises as the solution says."""
    notebook, solution = read(path), ROOT / "solutions" / path.name
    if path.parent.name == "chapters" and solution.exists():
        copy_exercises(notebook, read(solution))
    return notebook


def normalised(notebook):
    """A copy with counts 1..n, no widget state, no timings, small pictures, and the kernel named as everywhere."""
    notebook = nbformat.from_dict(notebook)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    count = 0
    for cell in notebook.cells:
        kept = {key: cell.metadata[key] for key in ("tags", "slideshow") if key in cell.metadata}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = _merge_streams(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "data" in output:
                output.data.pop(WIDGET_VIEW, None)
                if "image/png" in output.data:
                    output.data["image/png"] = _small_png(output.data["image/png"])
                alt = output.metadata.get("image/png", {}).get("alt")  # for readers who cannot see the figure
                output.metadata = nbformat.from_dict({"image/png": {"alt": alt}} if alt else {})
    return notebook


def _small_png(encoded: str) -> str:
    """A PNG in base64 as `compact_png` stores it; one without transparency has been through it and stays as it is."""
    data = base64.b64decode(encoded)
    if Image.open(io.BytesIO(data)).mode in ("P", "RGB"):
        return encoded
    return base64.b64encode(compact_png(data)).decode("ascii")


def _merge_streams(outputs: list) -> list:
    """Consecutive pieces of one stream as one output: where they are cut differs between runs."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last is not None and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def prose_words(notebook) -> int:
    """The words of the text, without the exercises' tasks, folded answers and hints (`<details>`), and formulas."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "markdown" and not cell.id.startswith("exercise-")]
    return sum(len(WORD.findall(NO_PROSE.sub(" ", cell.source))) for cell in cells)


def code_cells(notebook) -> int:
    """The number of code cells."""
    return sum(cell.cell_type == "code" for cell in notebook.cells)


def figure_widths(notebook) -> list[tuple[int, int]]:
    """(cell number from 1, width in pixels) of each figure."""
    widths = []
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                png = base64.b64decode(output.data["image/png"])
                widths.append((number, Image.open(io.BytesIO(png)).size[0]))
    return widths


def over_limits(path: Path) -> list[str]:
    """Where a chapter or solution is larger than the course allows, or its figures are too small for a projector."""
    notebook, found = read(path), []
    if code_cells(notebook) > MAX_CODE_CELLS:
        found.append(f"has {code_cells(notebook)} code cells, more than {MAX_CODE_CELLS}")
    if prose_words(notebook) > MAX_WORDS:
        found.append(f"has {prose_words(notebook):,} words of prose, more than {MAX_WORDS:,}")
    for number, width in figure_widths(notebook):
        if width < MIN_FIGURE_WIDTH:
            found.append(f"cell {number} has a figure of {width} pixels, narrower than {MIN_FIGURE_WIDTH:,}")
    return found


def problems(path: Path) -> list[str]:
    """What is wrong with a stored notebook, one sentence each; an empty list where it may be committed."""
    text, notebook = path.read_text(encoding="utf-8"), read(path)
    found = []
    if text != nbformat.writes(normalised(notebook)) + "\n":
        found.append("is not in the normal form: run `make notebooks`")
    if len(text.encode()) > MAX_BYTES:
        found.append(f"has {len(text.encode()):,} bytes, more than {MAX_BYTES:,}")
    if LOCAL_PATH.search(text):
        found.append(f"names a path of somebody's machine: {LOCAL_PATH.search(text)[0]}")
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        if cell.source.count("\n") + 1 > MAX_CELL_LINES:
            found.append(f"cell {number} has more than {MAX_CELL_LINES} lines")
        if SHOWS.search(cell.source) and not cell.outputs:
            found.append(f"cell {number} has no output stored: run `tools/notebooks.py` on this notebook")
        for output in cell.outputs:
            expected = "raises-exception" in cell.metadata.get("tags", [])
            if output.output_type == "error" and not expected:
                found.append(f"cell {number} holds the error {output.ename}")
            if output.get("name") == "stderr":
                found.append(f"cell {number} wrote to stderr: {output.text[:80]!r}")
    return found


def execute(path: Path) -> float:
    """Run a notebook from top to bottom in its own folder and store it normalised; the seconds it took."""
    notebook = read_with_exercises(path)
    start = time.perf_counter()
    NotebookClient(
        notebook,
        timeout=900,
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
    ).execute()
    write(normalised(notebook), path)
    return time.perf_counter() - start


def main(arguments: list[str]) -> None:
    only_exercises = "--exercises" in arguments
    paths = [Path(argument).resolve() for argument in arguments if argument != "--exercises"] or notebook_paths()
    for path in paths:
        if only_exercises:
            write(read_with_exercises(path), path)
        else:
            print(f"{path.relative_to(ROOT)}: {execute(path):.0f} s", flush=True)
            for problem in problems(path) + over_limits(path):
                print(f"  {problem}")


if __name__ == "__main__":
    main(sys.argv[1:])
