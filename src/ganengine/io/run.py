"""The run folder: everything that one training leaves on disk.

::

    config.json                              what is trained, on what, from which seed
    metrics.jsonl                            one line for each step
    losses.png                               the same as curves
    samples/step-00001000.png                what the generator draws from the same noise each time
    checkpoints/step-00001000.safetensors    the newest few, to resume from
    checkpoints/best.safetensors             the newest one from healthy training
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ganengine.io.atomic import atomic_file
from ganengine.io.checkpoints import Checkpoints
from ganengine.io.history import History
from ganengine.io.images import save_grid
from ganengine.io.plot import Curves, save_plot

_FORMAT = "ganengine-run"


class RunError(ValueError):
    """A folder that cannot be used as a run; the message says which and why."""


class Run:
    """One training's folder. Make it with :meth:`create`, or find it again with :meth:`open`.

    Example:
        >>> import tempfile
        >>> run = Run.create(tempfile.mkdtemp() + "/first", {"seed": 0})
        >>> Run.open(run.folder).config
        {'seed': 0}
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self.config = config
        self.checkpoints = Checkpoints(folder / "checkpoints", keep=config.get("keep", 3))

    @classmethod
    def create(cls, folder: str | os.PathLike[str], config: Mapping[str, Any]) -> Run:
        """Start a run in a folder that is new, or holds no run.

        Args:
            folder: Made with its parents.
            config: Anything that JSON can hold; ``keep`` is how many checkpoints to keep.

        Raises:
            RunError: The folder holds a run.
            OSError: It cannot be made.
        """
        run = cls(Path(folder), dict(config))
        if run._config_path.exists():
            raise RunError(f"{folder} holds a run already")
        run.folder.mkdir(parents=True, exist_ok=True)
        run.configure()
        return run

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Run:
        """The run in ``folder``.

        Raises:
            RunError: There is none, or its ``config.json`` is damaged.
        """
        path = Path(folder) / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            reason = "there is no config.json" if not path.exists() else error.strerror
            raise RunError(f"{folder} holds no run of ganengine: {reason}") from error
        except ValueError as error:
            raise RunError(f"{path}: damaged: no JSON ({error})") from error
        if not isinstance(config, dict) or config.pop("format", None) != _FORMAT:
            raise RunError(f"{path}: not the config of a run of ganengine")
        return cls(Path(folder), config)

    @property
    def _config_path(self) -> Path:
        return self.folder / "config.json"

    def configure(self, **changes: Any) -> None:
        """Change entries of the config, and write it."""
        self.config.update(changes)
        text = json.dumps({"format": _FORMAT, **self.config}, indent=2)
        with atomic_file(self._config_path) as file:
            file.write(text.encode() + b"\n")

    def history(self, columns: tuple[str, ...], steps: int) -> History:
        """The metrics of the first ``steps`` steps; what the file holds beyond them is cut off."""
        return History(self.folder / "metrics.jsonl", columns, steps)

    def save_samples(self, step: int, images: NDArray[Any]) -> Path:
        """Write generated images, (N, C, H, W) float in [0, 1], as a grid; returns its path."""
        path = self.folder / "samples" / f"step-{step:08d}.png"
        path.parent.mkdir(exist_ok=True)
        save_grid(path, images)
        return path

    def save_plot(self, panels: Mapping[str, Curves]) -> Path:
        """Write ``losses.png``, with panels as :func:`ganengine.io.plot.save_plot` takes them."""
        path = self.folder / "losses.png"
        save_plot(path, panels)
        return path
