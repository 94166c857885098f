"""The tape in double precision, where finite differences are sharp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ganengine import Tensor, backend, kernels, reference


@contextmanager
def in_double() -> Iterator[None]:
    """Tensors take float64 arrays, and the reference runs in place of the kernels."""

    def init(self: Tensor, data: Any, *, requires_grad: bool = False, node: Any = None) -> None:
        self.data, self.node, self.requires_grad = backend.as_array(data), node, requires_grad
        self.grad_buffer = self._grad = None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "__init__", init)
        for name in kernels.__all__:
            patch.setattr(kernels, name, getattr(reference, name))
        yield
