"""Windows of music and where they come from: one object for the shipped sets and for a user's own files.

    data = Dataset(tokens=tokens, representation="melody")     # from arrays
    data.part("train").sample(64, seed=1).tokens
    data[data.source == "ryan"]

Chapter: 01.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from mvae_lib.music.representation import get_representation

ALL = "all"  # the `split` of data that has not been divided, or not yet


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Dataset:
    """Windows of one representation; indexing with a mask, a slice or indices selects windows.

    `source` says for each window the group that an evaluation reports (the book, the folder). Where `parts` names the
    split of each window, `part("train")` selects one. `control` is a signal that a conditional model reads beside the
    tokens. Raises ValueError or TypeError for arrays that do not fit together or do not fit the representation.
    """

    tokens: np.ndarray  # [windows, steps], or [windows, steps, tracks] for several tracks
    source: np.ndarray | None = None  # [windows] of str; None: all from one source
    split: str = ALL  # the name of the whole: a name from SPLITS, or ALL
    parts: np.ndarray | None = None  # [windows], names from SPLITS
    representation: str = "melody"
    bars: int = 0  # of a window; 0: as many as `tokens` has
    control: np.ndarray | None = None  # float32 [windows, steps, depth]
    sha256: str = ""  # of the data that all this was taken from; "": of these arrays

    _rows: ClassVar[tuple[str, ...]] = ("tokens", "source", "parts", "control")  # one entry per window

    def __post_init__(self):
        kind = get_representation(self.representation)
        fill = {"tokens": kind.check(self.tokens)}
        bars, rest = divmod(self.tokens.shape[1], kind.steps_per_bar)
        if rest or not bars or self.bars not in (0, bars):
            raise ValueError(
                f"windows of {self.bars or 'whole'} bars of {kind.steps_per_bar} steps are needed, and these have "
                f"{self.tokens.shape[1]} steps"
            )
        fill["bars"] = bars
        if self.source is None:
            fill["source"] = np.full(len(self.tokens), self.split)
        if self.control is not None:
            fill["control"] = np.asarray(self.control, np.float32)
            if fill["control"].ndim != 3 or fill["control"].shape[1] != self.tokens.shape[1]:
                raise ValueError(
                    f"control has the shape [windows, {self.tokens.shape[1]} steps, depth], "
                    f"not {list(fill['control'].shape)}"
                )
        for name, value in fill.items():
            object.__setattr__(self, name, value)
        for name in self._rows:
            rows = getattr(self, name)
            if rows is not None and len(rows) != len(self.tokens):
                raise ValueError(f"{name} has {len(rows)} entries for {len(self.tokens)} windows")
        if not self.sha256:
            object.__setattr__(self, "sha256", self._fingerprint())

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        windows = f"{len(self):,} windows of {self.bars} bars ({self.representation}, {self.split})"
        if self.parts is None:
            return windows
        counts = ", ".join(f"{name} {count:,}" for name, count in zip(*_counted(self.parts), strict=True))
        return f"{windows}: {counts}"

    def __getitem__(self, index: np.ndarray | slice | list[int]) -> Self:
        """The windows at a boolean mask `[windows]`, a slice or a list of indices. Raises TypeError for one integer."""
        if isinstance(index, int | np.integer):
            raise TypeError(f"one window is data.tokens[{index}]; data[...] takes a mask, a slice or a list of indices")
        index = index if isinstance(index, slice) else np.asarray(index)
        rows = {name: getattr(self, name) for name in self._rows}
        return replace(self, **{name: None if row is None else row[index] for name, row in rows.items()})

    @property
    def sources(self) -> tuple[str, ...]:
        """The different sources, in the order in which an evaluation shows them."""
        return tuple(str(name) for name in np.unique(self.source))

    def part(self, split: str) -> Self:
        """The windows of one split. Raises ValueError where these windows are all of another one, or undivided."""
        if self.parts is not None:
            return replace(self[self.parts == split], split=split, parts=None)
        if self.split != split:
            raise ValueError(f"there is no part {split!r} here: these windows are all of {self.split!r}")
        return self

    def shuffled(self, seed: int) -> Self:
        """All windows in a random order that `seed` determines."""
        return self[np.random.default_rng(seed).permutation(len(self))]

    def sample(self, n: int, seed: int) -> Self:
        """`n` different windows, sampled with `seed`. Raises ValueError when there are fewer than `n`."""
        if not 0 <= n <= len(self):
            raise ValueError(f"cannot sample {n} different windows out of {len(self)}; ask for 0 to {len(self)}")
        return self[np.random.default_rng(seed).choice(len(self), n, replace=False)]

    def title(self, window: int) -> str:
        """What to call the music that a window is taken from."""
        return str(self.source[window])

    def with_main_sources(self, most: int) -> Self:
        """The same windows with at most `most` sources: all but those with the most windows are called 'other'."""
        names, counts = _counted(self.source)
        if len(names) <= most:
            return self
        main = names[np.argsort(-counts, kind="stable")[: most - 1]]
        return replace(self, source=np.where(np.isin(self.source, main), self.source, "other"))

    def _fingerprint(self) -> str:
        found = hashlib.sha256(f"{self.representation} {self.tokens.shape}".encode())
        for rows in (self.tokens, self.control):
            found.update(b"" if rows is None else np.ascontiguousarray(rows).tobytes())
        found.update("\n".join(map(str, [] if self.parts is None else self.parts)).encode())
        return found.hexdigest()


def _counted(names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(names, return_counts=True)
