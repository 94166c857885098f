"""Builds the CUDA sources with the host compiler, against the executor.

The result is cached under build/simt/, by the contents of everything that goes into it.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXECUTOR = ROOT / "tests" / "simt"
EXECUTOR_SOURCES = tuple(EXECUTOR / name for name in ("simt.cpp", "guard.cpp", "program.cpp"))
CUDA = ROOT / "csrc" / "cuda"
CACHE = ROOT / "build" / "simt"

# bounds, alignment: an index outside a static array and a misaligned vector become a trap.
# no-strict-aliasing: kernels read floats as float4, as CUDA allows.
# stack-clash-protection: a large frame touches the guard page below its stack.
FLAGS = shlex.split(
    "-std=c++20 -O2 -g1 -fPIC -DGE_SIMT -Wall -Wextra -Werror -Wno-unknown-pragmas"
    " -fno-strict-aliasing -ffp-contract=off -fno-gnu-unique -fstack-clash-protection"
    " -fsanitize=bounds,alignment -fsanitize-undefined-trap-on-error"
)


def _sources() -> list[Path]:
    folders = [*(ROOT / "csrc" / name for name in ("common", "cuda", "bindings")), EXECUTOR]
    suffixes = {".cu", ".cuh", ".h", ".cpp"}
    files = [file for folder in folders for file in folder.glob("*") if file.suffix in suffixes]
    return sorted([*files, Path(__file__)])


def _key(*parts: object) -> str:
    digest = hashlib.sha256(repr(parts).encode())
    for file in _sources():
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(map(str, command))}\n{done.stderr}")


def _compile(folder: Path, file: Path, flags: Sequence[str]) -> Path:
    target = folder / f"{file.name}.o"
    includes = [f"-I{ROOT / 'csrc'}", f"-I{EXECUTOR}"]
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    _run([*compiler, *FLAGS, *flags, *includes, "-x", "c++", "-c", file, "-o", target])
    return target


def build(kernels: Sequence[Path], *, name: str, module: bool, flags: Sequence[str] = ()) -> Path:
    """The folder with lib<name>.so, made of `kernels` and the executor.

    With `module`, the bindings are built too, as the Python module `_cuda_simt` linked to it. The
    kernels have a library of their own because the executor takes that library's thread_local
    storage for shared memory (simt.h), and pybind11 has thread_local variables.
    """
    module_flags: list[str] = []
    if module:
        import pybind11

        includes = [pybind11.get_include(), sysconfig.get_path("include")]
        # The bindings run no kernels, so they need neither speed nor traps.
        module_flags = ["-O0", "-DGE_CUDA_MODULE=_cuda_simt", *(f"-isystem{i}" for i in includes)]
    folder = CACHE / f"{name}-{_key(kernels, module_flags, FLAGS, flags, os.environ.get('CXX'))}"
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        work = Path(scratch) / "work"
        work.mkdir()
        files = [(file, flags) for file in (*kernels, *EXECUTOR_SOURCES)]
        if module:
            files += [(EXECUTOR / "device.cpp", flags), (CUDA / "gemm_options.cpp", flags)]
            files.append((ROOT / "csrc" / "bindings" / "cuda.cpp", module_flags))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(lambda job: _compile(work, *job), files))
        binding = [objects.pop()] if module else []
        link = [*compiler, "-shared", "-Wl,-z,defs,-Bsymbolic"]
        _run([*link, *objects, "-o", work / f"lib{name}.so", "-ldl"])
        if module:
            suffix = sysconfig.get_config_var("EXT_SUFFIX")
            library = [f"-L{work}", f"-l{name}", "-Wl,-rpath,$ORIGIN"]
            _run([*compiler, "-shared", *binding, "-o", work / f"_cuda_simt{suffix}", *library])
        for file in objects + binding:
            file.unlink()
        try:
            work.rename(folder)
        except OSError:  # another process was faster
            if not folder.exists():
                raise
    return folder
