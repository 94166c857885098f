"""Tensor and the tape: every operator's gradient, first and second order, by finite differences."""

from collections.abc import Callable

import numpy as np
import pytest
from devices import tensor

from ganengine import Tensor, grad, no_grad
from ganengine.tensor import matmul

RNG = np.random.default_rng(7)


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 2.0, shape).astype("float32")


OPERATIONS: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "add": (lambda a, b: a + b, [(3, 4), (3, 4)]),
    "add broadcast": (lambda a, b: a + b, [(3, 4), (4,)]),
    "subtract broadcast": (lambda a, b: a - b, [(3, 1), (3, 4)]),
    "multiply": (lambda a, b: a * b, [(3, 4), (3, 4)]),
    "multiply broadcast": (lambda a, b: a * b, [(1,), (2, 3)]),
    "divide": (lambda a, b: a / b, [(3, 4), (3, 4)]),
    "scalars": (lambda a: 3.0 - (2.0 * a + 1.0) / 4.0 - 0.5, [(5,)]),
    "reciprocal": (lambda a: 2.0 / a, [(5,)]),
    "negative": (lambda a: -a, [(5,)]),
    "square": (lambda a: a**2, [(5,)]),
    "exp": (lambda a: a.exp(), [(5,)]),
    "log": (lambda a: a.log(), [(5,)]),
    "sqrt": (lambda a: a.sqrt(), [(5,)]),
    "abs": (lambda a: (a - 1.2).abs(), [(5,)]),
    "sum": (lambda a: a.sum(), [(3, 4)]),
    "sum axis": (lambda a: a.sum(axis=1), [(3, 4)]),
    "sum keepdims": (lambda a: a.sum(axis=0, keepdims=True), [(3, 4)]),
    "mean": (lambda a: a.mean(), [(3, 4)]),
    "mean axis": (lambda a: a.mean(axis=0), [(3, 4)]),
    "reshape": (lambda a: a.reshape(2, -1), [(3, 4)]),
    "transpose": (lambda a: a.transpose(), [(3, 4)]),
    "broadcast_to": (lambda a: a.broadcast_to((2, 3, 4)), [(3, 4)]),
    "matmul": (lambda a, b: a @ b, [(3, 4), (4, 2)]),
    "matmul ta": (lambda a, b: matmul(a, b, transpose_a=True), [(4, 3), (4, 2)]),
    "matmul tb": (lambda a, b: matmul(a, b, transpose_b=True), [(3, 4), (2, 4)]),
    "matmul ta tb": (
        lambda a, b: matmul(a, b, transpose_a=True, transpose_b=True),
        [(4, 3), (2, 4)],
    ),
}


def difference_quotients(
    function: Callable[[list[Tensor]], float],
    arrays: list[np.ndarray],
    device: str,
    step: float = 1e-2,
) -> list[np.ndarray]:
    """Central differences of ``function`` in every element of every array."""
    slopes = []
    for array in arrays:
        slope = np.zeros(array.shape)
        for index in np.ndindex(*array.shape):
            value = array[index]
            ends = []
            for sign in (1, -1):
                array[index] = value + sign * step
                ends.append(function([tensor(a, device) for a in arrays]))
            array[index] = value
            slope[index] = (ends[0] - ends[1]) / (2 * step)
        slopes.append(slope)
    return slopes


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients_match_difference_quotients(name: str, device: str) -> None:
    operation, shapes = OPERATIONS[name]
    arrays = [positive(*shape) for shape in shapes]
    inputs = [tensor(a, device, requires_grad=True) for a in arrays]
    output = operation(*inputs)
    direction = positive(*output.shape)
    gradients = grad(output, inputs, gradient=tensor(direction, device))
    expected = difference_quotients(
        lambda tensors: float((operation(*tensors).numpy().astype("f8") * direction).sum()),
        arrays,
        device,
    )
    for got, want in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", OPERATIONS)
def test_second_order_gradients_match_difference_quotients(name: str, device: str) -> None:
    operation, shapes = OPERATIONS[name]
    arrays = [positive(*shape) for shape in shapes]

    def penalty(inputs: list[Tensor]) -> Tensor:
        """A function of the first-order gradients, as in a gradient penalty."""
        output = operation(*inputs)
        slopes = grad((output * output).sum(), inputs, create_graph=True)
        total = (slopes[0] ** 2).sum()
        for slope in slopes[1:]:
            total = total + (slope**2).sum()
        return total

    def value(tensors: list[Tensor]) -> float:
        return penalty([Tensor(t.data, requires_grad=True) for t in tensors]).item()

    inputs = [tensor(a, device, requires_grad=True) for a in arrays]
    gradients = grad(penalty(inputs), inputs)
    scale = max(1.0, abs(value(inputs)))
    for got, want in zip(gradients, difference_quotients(value, arrays, device), strict=True):
        np.testing.assert_allclose(got.numpy() / scale, want / scale, rtol=2e-2, atol=2e-3)


