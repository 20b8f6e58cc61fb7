"""The exercises of chapter 02, Autoencoders and their holes."""

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
            return "That is step accuracy: it counts holds and note-offs too. Count only the true onsets."
        if np.isclose(mine, (decoded == tokens)[decoded > 1].mean()):
            return "You counted where the *decoded* melody begins a note; the question is about the true one."
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

    return judge("2.2", diagnose, "Summed over steps, one number per melody: the distortion of the later chapters.")


def exercise_3(sample_gaussian: Callable) -> Verdict:
    """`sample_gaussian(latents, n, generator)`: n samples with the mean and covariance of `latents` `[N, Z]`."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        mixing = torch.tensor([[3.0, 0.0], [2.0, 0.5]])
        latents = 3**0.5 * (2 * torch.rand(5000, 2, generator=generator) - 1) @ mixing.T + torch.tensor([10.0, -4.0])
        first, second, again = (torch.Generator().manual_seed(seed) for seed in (1, 2, 1))
        mine, problem = as_array(sample_gaussian(latents.clone(), 20_000, first), (20_000, 2))
        if problem:
            return problem
        if np.array_equal(mine, np.asarray(sample_gaussian(latents.clone(), 20_000, second))):
            return "Two generators of different seeds gave the same samples: is a seed fixed inside?"
        if not np.array_equal(mine, np.asarray(sample_gaussian(latents.clone(), 20_000, again))):
            return "Two generators of the same seed gave different samples: give `generator` to torch.randn."
        return _other_than_gaussian(mine, latents)

    return judge("2.3", diagnose, "Mean, spread and correlation are those of the latent vectors.")


def exercise_4(linear_autoencoder: Callable) -> Verdict:
    """`linear_autoencoder(x, k)`: the best reconstruction `[N, D]` of `x` `[N, D]` from k linear dimensions."""

    def diagnose() -> str | None:
        generator = torch.Generator().manual_seed(0)
        scales = torch.tensor([4.0, 3.0, 2.0, 1.0, 0.5])
        rotation = torch.linalg.qr(torch.randn(5, 5, generator=generator)).Q
        x = (torch.randn(400, 5, generator=generator) * scales) @ rotation + torch.tensor([9.0, 0.0, -7.0, 3.0, 5.0])
        mine, problem = as_array(linear_autoencoder(x.clone(), 2), (400, 5))
        if problem:
            return problem
        mean, (values, vectors) = x.mean(0), torch.linalg.eigh(torch.cov(x.T))
        centred = (x - mean).numpy()
        last, first = vectors[:, :2].numpy(), vectors[:, -2:].numpy()
        if np.allclose(mine, centred @ first @ first.T, atol=1e-3):
            return "The mean is missing: add it to the reconstruction at the end."
        if np.allclose(mine, mean.numpy() + centred @ last @ last.T, atol=1e-3):
            return "You kept the directions of the smallest variance: eigh sorts the eigenvalues in ascending order."
        error = np.square(mine - x.numpy()).sum(1).mean() * 400 / 399  # the covariance divides by N - 1 too
        left_out = float(values[:-2].sum())
        if np.isclose(error, left_out, rtol=1e-3):
            return None
        second_moments = torch.linalg.eigh(x.T @ x).eigenvectors[:, -2:].numpy()
        if np.allclose(mine, x.numpy() @ second_moments @ second_moments.T, atol=1e-3):
            return (
                "Subtract the mean first: the directions of the largest variance do not depend on where the data lie."
            )
        if error < left_out:
            return f"The error is {error:.3f}, less than the {left_out:.3f} that any 2 dimensions leave out."
        return f"The mean squared error is {error:.3f}; the best 2 dimensions leave out {left_out:.3f}."

    return judge("2.4", diagnose, "The error is the sum of the eigenvalues that are left out, and no less is possible.")


def exercise_5(training_loop: Callable) -> Verdict:
    """Build: `training_loop(model, loss_of, batches, learning_rate, clip_norm)` yields the loss of each update."""

    def diagnose() -> str | None:
        result = training_loop(_small_model(), _loss_of, _batches(), 0.05, 0.5)
        if result is None:
            return "Your function returned None: is the `return` missing? A generator has `yield` in its place."
        if not hasattr(result, "__next__"):
            return "I expected a generator: `yield` the loss after each update, and do not collect them in a list."
        model = _small_model()
        losses = list(training_loop(model, _loss_of, _batches(), 0.05, 0.5))
        if len(losses) != len(_batches()):
            return f"There are {len(_batches())} batches, and you yielded {len(losses)} losses."
        if not all(isinstance(loss, float) for loss in losses):
            return "Yield the loss as a float: a tensor would keep the whole graph of its update in memory (.item())."
        for diagnosis, variant in _VARIANTS.items():
            if _same(model, losses, *_train(**variant)):
                return diagnosis
        if not _same(model, losses, *_train()):
            return "The losses or the weights differ from those of Adam with the clipped gradient."
        left = _small_model()
        loop = training_loop(left, _loss_of, _batches(), 0.05, 0.5)
        for _ in range(3):
            next(loop)
        if not _same(left, losses[:3], *_train(updates=3)):
            return "After three losses the model has not had three updates: update first, then yield."
        return None

    return judge("2.5", diagnose, "One clipped Adam update per batch, equal to the library's order of steps.")


def _small_model() -> torch.nn.Module:
    model = torch.nn.Linear(4, 3)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return model


def _batches() -> list[torch.Tensor]:
    return list(3 * torch.randn(8, 16, 4, generator=torch.Generator().manual_seed(1)))


def _loss_of(model: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return (model(batch) - batch[:, :3].square()).square().mean()


def _train(
    updates: int = 8,
    optimizer: Callable = torch.optim.Adam,
    clip: float = 0.5,
    zero: bool = True,
    rate: float = 0.05,
    by_value: bool = False,
) -> tuple[torch.nn.Module, list[float]]:
    """The right loop, and with other arguments each of the usual mistakes: (model, losses)."""
    model, losses = _small_model(), []
    adam = optimizer(model.parameters(), lr=rate)
    for batch in _batches()[:updates]:
        loss = _loss_of(model, batch)
        if zero:
            adam.zero_grad()
        loss.backward()
        cut = torch.nn.utils.clip_grad_value_ if by_value else torch.nn.utils.clip_grad_norm_
        cut(model.parameters(), clip)
        adam.step()
        losses.append(loss.item())
    return model, losses


def _same(model: torch.nn.Module, losses: list[float], other: torch.nn.Module, other_losses: list[float]) -> bool:
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    weights = all(torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in pairs)
    return weights and np.allclose(losses, other_losses, rtol=1e-4)


_VARIANTS: dict[str, dict] = {
    "The gradients of earlier batches are still there: call optimizer.zero_grad() before backward().": {"zero": False},
    "The gradient is not clipped: call clip_grad_norm_ between backward() and step().": {"clip": 1e9},
    "clip_grad_value_ clips each number by itself; clip_grad_norm_ limits the length and keeps the direction.": {
        "by_value": True
    },
    "That is plain gradient descent; use torch.optim.Adam.": {"optimizer": torch.optim.SGD},
    "`learning_rate` was not given to Adam, which then takes 0.001.": {"rate": 0.001},
}


def _other_than_gaussian(mine: np.ndarray, latents: torch.Tensor) -> str | None:
    """How samples `mine` `[n, 2]` differ from those of a Gaussian with the mean and covariance of `latents`."""
    mean, covariance = mine.mean(0), np.cov(mine.T)
    wanted = torch.cov(latents.T).numpy()
    root = np.linalg.cholesky(wanted)
    if np.abs(mean - latents.mean(0).numpy()).max() > 0.3:
        return "The samples have another mean than the latent vectors: add the mean at the end."
    if np.allclose(covariance, np.diag(np.diag(wanted)), atol=0.6):
        return "The axes spread well but are uncorrelated: use the whole covariance, not its diagonal."
    if np.allclose(covariance, wanted @ wanted.T, rtol=0.2):
        return "You multiplied by the covariance; multiply by a square root of it (torch.linalg.cholesky)."
    if np.allclose(covariance, root.T @ root, rtol=0.1):
        return "L is on the wrong side: with samples in rows, eps @ L.T has the covariance L @ L.T."
    if not np.allclose(covariance, wanted, rtol=0.1, atol=0.2):
        return "The samples have another covariance."
    white = np.linalg.solve(root, (mine - mean).T)
    if np.abs((white**4).mean(1) - 3).max() > 0.4:  # the fourth moment of a Gaussian is 3, that of a uniform 1.8
        return "Mean and covariance are right, but the samples are not Gaussian: use torch.randn."
    return None
