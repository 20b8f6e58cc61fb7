"""Projections of the latent space to two dimensions, and probes that measure what z encodes.

A map shows what its method keeps: PCA the directions of the largest variance, t-SNE the nearest neighbours, and neither
the other. Its clusters are an impression, not a measurement. A **probe** measures: it is a simple classifier or
regression that reads a property from z, scored on held-out melodies. Its number has to be compared with controls: the
same probe on a note histogram (no model at all), on an untrained encoder (no learning), and the majority class (no
features).

    pca = fit_pca(mu_train); pca.transform(mu_test)                       # [N, 2]
    probe_table({"z": (mu_train, mu_test), ...}, train.book, test.book)   # {"majority": .52, "z": .63, ...}

Chapter: 09. Source: van der Maaten and Hinton 2008, Visualizing Data Using t-SNE; Alain and Bengio 2016, Understanding
Intermediate Layers Using Linear Classifier Probes; Hewitt and Liang 2019, Designing and Interpreting Probes with
Control Tasks.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn


def fit_pca(z: ArrayLike, dimensions: int = 2) -> PCA:
    """The directions of the largest variance of z `[N, Z]`, widest first.

    Of the result, `transform` projects `[N, Z]` -> `[N, dimensions]`, `inverse_transform` leads back to the point of
    the plane, and `explained_variance_ratio_` says how much of the variance each direction holds.
    """
    return PCA(dimensions, svd_solver="full").fit(np.asarray(z))


def tsne(z: ArrayLike, perplexity: float = 30.0, seed: int = 0) -> np.ndarray:
    """A map on which near neighbours stay near: z `[N, Z]` -> `[N, 2]`. State perplexity and seed wherever it is shown.

    It has no inverse and cannot place new points, and distances between far points mean nothing. Some 10 s for 2,000.
    Raises ValueError where there are not more points than the perplexity (about the number of neighbours counted).
    """
    z = np.asarray(z)
    if not 1 <= perplexity < len(z):
        raise ValueError(f"a perplexity of {perplexity:g} needs more than that many points, not {len(z)}")
    return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(z)


def probe_class(train: ArrayLike, labels: ArrayLike, test: ArrayLike, test_labels: ArrayLike) -> float:
    """Held-out accuracy, 0 to 1, of a logistic regression that reads a label `[N]` from features `[N, F]`.

    Fit on the one split and scored on the other, whose melodies must be of other tunes.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky"))  # many rows, few columns
    return float(probe.fit(np.asarray(train), np.asarray(labels)).score(np.asarray(test), np.asarray(test_labels)))


def probe_number(train: ArrayLike, values: ArrayLike, test: ArrayLike, test_values: ArrayLike) -> float:
    """Held-out R^2 (1: read exactly; 0: no better than the mean) of a ridge regression that reads a number `[N]`.

    Melodies whose number is NaN are left out. The strength of the penalty is chosen on the training split.
    """
    values, test_values = np.asarray(values, float), np.asarray(test_values, float)
    known, test_known = ~np.isnan(values), ~np.isnan(test_values)
    probe = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 4, 15)))
    probe.fit(np.asarray(train)[known], values[known])
    return float(probe.score(np.asarray(test)[test_known], test_values[test_known]))


def majority(labels: ArrayLike, test_labels: ArrayLike) -> float:
    """The held-out accuracy of always saying the most frequent training label."""
    names, counts = np.unique(np.asarray(labels), return_counts=True)
    return float((np.asarray(test_labels) == names[counts.argmax()]).mean())


def probe_table(
    features: Mapping[str, tuple[ArrayLike, ArrayLike]], labels: ArrayLike, test_labels: ArrayLike
) -> dict[str, float]:
    """The accuracies of `probe_class` for several kinds of features, the majority first.

    `features`: under each name those of the training and of the test split, `[N, F]` each.
    """
    table = {"majority": majority(labels, test_labels)}
    return table | {name: probe_class(train, labels, test, test_labels) for name, (train, test) in features.items()}


def untrained(model: nn.Module, seed: int) -> nn.Module:
    """A model of the same kind and sizes with fresh initial weights: the control for the effect of training."""
    return type(model)(model.config, torch.Generator().manual_seed(seed)).eval()


def silhouette(points: ArrayLike, labels: ArrayLike, sample: int = 2000, seed: int = 0) -> float:
    """How well groups stand apart in z or on a map, -1 to 1; 0: not at all. From at most `sample` of the points."""
    points = np.asarray(points)
    return float(silhouette_score(points, np.asarray(labels), sample_size=min(sample, len(points)), random_state=seed))
