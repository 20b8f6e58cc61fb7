"""What a folder of files gave and what was left out: counts for each reason, with the names of a few files.

Chapter: 00.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mvae_lib.music.files import printable

_EXAMPLES = 2
_SHOWN = 12  # reasons in the table
_WIDEST = 76  # characters of a reason in the table


@dataclass
class LeftOut:
    """One reason, how often it was met and for example where; of "files", "tracks", "notes" or "windows"."""

    kind: str
    reason: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class FolderReport:
    """What `midi_folder` found. `print` shows it as a table of a few lines."""

    folder: str
    bars: int
    files: int = 0  # found
    used: int = 0  # that gave windows
    windows: Mapping[str, int] = field(default_factory=dict)  # by split
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, kind: str, reason: str, example: str, count: int = 1) -> None:
        """Count something that was left out."""
        reason = general(reason)
        known = next((item for item in self.left_out if (item.kind, item.reason) == (kind, reason)), None)
        if known is None:
            known = LeftOut(kind, reason)
            self.left_out.append(known)
        known.count += count
        if len(known.examples) < _EXAMPLES and example not in known.examples:
            known.examples.append(example)

    def of_kind(self, kind: str) -> list[LeftOut]:
        """The reasons of one kind, the most frequent first."""
        return sorted((item for item in self.left_out if item.kind == kind), key=lambda item: -item.count)

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {count:,}" for name, count in self.windows.items())
        lines = [
            f"{printable(self.folder, 80)}: {self.used:,} of {self.files:,} files gave {sum(self.windows.values()):,} "
            f"windows of {self.bars} bars ({parts})"
        ]
        rows = [item for kind in ("files", "tracks", "notes", "windows") for item in self.of_kind(kind)]
        for item in rows[:_SHOWN]:
            examples = ", ".join(printable(name) for name in item.examples)
            kind = item.kind if item.count > 1 else item.kind[:-1]
            reason = printable(item.reason, _WIDEST)
            lines.append(f"  left out: {item.count:>6,} {kind:<8} {reason} (for example: {examples})")
        if len(rows) > _SHOWN:
            lines.append(f"  and {len(rows) - _SHOWN} more reasons, in report.left_out")
        return "\n".join(lines)


def general(reason: str) -> str:
    """A reason without what is true of one file or track only: its number, its name, how many notes."""
    reason = re.sub(r"^(instrument|track) \d+( \(.*?\))?: ", "", reason)
    return re.sub(r"(?<![\w/.])\d[\d,]*(?![\w/]|\.\d)", "N", reason)
