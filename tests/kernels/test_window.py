"""Strides, paddings and sizes that make no sense are refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import draw
from ops.convolution import NAMES as CONVOLUTIONS

from ganengine import kernels


def refuses(kernel: str, error: type[Exception], message: str, **change: Any) -> None:
    """Check that forward and, with what both take, backward raise."""
    x, weight = draw(2, 3, 4, 4), draw(3, 3, 3, 3, seed=1)
    y = getattr(kernels, kernel)(x, weight)
    arrays = {"x": x, "weight": weight}
    with pytest.raises(error, match=message):
        getattr(kernels, kernel)(**{**arrays, **change})
    if not {"groups", "dilation"} & change.keys():
        with pytest.raises(error, match=message):
            getattr(kernels, f"{kernel}_backward")(**{"dy": y, **arrays, "y": y, **change})


@pytest.mark.parametrize("kernel", CONVOLUTIONS)
def test_groups_and_dilation(kernel: str) -> None:
    refuses(kernel, ValueError, r"^groups is 3; only 1 is supported", groups=3)
    refuses(kernel, ValueError, r"^dilation is \(1, 2\); only 1 is supported", dilation=(1, 2))
    refuses(kernel, TypeError, r"^dilation must be an integer, got float", dilation=2.0)


@pytest.mark.parametrize("kernel", ["conv2d", "conv_transpose2d"])
def test_strides(kernel: str) -> None:
    for stride in (0, -1, (1, 0)):
        refuses(kernel, ValueError, r"^stride is (0|-1); it must be at least 1", stride=stride)
    for stride in ((1, 2, 3), (1,), ()):
        refuses(kernel, ValueError, r"^stride must be an int or a pair, got \(", stride=stride)
    for wrong in (1.5, "2", None, (1, 2.0)):
        refuses(kernel, TypeError, r"^stride must be an integer, got ", stride=wrong)


@pytest.mark.parametrize("kernel", CONVOLUTIONS)
def test_paddings(kernel: str) -> None:
    for padding in (-1, (0, -1), (0, 0, -1, 0)):
        refuses(kernel, ValueError, r"^padding is -1; it must be at least 0", padding=padding)
    for padding in ((1,), (1, 2, 3), (0,) * 5):
        refuses(kernel, ValueError, r"^padding must be an int, .* got \(", padding=padding)
    refuses(kernel, ValueError, r"^padding is 'valid'; .*'same'", padding="valid")
    for wrong in (1.5, None, (1, 2.0)):
        refuses(kernel, TypeError, r"^padding must be an integer, got ", padding=wrong)


def test_output_paddings() -> None:
    kernel = "conv_transpose2d"
    for extra in (1, (0, 1)):
        message = r"^output_padding is .*; it must be less than stride, 1"
        refuses(kernel, ValueError, message, output_padding=extra)
    message = r"^output_padding is \(1, 2\); it must be less than stride, 2"
    refuses(kernel, ValueError, message, stride=2, output_padding=(1, 2))
    message = r"^output_padding is 1; padding 'same' leaves no choice but 0"
    refuses(kernel, ValueError, message, stride=2, output_padding=1, padding="same")
    refuses(kernel, ValueError, r"^output_padding is -1", output_padding=-1)


def test_scales() -> None:
    refuses("upsample_conv2d", ValueError, r"^scale is 0; it must be at least 1", scale=0)
    for wrong in (2.0, (2, 2), "2"):
        refuses("upsample_conv2d", TypeError, r"^scale must be an integer, got ", scale=wrong)


def test_sizes_that_make_no_output() -> None:
    weight = draw(3, 3, 7, 4)
    message = r"^weight's kernel \(7, 4\) is larger than the padded image of x, \(6, 6\)"
    refuses("conv2d", ValueError, message, weight=weight, padding=1)
    message = r"^weight's kernel \(10, 4\) is larger than the padded image of x, \(9, 8\)"
    refuses("upsample_conv2d", ValueError, message, weight=draw(3, 3, 10, 4), padding=(1, 0, 0, 0))
    message = r"^padding is 3; it cuts off all of the output, to \(0, 0\)"
    refuses("conv_transpose2d", ValueError, message, padding=3)


@pytest.mark.parametrize("kernel", CONVOLUTIONS)
def test_sizes_of_zero(kernel: str) -> None:
    for shape in ((2, 0, 4, 4), (2, 3, 0, 4), (2, 3, 4, 0)):
        x = np.zeros(shape, "float32")
        refuses(kernel, ValueError, r"^x must have sizes of at least 1, got ", x=x)
    for shape in ((3, 3, 0, 3), (3, 3, 3, 0)):
        weight = np.zeros(shape, "float32")
        refuses(kernel, ValueError, r"^weight must have sizes of at least 1, got ", weight=weight)
    empty = np.zeros((0, 3, 3, 3) if kernel != "conv_transpose2d" else (3, 0, 3, 3), "float32")
    with pytest.raises(ValueError, match=r"^weight must have sizes of at least 1"):
        getattr(kernels, kernel)(draw(2, 3, 4, 4), empty)


def test_kernels_that_are_too_large() -> None:
    x = np.zeros((1, 1, 40, 40), "float32")
    weight = np.zeros((1, 1, 33, 32), "float32")
    for kernel in (kernels.conv2d, kernels.conv_transpose2d):
        kernel(x, weight[:, :, 1:])
        with pytest.raises(ValueError, match=r"^weight has a kernel of 33 x 32; kernels have at"):
            kernel(x, weight)
    with pytest.raises(ValueError, match=r"^weight has a kernel of 31 x 30 and scale is 4; kern"):
        kernels.upsample_conv2d(x, weight[:, :, 2:, 2:], scale=4)


@pytest.mark.parametrize("kernel", CONVOLUTIONS)
def test_gradients_of_the_wrong_size(kernel: str) -> None:
    dy = draw(2, 3, 3, 3)
    with pytest.raises(ValueError, match=r"^dy must have shape \(2, 3, .*\), got \(2, 3, 3, 3\)"):
        getattr(kernels, f"{kernel}_backward")(dy, draw(2, 3, 4, 4), draw(3, 3, 3, 3), dy)
