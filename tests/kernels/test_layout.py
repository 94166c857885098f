from __future__ import annotations

import numpy as np
import pytest
from helpers import LAYOUTS, draw, kernels_only, laid_out
from hypothesis import given
from hypothesis import strategies as st

from ganengine import capture, kernels, reference


@st.composite
def joined(draw: st.DrawFn) -> tuple[list[tuple[int, ...]], int]:
    """Shapes that differ in one axis, and the axis."""
    shape = draw(st.lists(st.integers(0, 4) | st.just(9), min_size=1, max_size=6))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    shapes = []
    for _ in range(draw(st.integers(1, 3))):
        shape[axis] = draw(st.integers(0, 5))
        shapes.append(tuple(shape))
    return shapes, axis


@given(joined(), st.sampled_from(LAYOUTS))
def test_concat(case: tuple[list[tuple[int, ...]], int], layout: str) -> None:
    shapes, axis = case
    arrays = [draw(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    y = kernels.concat([laid_out(a, layout) for a in arrays], axis=axis)
    assert y.flags.c_contiguous
    np.testing.assert_array_equal(y, np.concatenate(arrays, axis=axis))
    np.testing.assert_array_equal(y, reference.concat(arrays, axis=axis))
    start = 0
    for array in arrays:
        size = array.shape[axis]
        part = kernels.narrow(laid_out(y, layout), start, size, axis=axis)
        assert part.flags.c_contiguous
        np.testing.assert_array_equal(part, array)
        amid = kernels.widen(laid_out(array, layout), start, y.shape[axis], axis=axis)
        np.testing.assert_array_equal(amid, reference.widen(array, start, y.shape[axis], axis=axis))
        np.testing.assert_array_equal(kernels.narrow(amid, start, size, axis=axis), array)
        assert np.count_nonzero(amid) == np.count_nonzero(array)
        start += size


@pytest.mark.parametrize("axis", [0, 1, 3])
def test_many_elements(axis: int) -> None:
    a, b = draw(8, 16, 33, 65), draw(8, 16, 33, 65, seed=1)
    y = kernels.concat([a, b], axis=axis)
    np.testing.assert_array_equal(y, np.concatenate([a, b], axis=axis))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_planes(layout: str) -> None:
    x, values = draw(3, 2, 4, 5), draw(3, 6, seed=1)
    y = kernels.append_planes(laid_out(x, layout), laid_out(values, layout))
    assert y.shape == (3, 8, 4, 5)
    np.testing.assert_array_equal(y[:, :2], x)
    for n, k in np.ndindex(3, 6):
        np.testing.assert_array_equal(y[n, 2 + k], values[n, k])
    np.testing.assert_array_equal(y, reference.append_planes(x, values))


@given(
    st.integers(0, 3), st.integers(0, 3), st.integers(0, 4), st.integers(0, 4), st.integers(1, 4)
)
def test_pixel_shuffle(n: int, c: int, h: int, w: int, r: int) -> None:
    x = draw(n, c * r * r, h, w)
    for layout in LAYOUTS:
        y = kernels.pixel_shuffle(laid_out(x, layout), r)
        np.testing.assert_array_equal(y, reference.pixel_shuffle(x, r))
        back = kernels.pixel_unshuffle(laid_out(y, layout), r)
        np.testing.assert_array_equal(back, x)
        np.testing.assert_array_equal(back, reference.pixel_unshuffle(y, r))


def test_pixel_shuffle_is_its_definition() -> None:
    x, r = draw(2, 12, 2, 3), 2
    y = kernels.pixel_shuffle(x, r)
    for n, c, h, w, i, j in np.ndindex(2, 3, 2, 3, r, r):
        assert y[n, c, h * r + i, w * r + j] == x[n, c * r * r + i * r + j, h, w]


def test_torch_agrees_on_pixel_shuffle() -> None:
    torch = pytest.importorskip("torch")
    x = draw(2, 18, 3, 4)
    theirs = torch.nn.functional.pixel_shuffle(torch.from_numpy(x), 3)
    np.testing.assert_array_equal(kernels.pixel_shuffle(x, 3), theirs.numpy())


def test_results_go_into_part_of_a_batch() -> None:
    x, values = draw(2, 1, 3, 3), draw(2, 4, seed=1)
    batch = np.full((4, 5, 3, 3), np.nan, "float32")
    assert kernels.append_planes(x, values, out=batch[2:]) is not None
    np.testing.assert_array_equal(batch[2:], kernels.append_planes(x, values))
    assert np.isnan(batch[:2]).all()
    kernels.concat([batch[2:, :1], batch[2:, 1:]], out=batch[:2])
    np.testing.assert_array_equal(batch[:2], batch[2:])


@pytest.mark.cpu_only
@kernels_only
def test_captured() -> None:
    x, values, y = draw(2, 4, 3, 3), draw(2, 4, seed=1), np.zeros((2, 2, 6, 6), "float32")

    def step() -> None:
        wide = kernels.append_planes(x, values)
        part = kernels.widen(kernels.narrow(wide, 1, 5), 2, 8)
        kernels.unary("copy", kernels.pixel_shuffle(part, 2), out=y)

    program = capture(step, [x, values, y])
    x[...], values[...] = draw(2, 4, 3, 3, seed=2), draw(2, 4, seed=3)
    program.run()
    replayed = y.copy()
    step()
    np.testing.assert_array_equal(replayed, y)
    assert np.count_nonzero(y)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.concat([]), ValueError, "^arrays is empty"),
        (lambda: kernels.concat(draw(2, 2)), TypeError, "^arrays must be a list or tuple"),
        (
            lambda: kernels.concat([draw(2, 2), draw(3, 2)]),
            ValueError,
            r"^arrays\[1\] must have shape \(2, \?\), got \(3, 2\)",
        ),
        (
            lambda: kernels.concat([draw(2, 2), np.zeros((2, 2))]),
            TypeError,
            r"^arrays\[1\] must be float32, got float64",
        ),
        (lambda: kernels.concat([draw(2, 2)], axis=2), ValueError, "^axis is 2; it must be from"),
        (lambda: kernels.concat([draw(2)], axis=0.0), TypeError, "^axis must be an integer"),
        (lambda: kernels.concat([np.float32(1)]), ValueError, r"^arrays\[0\] has 0 dimensions"),
        (lambda: kernels.narrow(draw(2, 3), 2, 2), ValueError, "^start is 2; .* from 0 to 1"),
        (lambda: kernels.narrow(draw(2, 3), 0, 4), ValueError, "^length is 4; .* from 0 to 3"),
        (lambda: kernels.narrow(draw(2, 3), -1, 1), ValueError, "^start is -1"),
        (lambda: kernels.widen(draw(2, 3), 0, 2), ValueError, "^length is 2; .* at least 3"),
        (lambda: kernels.widen(draw(2, 3), 2, 4), ValueError, "^start is 2; .* from 0 to 1"),
        (lambda: kernels.widen(draw(1, 1, 1, 1, 1, 1, 1), 0, 1), ValueError, "^x has 7 dim"),
        (
            lambda: kernels.append_planes(draw(2, 1, 3, 3), draw(3, 4)),
            ValueError,
            r"^values must have shape \(2, K\), got \(3, 4\)",
        ),
        (lambda: kernels.pixel_shuffle(draw(1, 6, 2, 2), 2), ValueError, "^x has 6 channels"),
        (lambda: kernels.pixel_shuffle(draw(1, 4, 2, 2), 0), ValueError, "^scale is 0"),
        (lambda: kernels.pixel_unshuffle(draw(1, 1, 3, 4), 2), ValueError, r"^x has images of"),
    ],
)
def test_bad_arguments_are_named(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.cpu_only
def test_out_must_not_overlap() -> None:
    y = draw(2, 4)
    with pytest.raises(ValueError, match=r"^out overlaps an input"):
        kernels.concat([y[:, :2], y[:, 2:]], out=y)
    with pytest.raises(ValueError, match=r"^out must have shape \(2, 4\)"):
        kernels.concat([y[:, :2], y[:, 2:]], out=np.zeros((4, 2), "float32"))
