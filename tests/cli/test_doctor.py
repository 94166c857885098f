from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from ganengine import driver
from ganengine.cli import doctor
from ganengine.data import DataError, DataNotFoundError, Dataset


def test_the_report(ganengine_in) -> None:
    output, errors = ganengine_in("doctor")
    assert errors == ""
    assert "✓  CPU kernels" in output
    assert "1 thread " in output
    assert "✗  data: mnist" in output
    assert "set GANENGINE_DATA" in output
    assert f"numpy {np.__version__}" in output


def test_the_switches_are_seen(ganengine_in) -> None:
    output, errors = ganengine_in("doctor", GANENGINE_CPU="baseline", GANENGINE_NUM_THREADS="2")
    assert "baseline, 2 threads" in output
    output, errors = ganengine_in("doctor", GANENGINE_IMPL="reference")
    assert "→ unset GANENGINE_IMPL" in output
    assert errors.startswith("warning: GANENGINE_IMPL=reference")


def test_no_cupy(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(doctor, "_version", lambda name: None)
    assert doctor._cupy().cure == "pip install 'ganengine[cuda]'"
    (finding,) = doctor._devices()
    assert not finding.found


def fake_cupy(**functions: object) -> SimpleNamespace:
    return SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(**functions)))


def test_no_driver(monkeypatch) -> None:
    def fail() -> int:
        raise RuntimeError("cudaErrorInsufficientDriver")

    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(getDeviceCount=fail))
    (finding,) = doctor._devices()
    assert not finding.found
    assert finding.words == "not found: cudaErrorInsufficientDriver"
    assert "nvidia-smi" in finding.cure


def kernels_for(monkeypatch, *, driver: int, runtime: int = 13000, version: str | None) -> None:
    module = SimpleNamespace(driver_version=lambda: driver, runtime_version=lambda: runtime)
    monkeypatch.setitem(sys.modules, "ganengine._cuda", module)
    monkeypatch.setattr("ganengine.driver.version", lambda: version)


def test_a_driver_that_is_too_old(monkeypatch) -> None:
    """Which is not the same as none."""
    kernels_for(monkeypatch, driver=12040, version="550.54.15")
    finding = doctor._driver()
    assert not finding.found
    assert finding.words == (
        "550.54.15, for CUDA 12.4; the driver is too old: it is for CUDA 12.4, "
        "the kernels are for 13.0; 580 or newer will do"
    )
    assert "nvcc 12.x" in finding.cure
    kernels_for(monkeypatch, driver=0, version=None)
    assert doctor._driver().words == "not found"
    assert "580 or newer" in doctor._driver().cure


def test_a_driver_that_will_do(monkeypatch) -> None:
    kernels_for(monkeypatch, driver=12020, runtime=12090, version="535.1")
    assert doctor._driver() == ("NVIDIA driver", True, "535.1, for CUDA 12.2", "")


@pytest.mark.parametrize(
    "text",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build",
    ],
)
def test_the_version_of_the_driver(monkeypatch, tmp_path, text: str) -> None:
    file = tmp_path / "version"
    monkeypatch.setattr("ganengine.driver._VERSION_FILE", file)
    assert driver.version() is None
    file.write_text(text + "\nGCC version: gcc version 12.2.0\n")
    assert driver.version() == "550.54.15"


def test_devices(monkeypatch) -> None:
    about = {"name": b"GPU", "major": 9, "minor": 0, "totalGlobalMem": 80 * 2**30}
    runtime = fake_cupy(
        getDeviceCount=lambda: 2,
        getDeviceProperties=lambda number: about,
    )
    monkeypatch.setitem(sys.modules, "cupy", runtime)
    monkeypatch.setattr(doctor, "_fault", lambda number: "lost" if number else "")
    first, second = doctor._devices()
    about = "GPU, compute capability 9.0, 80 GiB"
    right = f"{about}; a kernel ran, its result is right"
    assert first == ("CUDA device 0", True, right, "")
    assert second == ("CUDA device 1", False, f"{about}; a kernel fails: lost", "")


@pytest.mark.parametrize(
    ("module", "words"), [(None, "not in this build"), ("broken", "do not load: no libcuda")]
)
def test_no_cuda_kernels(monkeypatch, module, words) -> None:
    def load(name: str) -> ModuleType:
        raise ImportError("no libcuda")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: module)
    monkeypatch.setattr(importlib, "import_module", load)
    finding = doctor._cuda_kernels()
    assert not finding.found
    assert words in finding.words
    assert finding.cure


def test_data(monkeypatch) -> None:
    def load(name: str, **options: object) -> Dataset:
        assert options == {"allow_download": False, "progress": False}
        if name == "mnist":
            return Dataset(name, {"image": np.zeros((3, 1, 2, 2), np.uint8)}, "somewhere")
        raise DataNotFoundError("nowhere")

    monkeypatch.setattr("ganengine.data.load", load)
    mnist, fashion, _ = doctor._data()
    assert mnist == ("data: mnist", True, "3 images: somewhere", "")
    assert not fashion.found
    assert "--data fashion-mnist" in fashion.cure


def test_damaged_data(monkeypatch) -> None:
    def load(name: str, **options: object) -> Dataset:
        raise DataError("file.gz: truncated")

    monkeypatch.setattr("ganengine.data.load", load)
    *damaged, _ = doctor._data()
    assert {finding.words for finding in damaged} == {"damaged: file.gz: truncated"}


def test_the_cache(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("ganengine.data.load", lambda name, **options: fail())
    monkeypatch.setenv("GANENGINE_CACHE", str(tmp_path))
    *_, cache = doctor._data()
    assert cache == ("cache", True, str(tmp_path), "")
    monkeypatch.setattr("ganengine.data.cache_note", lambda: "set GANENGINE_CACHE")
    *_, cache = doctor._data()
    assert not cache.found
    assert cache.cure == "set GANENGINE_CACHE"


def fail() -> Dataset:
    raise DataNotFoundError("nowhere")
