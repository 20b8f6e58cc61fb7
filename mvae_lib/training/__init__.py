"""The objectives, the one training loop, and checkpoints."""

from mvae_lib._lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "loop": ["Record", "TrainingRun", "cut_windows", "fingerprint", "start_run", "train", "transpose_batch"],
    },
)
