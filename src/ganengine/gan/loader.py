"""Loader: batches of data that live on the device, all columns from one shuffled position."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from ganengine import kernels
from ganengine.backend import Array
from ganengine.random import Counter
from ganengine.tensor import Tensor


class Batch(SimpleNamespace):
    """The columns of a batch by name: ``batch.image``, ``batch.label``."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the loader draws {', '.join(vars(self))}, but not {name!r}")


class Loader:
    """Draws batches, shuffled anew each epoch; made by :meth:`ganengine.System.loader`.

    Args:
        columns: name to array (N, ...) on the device: uint8 for images, float32 for vectors, int32
            for labels; None where a system was started without data.
        batch_size: rows of a batch.
        seed: of the order.
        value_range: what uint8's 0 and 255 become.
        device: where the columns live.
    """

    def __init__(
        self,
        columns: Mapping[str, Array] | None,
        *,
        batch_size: int,
        seed: int,
        value_range: tuple[float, float],
        device: str,
    ):
        self.columns = None if columns is None else dict(columns)
        self.batch_size = batch_size
        self.seed = seed
        self.value_range = value_range
        self.position = Counter(device)  # rows drawn so far

    def __len__(self) -> int:
        """Rows of the data set; 0 where there are no data."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @property
    def batches(self) -> int:
        """Whole batches in the data set, at least 1; 1 where there are no data, only samples."""
        return 1 if self.columns is None else max(1, len(self) // self.batch_size)

    def next(self, **out: Array) -> Batch:
        """The next batch: a Tensor for each column, and an int32 array for labels.

        Args:
            out: by column, where to write; new arrays for the others.
        """
        if self.columns is None:
            raise RuntimeError("no data: the Trainer was given none")
        place = self.position.take(self.batch_size)
        low, high = self.value_range
        batch = Batch()
        for name, data in self.columns.items():
            options: dict[str, Any] = {
                "seed": self.seed,
                "position": place,
                "out": out.get(name),
            }
            if data.dtype == "uint8":
                options |= {"scale": (high - low) / 255.0, "shift": low}
                drawn = Tensor(kernels.gather_shuffled(data, self.batch_size, **options))
            else:
                drawn = kernels.take_shuffled(data, self.batch_size, **options)
                if data.dtype == "float32":
                    drawn = Tensor(drawn)
            setattr(batch, name, drawn)
        return batch

    def arrays(self) -> list[Array]:
        """All arrays, for capture."""
        return [self.position.value, *(self.columns or {}).values()]

    def state(self) -> dict[str, Array]:
        """How far the data were used."""
        return {"position": self.position.value}
