"""On a device whose CuPy can compile nothing: arrays are copied, taken and set all the same."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from devices import to_cuda

from ganengine import Tensor, backend, kernels, nn, strided
from ganengine.cli import doctor

pytestmark = pytest.mark.usefixtures("on_cuda")

VIEWS = {
    "transposed": lambda x: x.T,
    "every second": lambda x: x[:, ::2],
    "backwards": lambda x: x[::-1, ::-1],
    "repeated": lambda x: np.broadcast_to(x[:, None], (4, 3, 6)),
    "empty": lambda x: x[:0, ::2],
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64", "float64"])
def test_strided_arrays(view: str, dtype: str) -> None:
    expected = VIEWS[view](np.arange(24, dtype=dtype).reshape(4, 6))
    x = to_cuda(expected)
    y = strided.contiguous(x)
    assert y.flags.c_contiguous
    assert backend.is_cupy(y)
    assert y.dtype == dtype
    np.testing.assert_array_equal(backend.to_device(y, "cpu"), expected)
    np.testing.assert_array_equal(backend.to_device(x, "cpu"), expected)


def test_reshaped_tensors() -> None:
    x = np.arange(6, dtype="float32").reshape(2, 3).T
    np.testing.assert_array_equal(Tensor(to_cuda(x)).reshape(2, 3).numpy(), x.reshape(2, 3))


def test_indices_are_checked() -> None:
    items = to_cuda(np.zeros((3, 2), "uint8"))
    with pytest.raises(ValueError, match="indices go from -1 to 5; they can be 0 to 2"):
        kernels.gather(items, to_cuda(np.array([5, -1], "int32")), scale=1.0, shift=0.0)


@pytest.mark.parametrize("values", [7.0, np.full((3, 1, 2), 7.0), np.full((2, 1, 3), 7).T])
def test_written_arrays(values: object) -> None:
    array = to_cuda(np.zeros((3, 1, 2), "float32"))
    backend.write(array, values)
    backend.write(array, array)
    np.testing.assert_array_equal(array.get(), np.full((3, 1, 2), 7.0, "float32"))


def test_state_of_every_shape_is_loaded() -> None:
    """CuPy copies without a kernel only where no axis of size 1 comes first."""
    layer, other = (nn.Conv2d(1, 1, 3).to("cuda") for _ in range(2))
    layer.load_state_dict(other.state())
    np.testing.assert_array_equal(layer.weight.numpy(), other.weight.numpy())


def test_the_stand_in_refuses_what_compiles(on_cuda: ModuleType) -> None:
    x = to_cuda(np.ones((2, 3), "float32"))
    for operation in (
        lambda: x + 1,
        lambda: x.min(),
        lambda: x.astype("float64"),
        lambda: x.T.copy(),
        lambda: x.T.get(),
        lambda: on_cuda.concatenate([x, x]),
        lambda: x.T.reshape(-1),
    ):
        with pytest.raises(RuntimeError, match="compiles a kernel"):
            operation()
    with on_cuda.compiler():
        assert float((x + 1).min()) == 2.0


def test_the_doctor_runs_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._fault(0) == ""
    monkeypatch.setattr(kernels, "affine", lambda x, **_: x)
    assert doctor._fault(0) == "its result is wrong"
    monkeypatch.setattr(kernels, "affine", lambda x, **_: x[5000])
    assert "out of bounds" in doctor._fault(0)
