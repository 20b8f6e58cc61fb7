"""The check of the warm-up of chapter 00, which shows how all exercises work.

Chapter: 00.
"""

from collections.abc import Callable

from mvae_lib.exercises import Verdict, as_array, judge


def warm_up(seconds: Callable[[int, float], float]) -> Verdict:
    """Check `seconds(steps, tempo)`: how long so many sixteenth notes last at a tempo in quarter notes per minute."""

    def diagnose() -> str | None:
        for steps, tempo in ((32, 90.0), (16, 60.0), (6, 120.0)):
            right = steps / 4 * 60 / tempo
            value, diagnosis = as_array(seconds(steps, tempo), ())
            if diagnosis:
                return diagnosis
            if abs(value - right) > 1e-6:
                return _why(float(value), steps, tempo, right)
        return None

    return judge("0.1", diagnose, "A step is a quarter of a beat, and a beat lasts 60 / tempo seconds.")


def _why(value: float, steps: int, tempo: float, right: float) -> str:
    case = f"For {steps} steps at {tempo:g} beats per minute"
    got = f"{case} the result should be {right:.3g} s, and yours is {value:.3g} s."
    if abs(value - 4 * right) < 1e-6:
        return f"{got} You took a step for a beat: a beat has 4 steps."
    if abs(value - 16 * right) < 1e-6:
        return f"{got} You multiplied by 4 where steps become beats; divide."
    if abs(value * 60 - right) < 1e-6:
        return f"{got} That is minutes: a minute has 60 seconds."
    if abs(value - steps / 4 * tempo / 60) < 1e-6:
        return f"{got} A faster tempo should make the tune shorter: divide by the tempo."
    return got
