"""csrc/cuda/loss.cu, thread by thread, against the reference in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Array, as_float64, assert_close, draw

from ganengine import reference

OF_ONE_BLOCK = 4096  # logits
SIZES = (1, 2, 3, 31, 33, 100, 129, 784, OF_ONE_BLOCK - 1, OF_ONE_BLOCK)
SIZES_OF_MANY_BLOCKS = (OF_ONE_BLOCK + 1, 2 * OF_ONE_BLOCK, 10_000)


def bce(
    run: Any,
    logits: Array,
    targets: Array | float,
    *,
    scale: float = 1.0,
    each: bool = False,
    total: bool = True,
) -> Any:
    """[losses if each, loss if total, dlogits]"""
    return run(
        "bce_with_logits",
        logits,
        *((None, targets) if isinstance(targets, float) else (targets, 0.0)),
        run.Out(logits.shape) if each else None,
        run.Out((1,)) if total else None,
        run.Out(logits.shape),
        logits.size,
        scale,
    )


def probabilities(size: int) -> Array:
    return np.asarray(np.random.default_rng(7).random(size), "float32")


def check(run: Any, size: int, targets: Array | float) -> None:
    logits = draw(size, spread=4.0)
    (wide,) = as_float64(logits)
    wide_targets = targets if isinstance(targets, float) else targets.astype("float64")
    scale = 1 / size
    losses, loss, dlogits = bce(run, logits, targets, scale=scale, each=True)
    expected, gradient = reference.bce_with_logits(wide, wide_targets, reduction="none")
    assert_close(losses, expected, scale=np.abs(wide) + 1)
    assert_close(loss, expected.mean(keepdims=True), scale=np.mean(np.abs(wide) + 1))
    assert_close(dlogits, gradient * scale, scale=scale)
    for wanted, both in (((True, False), losses), ((False, True), loss)):
        each, total = wanted
        alone, same = bce(run, logits, targets, scale=scale, each=each, total=total)
        np.testing.assert_array_equal(alone, both)
        np.testing.assert_array_equal(same, dlogits)


@pytest.mark.parametrize("size", SIZES + SIZES_OF_MANY_BLOCKS)
def test_sizes(run: Any, size: int) -> None:
    check(run, size, probabilities(size) if size % 2 else 0.9)


@pytest.mark.parametrize("size", [129, OF_ONE_BLOCK + 1])
def test_targets_for_each_or_for_all(run: Any, size: int) -> None:
    check(run, size, 0.25)
    check(run, size, probabilities(size))


@pytest.mark.parametrize("size", [70, OF_ONE_BLOCK + 70])
def test_neither_losses_nor_their_sum(run: Any, size: int) -> None:
    logits = draw(size)
    (alone,) = bce(run, logits, 1.0, total=False)
    np.testing.assert_array_equal(alone, bce(run, logits, 1.0)[1])


def test_far_logits_neither_overflow_nor_vanish(run: Any) -> None:
    logits = np.array([-3e38, -200, -100, 100, 200, 3e38], "float32")
    small = np.exp(-100.0)
    losses, dlogits = bce(run, logits, 1.0, each=True, total=False)
    np.testing.assert_allclose(losses, [3e38, 200, 100, small, 0, 0], rtol=1e-6, atol=1e-45)
    np.testing.assert_array_equal(dlogits, [-1, -1, -1, 0, 0, 0])
    losses, dlogits = bce(run, logits, 0.0, each=True, total=False)
    np.testing.assert_allclose(losses, [0, 0, small, 100, 200, 3e38], rtol=1e-6, atol=1e-45)
    np.testing.assert_array_equal(dlogits[3:], [1, 1, 1])


@pytest.mark.parametrize("size", [2, OF_ONE_BLOCK + 2])
def test_nan_comes_through(run: Any, size: int) -> None:
    logits = np.zeros(size, "float32")
    logits[-2] = np.nan
    loss, dlogits = bce(run, logits, 1.0)
    assert np.isnan(loss[0])
    np.testing.assert_array_equal(np.isnan(dlogits), np.isnan(logits))


def test_no_logits_have_loss_zero(run: Any) -> None:
    nothing = np.zeros(0, "float32")
    loss, dlogits = bce(run, nothing, 1.0)
    assert (loss.tolist(), dlogits.size) == ([0.0], 0)
    assert [array.size for array in bce(run, nothing, 1.0, each=True, total=False)] == [0, 0]


def test_a_long_sum_keeps_its_digits(cuda: Any, simt: Any) -> None:
    """More blocks than the launch that adds them up has threads."""
    size = 513 * OF_ONE_BLOCK
    logits = simt.array(np.full(size, 0.1, "float32"))
    loss, dlogits = simt.empty(1), simt.empty(size)
    addresses = [array.ctypes.data for array in (loss, dlogits)]
    cuda.bce_with_logits(logits.ctypes.data, 0, 0.3, 0, *addresses, size, 1.0)
    expected, gradient = reference.bce_with_logits(
        np.full(1, np.float32(0.1), "float64"), np.float32(0.3), reduction="none"
    )
    np.testing.assert_allclose(loss, expected * size, rtol=1e-6)
    assert_close(dlogits, np.broadcast_to(gradient, size), scale=1.0)


@pytest.mark.parametrize("batch", [0, 1, 2, 3, 31, 33, 100, 129, 300])
@pytest.mark.parametrize("in_features", [0, 1, 33, 128])
def test_last_layer_and_loss_together(run: Any, batch: int, in_features: int) -> None:
    check_last_layer(run, batch, in_features)


def test_a_large_last_layer(run: Any, cuda: Any) -> None:
    cuda.precision = "fp32"
    check_last_layer(run, 11, 6272)


def check_last_layer(run: Any, batch: int, in_features: int) -> None:
    x, weight = draw(batch, in_features), draw(1, in_features, seed=1, spread=0.1)
    for bias, targets in ((draw(1, seed=2), None), (None, np.abs(draw(batch, 1, seed=3)))):
        out = [run.Out((batch, 1)), run.Out((1,)), run.Out((batch, 1))]
        scale = 2.0 / max(batch, 1)
        logits, loss, dlogits = run(
            "dense_bce_with_logits", x, weight, bias, targets, 0.9, *out, batch, in_features, scale
        )
        wide = [None if a is None else a.astype("float64") for a in (x, weight, bias)]
        expected = reference.dense_bce_with_logits(
            *wide, 0.9 if targets is None else targets.astype("float64"), scale=2.0
        )
        np.testing.assert_allclose(loss[0], expected[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(logits, expected[1], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(dlogits, expected[2], rtol=1e-5, atol=1e-5 * scale)
