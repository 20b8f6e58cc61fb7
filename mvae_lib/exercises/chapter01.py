"""The exercises of chapter 01, Music as data."""

from collections.abc import Callable

import numpy as np

from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.music.melody import NO_EVENT, NOTE_OFF, VOCABULARY, tokens_to_notes, transpose

# C4 for a quarter, silence for an eighth, D4 for an eighth, G4 for a half note
_BAR = np.array([41, 0, 0, 0, 1, 0, 43, 0, 48, 0, 0, 0, 0, 0, 0, 0], np.uint8)


def exercise_1(transposed: Callable) -> Verdict:
    """`transposed(tokens, semitones)`: a melody `[steps]` moved up or down."""

    def diagnose() -> str | None:
        for semitones in (3, -5, 0):
            mine, problem = as_array(transposed(_BAR.copy(), semitones), _BAR.shape)
            if problem:
                return problem
            right = transpose(_BAR, semitones)
            if (mine == _BAR).all() and semitones:
                return f"Nothing moved for semitones={semitones}."
            if (mine == _BAR.astype(int) + semitones).all() and semitones:
                return "You moved every class, holds (0) and note-offs (1) too; only note-ons (2 to 89) have a pitch."
            if semitones < 0 and (mine[_BAR > 1] > _BAR[_BAR > 1]).any():
                return "A negative number of semitones should move the notes down."
            if (mine != right).any():
                step = int(np.flatnonzero(mine != right)[0])
                return f"At step {step} I expected class {right[step]} and found {mine[step]} (semitones={semitones})."
        before = _BAR.copy()
        transposed(before, 2)
        if (before != _BAR).any():
            return "Your function changed the melody that it was given; work on a copy."
        return None

    return judge("1.1", diagnose, "Note-ons move, holds and note-offs stay.")


def exercise_2(note_lengths: Callable) -> Verdict:
    """`note_lengths(tokens)`: the length in steps of each note of a melody `[steps]`."""

    def diagnose() -> str | None:
        silent_end, silent_begin = _BAR.copy(), _BAR.copy()
        silent_end[12] = NOTE_OFF
        silent_begin[0] = NO_EVENT
        silent_begin[3] = _BAR[0]
        for tokens in (_BAR, silent_end, silent_begin):
            right = [note.end - note.start for note in tokens_to_notes(tokens)]
            mine = note_lengths(tokens.copy())
            if mine is None:
                return "Your function returned None: is the `return` missing?"
            mine = [int(length) for length in mine]
            if mine == np.diff([*np.flatnonzero(tokens > 0), len(tokens)]).tolist() and mine != right:
                return "You counted the silence after a note-off as a note."
            if len(mine) == len(right) - 1:
                return "One note is missing: the last one sounds until the end of the melody, or until a note-off."
            if mine == np.diff([*np.flatnonzero(tokens > 1), len(tokens)]).tolist() and mine != right:
                return "A note ends at the next note-on or at a note-off, whichever comes first."
            if mine != right:
                return f"For {tokens.tolist()} I expected {right} and got {mine}."
        return None

    return judge("1.2", diagnose, "Every note ends at the next event, or with the melody.")


def exercise_3(bigram_table: Callable) -> Verdict:
    """`bigram_table(tokens, alpha)`: P(next | previous) `[90, 90]`, with `alpha` added to each count."""

    def diagnose() -> str | None:
        tokens = np.array([[2, 0, 2, 3], [2, 0, 0, 0]], np.uint8)
        alpha = 0.5
        mine, problem = as_array(bigram_table(tokens.copy(), alpha), (VOCABULARY, VOCABULARY))
        if problem:
            return problem
        within = _table(tokens[:, :-1].ravel(), tokens[:, 1:].ravel(), alpha)
        flat = _table(tokens.ravel()[:-1], tokens.ravel()[1:], alpha)
        if np.allclose(mine, within):
            return None
        exchanged = _table(tokens[:, 1:].ravel(), tokens[:, :-1].ravel(), alpha)
        if np.allclose(mine, within.T) or np.allclose(mine, exchanged):
            return "Rows and columns are exchanged: row = the previous class, column = the next one."
        if np.allclose(mine, _table(*np.unique(_pairs(tokens), axis=1), alpha)):
            return "A pair that occurs twice was counted once: table[a, b] += 1 forgets repeats, np.add.at does not."
        if np.allclose(mine, flat):
            return "You counted the pair (last step of one melody, first step of the next), which nobody ever played."
        if not np.allclose(mine.sum(1), 1):
            if np.allclose(mine.sum(0), 1):
                return "Each column sums to 1, but it is each row that must: it is the distribution of the next class."
            return "Each row is a probability distribution and must sum to 1; divide by the sum over the row."
        if np.allclose(mine, _table(tokens[:, :-1].ravel(), tokens[:, 1:].ravel(), 1.0)):
            return "The pseudo-count `alpha` is an argument: do not add 1."
        return f"P(0 | 2) should be {within[2, 0]:.4f} in my small example, and yours is {mine[2, 0]:.4f}."

    return judge("1.3", diagnose, "Counted within melodies, smoothed, and every row sums to 1.")


def exercise_4(perplexity: Callable) -> Verdict:
    """`perplexity(nll)`: from nats a step to 'as uncertain as a fair choice among this many classes'."""

    def diagnose() -> str | None:
        nll = np.array([[0.1, 2.0], [1.0, 3.5]])
        mine, problem = as_array(perplexity(nll.copy()), ())
        if problem:
            return problem
        if np.isclose(mine, np.exp(nll).mean()):
            return "You averaged exp(nll); perplexity is exp of the average."
        if np.isclose(mine, 2 ** nll.mean()):
            return "The losses are in nats, so the base is e, not 2."
        if np.isclose(mine, np.exp(-nll.mean())):
            return "The sign is lost: nll is positive already."
        if np.isclose(mine, np.exp(nll.sum())):
            return "Take the mean over the steps, not the sum."
        return None if np.isclose(mine, np.exp(nll.mean())) else f"Expected {np.exp(nll.mean()):.4f}, got {mine:.4f}."

    return judge("1.4", diagnose, "exp of the mean loss, one number for the whole batch.")


def _pairs(tokens: np.ndarray) -> np.ndarray:
    return np.stack([tokens[:, :-1].ravel(), tokens[:, 1:].ravel()])


def _table(previous: np.ndarray, following: np.ndarray, alpha: float) -> np.ndarray:
    counts = np.full((VOCABULARY, VOCABULARY), alpha)
    np.add.at(counts, (previous, following), 1)
    return counts / counts.sum(1, keepdims=True)
