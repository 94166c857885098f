"""Fixtures that run CUDA kernels thread by thread on the CPU (see simt.h)."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[Any]

HERE = Path(__file__).parent


def _load(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class _Block:
    """Guarded memory as NumPy sees it; freed with the last array that views it."""

    def __init__(self, library: ctypes.CDLL, nbytes: int, at_end: bool, name: str) -> None:
        self._library = library
        self.address = library.simt_allocate(nbytes, at_end, name.encode())
        self.__array_interface__ = {
            "shape": (nbytes,),
            "typestr": "|u1",
            "data": (self.address, False),
            "version": 3,
        }

    def __del__(self) -> None:
        self._library.simt_release(self.address)


class Executor:
    """The executor's memory and settings, from the library at `path`."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))
        self.library.simt_allocate.restype = ctypes.c_void_p
        self.library.simt_allocate.argtypes = [ctypes.c_size_t, ctypes.c_int, ctypes.c_char_p]
        self.library.simt_release.argtypes = [ctypes.c_void_p]
        self.library.simt_set_read_only.argtypes = [ctypes.c_void_p]
        self.library.simt_set_seed.argtypes = [ctypes.c_uint64]

    def seed(self, seed: int) -> None:
        """Choose the order in which blocks and threads run."""
        self.library.simt_set_seed(seed)

    def empty(
        self,
        *shape: int,
        dtype: npt.DTypeLike = np.float32,
        align: str = "end",
        name: str = "array",
    ) -> Array:
        """An array of NaN whose end (or start) lies flush with memory that must not be touched."""
        nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        block = _Block(self.library, nbytes, align == "end", name)
        return np.asarray(block).view(dtype).reshape(shape)

    def array(self, values: npt.ArrayLike, *, align: str = "end", name: str = "input") -> Array:
        """A read-only array with these values, guarded as by `empty`."""
        source = np.asarray(values)
        target = self.empty(*source.shape, dtype=source.dtype, align=align, name=name)
        target[...] = source
        self.library.simt_set_read_only(target.ctypes.data)
        return target


@pytest.fixture(scope="session")
def simt_build() -> ModuleType:
    """The module build.py."""
    return _load("simt_build", HERE / "build.py")


@pytest.fixture(scope="session")
def executor_type() -> type[Executor]:
    """Executor, for a library other than the CUDA module's."""
    return Executor


@pytest.fixture(scope="session")
def simt_folder(simt_build: ModuleType) -> Path:
    """Where the CUDA sources are, built against the executor."""
    kernels = sorted((simt_build.ROOT / "csrc" / "cuda").glob("*.cu"))
    folder: Path = simt_build.build(kernels, name="cuda_simt", module=True)
    return folder


@pytest.fixture(scope="session")
def cuda(simt_folder: Path) -> ModuleType:
    """The CUDA module, whose kernels run in the executor."""
    (file,) = simt_folder.glob("_cuda_simt*.so")
    return _load("_cuda_simt", file)


@pytest.fixture
def simt(simt_folder: Path, cuda: ModuleType) -> Iterator[Executor]:
    """The executor that `cuda` runs in, as it is on the largest device."""
    executor = Executor(simt_folder / "libcuda_simt.so")
    executor.library.simt_set_device(132, 227, 90)
    yield executor
    executor.library.simt_set_device(132, 227, 90)
