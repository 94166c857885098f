"""Operations made of others: values against NumPy's, gradients in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from curvature import loss_of, penalty_of
from devices import tensor
from double import in_double
from helpers import Array, assert_close, assert_gradient, draw

from ganengine import Tensor, capture, grad, kernels
from ganengine.nn import functional as f

X = (2, 3, 4)
LABELS = np.array([2, 0], "int32")
SHARES = np.array([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]], "float32")


def softmax(x: Array, axis: int = -1) -> Array:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


# By name: the operation on tensors, on arrays, and the shapes of what they take.
OPERATIONS: dict[str, tuple[Callable[..., Tensor], Callable[..., Array], list[Any]]] = {
    "clip": (lambda x: f.clip(x, -0.5, 0.75), lambda x: np.clip(x, -0.5, 0.75), [X]),
    "clip below": (lambda x: f.clip(x, low=0.1), lambda x: np.clip(x, 0.1, None), [X]),
    "clip above": (lambda x: f.clip(x, high=0.1), lambda x: np.clip(x, None, 0.1), [X]),
    "maximum": (f.maximum, np.maximum, [X, (3, 1)]),
    "maximum of a number": (lambda x: f.maximum(x, 0.3), lambda x: np.maximum(x, 0.3), [X]),
    "minimum": (f.minimum, np.minimum, [(3, 1), X]),
    "minimum of a number": (lambda x: f.minimum(x, 0.3), lambda x: np.minimum(x, 0.3), [X]),
    "softplus": (f.softplus, lambda x: np.logaddexp(0, x), [X]),
    "softmax": (f.softmax, softmax, [X]),
    "softmax first": (lambda x: f.softmax(x, 0), lambda x: softmax(x, 0), [X]),
    "log_softmax": (
        lambda x: f.log_softmax(x, 1),
        lambda x: np.log(softmax(x, 1)),
        [X],
    ),
    "cube": (lambda x: (x * 0.5) ** 3, lambda x: (x * 0.5) ** 3, [X]),
    "seventh power": (lambda x: x**7.0, lambda x: x**7, [(4,)]),
    "inverse square": (lambda x: (x * x + 1) ** -2, lambda x: (x * x + 1) ** -2, [X]),
    "root": (lambda x: (x * x + 1) ** 0.5, lambda x: (x * x + 1) ** 0.5, [X]),
    "power": (lambda x: (x * x + 1) ** -1.7, lambda x: (x * x + 1) ** -1.7, [X]),
    "number": (lambda x: x[1], lambda x: x[1], [X]),
    "rows": (lambda x: x[:, -2:], lambda x: x[:, -2:], [X]),
    "pixel": (lambda x: x[-1, ..., 2], lambda x: x[-1, ..., 2], [X]),
    "steps": (lambda x: x[..., 1::2], lambda x: x[..., 1::2], [(2, 5)]),
    "steps that end early": (lambda x: x[:5:3, 0], lambda x: x[:5:3, 0], [(7, 2)]),
    "one of a step": (lambda x: x[2::4], lambda x: x[2::4], [(5,)]),
    "stack": (lambda a, b: f.stack([a, b], 1), lambda a, b: np.stack([a, b], 1), [X, X]),
    "stack last": (lambda a, b: f.stack([a, b], -1), lambda a, b: np.stack([a, b], -1), [X, X]),
    "softmax_cross_entropy": (
        lambda x: f.softmax_cross_entropy(x, LABELS),
        lambda x: -np.log(softmax(x))[[0, 1], LABELS].mean(),
        [(2, 3)],
    ),
    "softmax_cross_entropy of shares": (
        lambda x: f.softmax_cross_entropy(x, Tensor(SHARES.astype(x.data.dtype))),
        lambda x: -(np.log(softmax(x)) * SHARES).sum() / 2,
        [(2, 3)],
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_values(name: str, device: str) -> None:
    if "cross_entropy" in name and device != "cpu":
        pytest.skip("its labels lie on the CPU")
    operation, expected, shapes = OPERATIONS[name]
    arrays = [draw(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    want = expected(*(a.astype("float64") for a in arrays))
    assert_close(operation(*(tensor(a, device) for a in arrays)).numpy(), want, scale=4)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name: str, order: int) -> None:
    operation, _, shapes = OPERATIONS[name]
    number = (loss_of, penalty_of)[order - 1]
    arrays = [draw(*shape, seed=seed).astype("float64") for seed, shape in enumerate(shapes)]
    with in_double():
        inputs = [Tensor(a, requires_grad=True) for a in arrays]
        found = [g.data for g in grad(number(operation, inputs), inputs)]

        def value() -> float:
            return number(operation, [Tensor(a, requires_grad=True) for a in arrays]).item()

        for got, at in zip(found, arrays, strict=True):
            assert_gradient(got, value, at)


def test_slopes_where_two_sides_meet() -> None:
    """Within the bounds of clip, as in PyTorch; shared by the two that are equal."""
    x, y = (Tensor(np.array([-1.0, 1.0, 3.0], "float32"), requires_grad=True) for _ in range(2))
    (slope,) = grad(f.clip(x, -1, 1).sum(), [x])
    np.testing.assert_array_equal(slope.numpy(), [1, 1, 0])
    for operation in (f.maximum, f.minimum):
        for slope in grad(operation(x, y).sum(), [x, y]):
            np.testing.assert_array_equal(slope.numpy(), [0.5, 0.5, 0.5])


def test_large_numbers() -> None:
    x = Tensor(np.array([[-1e4, 0.0, 1e4]], "float32"), requires_grad=True)
    np.testing.assert_array_equal(f.softmax(x).numpy(), [[0, 0, 1]])
    np.testing.assert_array_equal(f.log_softmax(x).numpy(), [[-2e4, -1e4, 0]])
    np.testing.assert_allclose(f.softplus(x).numpy(), [[0, np.log(2), 1e4]], rtol=1e-6)
    loss = f.softmax_cross_entropy(x, np.array([0], "int32"))
    assert loss.item() == 2e4
    np.testing.assert_array_equal(grad(loss, [x])[0].numpy(), [[-1, 0, 1]])


def test_powers_at_zero() -> None:
    x = Tensor(np.zeros(2, "float32"), requires_grad=True)
    for exponent in (1.5, 2, 3):
        y = x**exponent
        assert not y.numpy().any()
        assert not grad(y.sum(), [x])[0].numpy().any()
    np.testing.assert_array_equal((x**0).numpy(), [1, 1])


def test_a_tensor_can_be_walked_through() -> None:
    rows = list(Tensor(draw(3, 2)))
    assert [row.shape for row in rows] == [(2,)] * 3
    np.testing.assert_array_equal(rows[2].numpy(), draw(3, 2)[2])


@pytest.mark.cpu_only
def test_a_chain_is_one_call() -> None:
    x, y = draw(4, 5), np.zeros((4, 5), "float32")

    def clipped() -> None:
        kernels.unary("copy", f.clip(Tensor(x), -0.5, 0.5).data, out=y)

    program = capture(clipped, [x, y])
    assert len(program) == 1
    program.run(1)
    np.testing.assert_array_equal(y, np.clip(x, -0.5, 0.5))


@pytest.mark.cpu_only
def test_errors_say_what_is_wrong() -> None:
    x = Tensor(draw(2, 3))
    cases: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (ValueError, "both None", lambda: f.clip(x)),
        (ValueError, "low is 2; it must not be above high, which is 1", lambda: f.clip(x, 2, 1)),
        (TypeError, "low must be a number", lambda: f.clip(x, "1")),
        (TypeError, "exponent must be a number, got Tensor", lambda: x**x),
        (ValueError, "exponent is inf", lambda: x ** float("inf")),
        (ValueError, "axis is 2", lambda: f.softmax(x, 2)),
        (ValueError, r"tensors\[1\] must have shape \(2, 3\)", lambda: f.stack([x, x[0]])),
        (ValueError, "tensors is empty", lambda: f.stack([])),
        (ValueError, "axis is 3", lambda: f.stack([x], 3)),
        (ValueError, "step of -1", lambda: x[::-1]),
        (TypeError, "key must be integers, slices and ..., got list", lambda: x[[0, 1]]),
        (TypeError, "got bool", lambda: x[True]),
        (IndexError, "index 3 along an axis of 3", lambda: x[0, 3]),
        (IndexError, "3 indices; x has 2", lambda: x[0, 0, 0]),
        (IndexError, "more than one", lambda: x[..., ...]),
        (ValueError, r"logits must have shape \(B, K\)", lambda: _entropy(x[0], [0])),
        (ValueError, r"labels must have shape \(2,\), got \(3,\)", lambda: _entropy(x, [0, 1, 2])),
        (
            ValueError,
            r"labels must have shape \(2, 3\), got \(3,\)",
            lambda: f.softmax_cross_entropy(x, x[0]),
        ),
    ]
    for kind, message, call in cases:
        with pytest.raises(kind, match=message):
            call()


def _entropy(logits: Tensor, labels: list[int]) -> Tensor:
    return f.softmax_cross_entropy(logits, np.array(labels, "int32"))
