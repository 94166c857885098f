from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import (
    LAYOUTS,
    Array,
    as_float64,
    assert_close,
    assert_gradient,
    draw,
    laid_out,
)
from hypothesis import given
from hypothesis import strategies as st

from ganengine import kernels, reference

Case = tuple[tuple[int, ...], Any, dict[str, Any]]
AWKWARD: list[Case] = [
    ((1, 1, 1, 1), 1, {}),
    ((2, 3, 6, 7), 2, {}),
    ((2, 3, 7, 7), (3, 2), {"stride": (2, 3)}),
    ((2, 3, 33, 33), 4, {"stride": 2, "ceil_mode": True}),  # 33 -> 16
    ((2, 3, 7, 7), 2, {"ceil_mode": True}),
    ((2, 2, 5, 5), 3, {"stride": 1, "padding": 1}),  # windows overlap
    ((2, 2, 5, 6), (2, 3), {"stride": 3}),  # pixels that no window sees
    ((2, 2, 5, 6), 3, {"padding": (2, 0, 1, 2), "ceil_mode": True}),
    ((2, 2, 7, 8), 3, {"stride": 2, "padding": "same"}),
    ((1, 2, 1, 2), 2, {"stride": 2, "ceil_mode": True}),  # larger than the image
    ((2, 2, 2, 2), 3, {"padding": 1}),
    ((0, 2, 4, 4), 2, {}),
    ((40, 16, 16, 16), 2, {}),  # enough for all threads
]


def check_max(x: Array, kernel: Any, options: dict[str, Any]) -> None:
    y = kernels.max_pool2d(x, kernel, **options)
    assert y.dtype == "float32"
    np.testing.assert_array_equal(y, reference.max_pool2d(x, kernel, **options))
    dy = draw(*y.shape, seed=1)
    dx = kernels.max_pool2d_backward(dy, x, kernel, **options)
    expected = reference.max_pool2d_backward(*as_float64(dy, x), kernel, **options)
    assert_close(dx, expected, length=32, scale=4.0)


def check_mean(x: Array, kernel: Any, options: dict[str, Any]) -> None:
    for counted in (True, False):
        more = {**options, "count_include_pad": counted}
        y = kernels.avg_pool2d(x, kernel, **more)
        assert y.dtype == "float32"
        assert_close(y, reference.avg_pool2d(*as_float64(x), kernel, **more), length=32, scale=4.0)
        dy = draw(*y.shape, seed=1)
        dx = kernels.avg_pool2d_backward(dy, x, kernel, **more)
        expected = reference.avg_pool2d_backward(*as_float64(dy, x), kernel, **more)
        assert_close(dx, expected, length=32, scale=4.0)


@pytest.mark.parametrize(("shape", "kernel", "options"), AWKWARD, ids=str)
@pytest.mark.parametrize("check", [check_max, check_mean])
def test_awkward_sizes(check: Any, shape: Any, kernel: Any, options: dict[str, Any]) -> None:
    check(draw(*shape), kernel, options)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    sides = [draw(st.integers(0, size - 1)) for size in kernel for _ in range(2)]
    h, w = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    h, w = max(h, kernel[0] - sides[0] - sides[1]), max(w, kernel[1] - sides[2] - sides[3])
    options = {
        "stride": draw(st.none() | st.integers(1, 4)),
        "padding": draw(st.sampled_from([tuple(sides), "same"])),
        "ceil_mode": draw(st.booleans()),
    }
    return (draw(st.integers(0, 3)), draw(st.integers(1, 3)), h, w), kernel, options


@given(cases())
def test_any_size(case: Case) -> None:
    shape, kernel, options = case
    check_max(draw(*shape), kernel, options)
    check_mean(draw(*shape), kernel, options)


def test_the_first_of_equals_gets_the_gradient() -> None:
    x = np.array([[[[1.0, 2.0], [2.0, 2.0]]]], "float32")
    dx = kernels.max_pool2d_backward(np.ones((1, 1, 1, 1), "float32"), x, 2)
    np.testing.assert_array_equal(dx, [[[[0, 1], [0, 0]]]])


