"""What is counted in labels."""

import numpy as np
import pytest

from ganengine.metrics import class_shares, label_accuracy, total_variation


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
