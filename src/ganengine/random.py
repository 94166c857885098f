"""Random streams whose position lives on the device, so that a replay needs nothing from here."""

from __future__ import annotations

import numpy as np

from ganengine import backend, kernels
from ganengine.backend import Array, Shape
from ganengine.kernels._launch import recorder
from ganengine.reference.random import Offset

_WORDS_PER_BLOCK = 4  # numbers that one Philox block gives


class Generator:
    """A stream of Philox4x32-10 numbers: a seed, and a counter that lives on the device.

    The same seed gives the same numbers on every device. Each draw takes the blocks that follow
    those of the draw before; in a captured program all draws of a replay are placed relative to the
    counter, which moves once, at the program's end.

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
        self.device = device
        self.counter = backend.to_device(np.zeros(1, "int64"), device)
        self._taken = 0

    def arrays(self) -> list[Array]:
        """The state, for capture and checkpoints."""
        return [self.counter]

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
        blocks = -(-count // _WORDS_PER_BLOCK)
        active = recorder()
        if active is None:
            start = int(self.counter[0])
            self.counter += blocks
            return start
        if self._taken == 0:
            active.at_end(self._advance)
        skip = self._taken
        self._taken += blocks
        return self.counter, skip

    def _advance(self) -> None:
        kernels.advance(self.counter, self._taken)
        self._taken = 0


def _size(shape: Shape) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size
