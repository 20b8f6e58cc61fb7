"""The baseline that needs no neural network: an n-gram language model over the classes of a representation.

It answers two questions of the course. How well can the next step be guessed from the few before it (chapter 01)? And
how probable is the melody of another model, as negative log-likelihood in nats per step (chapter 02 on)?

The estimate of order k mixes the counts of the longest context with the estimate of order k - 1, and the share that is
left to the shorter context grows with the number of *different* classes that have followed the longer one:

    P_k(x | c) = (count(c x) + D(c) P_{k-1}(x | c')) / (count(c) + D(c)),    P_0 = 1 / classes

Chapter: 01. Source: Witten and Bell 1991, The Zero-Frequency Problem, method C, in its interpolated form (Chen and
Goodman 1999, section 2.5).
"""

import numpy as np

from mvae_lib.music.melody import VOCABULARY
from mvae_lib.music.representation import Representation


class NGram:
    """An interpolated Witten-Bell n-gram model: P(step | the `order` - 1 steps before it).

    The class after the last one, `classes`, stands for the steps before a melody begins, so that its first steps have a
    context too.
    """

    def __init__(self, tokens: np.ndarray, order: int, classes: int = VOCABULARY):
        """Count all n-grams of `tokens` `[melodies, steps]` up to `order` (for 90 classes 1 to 9).

        Raises ValueError for another order or another shape.
        """
        self.classes, self._base = classes, classes + 1
        most = next(k for k in range(1, 64) if self._base ** (k + 1) >= 2**63)  # an n-gram is one number of 63 bits
        if not 1 <= order <= most:
            raise ValueError(f"order must lie in 1 to {most}, not {order}")
        self.order = order
        self._grams, self._contexts = [], []
        for k in range(1, order + 1):
            ids = self._ngram_ids(tokens, k).ravel()
            grams, counts = np.unique(ids, return_counts=True)
            contexts, first = np.unique(grams // self._base, return_index=True)
            totals = np.add.reduceat(counts, first)
            followers = np.diff(np.append(first, len(grams)))
            self._grams.append((grams, counts))
            self._contexts.append((contexts, totals, followers))

    def shorter(self, order: int) -> "NGram":
        """The model of a lower order, from the same counts. Raises ValueError for a higher one."""
        if not 1 <= order <= self.order:
            raise ValueError(f"this model has counted up to order {self.order}; it cannot give order {order}")
        model = NGram.__new__(NGram)
        model.classes, model._base = self.classes, self._base
        model.order, model._grams, model._contexts = order, self._grams[:order], self._contexts[:order]
        return model

    def nll(self, tokens: np.ndarray) -> np.ndarray:
        """Negative log-likelihood of each step, in nats: `[melodies, steps]` -> `[melodies, steps]`."""
        tokens = self._batch(tokens)
        probability = np.full(tokens.shape, 1 / self.classes)
        for k in range(1, self.order + 1):
            ids = self._ngram_ids(tokens, k)
            probability = self._mix(k, ids // self._base, _lookup(*self._grams[k - 1], ids), probability)
        return -np.log(probability)

    def nll_per_step(self, tokens: np.ndarray) -> np.ndarray:
        """Mean of `nll` over the steps: `[melodies, steps]` -> nats per step `[melodies]`; low is like the data."""
        return self.nll(tokens).mean(-1)

    def probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """The distribution of the step that follows each melody: `[melodies, steps]` -> `[melodies, classes]`."""
        tokens = self._batch(tokens)
        padded = np.concatenate([np.full((len(tokens), self.order), self.classes), tokens], 1)
        probability = np.full((len(tokens), self.classes), 1 / self.classes)
        for k in range(1, self.order + 1):
            context = np.zeros(len(tokens), np.int64)
            for step in range(padded.shape[1] - k + 1, padded.shape[1]):
                context = context * self._base + padded[:, step]
            ids = context[:, None] * self._base + np.arange(self.classes)
            contexts = np.broadcast_to(context[:, None], ids.shape)
            probability = self._mix(k, contexts, _lookup(*self._grams[k - 1], ids), probability)
        return probability

    def sample(self, melodies: int, steps: int, rng: np.random.Generator) -> np.ndarray:
        """Melodies sampled step by step from the model: `[melodies, steps]`."""
        tokens = np.zeros((melodies, 0), np.uint8 if self.classes <= 256 else np.int16)
        for _ in range(steps):
            cumulative = self.probabilities(tokens).cumsum(1)
            threshold = rng.random((melodies, 1)) * cumulative[:, -1:]
            token = (threshold > cumulative).sum(1).clip(max=self.classes - 1)
            tokens = np.concatenate([tokens, token[:, None].astype(tokens.dtype)], 1)
        return tokens

    def _mix(self, k: int, contexts: np.ndarray, counts: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        """Equation of the module: the estimate of order k from its counts and the estimate of order k - 1."""
        known, totals, followers = self._contexts[k - 1]
        total, different = _lookup(known, totals, contexts), _lookup(known, followers, contexts)
        seen = total > 0  # an unseen context has no counts: the shorter estimate stands
        return np.where(seen, (counts + different * shorter) / np.where(seen, total + different, 1), shorter)

    def _batch(self, tokens: np.ndarray) -> np.ndarray:
        tokens = np.asarray(tokens)
        if tokens.ndim != 2:
            raise ValueError(f"melodies have the shape [melodies, steps], not {tokens.shape}")
        if not np.issubdtype(tokens.dtype, np.integer):
            raise TypeError(f"tokens must be integers (classes 0 to {self.classes - 1}), not {tokens.dtype}")
        if tokens.size and (tokens.min() < 0 or tokens.max() >= self.classes):
            raise ValueError(f"tokens must lie in 0 to {self.classes - 1}, not {tokens.min()} to {tokens.max()}")
        return tokens

    def _ngram_ids(self, tokens: np.ndarray, k: int) -> np.ndarray:
        """Each step with the k - 1 before it as one integer: `[melodies, steps]` -> the same shape."""
        tokens = self._batch(tokens).astype(np.int64)
        padded = np.concatenate([np.full((len(tokens), k - 1), self.classes), tokens], 1)
        ids = np.zeros(tokens.shape, np.int64)
        for shift in range(k):
            ids = ids * self._base + padded[:, shift : shift + tokens.shape[1]]
        return ids


class TrackNGrams:
    """An n-gram model for each track, as if the tracks were independent: a weaker baseline than that of one track.

    It has what an evaluation asks of `NGram`: `order`, `nll` and `nll_per_step`, summed over the tracks.
    """

    def __init__(self, tokens: np.ndarray, order: int, vocab_sizes: tuple[int, ...]):
        """Count all n-grams of `tokens` `[windows, steps, tracks]`. Raises ValueError as `NGram` does."""
        self.order = order
        self.tracks = [NGram(tokens[..., track], order, classes) for track, classes in enumerate(vocab_sizes)]

    def nll(self, tokens: np.ndarray) -> np.ndarray:
        """Negative log-likelihood of each step of all tracks, in nats: `[windows, steps]`."""
        return sum(model.nll(tokens[..., track]) for track, model in enumerate(self.tracks))

    def nll_per_step(self, tokens: np.ndarray) -> np.ndarray:
        """Mean of `nll` over the steps: nats per step `[windows]`; low is like the data."""
        return self.nll(tokens).mean(-1)


def fit_ngram(tokens: np.ndarray, kind: Representation, order: int = 5) -> NGram | TrackNGrams:
    """The n-gram model of windows `[windows, steps(, tracks)]` of a representation, counted in all keys.

    The order is lower where a vocabulary is so large that an n-gram of that order has no number.
    """
    while (max(kind.vocab_sizes) + 1) ** order >= 2**63:
        order -= 1
    tokens = kind.transpose_to_all_keys(tokens)
    if len(kind.vocab_sizes) == 1:
        return NGram(tokens, order, kind.vocab_sizes[0])
    return TrackNGrams(tokens, order, kind.vocab_sizes)


def _lookup(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """values[i] where keys[i] is the wanted one, 0 where there is none; `keys` are sorted."""
    index = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[index] == wanted, values[index], 0)
