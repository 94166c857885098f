"""Arrays of other libraries go in and come out without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Array, draw

from ganengine import Tensor, backend, kernels

pytestmark = pytest.mark.cpu_only


class Exporter:
    """An array of a library of which only DLPack is known."""

    def __init__(self, array: Array):
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


class OnGpu:
    """An array on a GPU, in so far as its interface says."""

    __cuda_array_interface__ = {  # noqa: RUF012
        "shape": (2,),
        "typestr": "<f4",
        "data": (4096, False),
        "version": 3,
    }


def test_dlpack_in() -> None:
    x, weight = draw(3, 4), draw(5, 4, seed=1)
    y = kernels.dense(Exporter(x), Exporter(weight))
    assert isinstance(y, np.ndarray)
    np.testing.assert_array_equal(y, kernels.dense(x, weight))


def test_dlpack_images() -> None:
    x, weight, values = draw(2, 3, 6, 5), draw(4, 3, 3, 3, seed=1), draw(2, 4, seed=2)
    for name in ("conv2d", "upsample_conv2d"):
        kernel, backward = getattr(kernels, name), getattr(kernels, f"{name}_backward")
        y = kernel(x, weight)
        np.testing.assert_array_equal(kernel(Exporter(x), Exporter(weight)), y)
        ours = backward(y, x, weight, y)
        theirs = backward(*map(Exporter, (y, x, weight, y)))
        for actual, expected in zip(theirs, ours, strict=True):
            np.testing.assert_array_equal(actual, expected)
    y = kernels.conv_transpose2d(Exporter(x), Exporter(weight[:3]))
    np.testing.assert_array_equal(y, kernels.conv_transpose2d(x, weight[:3]))
    y = kernels.max_pool2d(Exporter(x), 2)
    np.testing.assert_array_equal(y, kernels.max_pool2d(x, 2))
    y = kernels.append_planes(Exporter(x), Exporter(values))
    np.testing.assert_array_equal(y, kernels.append_planes(x, values))
    labels = np.array([1, 0], "int32")
    y = kernels.embedding(Exporter(labels), Exporter(values))
    np.testing.assert_array_equal(y, values[labels])


def test_dlpack_in_place() -> None:
    param = np.zeros(3, "float32")
    kernels.ema_step(Exporter(param), np.ones(3, "float32"), decay=0.5)
    np.testing.assert_array_equal(param, 0.5)


def test_dlpack_views() -> None:
    x = draw(6, 4)
    np.testing.assert_array_equal(
        kernels.unary("copy", Exporter(x[::2].T)), kernels.unary("copy", x[::2].T)
    )


def test_dlpack_of_what_must_not_be_written() -> None:
    x = draw(3, 4)
    x.flags.writeable = False
    np.testing.assert_array_equal(
        kernels.activation(Exporter(x), "relu"), kernels.activation(x.copy(), "relu")
    )
    with pytest.raises(ValueError, match="average is written in place and must be writable"):
        kernels.ema_step(Exporter(x), draw(3, 4), decay=0.5)


def test_dlpack_views_in_place() -> None:
    with pytest.raises(ValueError, match="average is written in place and must be contiguous"):
        kernels.ema_step(Exporter(draw(6, 4)[::2]), draw(3, 4), decay=0.5)


def test_tensors_go_in() -> None:
    x, weight = draw(3, 4), draw(5, 4, seed=1)
    np.testing.assert_array_equal(kernels.dense(Tensor(x), weight), kernels.dense(x, weight))


def test_repeated_rows() -> None:
    torch = pytest.importorskip("torch")
    row, weight = draw(1, 4), draw(5, 4, seed=1)
    repeated = torch.from_numpy(row).expand(3, 4)
    np.testing.assert_array_equal(
        kernels.dense(repeated, weight), kernels.dense(np.repeat(row, 3, axis=0), weight)
    )


def test_dlpack_of_another_dtype() -> None:
    with pytest.raises(TypeError, match="x must be float32, got float64"):
        kernels.activation(Exporter(np.zeros(3)), "relu")


def test_torch_in_and_out() -> None:
    torch = pytest.importorskip("torch")
    x = torch.randn(3, 4)
    y = kernels.activation(x, "tanh")
    np.testing.assert_allclose(y, torch.tanh(x).numpy(), rtol=1e-6)
    back = torch.from_dlpack(y)
    assert back.data_ptr() == backend.address(y)
    transposed = kernels.matmul(x.T, torch.eye(3))
    np.testing.assert_array_equal(transposed, x.T.numpy())


def test_torch_in_place() -> None:
    torch = pytest.importorskip("torch")
    param, grad = torch.zeros(5), torch.ones(5)
    kernels.sgd_step(param, grad, torch.zeros(5), lr=0.5)
    assert param.tolist() == [-0.5] * 5


def test_torch_tensors_that_cannot_be_shared() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"x must be .*tensor\.detach\(\)"):
        kernels.activation(torch.zeros(3, requires_grad=True), "relu")
    with pytest.raises(TypeError, match=r"x must be .*no such array"):
        kernels.activation(torch.zeros(3, dtype=torch.bfloat16), "relu")


def test_arrays_on_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "cupy", lambda: None)
    with pytest.raises(RuntimeError, match="no CUDA device"):
        kernels.activation(OnGpu(), "relu")
