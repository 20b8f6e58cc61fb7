"""Run a copy of a notebook after a first cell of our own, as the tools that look at the chapters do.

The copy runs in the notebook's folder, in a kernel that can import `tools`; the notebook itself is not touched.
"""

from pathlib import Path

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parents[1]


def run_after(notebook, folder: Path, preparation: str, allow_errors: bool = False):
    """Execute `notebook` (in memory) in `folder` after the source `preparation`; returns it with its new outputs.

    Raises nbclient's CellExecutionError for a cell that fails, unless `allow_errors`.
    """
    first = new_code_cell(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{preparation}")
    notebook.cells.insert(0, first)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook,
        timeout=900,
        resources=resources,
        allow_errors=allow_errors,
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
    ).execute()
    del notebook.cells[0]
    return notebook
