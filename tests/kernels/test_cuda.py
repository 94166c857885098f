"""What is particular to CUDA: arrays of other libraries, streams, mixed devices, precisions."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import parity
import pytest
from devices import OnCuda
from helpers import draw

from ganengine import backend, reference
from ganengine import kernels as on_arrays

pytestmark = pytest.mark.cuda_only


def there(*shape: int, seed: int = 0) -> Any:
    return backend.to_device(draw(*shape, seed=seed), "cuda")


def test_every_kernel_agrees_with_the_reference_on_the_device() -> None:
    parity.compare(OnCuda(), 33, 65, judge=OnCuda(reference))


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_products_in_lower_precision(precision: str) -> None:
    before = backend.precision()
    backend.set_precision(precision)
    try:
        parity.compare(OnCuda(), 131, 217, precision=precision)
    finally:
        backend.set_precision(before)


def test_results_stay_on_the_device() -> None:
    x, weight = there(7, 5), there(3, 5, seed=1)
    y = on_arrays.dense(x, weight)
    assert backend.device_of(y) == "cuda"
    np.testing.assert_allclose(y.get(), x.get() @ weight.get().T, rtol=1e-5, atol=1e-6)
    out = there(7, 3, seed=2)
    assert on_arrays.dense(x, weight, out=out) is out
    np.testing.assert_array_equal(out.get(), y.get())


def test_mixed_devices_are_refused() -> None:
    with pytest.raises(ValueError, match="weight is on cpu, the other arrays on cuda"):
        on_arrays.dense(there(7, 5), draw(3, 5))


def test_the_current_stream_is_used() -> None:
    cupy = importlib.import_module("cupy")
    if not hasattr(cupy.cuda, "Stream"):
        pytest.skip("the executor has no streams")
    x, weight = draw(512, 512), draw(512, 512, seed=1, spread=0.02)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        assert backend.stream() == stream.ptr
        y, on_device = cupy.asarray(x), cupy.asarray(weight)
        for _ in range(20):  # each waits for the one before, in this stream alone
            y = on_arrays.dense(y, on_device, activation="tanh")
        y = y.get()
    for _ in range(20):
        x = np.tanh(x @ weight.T)
    np.testing.assert_allclose(y, x, atol=1e-5)


def test_torch_in_and_out() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("PyTorch finds no GPU")
    x = torch.randn(3, 4, device="cuda")
    y = on_arrays.activation(x, "tanh")
    torch.testing.assert_close(torch.from_dlpack(y), torch.tanh(x))
    assert torch.from_dlpack(y).data_ptr() == backend.address(y)
    transposed = on_arrays.matmul(x.T, torch.eye(3, device="cuda"))
    torch.testing.assert_close(torch.from_dlpack(transposed), x.T.contiguous())
    param = torch.zeros(5, device="cuda")
    on_arrays.sgd_step(param, torch.ones_like(param), torch.zeros_like(param), lr=0.5)
    assert param.tolist() == [-0.5] * 5


def test_jax_in() -> None:
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("JAX finds no GPU")
    x = jax.numpy.arange(12, dtype="float32").reshape(3, 4)
    y = on_arrays.affine(x, scale=2.0, shift=1.0)
    assert backend.device_of(y) == "cuda"
    np.testing.assert_array_equal(y.get(), np.asarray(x) * 2 + 1)
