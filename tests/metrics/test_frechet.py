"""The Fréchet distance against closed forms."""

import numpy as np
import pytest

from ganengine.metrics import Gaussian, fit_gaussian, frechet_distance, gaussian_distance

RNG = np.random.default_rng(7)


def gaussian(features: int, *, rank: int | None = None) -> Gaussian:
    """A distribution with correlated features, some of them bound to others if of lower rank."""
    mixing = RNG.normal(size=(features, rank or features))
    return Gaussian(RNG.normal(size=features), mixing @ mixing.T)


def test_one_feature_in_closed_form() -> None:
    """``(m_a - m_b)^2 + (s_a - s_b)^2``."""
    a, b = (Gaussian(np.array([m]), np.array([[s**2]])) for m, s in ((1.0, 2.0), (-2.0, 0.5)))
    assert gaussian_distance(a, b) == pytest.approx(9.0 + 2.25)


def test_covariances_that_commute_in_closed_form() -> None:
    """With the same axes, it is one feature's distance along each of them."""
    axes = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    s, t = RNG.uniform(0.1, 3.0, (2, 6))
    a, b = (Gaussian(RNG.normal(size=6), axes * scale**2 @ axes.T) for scale in (s, t))
    expected = np.sum((a.mean - b.mean) ** 2) + np.sum((s - t) ** 2)
    assert gaussian_distance(a, b) == pytest.approx(expected)


def test_covariances_that_do_not_commute() -> None:
    """The trace of the root from the eigenvalues of the product itself, as eq. 6 has it."""
    a, b = gaussian(5), gaussian(5)
    root = np.sqrt(np.linalg.eigvals(a.covariance @ b.covariance).real).sum()
    traces = np.trace(a.covariance) + np.trace(b.covariance)
    expected = np.sum((a.mean - b.mean) ** 2) + traces - 2 * root
    assert gaussian_distance(a, b) == pytest.approx(expected)
    assert gaussian_distance(b, a) == pytest.approx(expected)


@pytest.mark.parametrize("rank", [8, 3])
def test_no_distance_to_itself(rank: int) -> None:
    """Also where features depend on each other, so that the covariance has no inverse."""
    a = gaussian(8, rank=rank)
    assert 0.0 <= gaussian_distance(a, a) < 1e-6 * np.trace(a.covariance)


def test_fit_gives_the_mean_and_the_unbiased_covariance() -> None:
    sample = (1e3 + RNG.normal(size=(50, 4))).astype("float32")
    fitted = fit_gaussian(sample)
    assert fitted.mean.dtype == fitted.covariance.dtype == np.float64
    np.testing.assert_allclose(fitted.mean, sample.astype("f8").mean(axis=0))
    np.testing.assert_allclose(fitted.covariance, np.cov(sample.astype("f8"), rowvar=False))


def test_it_agrees_with_scipys_root_of_a_matrix() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    x = RNG.normal(size=(300, 12)).astype("float32")
    g = (RNG.normal(size=(200, 12)) @ RNG.normal(size=(12, 12)) + 0.5).astype("float32")
    c_x, c_g = (np.cov(each.astype("f8"), rowvar=False) for each in (x, g))
    shift = np.sum((x.mean(axis=0, dtype="f8") - g.mean(axis=0, dtype="f8")) ** 2)
    expected = shift + np.trace(c_x + c_g - 2 * linalg.sqrtm(c_x @ c_g).real)
    assert frechet_distance(x, g) == pytest.approx(expected)


def test_two_samples_of_one_distribution_come_closer_with_more_of_each() -> None:
    few, many = (frechet_distance(*RNG.normal(size=(2, count, 10))) for count in (50, 5000))
    assert many < few / 10


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((1, 3)), "at least 2, got"),
        (np.zeros(5), "must have shape"),
        (np.array([[0.0], [np.nan]]), "finite"),
    ],
)
def test_bad_features(features: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_gaussian(features)


def test_different_features() -> None:
    with pytest.raises(ValueError, match="3 features and b has 4"):
        gaussian_distance(gaussian(3), gaussian(4))
    with pytest.raises(ValueError, match="fake has 4 features"):
        frechet_distance(np.zeros((5, 3)), np.zeros((5, 4)))
