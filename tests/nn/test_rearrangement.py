"""Pooling, layout and embedding: gradients in double precision, and what the layers do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from curvature import loss_of, penalty_of
from double import in_double
from helpers import Array, assert_close, assert_gradient, draw

from ganengine import Tensor, grad, kernels, nn
from ganengine.nn import functional

LABELS = np.array([2, 0, 2, 1, 2], "int32")

OPERATIONS: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "concat": (lambda a, b: functional.concat([a, b]), [(2, 3, 2, 2), (2, 1, 2, 2)]),
    "concat rows": (lambda a, b, c: functional.concat([a, b, c], 0), [(2, 3), (1, 3), (2, 3)]),
    "concat last": (lambda a, b: functional.concat([a, b], -1), [(2, 3), (2, 2)]),
    "narrow": (lambda a: functional.narrow(a, 1, 2), [(2, 4, 3)]),
    "widen": (lambda a: functional.widen(a, 1, 5, axis=2), [(2, 2, 3)]),
    "append_planes": (functional.append_planes, [(2, 2, 3, 2), (2, 3)]),
    "pixel_shuffle": (lambda a: functional.pixel_shuffle(a, 2), [(2, 4, 2, 3)]),
    "pixel_unshuffle": (lambda a: functional.pixel_unshuffle(a, 2), [(2, 1, 2, 4)]),
    "embedding": (lambda a: functional.embedding(LABELS, a), [(3, 4)]),
    "avg_pool2d": (
        lambda a: functional.avg_pool2d(a, 3, stride=2, padding=1, ceil_mode=True),
        [(2, 2, 4, 5)],
    ),
    "max_pool2d": (lambda a: functional.max_pool2d(a, 3, stride=2, padding=1), [(2, 2, 4, 5)]),
    "sum over axes": (lambda a: a.sum(axis=(0, -1)), [(2, 3, 4)]),
    "mean over axes": (lambda a: a.mean(axis=(1, 2), keepdims=True), [(2, 3, 4)]),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients(name: str, order: int) -> None:
    operation, shapes = OPERATIONS[name]
    number = (loss_of, penalty_of)[order - 1]
    arrays = [draw(*shape, seed=seed) for seed, shape in enumerate(shapes)]

    def gradients(values: list[Array]) -> list[Array]:
        inputs = [Tensor(a, requires_grad=True) for a in values]
        return [g.data for g in grad(number(operation, inputs), inputs)]

    if name == "max_pool2d" and order == 2:
        with pytest.raises(NotImplementedError, match="max_pool2d has no second-order"):
            gradients(arrays)
        return
    with in_double():
        doubles = [a.astype("float64") for a in arrays]
        expected = gradients(doubles)

        def value() -> float:
            return number(operation, [Tensor(a, requires_grad=True) for a in doubles]).item()

        for want, at in zip(expected, doubles, strict=True):
            assert_gradient(want, value, at)
    for got, want in zip(gradients(arrays), expected, strict=True):
        assert_close(got, want, length=32, scale=8 * max(1.0, np.abs(want).max()))


def test_only_what_is_wanted_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a sum over label planes that nobody wants")

    x, labels = Tensor(draw(2, 1, 3, 3), requires_grad=True), Tensor(draw(2, 4))
    y = functional.append_planes(x, labels)
    monkeypatch.setattr(kernels, "sum", refuse)
    (dx,) = grad(y, [x], gradient=Tensor(np.ones(y.shape, "float32")))
    np.testing.assert_array_equal(dx.data, np.ones((2, 1, 3, 3)))


def test_embedding_gradients_go_straight_into_the_flat_buffer() -> None:
    layer = nn.Embedding(3, 4, rng=np.random.default_rng(0))
    layer.parameter_stores()
    for _ in range(2):
        layer(LABELS).sum().backward()
    assert layer.weight.grad.data is layer.weight.grad_buffer
    np.testing.assert_array_equal(layer.weight.grad.data[:, 0], [2, 2, 6])


def test_layers() -> None:
    x = Tensor(draw(2, 8, 6, 6))
    np.testing.assert_array_equal(nn.Flatten()(x).data, x.data.reshape(2, 288))
    np.testing.assert_array_equal(nn.Reshape(2, 4, 36)(x).data, x.data.reshape(2, 2, 4, 36))
    np.testing.assert_array_equal(nn.PixelShuffle(2)(x).data, kernels.pixel_shuffle(x.data, 2))
    pooled = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)(x)
    expected = kernels.max_pool2d(x.data, 3, stride=2, padding=1, ceil_mode=True)
    np.testing.assert_array_equal(pooled.data, expected)
    mean = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)(x)
    expected = kernels.avg_pool2d(x.data, 3, stride=2, padding=1, count_include_pad=False)
    np.testing.assert_array_equal(mean.data, expected)
    empty = Tensor(np.zeros((0, 8, 6, 6), "float32"))
    assert nn.Flatten()(empty).shape == (0, 288)
    assert nn.Reshape(288)(empty).shape == (0, 288)


def test_layers_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"x has shape \(2, 5\); its elements do not make \(2, 3"):
        nn.Reshape(2, 3)(Tensor(draw(2, 5)))
    with pytest.raises(ValueError, match="shape is 0"):
        nn.Reshape(2, 0)
    with pytest.raises(ValueError, match="scale is 0"):
        nn.PixelShuffle(0)
    with pytest.raises(ValueError, match="kernel_size is 0"):
        nn.AvgPool2d(0)
    with pytest.raises(ValueError, match="count is 0"):
        nn.Embedding(0, 3)
