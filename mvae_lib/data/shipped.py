"""The data sets that come with the course, by representation: another one is one line in SHIPPED.

Chapter: 01.
"""

from collections.abc import Callable

from mvae_lib.data.dataset import Dataset
from mvae_lib.data.folk import folk_melodies

SHIPPED: dict[str, Callable[[int, str], Dataset]] = {"melody": folk_melodies}  # (bars, split) -> data


def shipped_data(representation: str, bars: int, split: str) -> Dataset:
    """A split of the shipped data of a representation.

    Raises ValueError where there is none of that kind or with windows of that many bars, and RuntimeError or
    FileNotFoundError for a damaged or missing file.
    """
    if representation not in SHIPPED:
        there_are = ", ".join(SHIPPED)
        raise ValueError(f"no data set of {representation} comes with the course (there are: {there_are})")
    return SHIPPED[representation](bars, split)
