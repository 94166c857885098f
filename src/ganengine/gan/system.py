"""System: a GAN that owns its step, in one dataclass."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np

from ganengine import backend, kernels
from ganengine.backend import Array
from ganengine.data import Dataset
from ganengine.gan.loader import Loader
from ganengine.nn import Module, evaluating
from ganengine.nn.functional.softmax import largest
from ganengine.nn.module import members
from ganengine.random import Generator
from ganengine.tape import no_grad
from ganengine.tensor import Tensor

Step = Callable[..., Any]
AnyStep = TypeVar("AnyStep", bound=Step)


@runtime_checkable
class Part(Protocol):
    """What a system is built of: networks, optimisers, averages, loaders, pools."""

    def arrays(self) -> list[Array]:
        """Every array that a step reads or writes, for capture."""

    def state(self) -> dict[str, Array]:
        """What a checkpoint holds, by name."""


class _Sampling(threading.local):
    noise: Generator | None = None


_sampling = _Sampling()


@contextmanager
def sampling(noise: Generator) -> Iterator[None]:
    """A block in which systems sample on this thread: noise from ``noise``, no state is touched."""
    before, _sampling.noise = _sampling.noise, noise
    try:
        with evaluating(), no_grad():
            yield
    finally:
        _sampling.noise = before


def every(steps: int) -> Callable[[AnyStep], AnyStep]:
    """Mark a method as a further step, which runs with each ``steps``-th training step.

    It runs after :meth:`System.train_step` of steps 1, 1 + steps, 1 + 2 steps … and returns metrics
    of its own, which are missing in between, or None.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; it must be at least 1")

    def mark(method: AnyStep) -> AnyStep:
        method.every = steps  # type: ignore[attr-defined]
        return method

    return mark


