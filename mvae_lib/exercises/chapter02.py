"""The exercises of chapter 02, An autoencoder, and its holes."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from mvae_lib.evaluation.metrics import onset_accuracy
from mvae_lib.exercises import Verdict, as_array, judge


def exercise_1(my_onset_accuracy: Callable) -> Verdict:
    """`my_onset_accuracy(decoded, tokens)`: the share of the true note-ons that were decoded with their pitch."""

    def diagnose() -> str | None:
        tokens = np.array([[40, 0, 0, 42, 0, 43], [40, 1, 0, 0, 0, 0]])
        decoded = np.array([[1, 0, 0, 45, 0, 43], [0, 1, 1, 1, 45, 1]])
        mine, problem = as_array(my_onset_accuracy(decoded, tokens), ())
        if problem:
            return problem
        if np.isclose(mine, (decoded == tokens).mean()):
            return "That is step accuracy: it counts holds and note-offs too. Ask only where a note truly begins."
        if np.isclose(mine, (decoded == tokens)[decoded > 1].mean()):
            return "You asked where the *decoded* melody begins a note; the question is about the true one."
        if np.isclose(mine, (decoded == tokens)[tokens > 0].mean()):
            return "A note-off (class 1) is an event, but no onset."
        if np.isclose(mine, np.mean([(decoded == tokens)[i, tokens[i] > 1].mean() for i in range(2)])):
            return "You averaged the melodies' own accuracies; take one share of all onsets together."
        right = onset_accuracy(decoded, tokens)
        return None if np.isclose(mine, right) else f"Expected {right:.3f} in my small example, got {mine:.3f}."

    return judge("2.1", diagnose, "Only the steps where a note truly begins count.")


def exercise_2(reconstruction_nats: Callable) -> Verdict:
    """`reconstruction_nats(logits, tokens)`: -log p(x | z) of each melody, summed over its steps: `[B]`."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        logits = 2 * torch.randn(3, 8, 90, generator=generator)
        tokens = torch.randint(90, (3, 8), generator=generator)
        steps = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
        mine, problem = as_array(reconstruction_nats(logits.clone(), tokens.clone()), (3,))
        if problem:
            scalar, _ = as_array(reconstruction_nats(logits, tokens), ())
            if scalar is not None:
                return "One number came back; I want one for each melody, and the caller averages."
            return problem
        if np.allclose(mine, steps.mean(1), atol=1e-4):
            return "You averaged over the steps; -log p(x | z) of a melody is the sum over its steps."
        if np.allclose(mine, -steps.sum(1), atol=1e-4):
            return "The sign is wrong: a loss is minus the log-probability."
        right = np.allclose(mine, steps.sum(1), atol=1e-3)
        return None if right else "The values differ from the sum of -log p over the steps."

    return judge("2.2", diagnose, "Summed over steps, one number a melody: the distortion of the later chapters.")


def exercise_3(sample_codes: Callable) -> Verdict:
    """`sample_codes(codes, n, generator)`: n draws from the Gaussian with the mean and covariance of `codes`."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        mixing = torch.tensor([[3.0, 0.0], [2.0, 0.5]])
        codes = 3**0.5 * (2 * torch.rand(5000, 2, generator=generator) - 1) @ mixing.T + torch.tensor([10.0, -4.0])
        first, second, again = (torch.Generator().manual_seed(seed) for seed in (1, 2, 1))
        mine, problem = as_array(sample_codes(codes.clone(), 20_000, first), (20_000, 2))
        if problem:
            return problem
        if np.array_equal(mine, np.asarray(sample_codes(codes.clone(), 20_000, second))):
            return "Two generators of different seeds gave the same draws: is a seed fixed inside?"
        if not np.array_equal(mine, np.asarray(sample_codes(codes.clone(), 20_000, again))):
            return "Two generators of the same seed gave different draws: give `generator` to torch.randn."
        return _other_than_gaussian(mine, codes)

    return judge("2.3", diagnose, "Mean, spread and correlation are those of the codes.")


def exercise_4(interpolate: Callable) -> Verdict:
    """`interpolate(z_a, z_b, points)`: `points` codes on the straight line, both ends included: `[points, Z]`."""

    def diagnose() -> str | None:
        z_a, z_b = torch.tensor([0.0, 4.0, 1.0]), torch.tensor([8.0, 0.0, 1.0])
        mine, problem = as_array(interpolate(z_a, z_b, 5), (5, 3))
        if problem:
            return problem
        if np.allclose(mine[0], z_b) and np.allclose(mine[-1], z_a):
            return "The path runs backwards: it should begin at z_a."
        if not np.allclose(mine[-1], z_b, atol=1e-5):
            return "The last point should be z_b itself: include both ends (torch.linspace does)."
        right = np.linspace(z_a.numpy(), z_b.numpy(), 5)
        return None if np.allclose(mine, right, atol=1e-5) else "The points are not evenly spaced on the line."

    return judge("2.4", diagnose, "Evenly spaced, both ends included.")


def _other_than_gaussian(mine: np.ndarray, codes: torch.Tensor) -> str | None:
    """How draws `mine` `[n, 2]` differ from those of a Gaussian with the mean and covariance of `codes`."""
    mean, covariance = mine.mean(0), np.cov(mine.T)
    wanted = torch.cov(codes.T).numpy()
    root = np.linalg.cholesky(wanted)
    if np.abs(mean - codes.mean(0).numpy()).max() > 0.3:
        return "The draws have another mean than the codes: add the mean at the end."
    if np.allclose(covariance, np.diag(np.diag(wanted)), atol=0.6):
        return "The axes spread well but are uncorrelated: use the whole covariance, not its diagonal."
    if np.allclose(covariance, wanted @ wanted.T, rtol=0.2):
        return "You multiplied by the covariance; multiply by a square root of it (torch.linalg.cholesky)."
    if np.allclose(covariance, root.T @ root, rtol=0.1):
        return "L is on the wrong side: with draws in rows, eps @ L.T has the covariance L @ L.T."
    if not np.allclose(covariance, wanted, rtol=0.1, atol=0.2):
        return "The draws have another covariance."
    white = np.linalg.solve(root, (mine - mean).T)
    if np.abs((white**4).mean(1) - 3).max() > 0.4:  # the fourth moment of a Gaussian is 3, that of a uniform 1.8
        return "Mean and covariance are right, but the draws are not Gaussian: use torch.randn."
    return None
