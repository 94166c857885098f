from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from convolutions import Case, Op
from helpers import ACTIVATIONS, LAYOUTS, as_float64, assert_close
from hypothesis import given
from hypothesis import strategies as st

from ganengine import kernels

CONV = Op("upsample_conv2d")
AWKWARD = [
    Case((1, 1, 1, 1), (1, 1, 1, 1)),
    Case((2, 3, 5, 7), (4, 3, 1, 1), {"scale": 3}),
    Case((3, 2, 6, 5), (5, 2, 3, 3), {"scale": 1, "padding": 1}),
    Case((2, 3, 2, 3), (2, 3, 6, 7), {"padding": (2, 1)}),  # larger than the image
    Case((2, 3, 4, 5), (2, 3, 3, 4), {"padding": (1, 0, 2, 3)}),
    Case((2, 3, 4, 5), (2, 3, 4, 3), {"scale": 3, "padding": (0, 2, 1, 0)}),
    Case((2, 3, 4, 5), (2, 3, 5, 5), {"scale": 4, "padding": "same"}),
    Case((1, 3, 4, 4), (2, 3, 3, 3), {"padding": 4}),  # outputs that see no pixel
    Case((3, 19, 14, 14), (1, 19, 5, 5), {"padding": "same"}),
    Case((2, 33, 7, 7), (17, 33, 5, 5), {"padding": "same"}),
    Case((2, 64, 4, 4), (70, 64, 3, 3), {"padding": 1}),
    Case((2, 3, 4, 3), (4, 3, 2, 1), {"scale": 31, "padding": (1, 0)}),
    Case((0, 2, 4, 4), (3, 2, 3, 3)),
]


@pytest.mark.parametrize("case", AWKWARD, ids=str)
def test_awkward_sizes(case: Case) -> None:
    CONV.check(case, "leaky_relu")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str) -> None:
    CONV.check(Case((4, 3, 5, 5), (20, 3, 5, 5), {"padding": "same"}), activation)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kernel, scale = st.integers(1, 6), draw(st.integers(1, 4))
    h, w, kh, kw = draw(st.tuples(st.integers(1, 7), st.integers(1, 7), kernel, kernel))
    sides = [draw(st.integers(0, size)) for size in (kh, kh, kw, kw)]
    sides[1] += max(kh - h * scale - sides[0] - sides[1], 0)
    sides[3] += max(kw - w * scale - sides[2] - sides[3], 0)
    channels = draw(st.integers(1, 9))
    return Case(
        (draw(st.integers(0, 5)), channels, h, w),
        (draw(st.sampled_from([1, 2, 7, 16, 33])), channels, kh, kw),
        {"scale": scale, "padding": draw(st.sampled_from([tuple(sides), "same"]))},
    )


@given(cases(), st.sampled_from(ACTIVATIONS), st.booleans())
def test_any_size(case: Case, activation: str, bias: bool) -> None:
    CONV.check(case, activation, bias)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    CONV.check_layout(Case((2, 3, 3, 4), (4, 3, 3, 3), {"padding": "same"}), layout)


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_out_and_needs(activation: str) -> None:
    case = Case((3, 4, 5, 4), (6, 4, 5, 5), {"padding": "same"})
    CONV.check_out(case, activation)
    CONV.check_needs(case, activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scale", [2, 3])
def test_reference_gradient_is_the_slope(scale: int, activation: str) -> None:
    options = {"scale": scale, "padding": (1, 0, 2, 1)}
    CONV.check_reference_gradients(Case((2, 2, 2, 3), (3, 2, 3, 2), options), activation)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, (1, 0, 2, 1), "same"], ids=str)
def test_it_is_upsampling_and_a_convolution(scale: int, padding: Any) -> None:
    x, weight, bias = CONV.arrays(Case((2, 3, 4, 5), (4, 3, 4, 3)))
    block = np.ones((scale, scale), "float32")
    wide = np.kron(x, block)
    y = kernels.upsample_conv2d(x, weight, bias, scale=scale, padding=padding)
    expected = kernels.conv2d(wide, weight, bias, padding=padding)
    assert_close(y, *as_float64(expected), length=36, scale=24)
