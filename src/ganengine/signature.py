"""What native kernels take, as ``csrc/common/kernels.h`` declares it."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from ganengine import backend


class Parameter(NamedTuple):
    """A parameter of a native kernel, as ``csrc/common/kernels.h`` has it."""

    name: str
    is_array: bool
    is_written: bool  # an array that is not const: written, and perhaps read too


@cache
def parameters(kernel: str) -> tuple[Parameter, ...]:
    """The parameters of a native kernel, read off its declaration."""
    signature = backend.native("cpu").signatures()[kernel]
    found = []
    for text in signature.strip("() ").split(","):
        match = re.fullmatch(r"\s*(const )?([\w:]+)\s*(\*?)\s*(\w+)\s*", text)
        if match is None:
            raise RuntimeError(f"{kernel} has a parameter that is not understood: {text}")
        constant, _, star, name = match.groups()
        found.append(Parameter(name, bool(star), bool(star) and not constant))
    return tuple(found)
