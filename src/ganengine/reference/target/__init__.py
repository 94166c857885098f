"""The reference as a target: every native kernel, by name, in terms of :mod:`ganengine.reference`.

The CPU and CUDA modules offer the kernels of ``csrc/common/kernels.h``, on addresses; here they
are functions of the same names and arguments, on arrays. Results go into the arrays that a kernel
is given; its scratch memory is left alone. Where the definition names its arguments as the kernel
does, that is all there is to say, and the function is made of both.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ganengine import reference
from ganengine.reference.target import data, pointwise, products, training, windows
from ganengine.signature import parameters


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
    """Run ``kernel``; the arguments are the native kernel's, with arrays as arrays.

    Infinite and undefined results come without a warning, as a native kernel's do.
    """
    function = KERNELS.get(kernel)
    with np.errstate(all="ignore"):
        if function is None:
            _define(kernel, arguments)
        else:
            function(*arguments)


def _define(kernel: str, arguments: Sequence[Any]) -> None:
    """Run the definition: arguments by name, gradients of parameters into ``out``."""
    definition: Callable[..., Any] = getattr(reference, kernel.removesuffix("_forward"))
    own = parameters(kernel)
    given = dict(zip((each.name for each in own), arguments, strict=True))
    takes = inspect.signature(definition).parameters
    options = {name: value for name, value in given.items() if name in takes}
    written = [each.name for each in own if each.is_written and each.name not in takes]
    if "out" in takes:
        options["out"] = tuple(given[name] for name in written[1:])
    made = definition(**options)
    for name, value in zip(written, made if isinstance(made, tuple) else (made,), strict=True):
        if given[name] is not None:
            given[name][...] = value
