"""Sets of windows to learn from, and the n-gram model that is the baseline of every other model. No torch."""
