"""csrc/cuda/pool.cu, thread by thread: the bits of the CPU."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import Array, as_float64, assert_close, draw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganengine import kernels, reference, window

Case = tuple[tuple[int, ...], Any, dict[str, Any]]
CASES: list[Case] = [
    ((1, 1, 1, 1), 1, {}),
    ((2, 3, 6, 7), 2, {}),
    ((2, 3, 7, 7), (3, 2), {"stride": (2, 3)}),
    ((1, 2, 33, 33), 4, {"stride": 2, "ceil_mode": True}),
    ((2, 3, 7, 7), 2, {"ceil_mode": True}),
    ((2, 2, 5, 5), 3, {"stride": 1, "padding": 1}),  # windows overlap
    ((2, 2, 5, 6), (2, 3), {"stride": 3}),  # pixels that no window sees
    ((2, 2, 5, 9), (2, 1), {"stride": (5, 4), "padding": (1, 0, 0, 0)}),
    ((2, 2, 5, 6), 3, {"padding": (2, 0, 1, 2), "ceil_mode": True}),
    ((2, 2, 7, 8), 3, {"stride": 2, "padding": "same"}),
    ((1, 2, 1, 2), 2, {"stride": 2, "ceil_mode": True}),  # larger than the image
    ((2, 2, 2, 2), 3, {"padding": 1}),
    ((1, 2, 9, 9), 9, {"stride": 2, "padding": 8}),
    ((1, 1, 1, 129), (1, 31), {"stride": 1}),
    ((0, 2, 4, 4), 2, {}),
]


def sizes(x: Array, kernel: Any, options: dict[str, Any]) -> tuple[Any, ...]:
    """Shape of y, and what the kernels take of the geometry."""
    view = window.pooling(
        x.shape[2:],
        kernel,
        options.get("stride"),
        options.get("padding", 0),
        options.get("ceil_mode", False),
    )
    shape = (*x.shape[:2], *view.output)
    return shape, (x.shape, shape, view.steps, view.padding)


def check_max(run: Any, x: Array, kernel: Any, options: dict[str, Any]) -> None:
    shape, wire = sizes(x, kernel, options)
    (y,) = run("max_pool2d_forward", x, run.Out(shape), *wire)
    np.testing.assert_array_equal(y, reference.max_pool2d(x, kernel, **options))
    dy = draw(*shape, seed=1)
    (dx,) = run("max_pool2d_backward", dy, x, run.Out(x.shape), *wire)
    np.testing.assert_array_equal(dx, kernels.max_pool2d_backward(dy, x, kernel, **options))
    expected = reference.max_pool2d_backward(*as_float64(dy, x), kernel, **options)
    assert_close(dx, expected, length=32, scale=4.0)


def check_mean(run: Any, x: Array, kernel: Any, options: dict[str, Any]) -> None:
    shape, wire = sizes(x, kernel, options)
    dy = draw(*shape, seed=1)
    for counted in (True, False):
        more = {**options, "count_include_pad": counted}
        (y,) = run("avg_pool2d_forward", x, run.Out(shape), *wire, counted)
        np.testing.assert_array_equal(y, kernels.avg_pool2d(x, kernel, **more))
        assert_close(y, reference.avg_pool2d(*as_float64(x), kernel, **more), length=32, scale=4.0)
        (dx,) = run("avg_pool2d_backward", dy, run.Out(x.shape), *wire, counted)
        np.testing.assert_array_equal(dx, kernels.avg_pool2d_backward(dy, x, kernel, **more))
        expected = reference.avg_pool2d_backward(*as_float64(dy, x), kernel, **more)
        assert_close(dx, expected, length=32, scale=4.0)


@pytest.mark.parametrize(("shape", "kernel", "options"), CASES, ids=str)
@pytest.mark.parametrize("check", [check_max, check_mean])
def test_cases(run: Any, check: Any, shape: Any, kernel: Any, options: dict[str, Any]) -> None:
    check(run, draw(*shape), kernel, options)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    sides = [draw(st.integers(0, size - 1)) for size in kernel for _ in range(2)]
    h, w = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    h, w = max(h, kernel[0] - sides[0] - sides[1]), max(w, kernel[1] - sides[2] - sides[3])
    options = {
        "stride": draw(st.none() | st.tuples(st.integers(1, 5), st.integers(1, 5))),
        "padding": draw(st.sampled_from([tuple(sides), "same"])),
        "ceil_mode": draw(st.booleans()),
    }
    return (draw(st.integers(1, 2)), draw(st.integers(1, 3)), h, w), kernel, options


@given(cases())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_window(on_cuda: ModuleType, case: Case) -> None:
    shape, kernel, options = case
    x = draw(*shape)
    x[x < 0.3] = 0.0  # many equals
    ours = on_cuda.asarray(x)
    for name, more in (
        ("max_pool2d", {}),
        ("avg_pool2d", {}),
        ("avg_pool2d", {"count_include_pad": False}),
    ):
        forward, backward = getattr(kernels, name), getattr(kernels, f"{name}_backward")
        y = forward(x, kernel, **options, **more)
        np.testing.assert_array_equal(forward(ours, kernel, **options, **more).get(), y)
        dy = draw(*y.shape, seed=1)
        dx = backward(on_cuda.asarray(dy), ours, kernel, **options, **more)
        np.testing.assert_array_equal(dx.get(), backward(dy, x, kernel, **options, **more))


def test_the_first_of_equals_and_nan_and_infinity(run: Any) -> None:
    low, nan = -np.inf, np.nan
    x = np.array([[[[2, 2, nan, 3, 1, low, low], [2, 2, nan, 9, np.inf, 0, low]]]], "float32")
    options = {"ceil_mode": True}
    shape, wire = sizes(x, 2, options)
    (y,) = run("max_pool2d_forward", x, run.Out(shape), *wire)
    np.testing.assert_array_equal(y, [[[[2, nan, np.inf, low]]]])
    dy = np.array([[[[1, 2, 3, 4]]]], "float32")
    (dx,) = run("max_pool2d_backward", dy, x, run.Out(x.shape), *wire)
    np.testing.assert_array_equal(dx, [[[[1, 0, 2, 0, 0, 0, 4], [0, 0, 0, 0, 3, 0, 0]]]])


def test_a_window_that_is_too_large(run: Any) -> None:
    x = draw(1, 1, 2, 2)
    wire = (x.shape, (1, 1, 1, 1), (2, 2, 2**40, 1), (0, 0, 0, 0))
    with pytest.raises(RuntimeError, match="an image or a window is too large"):
        run("max_pool2d_forward", x, run.Out((1, 1, 1, 1)), *wire)
