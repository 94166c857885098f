"""fit: train a GAN into a run folder, watched, and saved so that a kill costs little."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganengine.gan import health
from ganengine.gan.trainer import GAN, METRICS
from ganengine.io.checkpoint import Checkpoint, CheckpointError
from ganengine.io.history import History
from ganengine.io.run import Run

_CHUNK_SECONDS = 0.2  # of training between two looks at the watcher: Ctrl-C must feel prompt
_SAMPLES = 100  # images in a grid
_WATCHED = 100  # steps that a look at the health averages over
_INERT = ("summary", "epochs", "data")  # entries of a recipe that a captured step does not see


class Watcher:
    """What hears of a run while it trains; every method does nothing unless overridden."""

    def trained(self, gan: GAN, history: NDArray[np.float32]) -> None:
        """Some steps were trained, at most a quarter of a second's; ``history`` is (steps, 4)."""

    def examined(self, gan: GAN, verdict: health.Health, samples: Path | None) -> None:
        """The health was checked, and perhaps a grid of samples written."""

    def saved(self, gan: GAN, path: Path) -> None:
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
    gan: GAN,
    images: NDArray[np.uint8],
    run: Run,
    steps: int,
    *,
    labels: NDArray[np.int64] | None = None,
    every: Cadence | None = None,
    watcher: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train until ``gan.step`` is ``steps``, leaving metrics, samples and checkpoints in ``run``.

    It starts where ``gan`` stands: after :func:`restore` the files in the end are, byte for byte,
    those of a run that was never interrupted. What the metrics file holds beyond is cut off.

    Args:
        gan: New, or restored.
        images: The data set, uint8 (N, C, H, W).
        run: Where to write.
        steps: The step to stop after, counted from the beginning of the run.
        labels: Of the images, (N,), for a conditional GAN.
        every: How often to write samples and checkpoints; by default :func:`cadence`.
        watcher: Hears what happens.
        stop: Asked several times a second; True ends the training early, with a checkpoint.

    Returns:
        Whether all steps were trained.

    Raises:
        TypeError, ValueError: ``images`` are not what the recipe trains on, or the run's metrics
            do not reach up to ``gan.step``.
        OSError: A file cannot be written.

    Example:
        >>> import tempfile
        >>> from ganengine import GAN, recipes
        >>> from ganengine.data import drawn_digits
        >>> from ganengine.io import Run
        >>> run = Run.create(tempfile.mkdtemp() + "/digits", {"seed": 0})
        >>> fit(GAN(recipes.get("mlp-128")), drawn_digits(200).images, run, steps=3)
        True
        >>> sorted(path.name for path in run.folder.iterdir())
        ['checkpoints', 'config.json', 'losses.png', 'metrics.jsonl', 'samples']
    """
    watcher = watcher or Watcher()
    every = every or cadence(steps, gan.recipe.steps_per_epoch(len(images)))
    gan.attach(images, labels)
    history = run.history(METRICS, gan.step)
    if gan.step == 0:
        run.save_samples(0, gan.sample(_SAMPLES))
    chunk, saved = 1, gan.step
    while gan.step < steps and not stop():
        due = min(steps, *(gan.step - gan.step % period + period for period in every))
        chunk = _train(gan, history, min(chunk, due - gan.step), watcher)
        last = gan.step == steps
        pictured = last or gan.step % every.sample_every == 0
        if pictured or gan.step % every.checkpoint_every == 0:
            verdict = health.check(gan, history.values[-_WATCHED:])
            path = run.save_samples(gan.step, gan.sample(_SAMPLES)) if pictured else None
            watcher.examined(gan, verdict, path)
            if last or gan.step % every.checkpoint_every == 0:
                _save(gan, run, history, verdict, watcher)
                saved = gan.step
    if saved != gan.step:
        verdict = health.check(gan, history.values[-_WATCHED:])
        watcher.examined(gan, verdict, None)
        _save(gan, run, history, verdict, watcher)
    return gan.step >= steps


def restore(gan: GAN, run: Run) -> Checkpoint | None:
    """Put ``gan`` where the newest readable checkpoint of ``run`` left off.

    Args:
        gan: A GAN of the recipe and seed of the run.
        run: The run.

    Returns:
        The checkpoint, or None where the run has none yet: ``gan`` then stands at its beginning.

    Raises:
        CheckpointError: No checkpoint can be read, or it is not of this recipe and seed.
    """
    found = run.checkpoints.latest()
    if found is not None:
        _check_same(found, gan)
        load_weights(gan, found)
    return found


def load_weights(gan: GAN, checkpoint: Checkpoint) -> None:
    """Give ``gan`` the state that ``checkpoint`` holds.

    Raises:
        CheckpointError: It holds the state of other networks.
    """
    try:
        gan.load_state_dict(checkpoint.arrays)
    except ValueError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from error


def _train(gan: GAN, history: History, steps: int, watcher: Watcher) -> int:
    """Train ``steps`` steps; returns how many to train next, by how long these took."""
    start = time.perf_counter()
    values = gan.train(steps)
    seconds = time.perf_counter() - start
    history.append(values)
    watcher.trained(gan, values)
    return max(1, min(4 * steps, int(steps * _CHUNK_SECONDS / max(seconds, 1e-9))))


def _save(gan: GAN, run: Run, history: History, verdict: health.Health, watcher: Watcher) -> None:
    history.sync()  # the checkpoint relies on these lines
    metadata = {
        **_identity(gan),
        "data": run.config.get("data"),
        "step": gan.step,
        "problems": verdict.problems,
    }
    path = run.checkpoints.save(gan.step, gan.state_dict(), metadata, healthy=verdict.ok)
    d_loss, g_loss, d_real, d_fake = history.values.T
    run.save_plot(
        {
            "Loss": {"discriminator": d_loss, "generator": g_loss},
            "What the discriminator says": {"D(x), real": d_real, "D(G(z)), generated": d_fake},
        }
    )
    watcher.saved(gan, path)


def _identity(gan: GAN) -> dict[str, Any]:
    """What a checkpoint must agree on with the GAN that continues from it, as JSON reads it."""
    config = {name: value for name, value in gan.recipe.config().items() if name not in _INERT}
    identity: dict[str, Any] = json.loads(json.dumps({"recipe": config, "seed": gan.seed}))
    return identity


def _check_same(checkpoint: Checkpoint, gan: GAN) -> None:
    then, now = checkpoint.metadata, _identity(gan)
    pairs = {"seed": (then.get("seed"), now["seed"])}
    old, new = then.get("recipe", {}), now["recipe"]
    pairs |= {
        f"recipe's {name}": (old.get(name), new.get(name)) for name in old.keys() | new.keys()
    }
    changed = [
        f"{name} was {before!r}, is {after!r}"
        for name, (before, after) in sorted(pairs.items())
        if before != after
    ]
    if changed:
        raise CheckpointError(f"{checkpoint.path}: of another training: {'; '.join(changed)}")
