"""What training leaves on disk, and what other programs take: checkpoints, images, weights."""

from ganengine.io.checkpoint import Checkpoint, CheckpointError
from ganengine.io.checkpoints import Checkpoints
from ganengine.io.images import grid, save_grid, save_png
from ganengine.io.run import Run, RunError
from ganengine.io.state import load_state_dict, save_state_dict, torch_names

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Checkpoints",
    "Run",
    "RunError",
    "grid",
    "load_state_dict",
    "save_grid",
    "save_png",
    "save_state_dict",
    "torch_names",
]
