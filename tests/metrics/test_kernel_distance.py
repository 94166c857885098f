"""The kernel distance against its definition, and against scikit-learn's kernel."""

import numpy as np
import pytest

from ganengine.metrics import kernel_distance

RNG = np.random.default_rng(5)
REAL = RNG.normal(size=(120, 8))
FAKE = 0.8 * RNG.normal(size=(90, 8)) + 0.3


def unbiased(x: np.ndarray, g: np.ndarray, kernel) -> float:
    """Of sets of the same size, as eq. 4 of the paper has it."""
    m = len(x)
    own = sum(kernel(a, a).sum() - np.trace(kernel(a, a)) for a in (x, g))
    return own / (m * (m - 1)) - 2 * kernel(x, g).mean()


def cubic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1) ** 3


def test_all_at_once() -> None:
    """One subset of everything is the plain estimate, whatever the order."""
    real = REAL[:90]
    expected = unbiased(real, FAKE, cubic)
    assert kernel_distance(real, FAKE, subsets=1) == pytest.approx(expected, rel=1e-4)
    assert kernel_distance(real, FAKE, subsets=3) == pytest.approx(expected, rel=1e-4)


def test_scikit_learns_kernel() -> None:
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")

    def polynomial(a, b):
        return pairwise.polynomial_kernel(a, b, degree=3)

    assert kernel_distance(REAL[:90], FAKE) == pytest.approx(
        unbiased(REAL[:90], FAKE, polynomial), rel=1e-4
    )


def test_subsets_are_drawn_by_the_seed() -> None:
    first, again, other = (kernel_distance(REAL, FAKE, size=40, seed=s) for s in (1, 1, 2))
    assert first == again != other
    assert first == pytest.approx(kernel_distance(REAL, FAKE), rel=0.3)


def test_it_is_around_nothing_for_one_distribution() -> None:
    """Also with few images: unbiased, so that it falls below 0 as well."""
    found = [kernel_distance(*RNG.normal(size=(2, 30, 8)), subsets=1) for _ in range(60)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 60**0.5
    assert min(found) < 0 < max(found)


@pytest.mark.parametrize(
    ("options", "message"), [({"subsets": 0}, "subsets"), ({"size": 1}, "size")]
)
def test_bad_options(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernel_distance(REAL, FAKE, **options)
