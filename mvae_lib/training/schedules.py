"""What changes while a model is trained, each as a function of the step (the number of updates so far).

Chapter: 06, 07. Source: Roberts et al. 2018, sections 3 and 5 and the public reference implementation; Bengio et al.
2015, section 2.4 (inverse sigmoid decay); Bowman et al. 2016, section 3.1 (KL annealing).
"""

import math
from collections.abc import Sequence


def beta(step: int, maximum: float, rate: float) -> float:
    """The weight of the KL: (1 - rate^step) * maximum. It climbs from 0; with rate 0 it is `maximum` after one step."""
    return (1 - rate**step) * maximum


def sampling_probability(step: int, k: float | None) -> float:
    """P(the model's own sample replaces a true token) = 1 - k / (k + exp(step / k)); 0 where k is None."""
    if k is None:
        return 0.0
    return 1 / (1 + k * math.exp(-step / k))  # the same value, and exp cannot overflow


def learning_rate(step: int, start: float, end: float, decay: float, updates: int = 0, cooldown: float = 0.0) -> float:
    """From `start` towards `end`: (start - end) * decay^step + end.

    Over the last share `cooldown` of all `updates`, the rest of the difference to `end` falls linearly.
    """
    left = min(1.0, (updates - step) / (updates * cooldown)) if cooldown else 1.0
    return (start - end) * decay**step * left + end


def curriculum_stage(step: int, curriculum: Sequence[tuple[int, int]], bars: int) -> tuple[int, int]:
    """(bars of the windows, updates before this stage) at a step: the stages in their order, then `bars`, all of them.

    A curriculum over length is ours; MusicVAE is trained on whole windows from the first update on.
    """
    first = 0
    for stage_bars, updates in curriculum:
        if step < first + updates:
            return stage_bars, first
        first += updates
    return bars, first
