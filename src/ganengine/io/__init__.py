"""What training leaves on disk: checkpoints, image grids, plots, and the folder that holds them."""

from ganengine.io.checkpoint import Checkpoint, CheckpointError
from ganengine.io.checkpoints import Checkpoints
from ganengine.io.images import grid, save_grid, save_png
from ganengine.io.run import Run, RunError

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Checkpoints",
    "Run",
    "RunError",
    "grid",
    "save_grid",
    "save_png",
]