def test_nan_and_infinity() -> None:
    x = np.array([[[[1.0, np.nan, 3.0, -np.inf], [np.nan, 9.0, np.inf, -np.inf]]]], "float32")
    np.testing.assert_array_equal(kernels.max_pool2d(x, 2), [[[[np.nan, np.inf]]]])
    dy = np.array([[[[1.0, 2.0]]]], "float32")
    expected = [[[[0, 1, 0, 0], [0, 0, 2, 0]]]]
    np.testing.assert_array_equal(kernels.max_pool2d_backward(dy, x, 2), expected)
    low = np.full((1, 1, 2, 2), -np.inf, "float32")
    np.testing.assert_array_equal(kernels.max_pool2d(low, 2, padding=1), low)


def test_zeros_beyond_the_padding_do_not_count() -> None:
    x = np.ones((1, 1, 3, 3), "float32")
    y = kernels.avg_pool2d(x, 2, stride=2, ceil_mode=True)
    np.testing.assert_array_equal(y, np.ones((1, 1, 2, 2)))
    y = kernels.avg_pool2d(x, 2, stride=2, padding=1)
    np.testing.assert_array_equal(y, [[[[0.25, 0.5], [0.5, 1.0]]]])
    y = kernels.avg_pool2d(x, 2, stride=2, padding=1, count_include_pad=False)
    np.testing.assert_array_equal(y, np.ones((1, 1, 2, 2)))


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_reference_gradient_is_the_slope(name: str) -> None:
    (x,) = as_float64(draw(2, 2, 5, 4))
    options = {"stride": (2, 1), "padding": (1, 0, 1, 1), "ceil_mode": True}
    forward, backward = getattr(reference, name), getattr(reference, f"{name}_backward")
    (dy,) = as_float64(draw(*forward(x, (3, 2), **options).shape, seed=1))
    dx = backward(dy, x, (3, 2), **options)
    assert_gradient(dx, lambda: float((dy * forward(x, (3, 2), **options)).sum()), x)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    x, dy = draw(2, 3, 4, 6), draw(2, 3, 2, 3, seed=1)
    for name in ("max_pool2d", "avg_pool2d"):
        forward, backward = getattr(kernels, name), getattr(kernels, f"{name}_backward")
        np.testing.assert_array_equal(forward(laid_out(x, layout), 2), forward(x, 2))
        other = backward(laid_out(dy, layout), laid_out(x, layout), 2)
        np.testing.assert_array_equal(other, backward(dy, x, 2))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 4, "stride": 2, "ceil_mode": True},
        {"kernel_size": (2, 3), "stride": 3, "padding": (1, 0), "ceil_mode": True},
    ],
    ids=str,
)
def test_torch_agrees(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    x = draw(2, 3, 11, 8)
    for name in ("max_pool2d", "avg_pool2d"):
        leaf = torch.from_numpy(x).requires_grad_()
        theirs = getattr(torch.nn.functional, name)(leaf, **options)
        y = getattr(kernels, name)(x, **options)
        np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=1e-5, atol=1e-6)
        dy = draw(*y.shape, seed=1)
        theirs.backward(torch.from_numpy(dy))
        dx = getattr(kernels, f"{name}_backward")(dy, x, **options)
        np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_bad_windows_are_refused() -> None:
    x = draw(1, 1, 4, 4)
    for name in ("max_pool2d", "avg_pool2d"):
        pool = getattr(kernels, name)
        for options, error, message in [
            ({"kernel_size": 0}, ValueError, "^kernel_size is 0; it must be at least 1"),
            ({"kernel_size": 2.0}, TypeError, "^kernel_size must be an integer"),
            ({"kernel_size": (1, 2, 3)}, ValueError, "^kernel_size must be an int or a pair"),
            ({"kernel_size": 5}, ValueError, "^kernel_size is 5, larger than"),
            ({"kernel_size": 2, "stride": 0}, ValueError, "^stride is 0"),
            ({"kernel_size": 2, "padding": 2}, ValueError, "^padding is 2; it must be less than"),
            ({"kernel_size": 2, "padding": (2, 0)}, ValueError, r"^padding is \(2, 0\)"),
            ({"kernel_size": 2, "padding": (0, 0, 0, 2)}, ValueError, r"^padding is \(0, 0"),
            ({"kernel_size": 2, "padding": "valid"}, ValueError, "^padding is 'valid'"),
        ]:
            with pytest.raises(error, match=message):
                pool(x, **options)
        with pytest.raises(ValueError, match=r"^dy must have shape \(1, 1, 2, 2\), got"):
            getattr(kernels, f"{name}_backward")(draw(1, 1, 3, 2), x, 2)
