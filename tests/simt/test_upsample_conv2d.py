"""csrc/cuda/upsample_conv2d.cu, thread by thread, against the reference in float64."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from convolutions import Case
from helpers import ACTIVATIONS
from simt_convolutions import PRECISIONS, TILES, Convolution

CASES = (
    Case((2, 1, 3, 4), (3, 1, 1, 1)),
    Case((1, 5, 1, 1), (33, 5, 3, 3), {"padding": 1}),
    Case((2, 3, 4, 3), (5, 3, 3, 3), {"padding": "same"}),
    Case((2, 4, 4, 5), (1, 4, 5, 5), {"padding": "same"}),
    Case((1, 33, 3, 2), (3, 33, 4, 4), {"padding": (2, 1, 1, 0)}),
    Case((2, 32, 3, 3), (35, 32, 5, 5), {"padding": "same"}),
    Case((1, 64, 2, 3), (1, 64, 2, 3), {"scale": 3, "padding": (3, 0, 0, 2)}),  # beyond the kernel
    Case((2, 3, 2, 3), (2, 3, 5, 4), {"scale": 1, "padding": 3}),
    Case((1, 2, 1, 1), (3, 2, 7, 7), {"scale": 3, "padding": 5}),
    Case((1, 2, 2, 1), (2, 2, 2, 3), {"scale": 4, "padding": 1}),  # more phases than one launch has
)
LARGE = (
    Case((2, 32, 6, 6), (65, 32, 5, 5), {"padding": "same"}),
    Case((3, 5, 8, 9), (33, 5, 3, 3), {"padding": 1}),
)
FEW = (
    Case((2, 9, 5, 5), (1, 9, 5, 5), {"padding": "same"}),
    Case((3, 3, 6, 7), (3, 3, 3, 4), {"padding": 1}),
)


@pytest.fixture
def conv(cuda: Any, simt: Any) -> Iterator[Convolution]:
    convolution = Convolution(cuda, simt, "upsample_conv2d")
    convolution.use("fp32")
    yield convolution
    convolution.reset()


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES)), ids=str)
def test_sizes(conv: Convolution, number: int, case: Case, tile: str) -> None:
    conv.use(PRECISIONS[number % 3], tile)
    conv.check(case, ("linear", "leaky_relu")[number % 2])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_large_tiles_and_packed_weights(conv: Convolution, case: Case, precision: str) -> None:
    workspace = conv.use(precision, "large", 256 * 1024)
    conv.check(case, "tanh")
    assert np.isfinite(workspace).any(), "neither packed nor split"


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(conv: Convolution, activation: str) -> None:
    case = Case((2, 3, 5, 6), (4, 3, 3, 3), {"padding": 1})
    conv.check(case, activation, bias=False)


@pytest.mark.parametrize("need", list(itertools.product([False, True], repeat=3)))
def test_only_wanted_gradients_are_computed(
    conv: Convolution, need: tuple[bool, bool, bool]
) -> None:
    case = Case((2, 3, 5, 6), (4, 3, 3, 3), {"padding": 1})
    conv.check_backward(case, "relu", need=need, accumulate=True)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("tile", TILES)
def test_long_sums_are_split(conv: Convolution, tile: str, precision: str) -> None:
    workspace = conv.use(precision, tile, 16 * 1024)
    conv.check_forward(Case((1, 300, 2, 2), (3, 300, 3, 3), {"padding": 1}), "tanh")
    assert np.isfinite(workspace).any(), "k was not split"
    case = Case((130, 2, 4, 4), (3, 2, 3, 3), {"padding": 1})
    conv.check_backward(case, need=(False, True, True), accumulate=True)
    assert np.isfinite(workspace).any(), "k was not split"


@pytest.mark.parametrize("accumulate", [False, True])
def test_the_bias_gradient_is_split(conv: Convolution, accumulate: bool) -> None:
    workspace = conv.use("fp32", "auto", 64)
    case = Case((9, 2, 12, 12), (3, 2, 3, 3), {"padding": 1})
    conv.check_backward(case, "relu", need=(False, False, True), accumulate=accumulate)
    assert np.isfinite(workspace[:6]).all(), "the images were not split"


@pytest.mark.parametrize("case", FEW, ids=str)
def test_few_channels(conv: Convolution, case: Case) -> None:
    """They need no tile of many, where places fill the device."""
    conv.simt.library.simt_set_device(2, 227, 90)
    conv.check(case, "tanh")


@pytest.mark.parametrize("multiprocessors", [1, 8])
def test_each_plan_gives_the_convolution(conv: Convolution, multiprocessors: int) -> None:
    conv.simt.library.simt_set_device(multiprocessors, 227, 90)
    conv.use("tf32", "auto", 64 * 1024)
    conv.check(LARGE[1], "relu")


def test_an_old_device_has_the_exact_path_and_small_tiles(conv: Convolution) -> None:
    conv.simt.library.simt_set_device(40, 64, 75)  # the executor refuses more than 64 KB
    conv.use("tf32", "large")
    conv.precision = "fp32"
    conv.check(CASES[5], "tanh")


@pytest.mark.parametrize("accumulate", [False, True])
def test_empty_batch(conv: Convolution, accumulate: bool) -> None:
    case = Case((0, 3, 5, 6), (4, 3, 3, 3))
    conv.check(case, "sigmoid", accumulate=accumulate)
