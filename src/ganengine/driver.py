"""NVIDIA's driver: its version, and why CUDA cannot be used where it cannot."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

# The oldest driver on Linux by the major version of the CUDA runtime (NVIDIA's "CUDA
# Compatibility", table of minor version compatibility).
OLDEST = {12: 525, 13: 580}

_VERSION_FILE = Path("/proc/driver/nvidia/version")


def version() -> str | None:
    """The driver's own version, such as ``"580.65.06"``, or None where it cannot be read."""
    try:
        text = _VERSION_FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", text)
    return found[0] if found else None


def cuda(number: int) -> str:
    """A CUDA version as people write it.

    Example:
        >>> from ganengine import driver
        >>> driver.cuda(13010)
        '13.1'
    """
    return f"{number // 1000}.{number % 1000 // 10}"


def too_old(supported: int, runtime: int) -> str | None:
    """Why a driver cannot run a CUDA runtime and which one can, or None if it can.

    Args:
        supported: the newest CUDA version that the driver supports, 13010 for 13.1.
        runtime: the version of the runtime; within a major version any driver will do.

    Example:
        >>> from ganengine import driver
        >>> driver.too_old(12040, 13000)
        'the driver is too old: it is for CUDA 12.4, the kernels are for 13.0; 580 or newer will do'
        >>> driver.too_old(13000, 13010) is None
        True
    """
    major = runtime // 1000
    if supported // 1000 >= major:
        return None
    newer = f"; {OLDEST[major]} or newer will do" if major in OLDEST else ""
    return (
        f"the driver is too old: it is for CUDA {cuda(supported)}, "
        f"the kernels are for {cuda(runtime)}{newer}"
    )


def why_not() -> str:
    """What keeps ``ganengine`` from using CUDA, where something does."""
    try:
        kernels = importlib.import_module("ganengine._cuda")
    except ImportError:
        return "ganengine was built without CUDA kernels"
    supported = kernels.driver_version()
    if supported == 0:
        return "there is no NVIDIA driver"
    if why := too_old(supported, kernels.runtime_version()):
        return why
    if kernels.device_count() == 0:
        return "the driver finds no device"
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed"
    return "CuPy cannot use the device"
