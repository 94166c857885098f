"""Optimisers: each updates the networks it was given, a kernel over the flat buffers of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganengine import backend, check, kernels
from ganengine.backend import Array
from ganengine.nn.module import Module
from ganengine.nn.store import ParameterStore, parameter_stores
from ganengine.schedule import Scheduled, now
from ganengine.tape import no_grad
from ganengine.tensor import Tensor

Rate = float | Scheduled


class Optimizer:
    """What all optimisers share: the flat stores of the modules they are given, and ``minimize``.

    Two optimisers may be given the same module, as an argument of its own to each.
    """

    def __init__(self, *modules: Module):
        if not modules:
            raise ValueError("modules are missing: an optimiser needs at least one network")
        for number, module in enumerate(modules):
            if not isinstance(module, Module):
                got = type(module).__name__
                raise TypeError(f"modules[{number}] must be a network of ganengine.nn, got {got}")
            if not module.parameters():
                raise ValueError(f"modules[{number}] has no parameters: {module!r}")
            if any(not parameter.requires_grad for parameter in module.parameters()):
                raise ValueError(f"modules[{number}] is frozen: {module!r}")
        self._stores = parameter_stores(module.named_parameters() for module in modules)
        self.device = self._stores[0].values.device
        for store in self._stores:
            store.to(self.device)
        self._zero = backend.to_device(np.zeros(1, "float32"), self.device)

    @property
    def parameters(self) -> list[Tensor]:
        """The parameters that are updated."""
        return [parameter for store in self._stores for parameter in store.parameters]

    def zero_grad(self) -> None:
        """Forget the gradients of the parameters."""
        for parameter in self.parameters:
            parameter.zero_grad()

    def minimize(self, loss: Tensor) -> None:
        """One update that lowers ``loss``: its gradients in these networks alone, then a step.

        Args:
            loss: a scalar. A parameter that it does not depend on has a gradient of zero.

        Raises:
            ValueError: ``loss`` is no scalar, or depends on no parameter of these networks.
        """
        self.zero_grad()
        loss.backward(inputs=self.parameters)
        self.step()

    def step(self) -> None:
        """Update the parameters from the gradients that they have; zero where they have none.

        Raises:
            ValueError: no parameter has a gradient.
        """
        without = [parameter for parameter in self.parameters if parameter.grad is None]
        if len(without) == len(self.parameters):
            raise ValueError("no parameter has a gradient: the loss does not depend on any")
        for parameter in without:
            zeros = backend.xp(self._zero).broadcast_to(self._zero, (parameter.size,))
            kernels.unary("copy", zeros, out=parameter.claim_grad_buffer().reshape(-1))
        start = 0
        for number, store in enumerate(self._stores):
            self._update(store, slice(start, start + store.size), number)
            start += store.size

    def gradients(self) -> list[Array]:
        """The flat buffers that hold the gradients."""
        return [store.gradients.flat for store in self._stores]

    def to(self, device: str) -> None:
        """Move the networks and all state to ``"cpu"`` or ``"cuda"``."""
        for store in self._stores:
            store.to(device)
        self._zero = backend.to_device(self._zero, device)
        for name, array in self.state().items():
            setattr(self, name, backend.to_device(array, device))
        for rate in self._scheduled():
            rate.to(device)
        self.device = backend.use_device(device)

    def arrays(self) -> list[Array]:
        """All arrays, for capture."""
        flat = [
            array for store in self._stores for array in (store.values.flat, store.gradients.flat)
        ]
        rates = [array for rate in self._scheduled() for array in rate.arrays()]
        return [*flat, *self.state().values(), self._zero, *rates]

    def state(self) -> dict[str, Array]:
        """What a continuation needs besides the networks, by attribute."""
        raise NotImplementedError

    def _update(self, store: ParameterStore, part: slice, number: int) -> None:
        """Update store ``number``, whose numbers are ``part`` of the optimiser's own arrays."""
        raise NotImplementedError

    def _zeros(self) -> Array:
        """An array of zeros with a number for each number in the stores."""
        zeros = backend.aligned_empty(sum(store.size for store in self._stores) * 4)
        zeros[...] = 0
        return backend.to_device(zeros.view("float32"), self.device)

    def _scheduled(self) -> Iterator[Scheduled]:
        yield from (value for value in vars(self).values() if isinstance(value, Scheduled))


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), with the bias correction of the paper.

    ``g <- g + weight_decay p``,
    ``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``,
    ``p <- p - lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)``.

    Args:
        modules: networks, whose parameters are updated in place.
        lr: learning rate.
        beta1, beta2: decay of the moments.
        eps: added to the denominator.
        weight_decay: of an L2 penalty on all parameters.

    ``lr``, ``beta1`` and ``beta2`` are numbers or :class:`ganengine.Scheduled`.

    Raises:
        TypeError, ValueError: a module or a rate does not fit, or modules hold only a part of what
            another optimiser stores together.

    Example:
        >>> import numpy as np
        >>> from ganengine import Adam, Tensor, nn
        >>> layer, x = nn.Dense(2, 1), Tensor(np.eye(2, dtype="float32"))
        >>> optimizer = Adam(layer, lr=0.1)
        >>> for _ in range(100):
        ...     optimizer.minimize((layer(x) ** 2).mean())
        >>> bool(abs(layer(x).numpy()).max() < 0.1)
        True
    """

    def __init__(
        self,
        *modules: Module,
        lr: Rate = 1e-3,
        beta1: Rate = 0.9,
        beta2: Rate = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        self.lr = _rate("lr", lr)
        self.beta1 = _rate("beta1", beta1, below=1.0)
        self.beta2 = _rate("beta2", beta2, below=1.0)
        self.eps = check.number("eps", eps, low=0.0)
        self.weight_decay = check.number("weight_decay", weight_decay, low=0.0)
        super().__init__(*modules)
        self.m, self.v = self._zeros(), self._zeros()
        steps = np.zeros(len(self._stores), "int64")  # done, of each store
        self.steps = backend.to_device(steps, self.device)

    def state(self) -> dict[str, Array]:
        return {"m": self.m, "v": self.v, "steps": self.steps}

    def _update(self, store: ParameterStore, part: slice, number: int) -> None:
        kernels.adam_step(
            store.values.flat,
            store.gradients.flat,
            self.m[part],
            self.v[part],
            self.steps[number : number + 1],
            lr=now(self.lr),
            beta1=now(self.beta1),
            beta2=now(self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
        )


class SGD(Optimizer):
    """Stochastic gradient descent with momentum: ``u <- momentum u + g``, ``p <- p - lr u``.

    Args:
        modules: networks, whose parameters are updated in place.
        lr: learning rate.
        momentum: in [0, 1).

    Both rates are numbers or :class:`ganengine.Scheduled`.
    """

    def __init__(self, *modules: Module, lr: Rate, momentum: Rate = 0.0):
        self.lr = _rate("lr", lr)
        self.momentum = _rate("momentum", momentum, below=1.0)
        super().__init__(*modules)
        self.velocity = self._zeros()

    def state(self) -> dict[str, Array]:
        return {"velocity": self.velocity}

    def _update(self, store: ParameterStore, part: slice, number: int) -> None:
        kernels.sgd_step(
            store.values.flat,
            store.gradients.flat,
            self.velocity[part],
            lr=now(self.lr),
            momentum=now(self.momentum),
        )


class RMSProp(Optimizer):
    """RMSProp (Tieleman and Hinton 2012, lecture 6.5), in PyTorch's form.

    ``v <- alpha v + (1 - alpha) g^2``, ``p <- p - lr g / (sqrt(v) + eps)``.

    Args:
        modules: networks, whose parameters are updated in place.
        lr: learning rate, a number or :class:`ganengine.Scheduled`.
        alpha: decay of the mean square v, which begins at 0.
        eps: added to the denominator, above 0.

    Example:
        >>> import numpy as np
        >>> from ganengine import RMSProp, Tensor, nn
        >>> layer, x = nn.Dense(2, 1), Tensor(np.eye(2, dtype="float32"))
        >>> optimizer = RMSProp(layer, lr=0.01)
        >>> for _ in range(200):
        ...     optimizer.minimize((layer(x) ** 2).mean())
        >>> bool(abs(layer(x).numpy()).max() < 0.1)
        True
    """

    def __init__(self, *modules: Module, lr: Rate = 1e-2, alpha: float = 0.99, eps: float = 1e-8):
        self.lr = _rate("lr", lr)
        self.alpha = check.number("alpha", alpha, low=0.0, high=1.0)
        self.eps = check.number("eps", eps, low=0.0, open_low=True)
        super().__init__(*modules)
        self.square = self._zeros()

    def state(self) -> dict[str, Array]:
        return {"square": self.square}

    def _update(self, store: ParameterStore, part: slice, number: int) -> None:
        """Written in tensors: the rewrites of a captured step make one kernel of it."""
        square = self.square[part]
        with no_grad():
            g, v = Tensor(store.gradients.flat), Tensor(square)
            new = v * self.alpha + g * g * (1.0 - self.alpha)
            kernels.unary("copy", new.data, out=square)
            move = self.lr * (g / (v.sqrt() + self.eps))
        kernels.binary("subtract", store.values.flat, move.data, out=store.values.flat)


def _rate(name: str, value: Rate, below: float = float("inf")) -> Rate:
    if isinstance(value, Scheduled):
        return value
    return check.number(name, value, low=0.0, high=below, open_high=below < float("inf"))
