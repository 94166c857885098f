"""What training leaves on disk, and what other programs take from it and give to it."""

from ganengine.io.checkpoint import Checkpoint, CheckpointError
from ganengine.io.checkpoints import Checkpoints
from ganengine.io.images import grid, save_grid, save_png
from ganengine.io.onnx_file import export_onnx
from ganengine.io.onnx_graph import ExportError
from ganengine.io.run import Run, RunError
from ganengine.io.state import load_state_dict, save_state_dict, torch_names

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Checkpoints",
    "ExportError",
    "Run",
    "RunError",
    "export_onnx",
    "grid",
    "load_state_dict",
    "save_grid",
    "save_png",
    "save_state_dict",
    "torch_names",
]