class System:
    """A GAN: a dataclass whose fields are its settings, with three methods.

    ``build`` makes networks, optimisers and loaders as attributes, or lists of them; ``train_step``
    is captured once and then replayed without Python; ``sample`` makes images. docs/recipe.md
    explains an example line by line.
    """

    # What a class, or with a field a setting, may say otherwise:
    name: ClassVar[str] = ""  # as a recipe; by default the class's own in small letters
    default_data: str = "mnist"  # "" where there is no usual one
    image_shape: tuple[int, int, int] = (1, 28, 28)  # to which folders of images are brought
    epochs: int = 12  # that it trains

    _engine: _Engine | None = None

    def __init_subclass__(cls) -> None:
        if not cls.__dict__.get("name"):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    # What a user writes

    def build(self) -> None:
        """Make the parts, as attributes of the system."""
        raise NotImplementedError(f"{type(self).__name__} has no build method")

    def train_step(self) -> Mapping[str, Any]:
        """One training step; returns its metrics, scalars by name."""
        raise NotImplementedError(f"{type(self).__name__} has no train_step method")

    def sample(self, count: int) -> Tensor:
        """``count`` images (count, C, H, W), in the range of the loader's."""
        raise NotImplementedError(f"{type(self).__name__} has no sample method")

    def problems(self, metrics: Mapping[str, float]) -> list[str]:
        """What the mean metrics of the latest steps tell of a training in trouble, in words."""
        return []

    # What a user calls

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self._started.seed

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"cuda"``."""
        return self._started.device

    def rng(self) -> np.random.Generator:
        """A new random generator for initial weights; each call gives another."""
        return np.random.default_rng([self.seed, next(self._started.streams)])

    def new_seed(self) -> int:
        """A seed for a part that draws numbers of its own; each call gives another."""
        return int(self.rng().integers(2**63))

    def loader(
        self,
        *columns: str,
        batch_size: int,
        value_range: tuple[float, float] = (-1.0, 1.0),
        source: str = "data",
        limit: int | None = None,
    ) -> Loader:
        """Draws batches of some columns of the data.

        Args:
            columns: such as ``"image"`` and ``"label"``.
            batch_size: rows of a batch.
            value_range: what black and white become.
            source: which data set, where the system has several.
            limit: use only the first so many rows.

        Raises:
            ValueError: the data have no such source or column, or images of another shape.
        """
        return self._started.loader(self, columns, batch_size, value_range, source, limit)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal noise."""
        return Tensor(self._noise.normal(shape))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Noise uniform on [low, high)."""
        return Tensor(self._noise.uniform(shape, low, high))

    def random_labels(self, count: int, classes: int) -> Tensor:
        """Random labels as rows with a single 1, float32 (count, classes); all are as probable."""
        noise = self.uniform(count, classes)
        behind = kernels.binary("subtract", largest(noise, 1).data, noise.data)
        return 1.0 - Tensor(kernels.unary("sign", behind))

    def labels(self, count: int, classes: int, label: int | None = None) -> Array:
        """Labels to sample: all ``label``, or 0, 1, 2 … in turn if None; int32 (count,).

        Raises:
            ValueError: there is no such label.
        """
        if label is not None and not 0 <= label < classes:
            raise ValueError(f"label is {label}; {self.name} has labels 0 to {classes - 1}")
        chosen = np.arange(count) % classes if label is None else np.full(count, label)
        return backend.to_device(chosen.astype("int32"), self.device)

    # What the engine calls

    def start(
        self, data: Mapping[str, Dataset] | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        """Build the parts, on ``device``. A system is started once, by its Trainer.

        Raises:
            TypeError: its class has fields, but is no dataclass.
            RuntimeError: it was started before.
        """
        settings_of(type(self))
        if self._engine is not None:
            raise RuntimeError(f"{self.name} was started already; make a new one for each Trainer")
        self._engine = _Engine(data, seed, device)
        self.build()
        for part in self.parts().values():
            if isinstance(part, Module):
                part.use_generator(self._engine.noise)
            if hasattr(part, "to"):
                part.to(device)

    def settings(self) -> dict[str, Any]:
        """The values of the fields."""
        return {name: getattr(self, name) for name in settings_of(type(self))}

    def parts(self) -> dict[str, Part]:
        """All that the step uses, by path: ``generator``, ``optimizers.1``; ``noise`` is last."""
        settings = settings_of(type(self))
        own = {name: value for name, value in vars(self).items() if name not in settings}
        found = {path: part for path, part in members(own) if isinstance(part, Part)}
        if "noise" in found:
            raise ValueError("noise is the name of the system's own generator; choose another")
        return {**found, "noise": self._started.noise}

    def phases(self) -> dict[str, tuple[int, Step]]:
        """The further steps: by name, after how many steps each runs, and the method."""
        names = dict.fromkeys(name for kind in reversed(type(self).__mro__) for name in vars(kind))
        return {
            name: (method.every, getattr(self, name))
            for name in names
            if hasattr(method := getattr(type(self), name), "every")
        }

    def state(self) -> dict[str, Array]:
        """What a bit-exact continuation needs, by path: ``generator.0.weight``; as it lies."""
        state: dict[str, Array] = {}
        seen: set[int] = set()
        for path, part in self.parts().items():
            if getattr(part, "frozen", False):
                continue
            for name, array in part.state().items():
                address = backend.address(array)
                if address not in seen or not array.size:  # a shared network is saved once
                    seen.add(address)
                    state[f"{path}.{name}"] = array
        return state

    @property
    def _started(self) -> _Engine:
        if self._engine is None:
            raise RuntimeError(f"{self.name} is not started: give it to a Trainer")
        return self._engine

    @property
    def _noise(self) -> Generator:
        return _sampling.noise or self._started.noise


class _Engine:
    """What a started system has besides its own parts."""

    def __init__(self, data: Mapping[str, Dataset] | None, seed: int, device: str):
        self.data = data
        self.seed = seed
        self.device = device
        self.noise = Generator(seed, device)
        self.streams = iter(range(2**63))  # of initial weights
        self.loaders: list[tuple[Loader, Dataset | None]] = []
        self.needs: dict[str, tuple[str, ...]] = {}  # by source, the columns that are drawn
        self._resident: dict[tuple[str, str], Array] = {}

    def loader(
        self,
        system: System,
        columns: tuple[str, ...],
        batch_size: int,
        value_range: tuple[float, float],
        source: str,
        limit: int | None,
    ) -> Loader:
        if not columns:
            raise ValueError("columns are missing: such as 'image'")
        self.needs[source] = tuple(dict.fromkeys((*self.needs.get(source, ()), *columns)))
        dataset = None if self.data is None else self._source(source)
        # The first follows the seed itself, so that it draws what gather_shuffled does with it.
        stream = len(self.loaders)
        mixed = np.random.SeedSequence([self.seed, stream]).generate_state(1, np.uint64)[0]
        loader = Loader(
            None
            if dataset is None
            else {name: self._column(system, dataset, source, name)[:limit] for name in columns},
            batch_size=batch_size,
            seed=int(mixed) if stream else self.seed % 2**64,
            value_range=value_range,
            device=self.device,
        )
        self.loaders.append((loader, dataset))
        return loader

    def _source(self, name: str) -> Dataset:
        assert self.data is not None
        if name not in self.data:
            given = ", ".join(self.data)
            raise ValueError(
                f"the system learns from the data {name!r}; what was given is {given} (the command "
                f"line gives it with --data {name}=SPEC)"
            )
        return self.data[name]

    def _column(self, system: System, dataset: Dataset, source: str, name: str) -> Array:
        if name not in dataset.columns:
            raise ValueError(
                f"{system.name} learns from the column {name!r}, which {dataset.name} does not "
                f"have; it has {', '.join(dataset.columns)}"
            )
        array = dataset.columns[name]
        if array.shape[2:] == (28, 28) and system.image_shape == (array.shape[1], 32, 32):
            array = np.pad(array, ((0, 0), (0, 0), (2, 2), (2, 2)))  # digits with a black border
        if array.dtype == "uint8" and array.ndim == 4 and array.shape[1:] != system.image_shape:
            raise ValueError(
                f"{system.name} learns images of shape {system.image_shape}; "
                f"those of {dataset.name} have shape {array.shape[1:]} (a class says with "
                "image_shape what it learns)"
            )
        if (source, name) not in self._resident:
            if array.dtype.kind in "iu" and array.dtype != "uint8":
                array = array.astype("int32")
            self._resident[source, name] = backend.to_device(
                np.ascontiguousarray(array), self.device
            )
        return self._resident[source, name]


def settings_of(system: type[System]) -> dict[str, dataclasses.Field[Any]]:
    """The fields of a system's class by name.

    Raises:
        TypeError: it declares fields, but is no dataclass.
    """
    for kind in system.__mro__:
        declared = [
            name
            for name, annotation in vars(kind).get("__annotations__", {}).items()
            if "ClassVar" not in str(annotation)
        ]
        if kind is not System and declared and "__dataclass_fields__" not in vars(kind):
            raise TypeError(f"{kind.__name__} has fields ({declared[0]}), but no @dataclass above")
    if not dataclasses.is_dataclass(system):
        return {}
    return {field.name: field for field in dataclasses.fields(system)}
