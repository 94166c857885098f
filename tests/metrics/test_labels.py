"""What is counted in labels."""

import numpy as np
import pytest

from ganengine.metrics import (
    class_shares,
    label_accuracy,
    modes_and_kl,
    stacked_labels,
    total_variation,
)


def test_shares_of_classes_also_of_such_as_are_missing() -> None:
    shares = class_shares(np.array([3, 1, 1, 3, 3]), 5)
    np.testing.assert_allclose(shares, [0, 0.4, 0, 0.6, 0])


@pytest.mark.parametrize("labels", [[], [0, 5], [-1, 2], [[0, 1]]])
def test_labels_of_no_class(labels: list[object]) -> None:
    with pytest.raises(ValueError, match="from 0 to 4"):
        class_shares(np.array(labels, "int64"), 5)


def test_total_variation() -> None:
    p, q = np.array([0.7, 0.3, 0.0]), np.array([0.2, 0.3, 0.5])
    assert total_variation(p, p) == 0
    assert total_variation(p, q) == total_variation(q, p) == pytest.approx(0.5)
    assert total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    with pytest.raises(ValueError, match="classes"):
        total_variation(p, np.ones(1))


def test_label_accuracy() -> None:
    assert label_accuracy(np.array([1, 2, 3]), np.array([1, 0, 3])) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="as many"):
        label_accuracy(np.array([1, 2]), np.array([1]))


def test_modes_and_kl() -> None:
    entropy = pytest.importorskip("scipy.stats").entropy
    labels = np.random.default_rng(0).integers(0, 700, 2000) // 2 * 2
    found = modes_and_kl(labels)
    counts = np.bincount(labels, minlength=1000)
    assert found.modes == np.count_nonzero(counts)
    assert found.kl == pytest.approx(entropy(counts, np.ones(1000)))
    assert modes_and_kl(np.arange(1000)) == pytest.approx((1000, 0))
    assert modes_and_kl(np.zeros(5, int)) == pytest.approx((1, np.log(1000)))


def test_the_floor_of_stacked_digits() -> None:
    """What 26,000 samples with exactly MNIST's frequencies of digits give: 0.0237 +- 0.0011."""
    counts = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
    rng = np.random.default_rng(0)
    digits = rng.choice(10, (26_000, 3), p=counts / counts.sum())
    found = modes_and_kl(stacked_labels(digits))
    assert found.modes == 1000
    assert found.kl == pytest.approx(0.0237, abs=3 * 0.0011)


def test_stacked_labels() -> None:
    assert stacked_labels(np.array([[9, 9, 9], [0, 1, 0]])).tolist() == [999, 10]
    with pytest.raises(ValueError, match=r"shape \(N, 3\)"):
        stacked_labels(np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="from 0 to 9"):
        stacked_labels(np.array([[1, 10, 3]]))
