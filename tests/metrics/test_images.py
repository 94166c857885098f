"""PSNR and SSIM against scikit-image."""

import math

import numpy as np
import pytest

from ganengine.metrics import psnr, ssim

RNG = np.random.default_rng(2)
SHAPES = [(32, 40), (1, 28, 28), (3, 24, 11)]


def two(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    a = np.cumsum(RNG.random(shape), axis=-1)
    a /= a.max()
    return a, np.clip(a + RNG.normal(size=shape) / 20, 0, 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_they_agree_with_scikit_image(shape: tuple[int, ...]) -> None:
    measures = pytest.importorskip("skimage.metrics")
    a, b = two(shape)
    assert psnr(a, b) == pytest.approx(measures.peak_signal_noise_ratio(a, b, data_range=1))
    expected = measures.structural_similarity(
        a,
        b,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=0 if len(shape) == 3 else None,
    )
    assert ssim(a, b) == pytest.approx(expected)
    assert ssim(b, a) == pytest.approx(expected)
    assert ssim(a.astype("float32"), b.astype("float32")) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_images(shape: tuple[int, ...]) -> None:
    a, _ = two(shape)
    assert psnr(a, a) == math.inf
    assert ssim(a, a) == 1.0


def test_ssim_of_flat_images_in_closed_form() -> None:
    """Nothing varies, so that only the means count."""
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert ssim(np.full((20, 20), 0.2), np.full((20, 20), 0.6)) == pytest.approx(expected)


@pytest.mark.parametrize("measure", [psnr, ssim])
@pytest.mark.parametrize(
    ("a", "b", "error", "message"),
    [
        (np.zeros((12, 12), "uint8"), np.zeros((12, 12)), TypeError, "a must be float"),
        (np.zeros((12, 12)), np.full((12, 12), 1.5), ValueError, "b must be in"),
        (np.zeros((12, 12)), np.full((12, 12), np.nan), ValueError, "b must be in"),
        (np.zeros((12, 12)), np.zeros((12, 13)), ValueError, "expected the same"),
        (np.zeros((2, 1, 12, 12)), np.zeros((2, 1, 12, 12)), ValueError, "a must have shape"),
    ],
)
def test_bad_images(measure, a, b, error, message) -> None:
    with pytest.raises(error, match=message):
        measure(a, b)


def test_an_image_smaller_than_the_window() -> None:
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(np.zeros((12, 10)), np.zeros((12, 10)))
