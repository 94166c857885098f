"""Where a measurement was made."""

from types import SimpleNamespace

import pytest

from ganengine import backend
from ganengine.bench import environment

ABOUT = {
    "name": b"NVIDIA H200",
    "major": 9,
    "minor": 0,
    "multiProcessorCount": 132,
    "totalGlobalMem": 141 * 2**30,
}


@pytest.fixture
def fake_gpu(monkeypatch):
    runtime = SimpleNamespace(
        getDevice=lambda: 0,
        getDeviceProperties=lambda number: ABOUT,
        driverGetVersion=lambda: 13000,
    )
    cupy = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setattr(backend, "cupy", lambda: cupy)


@pytest.mark.usefixtures("fake_gpu")
def test_a_gpu_is_described(tmp_path):
    gpu = environment.environment("cuda")["gpu"]
    assert gpu == {
        "name": "NVIDIA H200",
        "compute_capability": "9.0",
        "multiprocessors": 132,
        "memory_gib": 141.0,
        "driver_for_cuda": "13.0",
    }
    assert environment.results_folder(tmp_path, "cuda") == tmp_path / "nvidia-h200"


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr(backend, "cupy", lambda: None)
    assert "gpu" not in environment.environment()
    with pytest.raises(RuntimeError, match="no CUDA device can be used here"):
        environment.environment("cuda")


def test_an_installed_package_is_told_its_commit(monkeypatch):
    def nothing(*_, **__):
        return SimpleNamespace(stdout="")

    monkeypatch.setattr(environment.subprocess, "run", nothing)
    assert environment.git_commit() is None
    monkeypatch.setenv("GANENGINE_COMMIT", "abc")
    assert environment.git_commit() == "abc"
