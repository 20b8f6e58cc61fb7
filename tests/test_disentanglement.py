import numpy as np
import pytest

from mvae_lib.evaluation.disentanglement import alignment, r2_linear, r2_per_dimension, random_rotation


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_each_is_the_squared_correlation_and_a_constant_explains_nothing(rng):
    latents, attributes = rng.normal(size=(200, 3)), rng.normal(size=(200, 2))
    latents[:, 1] += attributes[:, 0]
    expected = np.corrcoef(latents.T, attributes.T)[:3, 3:] ** 2
    np.testing.assert_allclose(r2_per_dimension(latents, attributes), expected)
    latents[:, 2] = 7
    assert r2_per_dimension(latents, attributes)[2].tolist() == [0, 0]
    assert r2_linear(latents, np.ones((200, 1))).tolist() == [0]


def test_all_together_explain_what_is_linear_in_them_and_never_less_than_one_alone(rng):
    latents = rng.normal(size=(500, 4))
    attributes = np.c_[latents @ [1, -2, 0, 3] + 5, latents[:, 0] + rng.normal(size=500), rng.normal(size=500)]
    together = r2_linear(latents, attributes)
    assert together[0] == pytest.approx(1)
    assert 0.4 < together[1] < 0.6
    assert together[2] < 0.05
    assert (together >= r2_per_dimension(latents, attributes).max(0)).all()


def test_alignment_is_one_on_the_axes_and_falls_when_the_codes_are_rotated(rng):
    latents = rng.normal(size=(2000, 8))
    attributes = latents[:, :3]
    assert alignment(latents, attributes) == pytest.approx(1)
    rotated = latents @ random_rotation(8, rng)
    assert alignment(rotated, attributes) < 0.7
    np.testing.assert_allclose(r2_linear(rotated, attributes), 1)


def test_a_rotation_keeps_lengths_and_prefers_no_sign(rng):
    turned = random_rotation(5, rng)
    np.testing.assert_allclose(turned @ turned.T, np.eye(5), atol=1e-12)
    corners = np.array([random_rotation(3, rng)[0, 0] for _ in range(2000)])
    assert abs(corners.mean()) < 0.06
    assert abs((corners**2).mean() - 1 / 3) < 0.03


def test_what_cannot_be_scored_is_refused(rng):
    latents = rng.normal(size=(5, 2))
    with pytest.raises(ValueError, match="NaN"):
        r2_linear(latents, np.full((5, 1), np.nan))
    with pytest.raises(ValueError, match=r"\[N, Z\]"):
        r2_per_dimension(latents[0], latents)
    with pytest.raises(ValueError, match="5 latent vectors and 4"):
        alignment(latents, latents[:4])
