"""Module: a part of a network, with its parameters and buffers in flat storage."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ganengine import backend
from ganengine.backend import Array
from ganengine.nn.store import FlatStore, ParameterStore, parameter_stores
from ganengine.random import Generator
from ganengine.tensor import Tensor


class _Mode(threading.local):
    evaluating = False


_mode = _Mode()


@contextmanager
def evaluating() -> Iterator[None]:
    """A ``with`` block in which all networks evaluate on this thread, whatever their own mode is.

    Batch norm uses its running statistics and moves none, dropout lets all pass. No network is
    changed, so that another thread may train the same ones.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, nn
        >>> layer = nn.Dropout(0.5)
        >>> with nn.evaluating():
        ...     layer(Tensor(np.ones(3, "float32")))
        Tensor([1., 1., 1.])
    """
    before, _mode.evaluating = _mode.evaluating, True
    try:
        yield
    finally:
        _mode.evaluating = before


class Module:
    """Base of all layers: names its tensors, moves, saves and loads them.

    A subclass sets attributes: a Tensor is a parameter, an array is a buffer (state that is saved
    but not trained), a Module is a part; so are those in a list, a tuple or a dict.

    A layer that takes a condition (a label, a text, an image) as its second argument sets
    ``conditional = True``; :class:`Sequential` then hands it on.
    """

    conditional = False
    frozen = False  # by freeze()
    _training = True

    def __deepcopy__(self, memo: dict[int, Any]) -> Module:
        """A network of its own with the same weights, which draws from the same generators."""
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        for name, value in vars(self).items():
            if name != "_buffers":
                shared = isinstance(value, Generator)
                twin.__dict__[name] = value if shared else copy.deepcopy(value, memo)
        return twin

    @property
    def training(self) -> bool:
        """Whether the layer is in training mode, and this thread not :func:`evaluating`."""
        return self._training and not _mode.evaluating

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def forward(self, x: Tensor) -> Tensor:
        """What the layer computes."""
        raise NotImplementedError

    def children(self) -> Iterator[tuple[str, Module]]:
        """The parts, with their names."""
        for name, value in members(vars(self)):
            if isinstance(value, Module):
                yield name, value

    def modules(self) -> Iterator[Module]:
        """This module and all parts of parts."""
        yield self
        for _, child in self.children():
            yield from child.modules()

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every trainable tensor, named as in :meth:`state_dict`."""
        for name, value in members(vars(self)):
            if isinstance(value, Tensor):
                yield prefix + name, value
        for name, child in self.children():
            yield from child.named_parameters(f"{prefix}{name}.")

    def parameters(self) -> list[Tensor]:
        """Every trainable tensor."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Array]]:
        """Every array that is saved but not trained, such as running statistics."""
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) or backend.is_cupy(value):
                yield prefix + name, value
        for name, child in self.children():
            yield from child.named_buffers(f"{prefix}{name}.")

    def parameter_count(self) -> int:
        """The number of trainable numbers."""
        return sum(parameter.size for parameter in self.parameters())

    def train(self, mode: bool = True) -> Module:
        """Switch to training (or, with False, evaluation) behaviour."""
        for module in self.modules():
            module._training = mode
        return self

    def eval(self) -> Module:
        """Switch to evaluation behaviour."""
        return self.train(False)

    def freeze(self) -> Module:
        """Keep the parameters as they are: no gradients in them, and none of them in checkpoints.

        For a network that was trained elsewhere, such as one whose features a loss compares. A
        checkpoint names it by a hash of its weights.
        """
        for parameter in self.parameters():
            parameter.requires_grad = False
        self.frozen = True
        return self

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
        """Move parameters and buffers to ``"cpu"`` or ``"cuda"``; forgets gradients.

        A parameter that is stored with others, by an optimiser of a larger network, takes those
        along.
        """
        for parameters in self._parameter_stores():
            parameters.to(device)
        for buffers in self.buffer_stores():
            buffers.to(device)
        return self

    def parameter_stores(self) -> list[ParameterStore]:
        """The flat buffers of exactly this network's parameters; made at the first call.

        Raises:
            ValueError: they are stored together with those of another network.
        """
        return parameter_stores([self.named_parameters()])

    def buffer_stores(self) -> list[FlatStore]:
        """The flat buffers of what is saved but not trained; made at the first call."""
        owners = [module for module in self.modules() if any(module._own_buffers())]
        loose = [owner for owner in owners if "_buffers" not in vars(owner)]
        places = [(owner, name) for owner in loose for name in owner._own_buffers()]
        if places:
            store = FlatStore(places, self.device)
            for owner in loose:
                owner.__dict__["_buffers"] = store
        return list(dict.fromkeys(owner.__dict__["_buffers"] for owner in owners))

    def _own_buffers(self) -> Iterator[str]:
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) or backend.is_cupy(value):
                yield name

    def _parameter_stores(self) -> list[ParameterStore]:
        """The stores in which the parameters are, with those of other networks or without."""
        loose = [parameter for parameter in self.parameters() if parameter.store is None]
        if loose:
            ParameterStore(list(dict.fromkeys(loose)))
        return list(dict.fromkeys(parameter.store for parameter in self.parameters()))

    def arrays(self) -> list[Array]:
        """All state, for capture."""
        stores = self._parameter_stores()
        flat = [array for store in stores for array in (store.values.flat, store.gradients.flat)]
        return [*flat, *(store.flat for store in self.buffer_stores())]

    def state(self) -> dict[str, Array]:
        """Every parameter and buffer by name, as they lie: a change of them is the network's."""
        return {name: p.data for name, p in self.named_parameters()} | dict(self.named_buffers())

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def state_dict(self) -> dict[str, Array]:
        """Every parameter and buffer by name, as NumPy arrays (copies)."""
        return {n: np.array(backend.to_device(array, "cpu")) for n, array in self.state().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy values in from :meth:`state_dict`'s form.

        Raises:
            ValueError: a name is missing or unknown, or a shape differs; nothing was changed.
        """
        own = self.state()
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
            backend.write(array, backend.as_array(state[name]))


def members(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Attributes with their names, those in lists, tuples and dicts one by one: ``blocks.0``."""
    for name, value in attributes.items():
        if isinstance(value, list | tuple):
            yield from members({f"{name}.{place}": each for place, each in enumerate(value)})
        elif isinstance(value, dict):
            yield from members({f"{name}.{key}": each for key, each in value.items()})
        else:
            yield name, value
