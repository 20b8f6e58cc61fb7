"""The exercises of chapter 01, Music as data."""

from collections.abc import Callable

import numpy as np

from mvae_lib.data.folk import folk_melodies
from mvae_lib.exercises import Verdict, as_array, judge
from mvae_lib.music.melody import VOCABULARY, transpose

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


def exercise_2(bigram_table: Callable) -> Verdict:
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
            return "You counted the pair (last step of one melody, first step of the next), which occurs in no melody."
        if not np.allclose(mine.sum(1), 1):
            if np.allclose(mine.sum(0), 1):
                return "Each column sums to 1, but it is each row that must: it is the distribution of the next class."
            return "Each row is a probability distribution and must sum to 1; divide by the sum over the row."
        if np.allclose(mine, _table(tokens[:, :-1].ravel(), tokens[:, 1:].ravel(), 1.0)):
            return "The pseudo-count `alpha` is an argument: do not add 1."
        return f"P(0 | 2) should be {within[2, 0]:.4f} in my small example, and yours is {mine[2, 0]:.4f}."

    return judge("1.2", diagnose, "Counted within melodies, smoothed, and every row sums to 1.")


def exercise_3(witten_bell: Callable) -> Verdict:
    """`witten_bell(counts, shorter)`: (P(x | c) `[V]`, the share that the shorter context gets)."""

    def diagnose() -> str | None:
        counts, shorter = np.array([6, 0, 2, 0, 1]), np.array([0.1, 0.4, 0.2, 0.2, 0.1])
        mine, share, problem = _two_results(witten_bell(counts.copy(), shorter.copy()), shorter.shape)
        if problem:
            return problem
        total, different = counts.sum(), (counts > 0).sum()
        right = (counts + different * shorter) / (total + different)
        if np.allclose(mine, (counts + different * shorter) / total):
            return "The probabilities sum to more than 1: divide by count(c) + D(c), not by count(c)."
        if np.allclose(mine, (counts + len(counts) * shorter) / (total + len(counts))):
            return "D(c) is the number of different classes that have followed, not the number of all classes."
        if np.allclose(mine, (counts + shorter) / (total + 1)):
            return "The shorter estimate has the weight 1; Witten and Bell give it the weight D(c)."
        if np.allclose(mine, np.where(counts > 0, counts, different * shorter) / (total + different)):
            return "You used the shorter estimate only where the count is 0; it is added to every count."
        if np.isclose(share, total / (total + different)) and np.allclose(mine, right):
            return "The second result is w, the share of the counts; return 1 - w, that of the shorter context."
        if not np.isclose(mine.sum(), 1):
            return f"The probabilities sum to {mine.sum():.3f}, not to 1."
        if not np.allclose(mine, right) or not np.isclose(share, different / (total + different)):
            expected = f"{right[0]:.3f} for the first class and a share of {different / (total + different):.3f}"
            return f"In my small example I expected {expected}, and got {mine[0]:.3f} and {share:.3f}."
        unseen, share, problem = _two_results(witten_bell(np.zeros(5, int), shorter.copy()), shorter.shape)
        if problem:
            return problem
        if not np.allclose(unseen, shorter) or not np.isclose(share, 1):
            return "A context that was never seen has no counts: the shorter estimate stands, with a share of 1."
        return None

    return judge("1.3", diagnose, "A mixture of two distributions, whose weights sum to 1 in every context.")


def exercise_4(encode_notes: Callable, decode_notes: Callable | None = None) -> Verdict:
    """`encode_notes(notes, steps)` -> tokens `[steps]`; `decode_notes(tokens)` -> (start, end, pitch), in order."""

    def diagnose() -> str | None:
        notes = [(0, 4, 60), (6, 8, 62), (8, 16, 67)]  # the notes of _BAR
        mine, problem = as_array(encode_notes(list(notes), 16), (16,))
        if problem:
            return problem
        if (mine == np.where(_BAR > 1, _BAR.astype(int) + 19, _BAR)).all():
            return "You wrote the MIDI pitch itself; the class of a note-on is pitch - 19."
        if mine[8] == 1:
            return "At step 8 a note ends and another begins: the note-on must overwrite the note-off."
        if mine[4] == 0:
            return "The first note ends at step 4 and silence follows: a note-off (class 1) is missing there."
        if (mine != _BAR).any():
            step = int(np.flatnonzero(mine != _BAR)[0])
            return f"At step {step} I expected class {_BAR[step]} and found {mine[step]}."
        if (np.asarray(encode_notes(notes[::-1], 16)) != _BAR).any():
            return "The notes may come in any order: sort them by their start first."
        return _wrong_notes(decode_notes, notes) or _wrong_round_trip(encode_notes, decode_notes)

    return judge("1.4", diagnose, "Tokens to notes and back is exact for 500 melodies of the test split.")


def _wrong_notes(decode_notes: Callable, notes: list) -> str | None:
    decoded = decode_notes(_BAR.copy())
    if decoded is None:
        return "decode_notes returned None: is the `return` missing?"
    decoded = [tuple(int(value) for value in note) for note in decoded]
    if decoded == notes:
        return None
    if len(decoded) == len(notes) + 1:
        return "decode_notes made a note of the note-off: only classes from 2 on begin one."
    if decoded == notes[:-1]:
        return "decode_notes lost the last note: it sounds until the end of the melody."
    if decoded == [(start, end + 2 * (start == 0), pitch) for start, end, pitch in notes]:
        return "In decode_notes a note also ends at a note-off, not only at the next note-on."
    if [(pitch, start, end) for start, end, pitch in notes] == decoded:
        return "decode_notes: the order within a note is (start, end, pitch)."
    return f"decode_notes gave {decoded} for {_BAR.tolist()}; I expected {notes}."


def _wrong_round_trip(encode_notes: Callable, decode_notes: Callable) -> str | None:
    for tokens in folk_melodies(2, "test").tokens[:500]:
        again = np.asarray(encode_notes(decode_notes(tokens.copy()), len(tokens)))
        if (again != tokens).any():
            return f"Decoded and encoded again, {tokens.tolist()} became {again.tolist()}."
    return None


def _two_results(value: object, shape: tuple[int, ...]) -> tuple[np.ndarray, float, str | None]:
    nothing = np.zeros(shape), 0.0
    if value is None:
        return *nothing, "Your function returned None: is the `return` missing?"
    if not isinstance(value, tuple) or len(value) != 2:
        return *nothing, "I expected two results: the probabilities, and the share of the shorter context."
    array, problem = as_array(value[0], shape)
    return (*nothing, problem) if problem else (array, float(value[1]), None)


def _pairs(tokens: np.ndarray) -> np.ndarray:
    return np.stack([tokens[:, :-1].ravel(), tokens[:, 1:].ravel()])


def _table(previous: np.ndarray, following: np.ndarray, alpha: float) -> np.ndarray:
    counts = np.full((VOCABULARY, VOCABULARY), alpha)
    np.add.at(counts, (previous, following), 1)
    return counts / counts.sum(1, keepdims=True)
