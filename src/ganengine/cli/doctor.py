"""``ganengine doctor``: what this machine offers, and what would mend what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Iterator
from typing import NamedTuple

from ganengine import driver

_PACKAGES = ("numpy", "pillow", "safetensors", "rich", "typer")
_FRAMEWORKS = ("torch", "jax", "matplotlib")


class Finding(NamedTuple):
    """One line of the report; ``cure`` says what to do where something is missing."""

    subject: str
    found: bool
    words: str
    cure: str = ""


def doctor() -> None:
    """Show what was found: kernels, devices, versions, data; and how to mend what is missing."""
    from rich.table import Table
    from rich.text import Text

    from ganengine.cli._console import output
    from ganengine.version import __version__

    table = Table.grid(padding=(0, 2))
    for finding in _findings():
        mark = Text("✓", "green") if finding.found else Text("✗", "yellow")
        table.add_row(mark, Text(finding.subject, "bold"), Text(finding.words))
        if finding.cure:
            table.add_row("", "", Text(f"→ {finding.cure}", "cyan"))
    output().print(f"[bold]ganengine {__version__}[/]\n")
    output().print(table)


def _findings() -> Iterator[Finding]:
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("Python", True, system)
    yield Finding("packages", True, ", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    yield _cpu()
    yield _cuda_kernels()
    yield _driver()
    yield _cupy()
    yield from _devices()
    yield from _data()
    for name in _FRAMEWORKS:
        version = _version(name)
        cure = "" if version else "only for bench/step.py: pip install 'ganengine[bench]'"
        yield Finding(name, version is not None, version or "not installed", cure)
    version = _version("onnx")
    cure = "" if version else "only for ganengine export --onnx: pip install 'ganengine[onnx]'"
    yield Finding("onnx", version is not None, version or "not installed", cure)


def _cpu() -> Finding:
    from ganengine import backend
    from ganengine.cli._device import cpu_words

    words = cpu_words()
    if backend.implementation() == "reference":
        cure = "unset GANENGINE_IMPL"
        return Finding("CPU kernels", False, f"{words}; switched off, the reference runs", cure)
    return Finding("CPU kernels", True, words)


def _cuda_kernels() -> Finding:
    if importlib.util.find_spec("ganengine._cuda") is None:
        cure = "in the source, with the compiler from PyPI: GE_CUDA=PYPI pip install '.[cuda]'"
        return Finding("CUDA kernels", False, "not in this build", cure)
    try:
        kernels = importlib.import_module("ganengine._cuda")
    except ImportError as error:
        return Finding("CUDA kernels", False, f"built, but do not load: {error}", "build them anew")
    return Finding("CUDA kernels", True, f"built for CUDA {driver.cuda(kernels.runtime_version())}")


def _driver() -> Finding:
    """The driver, and whether it is new enough for the kernels in this package."""
    version = driver.version()
    try:
        kernels = importlib.import_module("ganengine._cuda")
    except ImportError:
        return Finding("NVIDIA driver", version is not None, version or "not found")
    supported, runtime = kernels.driver_version(), kernels.runtime_version()
    if supported == 0:
        oldest = driver.OLDEST.get(runtime // 1000)
        which = f" ({oldest} or newer)" if oldest else ""
        cure = f"with an NVIDIA GPU in this machine: install its driver{which}"
        return Finding("NVIDIA driver", False, "not found", cure)
    words = f"{version or 'unknown version'}, for CUDA {driver.cuda(supported)}"
    if why := driver.too_old(supported, runtime):
        cure = f"install that, or build with nvcc {supported // 1000}.x: see docs/with-a-gpu.md"
        return Finding("NVIDIA driver", False, f"{words}; {why}", cure)
    return Finding("NVIDIA driver", True, words)


def _cupy() -> Finding:
    for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy"):
        if version := _version(name):
            return Finding("CuPy", True, f"{version} ({name})")
    return Finding("CuPy", False, "not installed", "pip install 'ganengine[cuda]'")


def _devices() -> Iterator[Finding]:
    try:
        runtime = importlib.import_module("cupy").cuda.runtime
        count = runtime.getDeviceCount()
    except ImportError:
        yield Finding("CUDA devices", False, "not looked for, as CuPy is not installed")
        return
    except Exception as error:  # a broken CUDA installation raises whatever it likes
        yield Finding("CUDA devices", False, f"not found: {error}", "nvidia-smi must list them")
        return
    for number in range(count):
        about = runtime.getDeviceProperties(number)
        words = (
            f"{about['name'].decode()}, compute capability {about['major']}.{about['minor']}, "
            f"{about['totalGlobalMem'] / 2**30:.0f} GiB"
        )
        fault = _fault(number)
        result = f"a kernel fails: {fault}" if fault else "a kernel ran, its result is right"
        yield Finding(f"CUDA device {number}", not fault, f"{words}; {result}")


def _fault(number: int) -> str:
    """Run a kernel on a device and look at its result; what is wrong, or ''."""
    import numpy as np

    from ganengine import backend, kernels

    x = np.arange(1000, dtype="float32")
    try:
        with importlib.import_module("cupy").cuda.Device(number):
            y = kernels.affine(backend.to_device(x, "cuda"), scale=2.0, shift=1.0)
            result = backend.to_device(y, "cpu")
    except Exception as error:  # a broken CUDA installation raises whatever it likes
        return str(error)
    return "" if np.array_equal(result, 2 * x + 1) else "its result is wrong"


def _data() -> Iterator[Finding]:
    from ganengine import data
    from ganengine.text import printable

    for name in data.names():
        if name in ("drawn", "stacked-mnist"):  # are made, of nothing or of MNIST
            continue
        try:
            dataset = data.load(name, allow_download=False, progress=False)
        except data.DataNotFoundError:
            cure = (
                f"ganengine train mlp-128 --data {name} downloads it; without a network, put its "
                ".gz files into a folder and set GANENGINE_DATA to that"
            )
            yield Finding(f"data: {name}", False, "not on this machine yet", cure)
        except data.DataError as error:
            yield Finding(f"data: {name}", False, f"damaged: {error}", "remove the file")
        else:
            yield Finding(f"data: {name}", True, f"{len(dataset):,} images: {dataset.source}")
    note = data.cache_note()
    yield Finding("cache", not note, printable(data.cache_dir()), note)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
