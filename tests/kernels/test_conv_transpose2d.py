from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from convolutions import Case, Op
from helpers import ACTIVATIONS, LAYOUTS, draw
from hypothesis import given
from hypothesis import strategies as st

from ganengine import kernels, reference

CONV = Op("conv_transpose2d")
AWKWARD = [
    Case((1, 1, 1, 1), (1, 1, 1, 1)),
    Case((2, 3, 5, 7), (3, 4, 1, 1)),
    Case((2, 3, 1, 1), (3, 5, 4, 4)),  # a vector becomes an image
    Case((3, 2, 6, 5), (2, 5, 3, 3), {"padding": 1}),
    Case((2, 5, 7, 4), (5, 3, 4, 4), {"stride": 2, "padding": 1}),
    Case((2, 3, 5, 3), (3, 4, 5, 5), {"stride": 2, "padding": 2, "output_padding": 1}),
    Case((2, 3, 10, 4), (3, 3, 5, 5), {"stride": 3}),
    Case((2, 3, 4, 5), (3, 2, 2, 3), {"stride": 3, "output_padding": (2, 1)}),  # gaps
    Case((2, 3, 4, 5), (3, 2, 4, 3), {"stride": (3, 1), "padding": (1, 2, 0, 1)}),
    Case((1, 2, 4, 4), (2, 3, 3, 3), {"padding": 2}),  # cut to less than the image
    Case((3, 19, 14, 14), (19, 1, 5, 5), {"stride": 2, "padding": "same"}),
    Case((2, 17, 7, 7), (17, 33, 4, 4), {"stride": 2, "padding": "same"}),
    Case((2, 3, 4, 4), (3, 2, 2, 1), {"stride": 3, "padding": "same"}),
    Case((2, 70, 5, 5), (70, 64, 3, 3), {"padding": 1}),
    Case((0, 2, 4, 4), (2, 3, 3, 3), {"stride": 2}),
    Case((16, 8, 5, 4), (8, 9, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    Case((29, 9, 4, 7), (9, 8, 5, 4), {"stride": (3, 2), "padding": (2, 0, 1, 1)}),
    Case((16, 8, 4, 4), (8, 10, 2, 2), {"stride": 3, "output_padding": 2}),  # gaps
    Case((12, 160, 9, 10), (160, 8, 4, 4), {"stride": 2, "padding": 1}),  # several bands
    Case((2, 3, 3, 4), (3, 5, 4, 3), {"stride": (25, 40), "output_padding": 7}),  # far apart
    Case((3, 4, 2, 3), (4, 2, 5, 3), {"stride": 100, "padding": (3, 1, 60, 2)}),
]


@pytest.mark.parametrize("case", AWKWARD, ids=str)
def test_awkward_sizes(case: Case) -> None:
    CONV.check(case, "leaky_relu")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str) -> None:
    CONV.check(Case((4, 3, 5, 5), (3, 20, 4, 4), {"stride": 2, "padding": 1}), activation)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kernel, stride = st.integers(1, 6), st.integers(1, 3)
    h, w, kh, kw = draw(st.tuples(st.integers(1, 9), st.integers(1, 9), kernel, kernel))
    steps = draw(st.tuples(stride, stride))
    if draw(st.booleans()):
        options: dict[str, Any] = {"padding": "same"}
    else:
        sides = [draw(st.integers(0, (size - 1) // 2)) for size in (kh, kh, kw, kw)]
        extra = tuple(draw(st.integers(0, step - 1)) for step in steps)
        options = {"padding": tuple(sides), "output_padding": extra}
    channels = draw(st.integers(1, 9))
    return Case(
        (draw(st.integers(0, 5)), channels, h, w),
        (channels, draw(st.sampled_from([1, 2, 7, 16, 33])), kh, kw),
        {"stride": steps, **options},
    )


@given(cases(), st.sampled_from(ACTIVATIONS), st.booleans())
def test_any_size(case: Case, activation: str, bias: bool) -> None:
    CONV.check(case, activation, bias)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    CONV.check_layout(Case((2, 3, 3, 4), (3, 4, 3, 3), {"stride": 2, "padding": 1}), layout)


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_out_and_needs(activation: str) -> None:
    options = {"stride": 2, "padding": 1, "output_padding": 1}
    case = Case((3, 6, 4, 5), (6, 4, 3, 3), options)
    CONV.check_out(case, activation)
    CONV.check_needs(case, activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("padding", [0, (1, 0, 2, 1), "same"], ids=str)
def test_reference_gradient_is_the_slope(padding: Any, activation: str) -> None:
    options = {"stride": (2, 3), "padding": padding}
    CONV.check_reference_gradients(Case((2, 2, 3, 2), (2, 3, 3, 4), options), activation)


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 2, 0, 2)])
def test_reference_is_the_definition(
    stride: tuple[int, int], padding: tuple[int, int, int, int]
) -> None:
    x, weight, bias = (a.astype("float64") for a in CONV.arrays(Case((2, 3, 4, 3), (3, 2, 3, 4))))
    extra = (stride[0] - 1, stride[1] - 1)
    y = reference.conv_transpose2d(
        x, weight, bias, stride=stride, padding=padding, output_padding=extra
    )
    height = 3 * stride[0] + 3 - padding[0] - padding[1] + extra[0]
    width = 2 * stride[1] + 4 - padding[2] - padding[3] + extra[1]
    expected = np.zeros((2, 2, height, width)) + bias[:, None, None]
    for n, c, p, q in np.ndindex(*x.shape):
        for o, i, j in np.ndindex(*weight.shape[1:]):
            row, column = p * stride[0] + i - padding[0], q * stride[1] + j - padding[2]
            if 0 <= row < height and 0 <= column < width:
                expected[n, o, row, column] += x[n, c, p, q] * weight[c, o, i, j]
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "stride", "cut"), [(5, 2, (1, 2)), (4, 2, (1, 1)), (3, 3, (0, 0)), (2, 1, (0, 1))]
)
def test_same_padding(kernel: int, stride: int, cut: tuple[int, int]) -> None:
    x, weight = draw(1, 2, 7, 7), draw(2, 3, kernel, kernel, seed=1)
    y = kernels.conv_transpose2d(x, weight, stride=stride, padding="same")
    assert y.shape == (1, 3, 7 * stride, 7 * stride)
    expected = kernels.conv_transpose2d(x, weight, stride=stride, padding=cut * 2)
    np.testing.assert_array_equal(y, expected)


def test_torch_agrees() -> None:
    options = {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2)}
    CONV.check_torch(Case((2, 3, 4, 5), (3, 4, 4, 3), options))
