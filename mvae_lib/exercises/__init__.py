"""Checks for the exercises: each takes the learner's function, tries it, and says what is wrong in words.

One module a chapter (`checks.chapter01`, ...), one function an exercise. A check never raises, so that a chapter whose
exercises are still open runs through; it returns a `Verdict`, which a notebook shows as the last value of the cell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """What a check found: `status` is 'passed', 'not attempted' or 'not yet', `message` the diagnosis."""

    exercise: str
    status: str
    message: str

    def __repr__(self) -> str:
        mark = {"passed": "✔", "not attempted": "·"}.get(self.status, "✘")
        return f"{mark} Exercise {self.exercise}: {self.status}. {self.message}"

    @property
    def passed(self) -> bool:
        return self.status == "passed"


def judge(exercise: str, diagnose: Callable[[], str | None], praise: str) -> Verdict:
    """Run `diagnose`, which tries the learner's function and returns a diagnosis, or None where nothing is wrong."""
    try:
        diagnosis = diagnose()
    except NotImplementedError:
        return Verdict(exercise, "not attempted", "Replace the line with NotImplementedError, then run me again.")
    except Exception as error:  # whatever a learner's function does, the check must answer in words
        return Verdict(exercise, "not yet", f"Your function raised {type(error).__name__}: {error}")
    return Verdict(exercise, "not yet", diagnosis) if diagnosis else Verdict(exercise, "passed", praise)


def as_array(value: Any, shape: tuple[int, ...]) -> tuple[np.ndarray | None, str | None]:
    """(the learner's result as an array, None), or (None, a diagnosis) where it is missing or of another shape."""
    if value is None:
        return None, "Your function returned None: is the `return` missing?"
    array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    if array.shape != shape:
        return None, f"The result should have the shape {list(shape)}, and yours has {list(array.shape)}."
    return array, None
