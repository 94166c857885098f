"""The CPU kernels; csrc/cpu/kernels.h lists them."""

from typing import Any

def __getattr__(name: str) -> Any: ...
