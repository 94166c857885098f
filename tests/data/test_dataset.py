import numpy as np
import pytest

from ganengine.data import DataError, Dataset

IMAGES = np.arange(5 * 16, dtype=np.uint8).reshape(5, 1, 4, 4)
LABELS = np.arange(5)


def test_first_keeps_images_and_labels_together_and_says_so() -> None:
    part = Dataset("x", IMAGES, LABELS, "here").first(2)
    assert len(part) == 2
    np.testing.assert_array_equal(part.images, IMAGES[:2])
    np.testing.assert_array_equal(part.labels, LABELS[:2])
    assert part.source == "here (first 2 of 5)"
    assert Dataset("x", IMAGES, None, "here").first(2).labels is None


@pytest.mark.parametrize("count", [0, 6])
def test_first_refuses_more_than_there_is(count: int) -> None:
    with pytest.raises(DataError, match=r"holds 5 images"):
        Dataset("x", IMAGES, LABELS, "here").first(count)


@pytest.mark.parametrize(
    "images", [IMAGES[:, 0], IMAGES.astype(np.float32), IMAGES[:0]], ids=["3-D", "float", "empty"]
)
def test_refuses_what_is_no_batch_of_images(images: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"expected uint8 of shape \(N, C, H, W\)"):
        Dataset("x", images, None, "here")


@pytest.mark.parametrize(
    "labels", [LABELS[:4], LABELS[:, None], LABELS.astype(np.uint8)], ids=["few", "2-D", "uint8"]
)
def test_refuses_labels_that_do_not_fit(labels: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"expected int64 of shape \(5,\)"):
        Dataset("x", IMAGES, labels, "here")
