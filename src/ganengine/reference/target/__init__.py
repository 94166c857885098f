"""The reference as a target: every native kernel, by name, in terms of :mod:`ganengine.reference`.

The CPU and CUDA modules offer the kernels of ``csrc/common/kernels.h``, on addresses; here they
are functions of the same names and arguments, on arrays. Results go into the arrays that a kernel
is given; its scratch memory is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from ganengine.reference.target import data, pointwise, products, training, windows


def _functions(module: ModuleType) -> dict[str, Callable[..., None]]:
    """The public functions that a module defines, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    }


KERNELS = {
    name: function
    for module in (products, windows, pointwise, training, data)
    for name, function in _functions(module).items()
}


def launch(kernel: str, arguments: Sequence[Any]) -> None:
    """Run ``kernel``; the arguments are the native kernel's, with arrays as arrays."""
    KERNELS[kernel](*arguments)
