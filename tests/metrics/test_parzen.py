"""The Parzen log-likelihood against scikit-learn, scipy and the definition."""

import numpy as np
import pytest

from ganengine.metrics import parzen, parzen_log_likelihood
from ganengine.metrics.parzen import SIGMAS

RNG = np.random.default_rng(4)
SAMPLES, TEST, OTHERS = (RNG.random((n, 20)) for n in (150, 80, 40))


def by_definition(images: np.ndarray, sigma: float) -> np.ndarray:
    special = pytest.importorskip("scipy.special")
    squares = ((images[:, None] - SAMPLES[None]) ** 2).sum(axis=2)
    mean = special.logsumexp(-squares / (2 * sigma**2), axis=1) - np.log(len(SAMPLES))
    return mean - images.shape[1] * np.log(sigma * np.sqrt(2 * np.pi))


def test_the_definition() -> None:
    """The deviation that makes other images likeliest, then mean and error of the test's."""
    best = max(SIGMAS, key=lambda sigma: by_definition(OTHERS, sigma).mean())
    expected = by_definition(TEST, best)
    found = parzen_log_likelihood(SAMPLES, TEST, OTHERS)
    assert found.sigma == best
    assert found.log_likelihood == pytest.approx(expected.mean(), rel=1e-5)
    assert found.error == pytest.approx(expected.std(ddof=1) / 80**0.5, rel=1e-4)


@pytest.mark.parametrize("sigma", [0.01, 0.1, 1.0])
def test_it_agrees_with_scikit_learn(sigma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks, and for a deviation with which e^-(d^2 / 2 sigma^2) is 0 in float32.

    Its sums are in one leaf: over a tree it subtracts what rounding has eaten, and is wrong.
    """
    neighbours = pytest.importorskip("sklearn.neighbors")
    monkeypatch.setattr(parzen, "_BLOCK", 1000)
    kernel = neighbours.KernelDensity(bandwidth=sigma, leaf_size=1000).fit(SAMPLES)
    found = parzen_log_likelihood(SAMPLES, TEST, OTHERS, sigmas=[sigma])
    assert found.log_likelihood == pytest.approx(kernel.score_samples(TEST).mean(), rel=1e-4)


def test_the_ten_deviations() -> None:
    assert len(SIGMAS) == 10
    assert SIGMAS[0] == pytest.approx(0.1)
    assert SIGMAS[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("sigmas", [(), (0.0, 0.1), (float("nan"),)])
def test_bad_deviations(sigmas: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="sigmas"):
        parzen_log_likelihood(SAMPLES, TEST, OTHERS, sigmas=sigmas)


def test_bad_images() -> None:
    with pytest.raises(ValueError, match="test has 19 features"):
        parzen_log_likelihood(SAMPLES, TEST[:, 1:], OTHERS)
