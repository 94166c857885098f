"""fit: train into a run folder, watched, and saved so that a kill costs little."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganengine import backend
from ganengine.gan import health
from ganengine.gan.trainer import Trainer
from ganengine.io.checkpoint import Checkpoint, CheckpointError, load
from ganengine.io.history import History
from ganengine.io.images import is_picture
from ganengine.io.plot import Curves
from ganengine.io.run import Run

_CHUNK_SECONDS = 0.2  # of training between two looks at the watcher: Ctrl-C must feel prompt
_SAMPLES = 100  # images in a grid
_WATCHED = 100  # steps that a look at the health averages over


class Watcher:
    """What hears of a run while it trains; every method does nothing unless overridden."""

    def trained(self, trainer: Trainer, history: NDArray[np.float32]) -> None:
        """Some steps were trained, at most a quarter of a second's; ``history`` has a row for each,
        with a column for each of the trainer's metrics."""

    def examined(self, trainer: Trainer, verdict: health.Health, samples: Path | None) -> None:
        """The health was checked, and perhaps a grid of samples written."""

    def saved(self, trainer: Trainer, path: Path) -> None:
        """A checkpoint was written."""


class Cadence(NamedTuple):
    """How many steps lie between two sample grids and between two checkpoints."""

    sample_every: int
    checkpoint_every: int


