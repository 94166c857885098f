"""csrc/cuda/dense.cu, thread by thread, against float64 NumPy.

Every result is computed under three schedules, which must agree in each bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]

SEEDS = (1, 2, 3)
PRECISIONS = ("fp32", "tf32", "bf16")
TILES = ("small", "large")
SLOPE = 0.2
# (batch, in_features, out_features): beside and on multiples of 4, of a warp and of a tile.
SIZES = (
    (1, 1, 1),
    (2, 3, 31),
    (3, 129, 2),
    (33, 1, 129),
    (31, 784, 3),
    (64, 128, 32),
    (100, 33, 100),
    (129, 100, 33),
)

# The most that an operand changes, relative to it, on its way into a product (ptx.cuh); sums are
# float32 in each precision.
OPERAND_ROUNDOFF = {"fp32": 0.0, "tf32": 2.0**-10 * 0.67, "bf16": 2.0**-8}
FLOAT32_ROUNDOFF = 2.0**-24


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda z: z,
    "relu": lambda z: np.where(z > 0, z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, SLOPE * z),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}
DERIVATIVES: dict[str, Callable[[Array], Array]] = {  # of the output y
    "linear": np.ones_like,
    "relu": lambda y: np.where(y > 0, 1.0, 0.0),
    "leaky_relu": lambda y: np.where(y > 0, 1.0, SLOPE),
    "tanh": lambda y: 1 - y * y,
    "sigmoid": lambda y: y * (1 - y),
}


def product_error(a: Array, b: Array, precision: str) -> Array:
    """A bound on the error of each element of a @ b.

    Rounding both operands costs 2u + u^2 of |a| @ |b|, at most. Of the float32 sums of n terms the
    errors add up as a random walk does, sqrt(n), not in the worst way, n; twice that is never met.
    """
    u = OPERAND_ROUNDOFF[precision]
    sums = FLOAT32_ROUNDOFF * (4 + 2 * np.sqrt(a.shape[1]))
    bound: Array = (2 * u + u * u + sums) * (np.abs(a) @ np.abs(b))
    return bound


def assert_within(got: Array, expected: Array, error: Array) -> None:
    """Each element is finite and within `error` of the expected one."""
    assert got.shape == expected.shape
    assert np.isfinite(got).all(), "an element was not written, or read where nothing was written"
    worst = np.max(np.abs(got - expected) / np.maximum(error, 1e-30), initial=0.0)
    assert worst <= 1, f"{worst:.2f} times the bound"


class Dense:
    """The dense functions of the CUDA module, on guarded arrays."""

    def __init__(self, cuda: Any, simt: Any, align: str) -> None:
        self.cuda = cuda
        self.simt = simt
        self.align = align

    def _in(self, values: Array | None, name: str) -> Any:
        if values is None:
            return None
        return self.simt.array(values.astype(np.float32), align=self.align, name=name)

    def _schedules(self, run: Callable[[], list[Array]]) -> list[Array]:
        results = []
        for seed in SEEDS:
            self.simt.seed(seed)
            results.append([array.copy() for array in run()])
        for other in results[1:]:
            for array, same in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(array, same, "depends on the schedule")
        return results[0]

    def forward(self, x: Array, weight: Array, bias: Array | None, activation: str) -> Array:
        (batch, inputs), outputs = x.shape, weight.shape[0]
        arrays = [self._in(a, n) for a, n in ((x, "x"), (weight, "weight"), (bias, "bias"))]

        def run() -> list[Array]:
            y = self.simt.empty(batch, outputs, align=self.align, name="y")
            self.cuda.dense_forward(
                *map(address, arrays), address(y), batch, inputs, outputs, activation, SLOPE
            )
            return [y]

        return self._schedules(run)[0]

    def backward(
        self,
        dy: Array,
        x: Array,
        weight: Array,
        y: Array,
        activation: str,
        *,
        scratch: bool = True,
        need: tuple[bool, bool, bool] = (True, True, True),
        before: tuple[Array, Array] | None = None,
    ) -> list[Array | None]:
        """[dx, dweight, dbias]; those not needed are None; `before` holds what to add them to."""
        (batch, inputs), outputs = x.shape, weight.shape[0]
        arrays = [self._in(a, n) for a, n in ((dy, "dy"), (x, "x"), (weight, "weight"), (y, "y"))]
        shapes = ((batch, inputs), (outputs, inputs), (outputs,))

        def run() -> list[Array]:
            dz = self.simt.empty(batch, outputs, align=self.align, name="dz") if scratch else None
            results = [
                self.simt.empty(*shape, align=self.align, name=name) if wanted else None
                for shape, name, wanted in zip(
                    shapes, ("dx", "dweight", "dbias"), need, strict=True
                )
            ]
            if before is not None:
                for result, old in zip(results[1:], before, strict=True):
                    if result is not None:
                        result[...] = old
            self.cuda.dense_backward(
                *map(address, [*arrays, dz, *results]),
                batch,
                inputs,
                outputs,
                activation,
                SLOPE,
                before is not None,
            )
            return [result for result in results if result is not None]

        computed = iter(self._schedules(run))
        return [next(computed) if wanted else None for wanted in need]


def address(array: Array | None) -> int:
    return 0 if array is None else array.ctypes.data


@pytest.fixture(params=["end", "start"])
def dense(request: pytest.FixtureRequest, cuda: Any, simt: Any) -> Dense:
    return Dense(cuda, simt, request.param)


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32).astype(np.float64)


def check_forward(
    dense: Dense, size: tuple[int, int, int], activation: str, precision: str, *, bias: bool = True
) -> None:
    batch, inputs, outputs = size
    x, weight = normal(1, batch, inputs), normal(2, outputs, inputs)
    b = normal(3, outputs) if bias else np.zeros(outputs)
    y = dense.forward(x, weight, b if bias else None, activation)
    z = x @ weight.T + b
    # The slope of every activation is at most 1; evaluating it costs a few roundings.
    error = product_error(x, weight.T, precision) + 8 * FLOAT32_ROUNDOFF * (np.abs(z) + 1)
    assert_within(y, FUNCTIONS[activation](z), error)


def check_backward(
    dense: Dense, size: tuple[int, int, int], activation: str, precision: str, **options: Any
) -> None:
    batch, inputs, outputs = size
    dy, x, weight = normal(1, batch, outputs), normal(2, batch, inputs), normal(3, outputs, inputs)
    y = FUNCTIONS[activation](normal(4, batch, outputs)).astype(np.float32).astype(np.float64)
    before = options.get("before") or (0.0, 0.0)
    dx, dweight, dbias = dense.backward(dy, x, weight, y, activation, **options)
    dz = dy * DERIVATIVES[activation](y)
    dz_error = 4 * FLOAT32_ROUNDOFF * np.abs(dy)
    if dx is not None:
        error = product_error(dz, weight, precision) + dz_error @ np.abs(weight)
        assert_within(dx, dz @ weight, error)
    if dweight is not None:
        error = product_error(dz.T, x, precision) + dz_error.T @ np.abs(x)
        error += FLOAT32_ROUNDOFF * np.abs(before[0])
        assert_within(dweight, before[0] + dz.T @ x, error)
    if dbias is not None:  # summed in float32 in each precision
        error = product_error(dz.T, np.ones((batch, 1)), "fp32")[:, 0] + dz_error.sum(axis=0)
        error += FLOAT32_ROUNDOFF * np.abs(before[1])
        assert_within(dbias, before[1] + dz.sum(axis=0), error)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize(("number", "size"), list(enumerate(SIZES)))
def test_sizes(
    dense: Dense, number: int, size: tuple[int, int, int], tile: str, precision: str
) -> None:
    dense.cuda.precision = precision
    dense.cuda.tile = tile
    activation = list(FUNCTIONS)[number % len(FUNCTIONS)]
    check_forward(dense, size, activation, precision)
    check_backward(dense, size, activation, precision)


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_activations(dense: Dense, activation: str, tile: str) -> None:
    dense.cuda.precision = "fp32"
    dense.cuda.tile = tile
    check_forward(dense, (35, 36, 37), activation, "fp32", bias=False)
    check_backward(dense, (35, 36, 37), activation, "fp32")
    # Without scratch memory dz is formed while it is read, whatever tile was asked for.
    check_backward(dense, (35, 36, 37), activation, "fp32", scratch=False)


@pytest.mark.parametrize("need", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("tile", TILES)
def test_only_wanted_gradients_are_computed(
    dense: Dense, tile: str, need: tuple[bool, bool, bool]
) -> None:
    dense.cuda.precision = "fp32"
    dense.cuda.tile = tile
    check_backward(dense, (9, 70, 34), "tanh", "fp32", need=need)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("tile", TILES)
def test_accumulate(dense: Dense, tile: str, precision: str) -> None:
    dense.cuda.precision = precision
    dense.cuda.tile = tile
    for columns in (40, 41):  # whole vectors, and not
        before = (normal(5, 34, columns), normal(6, 34))
        check_backward(dense, (7, columns, 34), "relu", precision, before=before)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("outputs", [4, 5])
def test_long_sums_are_split(dense: Dense, outputs: int, tile: str, precision: str) -> None:
    dense.cuda.precision = precision
    dense.cuda.tile = tile
    workspace = dense.simt.empty(16 * 1024, align="start", name="workspace")
    dense.cuda.workspace = workspace
    check_forward(dense, (3, 1100, outputs), "sigmoid", precision)
    assert np.isfinite(workspace[: 2 * 3 * outputs]).all(), "k was not split"
    workspace[...] = np.nan
    before = (normal(5, outputs, 8), normal(6, outputs))
    check_backward(dense, (1100, 8, outputs), "tanh", precision, before=before)
    assert np.isfinite(workspace[: 2 * outputs * 9]).all(), "k was not split"


@pytest.mark.parametrize("floats", [0, 16, 32, 48])
def test_a_small_workspace_is_respected(dense: Dense, floats: int) -> None:
    """Each part takes 3 * 4 + 3 floats; there is room for 0, 1, 2 and 3 of the 4 that would pay."""
    workspace = dense.simt.empty(floats, name="workspace")
    dense.cuda.workspace = workspace
    dense.cuda.precision = "fp32"
    check_forward(dense, (3, 2100, 4), "linear", "fp32")
    assert np.isfinite(workspace).any() == (floats >= 32)


@pytest.mark.parametrize("size", [(0, 5, 6), (4, 0, 6), (4, 5, 0), (0, 0, 0)])
@pytest.mark.parametrize("tile", TILES)
def test_empty(dense: Dense, size: tuple[int, int, int], tile: str) -> None:
    dense.cuda.tile = tile
    check_forward(dense, size, "sigmoid", "tf32")
    check_backward(dense, size, "sigmoid", "tf32")
    before = (normal(5, size[2], size[1]), normal(6, size[2]))
    check_backward(dense, size, "linear", "tf32", before=before)


@pytest.mark.parametrize("multiprocessors", [1, 2, 8, 132])
def test_each_plan_gives_the_product(dense: Dense, multiprocessors: int) -> None:
    dense.simt.library.simt_set_device(multiprocessors, 227, 90)
    workspace = dense.simt.empty(64 * 1024, align="start", name="workspace")
    dense.cuda.workspace = workspace
    check_forward(dense, (130, 600, 36), "relu", "tf32")
    check_backward(dense, (130, 36, 140), "relu", "tf32")


def test_an_old_device_has_the_exact_path_and_small_tiles(dense: Dense) -> None:
    dense.simt.library.simt_set_device(40, 64, 75)  # the executor refuses more than 64 KB
    dense.cuda.precision = "tf32"
    dense.cuda.tile = "large"
    check_forward(dense, (33, 40, 41), "tanh", "fp32")
    check_backward(dense, (33, 40, 41), "tanh", "fp32")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_nan_and_infinity_reach_the_result(dense: Dense, precision: str) -> None:
    dense.cuda.precision = precision
    x, weight = normal(1, 5, 20), normal(2, 6, 20)
    x[1, 3], x[2, 4] = np.nan, np.inf
    y = dense.forward(x, weight, None, "linear")
    assert np.isnan(y[1]).all()
    np.testing.assert_array_equal(y[2], np.copysign(np.inf, weight[:, 4]))
    assert np.isfinite(y[[0, 3, 4]]).all()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 2, 3), (33, 64, 100), (129, 35, 31), (4, 3, 0)])
def test_matmul(
    dense: Dense,
    m: int,
    n: int,
    k: int,
    transpose_a: bool,
    transpose_b: bool,
    tile: str,
    precision: str,
) -> None:
    dense.cuda.precision = precision
    dense.cuda.tile = tile
    a, b = normal(1, m, k), normal(2, k, n)
    left = dense.simt.array((a.T if transpose_a else a).astype(np.float32), align=dense.align)
    right = dense.simt.array((b.T if transpose_b else b).astype(np.float32), align=dense.align)
    for seed in SEEDS:
        dense.simt.seed(seed)
        c = dense.simt.empty(m, n, align=dense.align, name="c")
        dense.cuda.matmul(*map(address, (left, right, c)), m, n, k, transpose_a, transpose_b)
        assert_within(c, a @ b, product_error(a, b, precision))


def test_misaligned_arrays(dense: Dense) -> None:
    """Arrays that start between multiples of 16 bytes, as views of a flat store may."""
    dense.cuda.precision = "fp32"
    batch, inputs, outputs = 5, 8, 12
    for shift in (1, 2, 3):
        store = dense.simt.array(normal(1, shift + batch * inputs + outputs * inputs).astype("f4"))
        x = store[shift : shift + batch * inputs].reshape(batch, inputs)
        weight = store[shift + batch * inputs :].reshape(outputs, inputs)
        y = dense.simt.empty(shift + batch * outputs)[shift:].reshape(batch, outputs)
        args = (address(x), address(weight), 0, address(y), batch, inputs, outputs)
        dense.cuda.dense_forward(*args, "linear", 0.0)
        expected = x.astype(np.float64) @ weight.T.astype(np.float64)
        assert_within(y, expected, product_error(x, weight.T, "fp32"))


def test_names_are_checked(cuda: Any) -> None:
    with pytest.raises(ValueError, match="precision is 'fp8'; it can be one of fp32, tf32, bf16"):
        cuda.Context(0, precision="fp8")
    with pytest.raises(ValueError, match="tile is 'huge'; it can be one of auto, small, large"):
        cuda.Context(0, tile="huge")
    with pytest.raises(RuntimeError, match="unknown activation 'gelu'"):
        cuda.dense_forward(0, 0, 0, 0, 0, 0, 0, "gelu", 0.0)
    with pytest.raises(ValueError, match="multiple of 16 bytes"):
        cuda.Context(0, workspace=8, workspace_bytes=1024)


def test_device(cuda: Any, simt: Any) -> None:
    assert (cuda.device_count(), cuda.device_error()) == (1, "")
    assert cuda.compute_capability(0) == "9.0"
    assert cuda.device_name(1) == ""
