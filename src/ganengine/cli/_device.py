"""Where to compute, chosen and told."""

from __future__ import annotations

from ganengine import backend, driver
from ganengine.cli._request import RequestError


def pick_device(wanted: str) -> str:
    """``auto`` is CUDA where it can be used, else the CPU.

    Raises:
        RequestError: CUDA is wanted and cannot be used.
    """
    if wanted == "auto":
        return "cuda" if backend.cuda_available() else "cpu"
    if wanted == "cuda" and not backend.cuda_available():
        raise RequestError(
            f"--device cuda: CUDA cannot be used here: {driver.why_not()}; see: ganengine doctor"
        )
    return wanted


def cpu_words() -> str:
    """What the CPU kernels run on here."""
    native = backend.native("cpu")
    threads = native.thread_count()
    return f"{native.instruction_set()}, {threads} thread{'s' if threads > 1 else ''}"


def device_words(device: str) -> str:
    """The device in a few words."""
    return f"cpu ({cpu_words()})" if device == "cpu" else f"cuda ({backend.precision()})"
