from __future__ import annotations

import numpy as np
import pytest
from helpers import LAYOUTS, Array, as_float64, assert_close, assert_gradient, draw, laid_out
from hypothesis import given
from hypothesis import strategies as st

from ganengine import kernels, reference

REDUCTIONS = ("mean", "sum", "none")
SHAPES = [(1,), (256, 1), (17, 3), (100_000,), (3, 2, 4, 5)]


def probabilities(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(7).random(shape), "float32")


def check(logits: Array, targets: Array | float, reduction: str) -> None:
    loss, dlogits = kernels.bce_with_logits(logits, targets, reduction=reduction)
    wide = targets if isinstance(targets, float) else targets.astype("float64")
    expected, gradient = reference.bce_with_logits(*as_float64(logits), wide, reduction=reduction)
    assert isinstance(loss, np.ndarray)
    assert loss.dtype == dlogits.dtype == "float32"
    # the size of the terms: max(l, 0) - l t cancels
    terms = np.abs(logits.astype("float64")) + 1
    if reduction == "none":
        assert_close(loss, expected, scale=terms)
    else:
        size = terms.sum() / (terms.size if reduction == "mean" else 1)
        assert_close(loss, expected, scale=size)
    assert_close(dlogits, gradient, scale=1 / logits.size if reduction == "mean" else 1.0)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_parity(shape: tuple[int, ...], reduction: str) -> None:
    logits = draw(*shape, spread=4.0)
    check(logits, probabilities(*shape), reduction)
    check(logits, 0.9, reduction)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=3),
    st.sampled_from(REDUCTIONS),
    st.sampled_from([0.0, 0.9, 1.0, None]),
    st.sampled_from([1e-3, 1.0, 100.0]),
)
def test_any_shape(shape: list[int], reduction: str, target: float | None, spread: float) -> None:
    targets = probabilities(*shape) if target is None else target
    check(draw(*shape, spread=spread), targets, reduction)


def test_loss_is_an_array_in_memory() -> None:
    for reduction, shape in (("mean", ()), ("sum", ()), ("none", (3,))):
        loss, dlogits = kernels.bce_with_logits(draw(3), 1.0, reduction=reduction)
        assert isinstance(loss, np.ndarray)
        assert (loss.shape, dlogits.shape) == (shape, (3,))


def test_far_logits_neither_overflow_nor_vanish() -> None:
    logits = np.array([-3e38, -200, -100, 100, 200, 3e38], "float32")
    loss, dlogits = kernels.bce_with_logits(logits, 1.0, reduction="none")
    np.testing.assert_allclose(loss, [3e38, 200, 100, np.exp(-100.0), 0, 0], rtol=1e-6, atol=1e-45)
    np.testing.assert_array_equal(dlogits, [-1, -1, -1, 0, 0, 0])
    loss, dlogits = kernels.bce_with_logits(logits, 0.0, reduction="none")
    np.testing.assert_allclose(loss, [0, 0, np.exp(-100.0), 100, 200, 3e38], rtol=1e-6, atol=1e-45)
    np.testing.assert_array_equal(dlogits[3:], [1, 1, 1])


def test_nan_comes_through() -> None:
    loss, dlogits = kernels.bce_with_logits(np.array([np.nan, 0.0], "float32"), 1.0)
    assert np.isnan(loss)
    np.testing.assert_array_equal(np.isnan(dlogits), [True, False])


@pytest.mark.parametrize("shape", [(0,), (0, 3)], ids=str)
def test_no_logits_have_loss_zero(shape: tuple[int, ...]) -> None:
    for reduction in ("mean", "sum"):
        loss, dlogits = kernels.bce_with_logits(
            np.zeros(shape, "float32"), 1.0, reduction=reduction
        )
        assert (float(loss), dlogits.shape) == (0.0, shape)
    assert kernels.bce_with_logits(np.zeros(shape, "float32"), 1.0, reduction="none")[0].size == 0


def test_a_long_sum_keeps_its_digits() -> None:
    loss, _ = kernels.bce_with_logits(np.full(2_000_000, 0.1, "float32"), 0.3, reduction="sum")
    expected, _ = reference.bce_with_logits(np.full(1, np.float32(0.1), "float64"), np.float32(0.3))
    # every term is the same and off by up to an ulp; the sum must add nothing to that
    np.testing.assert_allclose(loss, expected * 2_000_000, rtol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    logits, targets = draw(9, 5), probabilities(9, 5)
    actual = kernels.bce_with_logits(laid_out(logits, layout), laid_out(targets, layout))
    for one, other in zip(actual, kernels.bce_with_logits(logits, targets), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_reference_gradient_is_the_slope(reduction: str) -> None:
    logits, targets = as_float64(draw(4, 3, spread=2.0), probabilities(4, 3))
    _, gradient = reference.bce_with_logits(logits, targets, reduction=reduction)
    assert_gradient(
        gradient,
        lambda: float(reference.bce_with_logits(logits, targets, reduction=reduction)[0].sum()),
        logits,
    )


def test_as_pytorch() -> None:
    torch = pytest.importorskip("torch")
    logits, targets = draw(50, spread=5.0), probabilities(50)
    theirs = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(theirs, torch.tensor(targets))
    expected.backward()
    loss, dlogits = kernels.bce_with_logits(logits, targets)
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-6)
    np.testing.assert_allclose(dlogits, theirs.grad.numpy(), rtol=1e-5, atol=1e-8)


def test_scale_multiplies_the_loss() -> None:
    logits, targets = draw(50, spread=4.0), probabilities(50)
    for room in (kernels, reference):
        loss, dlogits = room.bce_with_logits(logits, targets)
        scaled, dscaled = room.bce_with_logits(logits, targets, scale=-3.0)
        np.testing.assert_allclose(scaled, -3.0 * loss, rtol=1e-6)
        np.testing.assert_allclose(dscaled, -3.0 * dlogits, rtol=1e-6)


def test_scale_needs_a_reduction() -> None:
    with pytest.raises(ValueError, match=r"^scale is 2\.0; without a reduction"):
        kernels.bce_with_logits(draw(3), 1.0, reduction="none", scale=2.0)


@pytest.mark.parametrize("size", [(0, 3), (1, 1), (33, 100), (200, 128), (129, 6272)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("one_target", [True, False])
def test_last_layer_and_loss_together(
    size: tuple[int, int], bias: bool, one_target: bool, device: str
) -> None:
    x, weight = draw(*size), draw(1, size[1], seed=1)
    offset = draw(1, seed=2) if bias else None
    targets = 0.9 if one_target else probabilities(size[0], 1)
    loss, logits, dlogits = kernels.dense_bce_with_logits(x, weight, offset, targets, scale=2.0)
    # A device may add up in another order than in two kernels; the CPU does not.
    tolerance = 0.0 if device == "cpu" else 1e-5
    expected_logits = kernels.dense(x, weight, offset)
    np.testing.assert_allclose(logits, expected_logits, rtol=tolerance, atol=10 * tolerance)
    expected = kernels.bce_with_logits(logits, targets, scale=2.0)
    np.testing.assert_allclose(loss, expected[0], rtol=tolerance)
    np.testing.assert_allclose(dlogits, expected[1], rtol=tolerance)
    by_reference = reference.dense_bce_with_logits(x, weight, offset, targets, scale=2.0)
    np.testing.assert_allclose(loss, by_reference[0], rtol=1e-5)
