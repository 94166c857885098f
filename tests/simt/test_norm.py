"""csrc/cuda/norm.cu, thread by thread, against the reference in float64."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import ACTIVATIONS, Array, as_float64, assert_close, draw

from ganengine import reference

SLOPE, MOMENTUM, EPS = 0.2, 0.3, 1e-5
# (batch, features, spatial). With spatial 1 a block has 8 features, with 64 threads each, which
# take 4 values at a time; otherwise one, with 512.
ROWS = (
    (2, 1, 1),
    (3, 2, 1),
    (31, 3, 1),
    (33, 31, 1),
    (100, 33, 1),
    (129, 8, 1),
    (257, 9, 1),
    (784, 2, 1),
    (2, 129, 1),
)
IMAGES = (
    (1, 1, 2),
    (2, 3, 2),
    (33, 2, 3),
    (3, 31, 31),
    (1, 3, 33),
    (2, 2, 100),
    (17, 2, 129),
    (3, 2, 512),
    (1, 2, 784),
    (700, 1, 3),
    (2, 1, 2100),
)
ONE_VALUE = ((1, 1, 1), (1, 9, 1), (1, 3, 1))
EMPTY = ((0, 4, 1), (3, 0, 1), (0, 3, 4), (2, 3, 0), (0, 0, 0))


class Norm:
    """Batch normalisation of the CUDA module, on guarded arrays; x is [B, F, S]."""

    def __init__(self, cuda: ModuleType, simt: Any, align: str) -> None:
        self.cuda = cuda
        self.simt = simt
        self.align = align

    def _in(self, values: Array | None, name: str) -> Any:
        return None if values is None else self.simt.array(values, align=self.align, name=name)

    def _out(self, *shape: int, name: str) -> Any:
        return self.simt.empty(*shape, align=self.align, name=name)

    def forward(
        self,
        x: Array,
        gamma: Array | None,
        beta: Array | None,
        mean: Array,
        var: Array,
        *,
        training: bool,
        activation: str,
    ) -> Any:
        """[y, saved, running mean, running variance]"""
        inputs = [self._in(a, n) for a, n in ((x, "x"), (gamma, "gamma"), (beta, "beta"))]

        def run() -> list[Array]:
            running = [
                self.simt.copy(a, align=self.align, name=n)
                for a, n in ((mean, "running_mean"), (var, "running_var"))
            ]
            y = self._out(*x.shape, name="y")
            saved = self._out(2, x.shape[1], name="saved")
            self.cuda.batch_norm_forward(
                *map(address, (*inputs, *running, y, saved)),
                *(*x.shape, training, MOMENTUM, EPS, activation, SLOPE, 0),
            )
            return [y, saved, *running]

        return self.simt.schedules(run)

    def backward(
        self,
        dy: Array,
        x: Array,
        gamma: Array | None,
        saved: Array,
        y: Array | None,
        activation: str,
        *,
        need: tuple[bool, bool] = (True, True),
        before: tuple[Array, Array] | None = None,
    ) -> Any:
        """[dx, dgamma, dbeta]; those not needed are None; `before` holds what to add them to."""
        named = ((dy, "dy"), (x, "x"), (gamma, "gamma"), (saved, "saved"), (y, "y"))
        inputs = [self._in(a, n) for a, n in named]

        def run() -> list[Array | None]:
            sums = [
                self._out(x.shape[1], name=name) if wanted else None
                for name, wanted in zip(("dgamma", "dbeta"), need, strict=True)
            ]
            for total, old in zip(sums, before or (), strict=False):
                if total is not None:
                    total[...] = old
            dx = self._out(*x.shape, name="dx")
            self.cuda.batch_norm_backward(
                *map(address, (*inputs, dx, *sums)),
                *(*x.shape, activation, SLOPE, before is not None, 0),
            )
            return [dx, *sums]

        return self.simt.schedules(run)


def address(array: Array | None) -> int:
    return 0 if array is None else array.ctypes.data


@pytest.fixture(params=["end", "start"])
def norm(request: pytest.FixtureRequest, cuda: ModuleType, simt: Any) -> Norm:
    return Norm(cuda, simt, request.param)


def image(array: Array | None) -> Any:
    """[B, F, S] as the reference takes it: [B, F, S, 1]."""
    return None if array is None else array[..., None]


def inputs(shape: tuple[int, int, int], affine: bool) -> tuple[Any, ...]:
    features = shape[1]
    x = draw(*shape) * 2 + draw(1, features, 1, seed=1)
    gamma, beta = (draw(features, seed=2), draw(features, seed=3)) if affine else (None, None)
    return x, gamma, beta, draw(features, seed=4), np.abs(draw(features, seed=5)) + 0.1


def expected_forward(
    x: Array, gamma: Any, beta: Any, mean: Array, var: Array, *, training: bool, activation: str
) -> list[Any]:
    wide = as_float64(image(x), gamma, beta, mean, var)
    options: dict[str, Any] = {"momentum": MOMENTUM, "eps": EPS, "slope": SLOPE}
    y, saved = reference.batch_norm(*wide, training=training, activation=activation, **options)
    return [y[..., 0], saved, *wide[3:]]


def expected_backward(
    dy: Array, x: Array, gamma: Any, saved: Array, y: Any, activation: str
) -> list[Any]:
    wide = as_float64(image(dy), image(x), gamma, saved, image(y))
    dx, dgamma, dbeta = reference.batch_norm_backward(
        *wide[:4], y=wide[4], activation=activation, slope=SLOPE
    )
    return [dx[..., 0], dgamma, dbeta]


def check(
    norm: Norm,
    shape: tuple[int, int, int],
    activation: str,
    *,
    training: bool = True,
    affine: bool = True,
) -> None:
    x, gamma, beta, mean, var = inputs(shape, affine)
    options: dict[str, Any] = {"training": training, "activation": activation}
    y, saved, *running = norm.forward(x, gamma, beta, mean, var, **options)
    expected = expected_forward(x, gamma, beta, mean, var, **options)
    count = shape[0] * shape[2]
    # y is of the order of 1, and 1 / std magnifies its error where few values lie close together
    magnify = max(1.0, float(np.max(expected[1][1], initial=0.0)))
    assert_close(y, expected[0], length=count, scale=8.0 * magnify)
    assert_close(saved, expected[1], length=count, scale=np.abs(expected[1]) * 8.0 + 1.0)
    assert_close(running[0], expected[2], length=count, scale=4.0)
    assert_close(running[1], expected[3], length=count, scale=np.abs(expected[3]) * 2)
    dy = draw(*shape, seed=6)
    output = None if activation == "linear" else y
    actual = norm.backward(dy, x, gamma, saved, output, activation)
    wanted = expected_backward(dy, x, gamma, saved, output, activation)
    scales = [size * magnify**2 for size in (8.0, *[4 * max(count**0.5, 1.0)] * 2)]
    for one, other, scale in zip(actual, wanted, scales, strict=True):
        assert_close(one, other, length=count, scale=scale)


@pytest.mark.parametrize("shape", ROWS + IMAGES, ids=str)
def test_shapes(norm: Norm, shape: tuple[int, int, int]) -> None:
    check(norm, shape, "leaky_relu")
    check(norm, shape, "linear", affine=False)


@pytest.mark.parametrize("shape", [*ONE_VALUE, (33, 31, 1), (3, 2, 129)], ids=str)
def test_evaluation(norm: Norm, shape: tuple[int, int, int]) -> None:
    check(norm, shape, "relu", training=False)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(70, 11, 1), (5, 3, 140)], ids=str)
def test_activations(norm: Norm, shape: tuple[int, int, int], activation: str) -> None:
    check(norm, shape, activation)


@pytest.mark.parametrize("shape", EMPTY, ids=str)
def test_empty(norm: Norm, shape: tuple[int, int, int]) -> None:
    """An empty batch keeps the running statistics, and uses them."""
    x, gamma, beta, mean, var = inputs(shape, affine=True)
    y, saved, *running = norm.forward(
        x, gamma, beta, mean, var, training=True, activation="sigmoid"
    )
    assert y.size == 0
    np.testing.assert_array_equal(running, [mean, var])
    np.testing.assert_array_equal(saved[0], mean)
    np.testing.assert_allclose(saved[1], (var + EPS) ** -0.5, rtol=1e-6)
    dx, dgamma, dbeta = norm.backward(x, x, gamma, saved, x, "sigmoid")
    assert dx.size == 0
    np.testing.assert_array_equal([dgamma, dbeta], np.zeros((2, shape[1])))
    _, *same = norm.backward(x, x, gamma, saved, x, "sigmoid", before=(mean, var))
    np.testing.assert_array_equal(same, [mean, var])


@pytest.mark.parametrize("shape", [(40, 35, 1), (3, 6, 25)], ids=str)
def test_only_wanted_sums_are_written_or_added(norm: Norm, shape: tuple[int, int, int]) -> None:
    x, gamma, _, mean, var = inputs(shape, affine=True)
    dy, saved = draw(*shape, seed=6), np.stack([mean, var])
    dx, dgamma, dbeta = norm.backward(dy, x, gamma, saved, None, "linear")
    before = (draw(shape[1], seed=8), draw(shape[1], seed=9))
    for need in ((True, True), (True, False), (False, True), (False, False)):
        same, *sums = norm.backward(dy, x, gamma, saved, None, "linear", need=need, before=before)
        np.testing.assert_array_equal(same, dx)
        for actual, old, new in zip(sums, before, (dgamma, dbeta), strict=True):
            if actual is not None:
                np.testing.assert_array_equal(actual, old + new)
        assert [actual is not None for actual in sums] == list(need)


@pytest.mark.parametrize("shape", [(1000, 3, 1), (4, 3, 256), (2, 1, 40_000)], ids=str)
def test_a_mean_far_from_zero_costs_no_digits(norm: Norm, shape: tuple[int, int, int]) -> None:
    x = (draw(*shape) + 1000.0).astype("float32")
    zeros, ones = np.zeros(shape[1], "float32"), np.ones(shape[1], "float32")
    _, saved, *_ = norm.forward(x, None, None, zeros, ones, training=True, activation="linear")
    wide = x.astype("float64")
    np.testing.assert_allclose(saved[0], wide.mean(axis=(0, 2)), rtol=1e-7)
    np.testing.assert_allclose(saved[1], (wide.var(axis=(0, 2)) + EPS) ** -0.5, rtol=1e-6)


def test_a_constant_feature_stays_finite(norm: Norm) -> None:
    zeros, ones = np.zeros(2, "float32"), np.ones(2, "float32")
    for shape in ((7, 2, 1), (7, 2, 5)):
        x = np.full(shape, 0.1, "float32")
        y, saved, *_ = norm.forward(x, None, None, zeros, ones, training=True, activation="linear")
        np.testing.assert_allclose(y, 0, atol=1e-4)
        np.testing.assert_allclose(saved[1], EPS**-0.5, rtol=1e-4)


def test_nan_stays_in_its_feature(norm: Norm) -> None:
    for shape in ((40, 11, 1), (4, 11, 30)):
        x, gamma, beta, mean, var = inputs(shape, affine=True)
        x[1, 5, 0] = np.nan
        results = norm.forward(x, gamma, beta, mean, var, training=True, activation="tanh")
        y, saved, *running = results
        dx, *sums = norm.backward(x, x, gamma, saved, y, "tanh")
        for per_feature in (y.swapaxes(0, 1), saved.T, *running, dx.swapaxes(0, 1), *sums):
            found = np.isnan(per_feature.reshape(11, -1)).any(axis=1)
            np.testing.assert_array_equal(found, np.arange(11) == 5)


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_misaligned_arrays(cuda: ModuleType, simt: Any, shift: int) -> None:
    for shape in ((5, 8, 1), (3, 4, 8)):
        features, size = shape[1], int(np.prod(shape))
        x = simt.array(draw(shift + size))[shift:]
        y, saved = simt.empty(shift + size)[shift:], simt.empty(shift + 2 * features)[shift:]
        running = [simt.copy(np.ones(shift + features, "float32"))[shift:] for _ in range(2)]
        cuda.batch_norm_forward(
            *map(address, (x, None, None, *running, y, saved)),
            *(*shape, True, MOMENTUM, EPS, "tanh", SLOPE, 0),
        )
        ones = np.ones(features, "float32")
        options: dict[str, Any] = {"training": True, "activation": "tanh"}
        expected = expected_forward(x.reshape(shape), None, None, ones, ones, **options)
        assert_close(y.reshape(shape), expected[0], length=32, scale=8.0)
        assert_close(saved.reshape(2, features), expected[1], length=32, scale=8.0)