def test_backward_adds_to_grad_and_zero_grad_forgets() -> None:
    x = Tensor(positive(3), requires_grad=True)
    (x * 2.0).sum().backward()
    (x * 3.0).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [5, 5, 5])
    x.zero_grad()
    assert x.grad is None


def test_a_tensor_used_twice_gets_both_gradients() -> None:
    x = Tensor(positive(3), requires_grad=True)
    y = x * x
    (gradient,) = grad((y + y * y).sum(), [x])
    value = x.numpy()
    np.testing.assert_allclose(gradient.numpy(), 2 * value + 4 * value**3, rtol=1e-5)


def test_backward_serves_only_the_inputs_named() -> None:
    a, b = (Tensor(positive(3), requires_grad=True) for _ in range(2))
    (a * b).sum().backward(inputs=[a])
    assert a.grad is not None
    assert b.grad is None


def test_nothing_is_taped_without_need() -> None:
    x = Tensor(positive(3), requires_grad=True)
    with no_grad():
        assert (x * 2.0).node is None
    assert (x.detach() * 2.0).node is None
    assert (x * 2.0).node is not None


def test_errors_say_what_is_wrong() -> None:
    x = Tensor(positive(3), requires_grad=True)
    with pytest.raises(ValueError, match=r"shape \(3,\); only a scalar"):
        (x * 2.0).backward()
    with pytest.raises(ValueError, match=r"inputs\[0\]"):
        grad((x * 2.0).sum(), [Tensor(positive(2), requires_grad=True)])
    with pytest.raises(ValueError, match="gradient must have shape"):
        grad(x * 2.0, [x], gradient=Tensor(positive(2)))
    with pytest.raises(TypeError, match="float32, got float64"):
        Tensor(np.zeros(3))
    with pytest.raises(TypeError, match="unsupported operand"):
        x * {}


def test_numbers_of_any_kind_are_factors() -> None:
    x = Tensor(positive(3))
    for two in (2, 2.0, np.float32(2), np.float64(2), np.int64(2)):
        for product in (x * two, two * x):
            np.testing.assert_array_equal(product.numpy(), 2 * x.numpy())


def test_dlpack_of_views() -> None:
    matrix = Tensor(np.arange(12, dtype="float32").reshape(3, 4))
    view = Tensor(matrix.data[::2, 1:].T)
    np.testing.assert_array_equal(np.from_dlpack(view), view.data)
    assert np.shares_memory(np.from_dlpack(view), matrix.data)
    with pytest.raises(BufferError, match="negative strides"):
        np.from_dlpack(Tensor(matrix.data[::-1]))


def test_dlpack_keeps_what_must_not_be_written() -> None:
    values = positive(3)
    values.flags.writeable = False
    shared = np.from_dlpack(Tensor(values))
    assert not shared.flags.writeable
    assert np.shares_memory(shared, values)
    assert not Tensor(shared).data.flags.writeable


def test_dlpack_with_torch() -> None:
    torch = pytest.importorskip("torch")
    view = Tensor(np.arange(12, dtype="float32").reshape(3, 4)[:, ::2].T)
    there = torch.from_dlpack(view)
    assert there.stride() == (2, 4)
    assert there.tolist() == view.data.tolist()
    there[0, 0] = 7.0
    assert view.data[0, 0] == 7.0
    back = Tensor(there.T)
    assert np.shares_memory(back.data, view.data)
    np.testing.assert_array_equal(back.data, view.data.T)
    assert Tensor(torch.ones(1, 3).expand(4, 3)).data.strides == (0, 4)


def test_dlpack_with_jax() -> None:
    jnp = pytest.importorskip("jax.numpy")
    values = jnp.arange(6.0).reshape(2, 3)
    x = Tensor(values)
    assert not x.data.flags.writeable
    np.testing.assert_array_equal(jnp.from_dlpack(x * 2.0), values * 2.0)


def test_dlpack_shares_memory() -> None:
    x = Tensor(positive(3))
    shared = np.from_dlpack(x)
    assert np.shares_memory(shared, x.data)
    assert np.shares_memory(Tensor(shared).data, x.data)
