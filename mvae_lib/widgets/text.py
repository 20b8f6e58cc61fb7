"""Text that a page, an SVG and a terminal can hold, for names from files and users. Chapter: 00."""

import re
from typing import Any

# What XML cannot hold, and control characters: NUL, ESC, halves of surrogate pairs.
_UNPRINTABLE = re.compile("[^\t\n\r -~\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """`text` with a replacement character for each character that cannot be shown or stored."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def printable_data(data: Any) -> Any:
    """Data for a page (as JSON has them: dicts, lists, texts, numbers) with every text printable."""
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, dict):
        return {printable_data(key): printable_data(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [printable_data(item) for item in data]
    return data
