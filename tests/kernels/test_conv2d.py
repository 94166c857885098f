from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from convolutions import Case, Op
from helpers import ACTIVATIONS, LAYOUTS, draw
from hypothesis import given
from hypothesis import strategies as st

from ganengine import kernels, reference

CONV = Op("conv2d")
AWKWARD = [
    Case((1, 1, 1, 1), (1, 1, 1, 1)),
    Case((2, 3, 5, 7), (4, 3, 1, 1)),
    Case((3, 2, 6, 5), (5, 2, 3, 3), {"padding": 1}),
    Case((2, 3, 2, 3), (2, 3, 5, 4), {"padding": (2, 1)}),  # larger than the image
    Case((1, 2, 3, 3), (3, 2, 3, 3)),  # as large as the image
    Case((2, 5, 11, 9), (3, 5, 4, 4), {"stride": 2, "padding": 1}),
    Case((2, 3, 10, 13), (4, 3, 5, 3), {"stride": 3, "padding": (2, 0, 1, 1)}),
    Case((2, 2, 7, 8), (3, 2, 2, 3), {"stride": (3, 1), "padding": (0, 3, 2, 0)}),
    Case((1, 3, 4, 4), (2, 3, 3, 3), {"padding": 4}),  # outputs that see no pixel
    Case((2, 2, 5, 5), (3, 2, 1, 1), {"stride": 3}),  # pixels that no output sees
    Case((3, 1, 28, 28), (19, 1, 5, 5), {"stride": 2, "padding": "same"}),
    Case((2, 17, 7, 7), (33, 17, 5, 5), {"stride": 2, "padding": "same"}),
    Case((5, 33, 8, 8), (1, 33, 4, 4), {"stride": 1, "padding": (1, 2, 1, 2)}),
    Case((2, 64, 6, 6), (70, 64, 3, 3), {"padding": 1}),
    Case((0, 2, 4, 4), (3, 2, 3, 3)),
    Case((0, 2, 4, 4), (3, 2, 3, 3), {"stride": 2, "padding": "same"}),
]

FAR_APART = [  # strides with more phases than a panel has room for
    Case((2, 3, 50, 70), (5, 3, 3, 3), {"stride": (23, 33)}),
    Case((3, 2, 100, 100), (4, 2, 5, 3), {"stride": 32, "padding": 2}),
    Case((2, 3, 4, 4), (5, 3, 3, 3), {"stride": 1000}),
    Case((2, 3, 4, 4), (5, 3, 3, 3), {"stride": (2**20, 1)}),
    Case((2, 3, 4, 4), (5, 3, 3, 3), {"stride": 64, "padding": 100}),  # one of nine sees the image
    Case((16, 8, 70, 70), (9, 8, 3, 3), {"stride": 33}),
    Case((0, 2, 4, 4), (3, 2, 3, 3), {"stride": 99}),
]


MANY_IMAGES = [
    Case((16, 8, 5, 4), (9, 8, 3, 3), {"padding": 1}),
    Case((13, 9, 7, 9), (8, 9, 4, 5), {"stride": 2, "padding": 1}),
    Case((45, 10, 4, 17), (25, 10, 2, 4), {"padding": (1, 0, 2, 1)}),
    Case((16, 12, 20, 5), (8, 12, 3, 2), {"stride": (3, 1), "padding": 2}),  # unseen pixels
    Case((12, 8, 9, 9), (13, 8, 2, 1), {"stride": 3}),
    Case((15, 160, 11, 23), (8, 160, 3, 3), {"padding": "same"}),  # several bands
    Case((16, 96, 5, 5), (420, 96, 4, 4), {"stride": 2, "padding": "same"}),  # blocks of weights
    Case((14, 8, 6, 8), (8, 8, 1, 17), {"padding": (0, 0, 8, 9)}),  # a kernel too wide for that
]


MANY_CHANNELS = [
    Case((5, 48, 6, 5), (13, 48, 3, 2), {"padding": 1}),
    Case((3, 29, 5, 4), (9, 29, 3, 3), {"stride": 2}),
    Case((2, 16, 2, 2), (8, 16, 2, 2), {"padding": 1}),
    Case((3, 32, 50, 45), (8, 32, 2, 2)),  # too many places
]


