"""How well a model does: metrics, tables, posterior collapse, rate and distortion, disentanglement, probes."""

from mvae_lib._lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "metrics": [
            "Baselines",
            "accuracy",
            "evaluate",
            "exact_match",
            "fit_baselines",
            "onset_accuracy",
            "step_accuracy",
        ],
    },
)
