"""Places in sequences that live on the device, so that a replay needs nothing from here."""

from __future__ import annotations

import numpy as np

from ganengine import backend, kernels
from ganengine.backend import Array, Shape
from ganengine.launch import recorder
from ganengine.reference.random import Offset

_WORDS_PER_BLOCK = 4  # numbers that one Philox block gives


class Counter:
    """How far a sequence was used: a number that lives on the device.

    Each :meth:`take` uses what follows the one before. In a captured program all of a replay's
    places are relative to the number, which moves once, at the program's end.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
    """

    def __init__(self, device: str = "cpu"):
        self.value = backend.to_device(np.zeros(1, "int64"), device)

    def arrays(self) -> list[Array]:
        """The state, for capture and checkpoints."""
        return [self.value]

    def state(self) -> dict[str, Array]:
        """What a continuation needs, by name."""
        return {"value": self.value}

    def to(self, device: str) -> None:
        """Move the number to ``"cpu"`` or ``"cuda"``."""
        self.value = backend.to_device(self.value, device)

    def take(self, count: int) -> Offset:
        """Use ``count`` places; returns the first, as kernels take it."""
        active = recorder()
        if active is None:
            start = int(self.value[0])
            kernels.advance((self.value, count))
            return start
        return self.value, active.take(self.value, count)


class Generator:
    """A stream of Philox4x32-10 numbers: a seed, and a counter that lives on the device.

    The same seed gives the same numbers on every device. Each draw takes the blocks that follow
    those of the draw before; in a captured program all draws of a replay are placed relative to the
    counter (see :class:`Counter`).

    Args:
        seed: 64 bits.
        device: where the counter lives and the numbers are made, ``"cpu"`` or ``"cuda"``.

    Example:
        >>> from ganengine import Generator
        >>> Generator(seed=1).uniform((2, 3), -1.0, 1.0).shape
        (2, 3)
    """

    def __init__(self, seed: int = 0, device: str = "cpu"):
        self.seed = seed % 2**64
        self.device = backend.use_device(device)
        self.blocks = Counter(self.device)  # of Philox, that were used

    def arrays(self) -> list[Array]:
        """The state, for capture and checkpoints."""
        return self.blocks.arrays()

    def state(self) -> dict[str, Array]:
        """What a continuation needs, by name."""
        return {"blocks": self.blocks.value}

    def to(self, device: str) -> None:
        """Move the counter to ``"cpu"`` or ``"cuda"``, and draw there from now on."""
        self.device = backend.use_device(device)
        self.blocks.to(self.device)

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0) -> Array:
        """Numbers uniform on [low, high), float32."""
        offset = self.take(_size(shape))
        return kernels.uniform(shape, low, high, seed=self.seed, offset=offset, device=self.device)

    def normal(self, shape: Shape) -> Array:
        """Standard normal numbers, float32."""
        offset = self.take(_size(shape))
        return kernels.normal(shape, seed=self.seed, offset=offset, device=self.device)

    def take(self, count: int) -> Offset:
        """Reserve ``count`` numbers: the ``offset`` that kernels.random takes."""
        return self.blocks.take(-(-count // _WORDS_PER_BLOCK))


def _size(shape: Shape) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size
