"""The data sets that come with the course, by representation: another one is one line in SHIPPED.

Chapter: 01.
"""

from collections.abc import Callable

from mvae_lib.data.dataset import Dataset
from mvae_lib.data.folk import WINDOW_BARS, folk_melodies

# By representation: what loads a split, from (bars, split), and the bars for which there are windows.
SHIPPED: dict[str, tuple[Callable[[int, str], Dataset], tuple[int, ...]]] = {"melody": (folk_melodies, WINDOW_BARS)}


def shipped_data(representation: str, bars: int, split: str) -> Dataset:
    """A split of the shipped data of a representation.

    Raises ValueError where there is none of that kind or with windows of that many bars, and RuntimeError or
    FileNotFoundError for a damaged or missing file.
    """
    if representation not in SHIPPED:
        raise ValueError(
            f"no data set of {representation} comes with the course (of these: {', '.join(SHIPPED)}); "
            "use MIDI files of your own"
        )
    load, there_are = SHIPPED[representation]
    if bars not in there_are:
        raise ValueError(
            f"the {representation} data of the course has windows of {' and '.join(map(str, there_are))} bars only, "
            f"and {bars} are asked for; use MIDI files of your own"
        )
    return load(bars, split)
