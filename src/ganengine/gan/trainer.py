"""Trainer: captures a system's step once, and replays it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganengine import backend, check, kernels
from ganengine.backend import Array
from ganengine.capture import capture
from ganengine.data import Dataset
from ganengine.gan.find import recipe
from ganengine.gan.losses import Probability
from ganengine.gan.system import Step, System, sampling
from ganengine.gan.turns import Turns
from ganengine.program import Program
from ganengine.random import Counter, Generator
from ganengine.schedule import Scheduled
from ganengine.tensor import Tensor

Data = Any  # images (N, C, H, W) uint8, a Dataset, or several of these by the name of their source

_HISTORY = 1024  # steps that the device remembers between two reads
_SECONDS = 0.05  # of training at a stretch: then a signal, or a thread that samples, has its turn
_BATCH = 1000  # images that are sampled at once


class Trainer:
    """A system in training: one captured step, replayed.

    Everything a step needs lives on the device: the data as bytes, the random stream, the
    optimisers' state, the place in the shuffled data, the history of metrics.

    Args:
        system: what to train, a :class:`System` or the name of a recipe.
        data: images, uint8 (N, C, H, W), or a :class:`ganengine.data.Dataset`; for a system that
            learns from several, a dict of these by source. None: for sampling only.
        seed: of the initial weights, the noise, dropout and the order of the data.
        device: ``"cpu"`` or ``"cuda"``; ``"cuda:1"`` makes that device this thread's current one.

    A trainer may train in one thread and sample in others: samples are drawn between two steps.

    Raises:
        TypeError, ValueError: the data are not what the system learns from; the message says why.

    Example:
        >>> from ganengine import Trainer
        >>> from ganengine.data import drawn_digits
        >>> trainer = Trainer("mlp-128", drawn_digits(200), seed=1)
        >>> list(trainer.train(2))
        ['d_loss', 'g_loss', 'd_real', 'd_fake']
        >>> trainer.sample(5).shape
        (5, 1, 28, 28)
    """

    def __init__(
        self, system: System | str, data: Data = None, *, seed: int = 0, device: str = "cpu"
    ):
        self.system = recipe(system)() if isinstance(system, str) else system
        if not isinstance(self.system, System):
            got = type(system).__name__
            raise TypeError(f"system must be a System or the name of a recipe, got {got}")
        self.data = None if data is None else _sources(data)
        self.seed = check.seed(seed)
        self.device = backend.use_device(device)
        self.step = 0
        self.system.start(self.data, seed=seed, device=self.device)
        self._schedules = _schedules(self.system)
        self._done = Counter(self.device)  # steps
        self._turns = Turns()
        self._phases = [
            _Phase(name, every, method, Counter(self.device))
            for name, (every, method) in self.system.phases().items()
        ]
        self.columns: tuple[str, ...] = ()
        self.probabilities: frozenset[str] = frozenset()  # columns from 0 to 1
        self.occasional: frozenset[str] = frozenset()  # columns of steps that run now and then
        self._program: Program | None = None
        self._pace = 1.0  # seconds a step, roughly
        if self.data is not None or not self.system._started.loaders:
            self._capture()

    @property
    def program(self) -> Program:
        """The captured training step."""
        if self._program is None:
            raise RuntimeError(f"no data: this Trainer of {self.system.name} can only sample")
        return self._program

    @property
    def needs(self) -> dict[str, tuple[str, ...]]:
        """The columns that the system learns from, by source."""
        return self.system._started.needs

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which the system sees its first loader's data once."""
        for loader, _ in self.system._started.loaders[:1]:
            rows = self.program.moves(loader.position.value)
            return max(1, len(loader) // max(rows, 1))
        return 1

    @property
    def data_spread(self) -> float:
        """How much a pixel differs from image to image in the data, in units of its range."""
        for _, dataset in self.system._started.loaders:
            if dataset is not None and "image" in dataset.columns:
                some = dataset.images[:1000] / np.float32(255)
                return max(float(some.std(axis=0).mean()), 1e-6)
        return 1.0

    def train(self, steps: int) -> dict[str, NDArray[np.float32]]:
        """Take ``steps`` training steps.

        Ctrl-C ends it after a whole step; what was trained stays, and training may go on.

        Returns:
            The metrics by name, float32 (steps,) each; NaN where a step did not measure one.

        Raises:
            RuntimeError: there are no data.
            ValueError: ``steps`` is negative.
        """
        values = self.train_rows(steps)
        return {name: values[:, column] for column, name in enumerate(self.columns)}

    def train_rows(self, steps: int) -> NDArray[np.float32]:
        """As :meth:`train`; the metrics as float32 (steps, columns)."""
        if steps < 0:
            raise ValueError(f"steps is {steps}; it must be at least 0")
        program, begin, end = self.program, self.step, self.step + steps
        history = np.empty((steps, len(self.columns)), "float32")
        read = begin
        try:
            while self.step < end:
                with self._turns.training():
                    self._run_phases()  # of a step after which training was interrupted
                    self._set_schedules(self.step)
                    count = self._stretch(end)
                    started = time.perf_counter()
                    program.run(count)
                    self.step += count
                    self._run_phases()
                    backend.synchronize(self.device)
                    self._pace = (time.perf_counter() - started) / count
                if self.step == end or self.step - read > _HISTORY // 2:
                    history[read - begin : self.step - begin] = self._rows(read)
                    read = self.step
        finally:
            # An interrupted replay has taken whole steps, and the device knows how many.
            self.step = int(self._done.value[0])
        return history

    def run_eagerly(self, steps: int) -> None:
        """Take steps without the captured program, operation by operation: slow, for looking in."""
        for _ in range(steps):
            with self._turns.training():
                self._set_schedules(self.step)
                self._write(self.system.train_step())
                self.step += 1
                for phase in self._phases:
                    if phase.is_due(self.step):
                        phase.eager(self)

    def sample(
        self, count: int, *, seed: int = 0, raw: bool = False, **condition: Any
    ) -> NDArray[np.float32]:
        """Generate images, without touching any state of the training.

        Args:
            count: how many; they are made a thousand at a time.
            seed: of the noise; the same seed gives the same images.
            raw: leave them in the system's own range, instead of [0, 1].
            condition: what a conditional system's ``sample`` takes, such as ``label=7``.

        Returns:
            float32 (count, C, H, W) on the host.

        Raises:
            ValueError: ``count`` is negative, or the system takes no such condition.
            TypeError: the system's ``sample`` gives no such images.
        """
        parts = list(self.sample_parts(count, seed=seed, raw=raw, **condition))
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def sample_parts(
        self, count: int, *, seed: int = 0, raw: bool = False, **condition: Any
    ) -> Iterator[NDArray[np.float32]]:
        """The images of :meth:`sample`, a part at a time, for more than memory holds."""
        if count < 0:
            raise ValueError(f"count is {count}; it must be at least 0")
        self._check_condition(condition)
        noise = Generator(seed, self.device)
        for start in range(0, max(count, 1), _BATCH):
            size = min(_BATCH, count - start)
            with self._turns.looking(), sampling(noise):
                images = self.system.sample(size, **condition)
                if not isinstance(images, Tensor) or images.shape[:1] != (size,):
                    got = getattr(images, "shape", type(images).__name__)
                    raise TypeError(
                        f"sample of {self.system.name} must give a Tensor of {size} images, "
                        f"got {got}"
                    )
                values: NDArray[np.float32] = np.array(images.numpy())
            if not raw:
                low, high = self.value_range
                values = np.clip((values - low) / (high - low), 0.0, 1.0)
            yield values

    @property
    def value_range(self) -> tuple[float, float]:
        """What black and white are for the system: the range of its first loader."""
        loaders = self.system._started.loaders
        return loaders[0][0].value_range if loaders else (0.0, 1.0)

    def state_dict(self) -> dict[str, Array]:
        """Everything that a bit-exact continuation needs, as NumPy arrays (copies)."""
        with self._turns.looking():
            state = self._state()
            return {name: np.array(backend.to_device(a, "cpu")) for name, a in state.items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            ValueError: a name, shape or dtype does not fit; nothing was changed.
        """
        own = self._state()
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if missing or unknown:
            raise ValueError(
                f"state does not fit {self.system.name}: missing {_few(missing)}, "
                f"unknown {_few(unknown)}"
            )
        for name, array in own.items():
            if state[name].shape != array.shape or state[name].dtype != array.dtype:
                raise ValueError(
                    f"state[{name!r}] must be {array.dtype} {array.shape}, "
                    f"got {state[name].dtype} {state[name].shape}"
                )
        with self._turns.looking():
            for name, array in own.items():
                backend.write(array, state[name])
            self.step = int(self._done.value[0])

    def _state(self) -> dict[str, Array]:
        phases = {f"phases.{phase.name}": phase.runs.value for phase in self._phases}
        return {**self.system.state(), **phases, "steps_done": self._done.value}

    def _capture(self) -> None:
        """Capture the step and the phases; which metrics there are is known only then."""
        step = self.system.train_step
        self.columns = tuple(self._captured_metrics(step))
        own = len(self.columns)
        for phase in self._phases:
            phase.first = len(self.columns)
            phase.columns = tuple(self._captured_metrics(phase.method))
            if known := set(phase.columns) & set(self.columns):
                raise ValueError(f"{phase.name} returns the metric {known.pop()!r} of another step")
            self.columns += phase.columns
        self.occasional = frozenset(self.columns[own:])
        self.history = backend.to_device(
            np.full((_HISTORY, max(len(self.columns), 1)), np.nan, "float32"), self.device
        )
        state = [*self.system.parts().values(), self._done, self.history]
        state += [phase.runs for phase in self._phases]
        self._program = capture(lambda: self._write(step()), state)
        for phase in self._phases:
            phase.program = capture(lambda phase=phase: phase.eager(self), state)  # type: ignore[misc]

    def _captured_metrics(self, step: Step) -> Mapping[str, Any]:
        """The metrics that a step returns; it is recorded for that, and the record thrown away."""
        found: dict[str, Any] = {}
        capture(lambda: found.update(step() or {}), self.system.parts().values(), rewrites=())
        self.probabilities |= {n for n, value in found.items() if isinstance(value, Probability)}
        return _checked(found)

    def _write(self, metrics: Mapping[str, Any]) -> None:
        """Write a row of the history: the step's own metrics, NaN for those of its phases."""
        values = [metrics.get(name) for name in self.columns]
        self._record(values, 0, self._done.take(1))

    def _record(self, values: Sequence[Any], first: int, position: Any) -> None:
        if values:
            kernels.record(
                [_array(value) for value in values],
                self.history,
                position,
                column=first,
                probabilities=[n for n, v in enumerate(values) if isinstance(v, Probability)],
            )

    def _run_phases(self) -> None:
        for phase in self._phases:
            if phase.is_due(self.step):
                assert phase.program is not None
                self._set_schedules(self.step - 1)  # a new trainer that resumes has not done so
                phase.program.run(1)

    def _stretch(self, end: int) -> int:
        """How many steps to take at once: until something is due, or some time has passed."""
        most = max(1, min(end - self.step, _HISTORY // 2, int(_SECONDS / max(self._pace, 1e-6))))
        for phase in self._phases:
            most = min(most, phase.steps_until_due(self.step))
        schedules = [(each, each.schedule(self.step)) for each in self._schedules]
        for count in range(1, most):
            if any(each.schedule(self.step + count) != value for each, value in schedules):
                return count
        return most

    def _set_schedules(self, step: int) -> None:
        for scheduled in self._schedules:
            scheduled.set(step)

    def _rows(self, first: int) -> Array:
        """The history of the steps from ``first`` on."""
        rows = np.arange(first, self.step) % _HISTORY
        return backend.to_device(self.history, "cpu")[rows][:, : len(self.columns)]

    def _check_condition(self, condition: Mapping[str, Any]) -> None:
        known = list(inspect.signature(self.system.sample).parameters)[1:]
        for name, value in condition.items():
            if name not in known:
                words = f"only {', '.join(known)}" if known else "nothing"
                raise ValueError(
                    f"{name} is {value}; {self.system.name} has no {name}s to choose from: its "
                    f"sample takes {words} besides the count"
                )


class _Phase:
    """A further step, its captured program, and how often it ran."""

    def __init__(self, name: str, every: int, method: Step, runs: Counter):
        self.name = name
        self.every = every
        self.method = method
        self.runs = runs
        self.first = 0  # of its columns in the history
        self.columns: tuple[str, ...] = ()
        self.program: Program | None = None
        self._seen: tuple[int, int] | None = None

    def is_due(self, steps_done: int) -> bool:
        """Whether it must run now: with the first step, and then each ``every``-th."""
        return int(self.runs.value[0]) < -(-steps_done // self.every)

    def steps_until_due(self, steps_done: int) -> int:
        return -steps_done % self.every + 1

    def eager(self, trainer: Trainer) -> None:
        metrics = self.method() or {}
        # The row of the step before, for the counter has moved on.
        position: Any = (trainer._done.value, _HISTORY - 1)
        trainer._record([metrics[name] for name in self.columns], self.first, position)
        self.runs.take(1)


def _sources(data: Data) -> dict[str, Dataset]:
    given = data if isinstance(data, Mapping) else {"data": data}
    if not given:
        raise ValueError("data is an empty dict; it must have a data set for each source")
    return {
        name: each if isinstance(each, Dataset) else Dataset.of(image=each)
        for name, each in given.items()
    }


def _checked(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, value in metrics.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"a metric is called {name!r}; its name must be an identifier")
        if not isinstance(value, Probability) and getattr(value, "size", 0) != 1:
            got = getattr(value, "shape", type(value).__name__)
            raise TypeError(f"the metric {name} must be a Tensor with one number, got {got}")
    return metrics


def _schedules(system: System) -> list[Scheduled]:
    """The numbers of a system that follow a schedule: its own, and those of its parts."""
    owners = [vars(system), *(getattr(part, "__dict__", {}) for part in system.parts().values())]
    found = [value for owner in owners for value in owner.values() if isinstance(value, Scheduled)]
    return list(dict.fromkeys(found))


def _array(value: Any) -> Array | None:
    if value is None:
        return None
    return value.logits if isinstance(value, Probability) else value.data


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6]) or "nothing"
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
