"""The objectives, the one training loop, and checkpoints."""

from mvae_lib.training.loop import (
    Record,
    Training,
    cut_windows,
    fingerprint,
    start,
    train,
    transpose_batch,
)

__all__ = ["Record", "Training", "cut_windows", "fingerprint", "start", "train", "transpose_batch"]