def cadence(steps: int, steps_per_epoch: int) -> Cadence:
    """What suits a run of ``steps`` steps: once an epoch, but at most a hundred times."""
    every = max(steps_per_epoch, -(-steps // 100))
    return Cadence(every, every)


def fit(
    trainer: Trainer,
    run: Run,
    steps: int,
    *,
    every: Cadence | None = None,
    watcher: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train until ``trainer.step`` is ``steps``, leaving metrics, samples, checkpoints in ``run``.

    It starts where the trainer stands: after :func:`restore` the files in the end are, byte for
    byte, those of a run that was never interrupted. What the metrics file holds beyond is cut off.

    Args:
        trainer: New, or restored.
        run: Where to write.
        steps: The step to stop after, counted from the beginning of the run.
        every: How often to write samples and checkpoints; by default :func:`cadence`.
        watcher: Hears what happens.
        stop: Asked several times a second; True ends the training early, with a checkpoint.

    Returns:
        Whether all steps were trained.

    Raises:
        ValueError: The run's metrics do not reach up to ``trainer.step``.
        OSError: A file cannot be written.

    Example:
        >>> import tempfile
        >>> from ganengine import Trainer
        >>> from ganengine.data import drawn_digits
        >>> from ganengine.io import Run
        >>> run = Run.create(tempfile.mkdtemp() + "/digits", {"seed": 0})
        >>> fit(Trainer("mlp-128", drawn_digits(200)), run, steps=3)
        True
        >>> sorted(path.name for path in run.folder.iterdir() if not path.name.startswith("."))
        ['checkpoints', 'config.json', 'losses.png', 'metrics.jsonl', 'samples']
    """
    watcher = watcher or Watcher()
    every = every or cadence(steps, trainer.steps_per_epoch)
    history = run.history(trainer.columns, trainer.step)
    if trainer.step == 0:
        _picture(trainer, run)
    chunk, saved = 1, trainer.step
    while trainer.step < steps and not stop():
        due = min(steps, *(trainer.step - trainer.step % period + period for period in every))
        chunk = _train(trainer, history, min(chunk, due - trainer.step), watcher)
        last = trainer.step == steps
        pictured = last or trainer.step % every.sample_every == 0
        if pictured or trainer.step % every.checkpoint_every == 0:
            verdict = health.check(trainer, history.values[-_WATCHED:])
            path = _picture(trainer, run) if pictured else None
            watcher.examined(trainer, verdict, path)
            if last or trainer.step % every.checkpoint_every == 0:
                _save(trainer, run, history, verdict, watcher)
                saved = trainer.step
    if saved != trainer.step:
        verdict = health.check(trainer, history.values[-_WATCHED:])
        watcher.examined(trainer, verdict, None)
        _save(trainer, run, history, verdict, watcher)
    return trainer.step >= steps


def restore(
    trainer: Trainer, run: Run, which: str = "latest", *, other_code: bool = False
) -> Checkpoint | None:
    """Put ``trainer`` where a checkpoint of ``run`` left off.

    If its process was killed just after it was written, what belongs to it is done now: it becomes
    the best one if it is healthy, and those that are too old are removed.

    Args:
        trainer: Of the system, the settings and the seed of the run.
        run: The run.
        which: ``"latest"``, the newest readable one, or ``"best"``, the newest healthy one.
        other_code: The user has said that the system's file may be another than then.

    Returns:
        The checkpoint, or None where the run has none yet: the trainer then stands at its
        beginning.

    Raises:
        CheckpointError: No checkpoint can be read, or it is not of this system and seed.
        OSError: The best one cannot be written.
    """
    found = run.checkpoints.best() if which == "best" else run.checkpoints.latest()
    if found is not None:
        _check_same(found, trainer, run, other_code)
        load_weights(trainer, found)
        _settle(run, found)
    return found


def load_weights(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Give ``trainer`` the state that ``checkpoint`` holds.

    Raises:
        CheckpointError: It holds the state of other networks.
    """
    try:
        trainer.load_state_dict(checkpoint.arrays)
    except ValueError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error


def _settle(run: Run, found: Checkpoint) -> None:
    """Finish the save of the newest checkpoint, if a kill came before its end."""
    checkpoints = run.checkpoints
    steps = checkpoints.steps()
    if not steps or found.path != checkpoints.path(steps[-1]):
        return  # the newest is damaged, or not where to go on from: none that is older may go now
    healthy = not found.metadata.get("problems")
    stale = healthy and _step(checkpoints.best_path) < steps[-1]
    if stale or len(steps) > checkpoints.keep:
        checkpoints.settle(found.path, best=stale)


def _step(path: Path) -> int:
    """The step of a checkpoint, or -1 where there is none that can be read."""
    try:
        return load(path).entry("step", int)
    except CheckpointError:
        return -1


def identity(trainer: Trainer, run: Run) -> dict[str, Any]:
    """What a checkpoint must agree on with the trainer that continues from it, as JSON reads it."""
    frozen = {
        path: _digest(part.state())
        for path, part in trainer.system.parts().items()
        if getattr(part, "frozen", False)
    }
    found: dict[str, Any] = json.loads(
        json.dumps(
            {
                "system": trainer.system.name,
                "settings": trainer.system.settings(),
                "seed": trainer.seed,
                "code": run.config.get("code"),  # the hash of the file that the system is from
                "frozen": frozen,
            }
        )
    )
    return found


def _check_same(checkpoint: Checkpoint, trainer: Trainer, run: Run, other_code: bool) -> None:
    """Raise CheckpointError, with what differs, if a checkpoint is of another training."""
    then, now = _flat(checkpoint.metadata), _flat(identity(trainer, run))
    changed = [
        f"{name} was {then.get(name)!r}, is {now.get(name)!r}"
        for name in dict.fromkeys((*now, *then))
        if then.get(name) != now.get(name) and not (other_code and name == "code")
    ]
    if changed:
        raise CheckpointError(f"{checkpoint.path}: of another training: {'; '.join(changed)}")


def _train(trainer: Trainer, history: History, steps: int, watcher: Watcher) -> int:
    """Train ``steps`` steps; returns how many to train next, by how long these took."""
    start = time.perf_counter()
    values = trainer.train_rows(steps)
    seconds = time.perf_counter() - start
    history.append(values)
    watcher.trained(trainer, values)
    return max(1, min(4 * steps, int(steps * _CHUNK_SECONDS / max(seconds, 1e-9))))


def _picture(trainer: Trainer, run: Run) -> Path | None:
    """Write a grid of samples, if they are pictures."""
    samples = trainer.sample(_SAMPLES)
    return run.save_samples(trainer.step, samples) if is_picture(samples.shape[1:]) else None


def _save(
    trainer: Trainer, run: Run, history: History, verdict: health.Health, watcher: Watcher
) -> None:
    history.sync()  # the checkpoint relies on these lines
    metadata = {
        **identity(trainer, run),
        "data": run.config.get("data"),
        "step": trainer.step,
        "problems": verdict.problems,
    }
    state = trainer.state_dict()
    # Before the checkpoint: of the last one, a run that resumes has no more steps to plot after.
    run.save_plot(_panels(dict(zip(trainer.columns, history.values.T, strict=True))))
    path = run.checkpoints.save(trainer.step, state, metadata, healthy=verdict.ok)
    watcher.saved(trainer, path)


def _panels(metrics: Mapping[str, NDArray[np.float32]]) -> Mapping[str, Curves]:
    """The metrics as a plot shows them: losses, and below them the others."""
    panels: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, values in metrics.items():
        title = "losses" if "loss" in name else "other metrics"
        panels.setdefault(title, {})[name.replace("_", " ")] = values
    return {title: panels[title] for title in sorted(panels)} or {"losses": {}}


def _digest(state: Mapping[str, Any]) -> str:
    sha = hashlib.sha256()
    for name, array in state.items():
        host = backend.to_device(array, "cpu")
        sha.update(json.dumps([name, host.dtype.str, host.shape]).encode())
        sha.update(np.ascontiguousarray(host).data)
    return sha.hexdigest()


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Entries by path: ``settings.lr``."""
    flat: dict[str, Any] = {}
    for name in ("system", "settings", "seed", "code", "frozen"):
        value = identity.get(name)
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat
