"""Have `pytest --nbval` compare outputs as tools/nbval_comparison.py says, from whatever folder it is started."""

import functools

from tools.nbval_comparison import compare_outputs


def pytest_itemcollected(item):
    """Put our comparison before the exact one of nbval, for the cells of a notebook only."""
    if type(item).__name__ == "IPyNbCell":
        item.compare_outputs = functools.partial(compare_outputs, item.compare_outputs, item.cell)
