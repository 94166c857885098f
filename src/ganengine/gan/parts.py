"""Parts of a system besides its networks and optimisers: averages, pools, constants."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganengine import backend, check, kernels
from ganengine.backend import Array, Shape
from ganengine.nn import Module
from ganengine.nn.store import ParameterStore
from ganengine.random import Counter, Generator
from ganengine.schedule import Scheduled, now
from ganengine.tensor import Tensor


class EMA:
    """An exponential moving average of a network, running statistics included.

    ``a <- d a + (1 - d) p`` after each step, with d = decay, at first less, so that a young average
    is not held back by the initial weights: d = min(decay, (1 + n) / (10 + n)) after n updates.

    Args:
        module: what is averaged.
        decay: a number in [0, 1] or :class:`ganengine.Scheduled`.
        warm_up: False takes ``decay`` from the first update on.

    ``ema(x)`` is what the averaged network, ``ema.network``, makes of x.

    Example:
        >>> from ganengine import EMA, nn
        >>> generator = nn.Dense(2, 3)
        >>> average = EMA(generator, decay=0.999)
        >>> average.update()
        >>> average.network
        Dense(2, 3, activation='linear')
    """

    def __init__(self, module: Module, decay: float | Scheduled, *, warm_up: bool = True):
        self.decay = (
            decay
            if isinstance(decay, Scheduled)
            else check.number("decay", decay, low=0.0, high=1.0)
        )
        self.warm_up = warm_up
        self.module = module
        self.network: Module = copy.deepcopy(module)
        twins = {
            id(own): twin
            for own, twin in zip(module.parameters(), self.network.parameters(), strict=True)
        }
        # Stored as the module is, so that an update is a kernel over each of its flat buffers.
        self._pairs = [
            (ParameterStore([twins[id(own)] for own in store.parameters]).values, store.values)
            for store in module.parameter_stores()
        ]
        self._pairs += zip(self.network.buffer_stores(), module.buffer_stores(), strict=True)
        self.updates = Counter(module.device)

    def __call__(self, x: Any, condition: Any = None) -> Tensor:
        network: Any = self.network
        result: Tensor = network(x) if condition is None else network(x, condition)
        return result

    def update(self) -> None:
        """Move the average towards the network as it is now."""
        for average, value in self._pairs:
            kernels.ema_step(
                average.flat,
                value.flat,
                decay=now(self.decay),
                step=self.updates.value if self.warm_up else None,
            )
        self.updates.take(1)

    def to(self, device: str) -> None:
        """Move the average, and the network, to ``"cpu"`` or ``"cuda"``."""
        self.module.to(device)
        self.network.to(device)
        self.updates.to(device)
        if isinstance(self.decay, Scheduled):
            self.decay.to(device)

    def arrays(self) -> list[Array]:
        """All arrays, for capture."""
        flat = [store.flat for pair in self._pairs for store in pair]
        rates = self.decay.arrays() if isinstance(self.decay, Scheduled) else []
        return [*flat, self.updates.value, *rates]

    def state(self) -> dict[str, Array]:
        """The averaged network's, and the number of updates."""
        return {**self.network.state(), "updates": self.updates.value}


class ImagePool:
    """Generated images of earlier steps for a discriminator to see (Shrivastava et al. 2017).

    It first fills up. From then on, with probability a half, an image that is stored is handed out
    and the new one takes its place; else the new one passes through. Stored images come in a random
    order in which each of them has its turn.

    Args:
        image_shape: of one image, (C, H, W).
        size: images that it holds.
        seed: of its choices; take ``system.new_seed()``.

    Example:
        >>> import numpy as np
        >>> from ganengine import ImagePool, Tensor
        >>> pool = ImagePool((1, 2, 2), size=50)
        >>> pool.query(Tensor(np.ones((3, 1, 2, 2), "float32"))).shape
        (3, 1, 2, 2)
    """

    def __init__(self, image_shape: Sequence[int], size: int = 50, *, seed: int = 0):
        self.image_shape: Shape = tuple(image_shape)
        self.size = check.integer("size", size, low=1)
        self.choices = Generator(seed)
        self.position = Counter()  # images that came
        self.images: Array = np.zeros((self.size, int(np.prod(self.image_shape))), "float32")
        self.count: Array = np.zeros(1, "float32")  # images that are stored

    def query(self, images: Tensor) -> Tensor:
        """What the discriminator is to see in place of ``images`` (B, C, H, W); no gradient."""
        if images.shape[1:] != self.image_shape:
            raise ValueError(f"images must be (B, *{self.image_shape}), got {images.shape}")
        handed = [
            self._exchange(Tensor(images.data[number : number + 1].reshape(1, -1)))
            for number in range(images.shape[0])
        ]
        together = kernels.concat([each.data for each in handed], axis=0)
        return Tensor(together.reshape(images.shape))

    def _exchange(self, new: Tensor) -> Tensor:
        """One image in, one out. Factors of 0 and 1 stand in for the choices, which live on the
        device; what they leave over is exact."""
        index = kernels.shuffled_indices(
            self.size,
            1,
            seed=self.choices.seed,
            position=self.position.take(1),
            device=self.choices.device,
        )
        stored = Tensor(kernels.embedding(index, self.images))
        count = Tensor(self.count)
        full = _is_positive(count - (self.size - 0.5))
        coin = _is_positive(Tensor(self.choices.uniform((1,), -1.0, 1.0)))
        handed_out = full * coin
        kept = handed_out + (1.0 - full)  # whether the new one takes the stored one's place
        for change in (stored * kept * -1.0, new * kept):
            kernels.embedding_backward(
                change.data, index, self.size, out=self.images, accumulate=True
            )
        kernels.binary("add", self.count, (1.0 - full).data, out=self.count)
        return stored * handed_out + new * (1.0 - handed_out)

    def to(self, device: str) -> None:
        """Move the pool to ``"cpu"`` or ``"cuda"``."""
        self.images = backend.to_device(self.images, device)
        self.count = backend.to_device(self.count, device)
        self.choices.to(device)
        self.position.to(device)

    def arrays(self) -> list[Array]:
        """All arrays, for capture."""
        return list(self.state().values())

    def state(self) -> dict[str, Array]:
        """The images, and where the choices stand."""
        return {
            "images": self.images,
            "count": self.count,
            "position": self.position.value,
            **{f"choices.{name}": array for name, array in self.choices.state().items()},
        }


class Constant:
    """An array that a step reads and that never changes, such as a filter or targets of a loss.

    Args:
        array: float32 or int32.
    """

    def __init__(self, array: Array):
        self.array = array

    @property
    def tensor(self) -> Tensor:
        """The array, for operations."""
        return Tensor(self.array)

    def to(self, device: str) -> None:
        """Move it to ``"cpu"`` or ``"cuda"``."""
        self.array = backend.to_device(self.array, device)

    def arrays(self) -> list[Array]:
        """All arrays, for capture."""
        return [self.array]

    def state(self) -> dict[str, Array]:
        """Nothing: the system makes it anew."""
        return {}


def _is_positive(x: Tensor) -> Tensor:
    """1 where x is above 0, else 0."""
    sign = kernels.unary("sign", x.data)
    return Tensor(kernels.activation(sign, "relu"))
