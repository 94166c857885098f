"""The description of every kernel, in a file for each family."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ops.op import Arguments, Op

_FAMILIES = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - {"__init__", "op"})

EVERY: list[Op] = [op for name in _FAMILIES for op in import_module(f"ops.{name}").OPS]
# Those of ganengine.kernels, by name.
OPS: dict[str, Op] = {op.name: op for op in EVERY if op.run is None}

__all__ = ["EVERY", "OPS", "Arguments", "Op"]
