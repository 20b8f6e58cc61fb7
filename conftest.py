"""Have `pytest --nbval` compare outputs as tools/nbval_comparison.py says, from whatever folder it is started."""

import functools
import os

from tools.nbval_comparison import compare_outputs

# nbval reads what a kernel publishes only when the cell is done, and of some thousand messages the last are lost, the
# one that says 'done' among them. A progress bar that moves once a second keeps a training of minutes below that.
os.environ.setdefault("TQDM_MININTERVAL", "1")


def pytest_itemcollected(item):
    """Put our comparison before the exact one of nbval, for the cells of a notebook only."""
    if type(item).__name__ == "IPyNbCell":
        item.compare_outputs = functools.partial(compare_outputs, item.compare_outputs, item.cell)
