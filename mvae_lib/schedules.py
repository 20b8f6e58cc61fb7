"""What changes while a model is trained, each as a function of the step (the number of updates so far).

Chapter: 05, 06. Source: Roberts et al. 2018, sections 3 and 5 and the public reference implementation; Bengio et al.
2015, section 2.4 (inverse sigmoid decay); Bowman et al. 2016, section 3.1 (KL annealing).
"""

import math


def beta(step: int, maximum: float, rate: float) -> float:
    """The weight of the KL: (1 - rate^step) * maximum. It climbs from 0; with rate 0 it is `maximum` after one step."""
    return (1 - rate**step) * maximum


def sampling_probability(step: int, k: float | None) -> float:
    """P(the model's own sample replaces a true token) = 1 - k / (k + exp(step / k)); 0 where k is None."""
    if k is None:
        return 0.0
    return 1 / (1 + k * math.exp(-step / k))  # the same value, and exp cannot overflow


def learning_rate(step: int, start: float, end: float, decay: float) -> float:
    """From `start` towards `end`: (start - end) * decay^step + end."""
    return (start - end) * decay**step + end
