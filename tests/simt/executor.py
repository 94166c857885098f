"""The executor's memory and settings, and the CUDA module that runs in it (see simt.h)."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ganengine import _cpu, backend

Array = npt.NDArray[Any]

HERE = Path(__file__).parent


def load(name: str, file: Path) -> ModuleType:
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


class Runner:
    """Runs a kernel in every place and order that must not matter.

    Arrays start at a multiple of 16 bytes, or end flush with the page, or one of them lies one
    element further.
    """

    SEEDS = (1, 2, 3)

    @dataclass
    class Out:
        """An argument that the kernel writes; before, it holds `values`, or NaN."""

        shape: tuple[int, ...]
        dtype: npt.DTypeLike = np.float32
        values: npt.ArrayLike = np.nan

    @dataclass
    class View:
        """An input that starts `offset` elements after the start of `base`."""

        base: Array
        offset: int = 0

    def __init__(self, cuda: Kernels, simt: Executor) -> None:
        self._cuda = cuda
        self._simt = simt

    def __call__(self, kernel: str, *arguments: Any) -> list[Array]:
        """What `kernel` writes to each Out, the same bits every time; None goes as no array."""
        first: list[Array] = []
        arrays = [
            i for i, a in enumerate(arguments) if isinstance(a, self.Out | self.View | np.ndarray)
        ]
        for align, shifted in (("start", None), ("end", None), *(("start", i) for i in arrays)):
            shifts = [int(i == shifted) for i in range(len(arguments))]
            inputs = [self._input(*pair, align) for pair in zip(arguments, shifts, strict=True)]
            for seed in self.SEEDS:
                self._simt.seed(seed)
                placed = [
                    self._output(given, shift, align) if isinstance(given, self.Out) else array
                    for given, array, shift in zip(arguments, inputs, shifts, strict=True)
                ]
                getattr(self._cuda, kernel)(
                    *(a.ctypes.data if isinstance(a, np.ndarray) else a for a in placed)
                )
                results = [
                    array.copy()
                    for given, array in zip(arguments, placed, strict=True)
                    if isinstance(given, self.Out)
                ]
                first = first or results
                for result, same in zip(results, first, strict=True):
                    message = f"differs: {align}, argument {shifted} further, schedule {seed}"
                    assert result.tobytes() == same.tobytes(), message
        return first

    def _input(self, argument: Any, shift: int, align: str) -> Any:
        view = self.View(argument) if isinstance(argument, np.ndarray) else argument
        if not isinstance(view, self.View):
            return 0 if argument is None else argument
        room = np.zeros(shift + view.base.size, view.base.dtype)
        room[shift:] = view.base.reshape(-1)
        return self._simt.array(room, align=align)[shift + view.offset :]

    def _output(self, out: Out, shift: int, align: str) -> Array:
        size = shift + int(np.prod(out.shape, dtype=np.int64))
        array = self._simt.empty(size, dtype=out.dtype, align=align, name="output")[shift:]
        if not np.isscalar(out.values):
            array[...] = np.reshape(out.values, -1)
        return array.reshape(out.shape)


@cache
def build_module() -> ModuleType:
    """The module build.py."""
    return load("simt_build", HERE / "build.py")


@cache
def cuda_folder() -> Path:
    """Where the CUDA sources are, built against the executor."""
    build = build_module()
    kernels = sorted((build.ROOT / "csrc" / "cuda").glob("*.cu"))
    folder: Path = build.build(kernels, name="cuda_simt", module=True)
    return folder


@cache
def cuda_module() -> ModuleType:
    """The CUDA module, whose kernels run in the executor."""
    (file,) = cuda_folder().glob("_cuda_simt*.so")
    return load("_cuda_simt", file)


class Kernels:
    """The CUDA module, each kernel without its last argument: a context of what is set here.

    The device is asked for its limits at each call, so that a test can change them.
    """

    precision = "tf32"
    tile = "auto"
    workspace: Array | None = None

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if name not in _cpu.signatures():
            return value
        return lambda *arguments: value(*arguments, self.context())

    def context(self) -> Any:
        """A context of the default stream."""
        memory = np.empty(0) if self.workspace is None else self.workspace
        return self._module.Context(
            0,
            workspace=memory.ctypes.data if memory.size else 0,
            workspace_bytes=memory.nbytes,
            precision=self.precision,
            tile=self.tile,
            overlap=True,  # so that a kernel that does not wait is found
        )


def open_executor() -> Executor:
    """The executor that :func:`cuda_module` runs in, as it is on the largest device."""
    cuda_module()
    executor = Executor(cuda_folder() / "libcuda_simt.so")
    executor.library.simt_set_device(132, 227, 90)
    return executor


@contextmanager
def as_device(executor: Executor) -> Iterator[ModuleType]:
    """With a stand-in for CuPy: ``device="cuda"`` means the executor for all of ganengine."""
    fake = load("fake_cupy", HERE / "fake_cupy.py").module(executor)
    cuda = cuda_module()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", fake)
        patch.setattr(backend, "cupy", lambda: fake)
        patch.setattr(backend, "cuda_module", lambda: cuda)
        patch.setenv("GANENGINE_OVERLAP", "1")
        # of another executor's memory, and of another environment
        kept = (backend._context, backend._workspace, backend.overlap)
        for each in kept:
            each.cache_clear()
        yield fake
        for each in kept:
            each.cache_clear()
        backend.set_precision("tf32")
