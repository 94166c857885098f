"""What every test runs under: the shared helpers on the path, a device, a repeatable search."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # each process has a core: threads would share it
    for name in ("GANENGINE_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[1] / "bench"))  # what only a benchmark needs

settings.register_profile("repeatable", max_examples=30, deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--device",
        choices=("auto", "cpu", "cuda", "executor"),
        default="auto",
        help="where tests with a device run; auto: the CPU, and CUDA where it can be used",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "subprocess: starts a Python of its own")
    config.addinivalue_line("markers", "cpu_only: about the CPU, or the same on every device")
    config.addinivalue_line("markers", "cuda_only: about CUDA devices; skipped without")
    from devices import chosen

    # Now, because tests make errors of warnings, also of CuPy's, which would look like no device.
    chosen(config.getoption("--device"))
    # ``GANENGINE_IMPL=reference pytest`` shall run: its warning is no error then.
    if os.environ.get("GANENGINE_IMPL") == "reference":
        config.addinivalue_line("filterwarnings", "ignore:GANENGINE_IMPL=reference:RuntimeWarning")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """``-n auto``: each process makes a session's fixtures anew, so more than 8 gain little."""
    return min(len(os.sched_getaffinity(0)), 8)


@pytest.fixture(scope="module", autouse=True)
def small_heap() -> None:
    """Each capture collects garbage: not among thousands of tests and libraries like PyTorch."""
    gc.collect()
    gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take a device on each that is here."""
    if "device" in metafunc.fixturenames:
        from devices import chosen

        names = chosen(metafunc.config.getoption("--device"))
        if metafunc.definition.get_closest_marker("cpu_only"):
            names = ("cpu",)
        if metafunc.definition.get_closest_marker("cuda_only"):
            names = tuple(name for name in names if name != "cpu")
        metafunc.parametrize("device", names, indirect=True)


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """``"cpu"`` or ``"cuda"``, whose matrix products are then exact: tolerances are float32's."""
    if request.param == "cpu":
        yield "cpu"
        return
    from ganengine import backend

    with ExitStack() as stack:
        if request.param == "executor":
            from simt.executor import as_device, open_executor

            stack.enter_context(as_device(open_executor()))
        backend.set_precision("fp32")
        stack.callback(backend.set_precision, "tf32")
        yield "cuda"
