"""Which printed lines of a chapter survive when its trained models are replaced by untrained ones?

    python tools/refute.py                           all chapters that load a shipped model
    python tools/refute.py chapters/09_latent_space.ipynb

Each chapter is executed on a copy in which `load_pretrained` gives models of the same shapes with initial weights. A
sentence or number that speaks of a trained model should then come out differently; one that stays the same says nothing
about training. Lines are compared as `pytest --nbval` compares them, with what is stored in the notebook.

Looked at are the lines of the cells that use a shipped model, directly or through a name computed from one. Not counted
are headings: the first line of a cell, and rules of dashes, where a line below has changed. A cell whose lines are
meant to stay the same (they state a property of the data, of the architecture, or of an untrained model as a
control) carries the tag `control`; its lines are counted in a column of their own. The exit status is 1 where another
line stays the same.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import in_kernel, notebooks
from tools.nbval_comparison import same_but_for_last_digits

ROOT = Path(__file__).resolve().parents[1]
CONTROL = "control"  # the tag of a cell whose lines may stay the same
LOADER = "load_pretrained"
RULE = re.compile(r"[\s\-─=|+:]*")
PREPARATION = "from tools.refute import ship_untrained_models\nship_untrained_models()"


class Line(NamedTuple):
    """A printed line of a cell that uses a shipped model."""

    cell: int  # from 1, as everywhere in these tools
    text: str
    verdict: str  # "changed", "heading", "control" or "same"


def ship_untrained_models() -> None:
    """In a kernel: from now on, `load_pretrained` gives a model of the same configuration with initial weights."""
    import zlib

    from mvae_lib import pretrained
    from mvae_lib.evaluation.projections import untrained

    load = pretrained.load_pretrained
    pretrained.load_pretrained = lambda name: untrained(load(name), seed=zlib.crc32(name.encode()))


def cells_that_use_a_model(notebook) -> set[int]:
    """Numbers (from 1) of the cells that load a shipped model, or use what was computed from one."""
    of_model, imported, found = set(), set(), set()
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        for statement in ast.parse(cell.source).body:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                for alias in statement.names:
                    (of_model if alias.name == LOADER else imported).add(alias.asname or alias.name)
            elif _used(statement) & of_model or LOADER in _attributes(statement):
                found.add(number)
                of_model |= _changed(statement) - imported
            elif isinstance(statement, ast.Assign):
                of_model -= {name.id for target in statement.targets for name in _names(target, ast.Store)}
    return found


def compare(notebook, rerun, cells: set[int]) -> list[Line]:
    """The printed lines of these cells of the stored notebook, beside those of the one with untrained models."""
    lines = []
    for number in sorted(cells):
        cell = notebook.cells[number - 1]
        lines += _compare_cell(number, cell, printed(cell), printed(rerun.cells[number - 1]))
    return lines


def printed(cell) -> list[str]:
    """The lines that a cell prints or returns as text; players, figures and empty lines are none."""
    lines = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if output.output_type == "stream" and output.name == "stdout":
            lines += output.text.splitlines()
        elif "text/plain" in data and len(data) == 1:
            lines += data["text/plain"].splitlines()
        elif output.output_type == "error":
            lines.append(f"{output.ename}: {output.evalue}")
    return [line for line in lines if line.strip()]


def refute(path: Path) -> list[Line]:
    """Execute a copy of the chapter with untrained models; an empty list where it loads none."""
    notebook = notebooks.read(path)
    cells = cells_that_use_a_model(notebook)
    if not cells:
        return []
    rerun = in_kernel.run_after(notebooks.read(path), path.parent, PREPARATION, allow_errors=True)
    return compare(notebook, rerun, cells)


def table(results: dict[str, list[Line]]) -> str:
    """A row for each chapter in Markdown, and below it the lines that stay the same."""
    verdicts = ("changed", "heading", "control", "same")
    rows = ["| chapter | lines of cells with a shipped model | changed | headings | in control cells | stay the same |"]
    rows.append("|---|---|---|---|---|---|")
    for name, lines in results.items():
        counts = [sum(line.verdict == verdict for line in lines) for verdict in verdicts]
        rows.append(f"| {name} | {len(lines)} | {' | '.join(map(str, counts))} |")
    for verdict, what in (("same", "stays the same"), ("control", "stays the same, in a control cell")):
        for name, lines in results.items():
            rows += ["", f"{name}, {what}:"] if any(line.verdict == verdict for line in lines) else []
            rows += [f"  cell {line.cell}: {line.text}" for line in lines if line.verdict == verdict]
    return "\n".join(rows)


def _compare_cell(number: int, cell, stored: list[str], again: list[str]) -> Iterator[Line]:
    same = [any(same_but_for_last_digits(line, other) for other in again) for line in stored]
    for i, (text, stays) in enumerate(zip(stored, same, strict=True)):
        changed_below = not all(same[i + 1 :])
        if not stays:
            verdict = "changed"
        elif changed_below and (RULE.fullmatch(text) or (i == 0 and not re.search(r"\d\.\d|[.:?!]$", text))):
            verdict = "heading"
        else:
            verdict = "control" if CONTROL in cell.metadata.get("tags", []) else "same"
        yield Line(number, text, verdict)


def _names(node: ast.AST, context: type = ast.Load) -> Iterator[ast.Name]:
    return (name for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, context))


def _used(statement: ast.stmt) -> set[str]:
    return {name.id for name in _names(statement)}


def _attributes(statement: ast.stmt) -> set[str]:
    return {node.attr for node in ast.walk(statement) if isinstance(node, ast.Attribute)}


def _changed(statement: ast.stmt) -> set[str]:
    """Names that a statement binds, defines, or changes in place: `x = `, `def x`, `x[k] = `, `x.append(...)`."""
    names = {name.id for name in _names(statement, ast.Store)}
    for node in ast.walk(statement):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            names |= {name.id for name in _names(node.value)}
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            names |= {node.func.value.id} if node.func.attr in ("append", "extend", "update", "add") else set()
    return names


def main(arguments: list[str]) -> int:
    """Print the table; 1 where a line outside of the control cells stays the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all chapters")
    results = {}
    for path in parser.parse_args(arguments).notebooks or sorted(ROOT.glob("chapters/*.ipynb")):
        lines = refute(path.resolve())
        if lines:
            results[path.stem] = lines
        print(f"{path.stem}: {'done' if lines else 'uses no shipped model'}", file=sys.stderr, flush=True)
    print(table(results))
    return int(any(line.verdict == "same" for lines in results.values() for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
