"""Where a measurement was made: what another machine would need to make it again."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from ganengine import backend
from ganengine.version import __version__

_PACKAGES = ("numpy", "cupy", "torch", "jax", "jaxlib", "keras", "tensorflow")


def environment(device: str = "cpu") -> dict[str, Any]:
    """Processor, system, versions, commit, date and load, and the GPU if it is ``"cuda"``."""
    return {
        **({"gpu": gpu()} if device == "cuda" else {}),
        "cpu": cpu_model(),
        "processors": len(processors()),
        "instruction_set": backend.native("cpu").instruction_set(),
        "os": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {
            "ganengine": __version__,
            **{name: version for name in _PACKAGES if (version := package_version(name))},
        },
        "commit": git_commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "load_average": load_average(),
    }


def processors() -> list[int]:
    """The numbers of the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cpu_model() -> str:
    """The processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def gpu() -> dict[str, Any]:
    """The CUDA device's name, compute capability and memory, and the CUDA version it works with."""
    cupy = backend.cupy()
    if cupy is None:
        raise RuntimeError("no CUDA device can be used here; see: ganengine doctor")
    runtime = cupy.cuda.runtime
    about, driver = runtime.getDeviceProperties(runtime.getDevice()), runtime.driverGetVersion()
    return {
        "name": about["name"].decode(),
        "compute_capability": f"{about['major']}.{about['minor']}",
        "multiprocessors": about["multiProcessorCount"],
        "memory_gib": round(about["totalGlobalMem"] / 2**30, 1),
        "driver_for_cuda": f"{driver // 1000}.{driver % 1000 // 10}",
    }


def results_folder(parent: Path, device: str = "cpu") -> Path:
    """The folder below ``parent`` for what is measured here on ``device``; made if need be."""
    words = gpu()["name"] if device == "cuda" else f"{cpu_model()} {len(processors())} cores"
    folder = parent / re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def package_version(package: str) -> str | None:
    """The installed version of a package, without importing it; None where it is not installed."""
    for name in (package, f"{package}-cpu", f"{package}-cuda13x", f"{package}-cuda12x"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def load_average() -> float | None:
    """Processes that wanted a processor, on average over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def git_commit() -> str | None:
    """The commit of the source tree this package runs from, ``+`` behind it if it was changed.

    An installed package knows of none; ``$GANENGINE_COMMIT`` can say it.
    """
    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if not git("ls-files", __file__):  # installed into some other repository's folder
            return os.environ.get("GANENGINE_COMMIT")
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("GANENGINE_COMMIT")
