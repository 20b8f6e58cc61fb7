"""The baseline that needs no neural network: an n-gram language model over the 90 classes.

It answers two questions of the course. How well can the next step be guessed from the few before it (chapter 01)? And
how much does a melody that some model made sound like the data, in nats a step (chapter 02 on)?

The estimate of order k mixes the counts of the longest context with the estimate of order k - 1, and the share that is
left to the shorter context grows with the number of *different* classes that have followed the longer one:

    P_k(x | c) = (count(c x) + D(c) P_{k-1}(x | c')) / (count(c) + D(c)),    P_0 = 1 / 90

Chapter: 01. Source: Witten and Bell 1991, The Zero-Frequency Problem, method C, in its interpolated form (Chen and
Goodman 1999, section 2.5).
"""

import numpy as np

from mvae_lib.music.melody import VOCABULARY, check_tokens

_START = VOCABULARY  # stands for the steps before a melody begins, so that its first steps have a context too
_BASE = VOCABULARY + 1
_MAX_ORDER = 9  # 91 ** 9 is the highest power that fits into 63 bits


class NGram:
    """An interpolated Witten-Bell n-gram model: P(step | the `order` - 1 steps before it)."""

    def __init__(self, tokens: np.ndarray, order: int):
        """Count all n-grams of `tokens` `[melodies, steps]` up to `order` (1 to 9).

        Raises ValueError for another order or another shape.
        """
        if not 1 <= order <= _MAX_ORDER:
            raise ValueError(f"order must lie in 1 to {_MAX_ORDER}, not {order}")
        self.order = order
        self._grams, self._contexts = [], []
        for k in range(1, order + 1):
            codes = _codes(tokens, k).ravel()
            grams, counts = np.unique(codes, return_counts=True)
            contexts, first = np.unique(grams // _BASE, return_index=True)
            totals = np.add.reduceat(counts, first)
            followers = np.diff(np.append(first, len(grams)))
            self._grams.append((grams, counts))
            self._contexts.append((contexts, totals, followers))

    def shorter(self, order: int) -> "NGram":
        """The model of a shorter memory, from the counts that are there. Raises ValueError for a longer one."""
        if not 1 <= order <= self.order:
            raise ValueError(f"this model has counted up to order {self.order}; it cannot give order {order}")
        model = NGram.__new__(NGram)
        model.order, model._grams, model._contexts = order, self._grams[:order], self._contexts[:order]
        return model

    def nll(self, tokens: np.ndarray) -> np.ndarray:
        """Negative log-likelihood of each step, in nats: `[melodies, steps]` -> `[melodies, steps]`."""
        tokens = _batch(tokens)
        probability = np.full(tokens.shape, 1 / VOCABULARY)
        for k in range(1, self.order + 1):
            codes = _codes(tokens, k)
            probability = self._mix(k, codes // _BASE, _lookup(*self._grams[k - 1], codes), probability)
        return -np.log(probability)

    def nll_per_step(self, tokens: np.ndarray) -> np.ndarray:
        """Mean of `nll` over the steps: `[melodies, steps]` -> nats a step `[melodies]`; low is like the data."""
        return self.nll(tokens).mean(-1)

    def probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """The distribution of the step that follows each melody: `[melodies, steps]` -> `[melodies, 90]`."""
        tokens = _batch(tokens)
        padded = np.concatenate([np.full((len(tokens), self.order), _START), tokens], 1)
        probability = np.full((len(tokens), VOCABULARY), 1 / VOCABULARY)
        for k in range(1, self.order + 1):
            context = np.zeros(len(tokens), np.int64)
            for step in range(padded.shape[1] - k + 1, padded.shape[1]):
                context = context * _BASE + padded[:, step]
            codes = context[:, None] * _BASE + np.arange(VOCABULARY)
            contexts = np.broadcast_to(context[:, None], codes.shape)
            probability = self._mix(k, contexts, _lookup(*self._grams[k - 1], codes), probability)
        return probability

    def sample(self, melodies: int, steps: int, rng: np.random.Generator) -> np.ndarray:
        """Melodies drawn step by step from the model: uint8 `[melodies, steps]`."""
        tokens = np.zeros((melodies, 0), np.uint8)
        for _ in range(steps):
            cumulative = self.probabilities(tokens).cumsum(1)
            draw = rng.random((melodies, 1)) * cumulative[:, -1:]
            token = (draw > cumulative).sum(1).clip(max=VOCABULARY - 1)
            tokens = np.concatenate([tokens, token[:, None].astype(np.uint8)], 1)
        return tokens

    def _mix(self, k: int, contexts: np.ndarray, counts: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        """Equation of the module: the estimate of order k from its counts and the estimate of order k - 1."""
        known, totals, followers = self._contexts[k - 1]
        total, different = _lookup(known, totals, contexts), _lookup(known, followers, contexts)
        seen = total > 0  # an unseen context says nothing: the shorter estimate stands
        return np.where(seen, (counts + different * shorter) / np.where(seen, total + different, 1), shorter)


def _batch(tokens: np.ndarray) -> np.ndarray:
    tokens = np.asarray(tokens)
    if tokens.ndim != 2:
        raise ValueError(f"melodies have the shape [melodies, steps], not {tokens.shape}")
    return check_tokens(tokens) if tokens.shape[1] else tokens


def _codes(tokens: np.ndarray, k: int) -> np.ndarray:
    """Each step with the k - 1 before it as one integer in base 91: `[melodies, steps]` -> the same shape."""
    tokens = _batch(tokens).astype(np.int64)
    padded = np.concatenate([np.full((len(tokens), k - 1), _START), tokens], 1)
    codes = np.zeros(tokens.shape, np.int64)
    for shift in range(k):
        codes = codes * _BASE + padded[:, shift : shift + tokens.shape[1]]
    return codes


def _lookup(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """values[i] where keys[i] is the wanted one, 0 where there is none; `keys` are sorted."""
    index = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[index] == wanted, values[index], 0)
