"""Module: a part of a network, with its parameters and buffers in flat storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ganengine import backend
from ganengine.backend import Array
from ganengine.random import Generator
from ganengine.tensor import Tensor

_ALIGNMENT = 16  # floats: each parameter starts on a cache line


class FlatStore:
    """One contiguous buffer for many arrays, which become views of it.

    Gaps between the views, from alignment, stay zero, so that whole-buffer kernels (Adam, EMA) may
    run over them.
    """

    def __init__(self, arrays: list[Array], device: str):
        sizes = [-(-array.size // _ALIGNMENT) * _ALIGNMENT for array in arrays]
        flat = backend.aligned_empty(sum(sizes) * 4).view("float32")
        flat[...] = 0.0
        self.flat: Array = backend.to_device(flat, device)
        self.views: list[Array] = []
        start = 0
        for array, size in zip(arrays, sizes, strict=True):
            view = self.flat[start : start + array.size].reshape(array.shape)
            view[...] = backend.to_device(array, device)
            self.views.append(view)
            start += size


class Module:
    """Base of all layers: names its tensors, moves, saves and loads them.

    A subclass sets attributes: a Tensor is a parameter, an array is a buffer (state that is saved
    but not trained), a Module is a part.
    """

    training = True

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def forward(self, x: Tensor) -> Tensor:
        """What the layer computes."""
        raise NotImplementedError

    def children(self) -> Iterator[tuple[str, Module]]:
        """The parts, with their names."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def modules(self) -> Iterator[Module]:
        """This module and all parts of parts."""
        yield self
        for _, child in self.children():
            yield from child.modules()

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor, named as in :meth:`state_dict`."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                yield prefix + name, value
        for name, child in self.children():
            yield from child.named_parameters(f"{prefix}{name}.")

    def parameters(self) -> list[Tensor]:
        """Every trainable tensor."""
        return [parameter for _, parameter in self.named_parameters()]

    def _buffer_places(self, prefix: str = "") -> Iterator[tuple[str, Module, str]]:
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) or backend.is_cupy(value):
                yield prefix + name, self, name
        for name, child in self.children():
            yield from child._buffer_places(f"{prefix}{name}.")

    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        """Every array that is saved but not trained, such as running statistics."""
        for name, owner, attribute in self._buffer_places():
            yield name, getattr(owner, attribute)

    def parameter_count(self) -> int:
        """The number of trainable numbers."""
        return sum(parameter.size for parameter in self.parameters())

    def train(self, mode: bool = True) -> Module:
        """Switch to training (or, with False, evaluation) behaviour."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch to evaluation behaviour."""
        return self.train(False)

    def use_generator(self, generator: Generator) -> None:
        """Draw all random numbers of this network (dropout) from ``generator``."""
        for module in self.modules():
            if hasattr(module, "generator"):
                module.generator = generator

    @property
    def device(self) -> str:
        """Where the parameters live."""
        return next((p.device for p in self.parameters()), "cpu")

    def to(self, device: str) -> Module:
        """Move parameters and buffers to ``"cpu"`` or ``"cuda"``; forgets gradients."""
        self._flatten(device)
        return self

    def flat(self) -> tuple[FlatStore, FlatStore, FlatStore]:
        """Parameters, gradients and buffers, each as one contiguous store.

        The first call moves them there; from then on the tensors and buffers are views.
        """
        if "_flat" not in self.__dict__:
            self._flatten(self.device)
        stores: tuple[FlatStore, FlatStore, FlatStore] = self.__dict__["_flat"]
        return stores

    def _flatten(self, device: str) -> None:
        parameters = self.parameters()
        values = FlatStore([p.data for p in parameters], device)
        gradients = FlatStore([np.zeros(p.shape, "float32") for p in parameters], device)
        for parameter, value, gradient in zip(
            parameters, values.views, gradients.views, strict=True
        ):
            parameter.data = value
            parameter.grad_buffer = gradient
            parameter.zero_grad()
        places = list(self._buffer_places())
        buffers = FlatStore([getattr(owner, name) for _, owner, name in places], device)
        for (_, owner, name), buffer in zip(places, buffers.views, strict=True):
            setattr(owner, name, buffer)
        self.__dict__["_flat"] = (values, gradients, buffers)

    def arrays(self) -> list[Array]:
        """All state, for capture."""
        return [store.flat for store in self.flat()]

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def state_dict(self) -> dict[str, Array]:
        """Every parameter and buffer by name, as NumPy arrays (copies)."""
        named = [(name, p.data) for name, p in self.named_parameters()] + list(self.named_buffers())
        return {name: np.array(backend.to_device(array, "cpu")) for name, array in named}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy values in from :meth:`state_dict`'s form.

        Raises:
            ValueError: a name is missing or unknown, or a shape differs; nothing was changed.
        """
        own = {name: p.data for name, p in self.named_parameters()} | dict(self.named_buffers())
        missing, unknown = own.keys() - state.keys(), state.keys() - own.keys()
        if missing or unknown:
            raise ValueError(
                f"state does not fit: missing {sorted(missing)}, unknown {sorted(unknown)}"
            )
        for name, array in own.items():
            shape = tuple(np.shape(state[name]))
            if shape != tuple(array.shape):
                raise ValueError(f"state[{name!r}] must have shape {array.shape}, got {shape}")
        for name, array in own.items():
            array[...] = backend.to_device(backend.as_array(state[name]), backend.device_of(array))
