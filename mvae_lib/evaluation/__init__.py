"""How well a model does: metrics, tables, posterior collapse, rate and distortion, disentanglement, probes."""

from mvae_lib.evaluation.metrics import (
    Baselines,
    accuracy,
    evaluate,
    exact_rate,
    fit_baselines,
    onset_accuracy,
    step_accuracy,
)

__all__ = [
    "Baselines",
    "accuracy",
    "evaluate",
    "exact_rate",
    "fit_baselines",
    "onset_accuracy",
    "step_accuracy",
]