@pytest.mark.parametrize("case", AWKWARD + FAR_APART + MANY_IMAGES + MANY_CHANNELS, ids=str)
def test_awkward_sizes(case: Case) -> None:
    CONV.check(case, "leaky_relu")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str) -> None:
    CONV.check(Case((4, 3, 9, 9), (20, 3, 4, 4), {"stride": 2, "padding": 1}), activation)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count, kernel = st.integers(1, 11), st.integers(1, 6)
    h, w, kh, kw = draw(st.tuples(st.integers(1, 14), st.integers(1, 14), kernel, kernel))
    sides = [draw(st.integers(0, size)) for size in (kh, kh, kw, kw)]
    sides[1] += max(kh - h - sides[0] - sides[1], 0)
    sides[3] += max(kw - w - sides[2] - sides[3], 0)
    padding = draw(st.sampled_from([tuple(sides), "same"]))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    channels = draw(count)
    return Case(
        (draw(st.sampled_from([0, 1, 2, 5, 16, 29])), channels, h, w),
        (draw(st.sampled_from([1, 2, 7, 16, 33])), channels, kh, kw),
        {"stride": stride, "padding": padding},
    )


@given(cases(), st.sampled_from(ACTIVATIONS), st.booleans())
def test_any_size(case: Case, activation: str, bias: bool) -> None:
    CONV.check(case, activation, bias)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    CONV.check_layout(Case((2, 3, 6, 5), (4, 3, 3, 3), {"stride": 2, "padding": 1}), layout)


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize(
    "case",
    [Case((3, 4, 9, 8), (6, 4, 3, 3), {"stride": 2, "padding": 1}), MANY_IMAGES[6]],
    ids=str,
)
def test_out_and_needs(case: Case, activation: str) -> None:
    CONV.check_out(case, activation)
    CONV.check_needs(case, activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("padding", [0, (1, 0, 2, 1), "same"], ids=str)
def test_reference_gradient_is_the_slope(padding: Any, activation: str) -> None:
    options = {"stride": (2, 1), "padding": padding}
    CONV.check_reference_gradients(Case((2, 2, 5, 4), (3, 2, 3, 2), options), activation)


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 2, 0, 3)])
def test_reference_is_the_definition(
    stride: tuple[int, int], padding: tuple[int, int, int, int]
) -> None:
    x, weight, bias = (a.astype("float64") for a in CONV.arrays(Case((2, 3, 5, 6), (2, 3, 3, 4))))
    y = reference.conv2d(x, weight, bias, stride=stride, padding=padding)
    expected = np.empty_like(y)
    for n, o, p, q in np.ndindex(*y.shape):
        total = bias[o]
        for c, i, j in np.ndindex(*weight.shape[1:]):
            row, column = p * stride[0] + i - padding[0], q * stride[1] + j - padding[2]
            if 0 <= row < 5 and 0 <= column < 6:
                total += x[n, c, row, column] * weight[o, c, i, j]
        expected[n, o, p, q] = total
    np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "output", "before", "after"),
    [  # by TensorFlow's documentation of "SAME"
        (28, 5, 2, 14, 1, 2),
        (14, 5, 2, 7, 1, 2),
        (7, 5, 2, 4, 2, 2),
        (7, 4, 1, 7, 1, 2),
        (5, 1, 3, 2, 0, 0),
        (10, 3, 3, 4, 1, 1),
    ],
)
def test_same_padding(
    size: int, kernel: int, stride: int, output: int, before: int, after: int
) -> None:
    x, weight = draw(1, 2, size, size), draw(3, 2, kernel, kernel, seed=1)
    y = kernels.conv2d(x, weight, stride=stride, padding="same")
    assert y.shape == (1, 3, output, output)
    sides = (before, after) * 2
    np.testing.assert_array_equal(y, kernels.conv2d(x, weight, stride=stride, padding=sides))


def test_paddings_are_the_same_in_all_spellings() -> None:
    x, weight = draw(2, 2, 5, 6), draw(3, 2, 3, 3, seed=1)
    results = [kernels.conv2d(x, weight, padding=p) for p in (1, (1, 1), [1, 1], (1, 1, 1, 1))]
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_torch_agrees() -> None:
    CONV.check_torch(Case((2, 3, 9, 8), (4, 3, 4, 3), {"stride": (2, 1), "padding": (1, 2)}))
