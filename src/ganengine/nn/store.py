"""Flat storage: many arrays as views of one buffer, so that one kernel serves them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ganengine import backend
from ganengine.backend import Array
from ganengine.tensor import Tensor

_ALIGNMENT = 16  # floats: each array starts on a cache line

Place = tuple[object, str]  # an object, and its attribute that holds an array


class FlatStore:
    """One contiguous float32 buffer, of which the arrays in ``places`` become views.

    Gaps between the views, from alignment, stay zero, so that whole-buffer kernels (Adam, EMA) may
    run over them.
    """

    def __init__(self, places: Sequence[Place], device: str):
        self.places = tuple(places)
        arrays = [getattr(owner, name) for owner, name in self.places]
        sizes = [-(-array.size // _ALIGNMENT) * _ALIGNMENT for array in arrays]
        self._starts = [sum(sizes[:number]) for number in range(len(sizes))]
        flat = backend.aligned_empty(sum(sizes) * 4).view("float32")
        flat[...] = 0.0
        for start, array in zip(self._starts, arrays, strict=True):
            flat[start : start + array.size] = backend.to_device(array, "cpu").reshape(-1)
        self.flat: Array = backend.to_device(flat, device)
        self._make_views()

    @property
    def device(self) -> str:
        return backend.device_of(self.flat)

    def to(self, device: str) -> None:
        """Move the buffer; the views follow."""
        if device != self.device:
            self.flat = backend.to_device(self.flat, device)
            self._make_views()

    def _make_views(self) -> None:
        for start, (owner, name) in zip(self._starts, self.places, strict=True):
            array = getattr(owner, name)
            setattr(owner, name, self.flat[start : start + array.size].reshape(array.shape))


class ParameterStore:
    """The values and the gradients of some parameters, each as one flat buffer."""

    def __init__(self, parameters: Sequence[Tensor]):
        self.parameters = tuple(parameters)
        device = self.parameters[0].device
        for parameter in self.parameters:
            parameter.store = self
            parameter.grad_buffer = np.zeros(parameter.shape, "float32")
            parameter.zero_grad()
        self.values = FlatStore([(parameter, "data") for parameter in self.parameters], device)
        self.gradients = FlatStore(
            [(parameter, "grad_buffer") for parameter in self.parameters], device
        )

    @property
    def size(self) -> int:
        """Numbers in the values' buffer, gaps included."""
        return int(self.values.flat.size)

    def to(self, device: str) -> None:
        """Move values and gradients; forgets the gradients."""
        self.values.to(device)
        self.gradients.to(device)
        for parameter in self.parameters:
            parameter.zero_grad()


def parameter_stores(groups: Iterable[Iterable[tuple[str, Tensor]]]) -> list[ParameterStore]:
    """The stores that hold the parameters of some modules; makes those that are not there yet.

    Args:
        groups: the named parameters of each module. Those of a module that have no store yet get
            one together. A parameter may be named in several modules.

    Raises:
        ValueError: a store holds parameters of these modules and others: what updates a store as a
            whole would change those too.
    """
    stores: list[ParameterStore] = []
    known: dict[int, str] = {}
    for group in groups:
        named = [(name, tensor) for name, tensor in group if id(tensor) not in known]
        known |= {id(tensor): name for name, tensor in named}
        loose = {id(tensor): tensor for _, tensor in named if tensor.store is None}
        if loose:
            ParameterStore(list(loose.values()))
        for _, tensor in named:
            if tensor.store not in stores:
                stores.append(tensor.store)
    for store in stores:
        inside = [known[id(tensor)] for tensor in store.parameters if id(tensor) in known]
        if len(inside) < len(store.parameters):
            raise ValueError(
                f"modules hold {inside[0]}, which is stored with {len(store.parameters)} "
                f"parameters, but only {len(inside)} of these: give whole modules to each "
                "optimiser, the parts that are shared as arguments of their own"
            )
    return stores
