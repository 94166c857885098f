"""Fixtures that run CUDA kernels thread by thread on the CPU (see simt.h)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from simt import executor as simt_executor
from simt.executor import Executor, Kernels, Runner


@pytest.fixture(scope="session")
def simt_build() -> ModuleType:
    """The module build.py."""
    return simt_executor.build_module()


@pytest.fixture(scope="session")
def executor_type() -> type[Executor]:
    """Executor, for a library other than the CUDA module's."""
    return Executor


@pytest.fixture(scope="session")
def simt_folder() -> Path:
    """Where the CUDA sources are, built against the executor."""
    return simt_executor.cuda_folder()


@pytest.fixture
def cuda() -> Kernels:
    """The CUDA module, whose kernels run in the executor."""
    return Kernels(simt_executor.cuda_module())


@pytest.fixture
def simt() -> Iterator[Executor]:
    """The executor that `cuda` runs in, as it is on the largest device."""
    executor = simt_executor.open_executor()
    yield executor
    executor.library.simt_set_device(132, 227, 90)


@pytest.fixture
def run(cuda: Kernels, simt: Executor) -> Runner:
    """Runs a kernel of `cuda`."""
    return Runner(cuda, simt)


@pytest.fixture
def on_cuda(simt: Executor) -> Iterator[ModuleType]:
    """A stand-in for CuPy: with it, ``device="cuda"`` means the executor for all of ganengine."""
    with simt_executor.as_device(simt) as fake:
        yield fake
