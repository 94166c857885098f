"""Builds the CUDA sources with the host compiler, against the executor.

What was compiled is kept under build/simt/, with the contents of every file that went into it: an
object is compiled again if one of these has changed, and a library linked again if an object has.
One process builds at a time; the others wait and find all done.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
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


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _contents(files: Sequence[str]) -> str:
    """A digest of the files' contents; of None for one that is no longer there."""
    paths = [Path(file) for file in files]
    return _digest([path.read_bytes() if path.is_file() else None for path in paths])


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(map(str, command))}\n{done.stderr}")


def _compiler() -> list[str]:
    return shlex.split(os.environ.get("CXX", "g++"))


def _compile(file: Path, flags: Sequence[str]) -> tuple[Path, str]:
    """The object made of `file`, and a digest of all that went into it."""
    includes = [f"-I{ROOT / 'csrc'}", f"-I{EXECUTOR}"]
    command = [*_compiler(), *FLAGS, *flags, *includes, "-x", "c++", "-c", str(file)]
    key = _digest(command)
    target = CACHE / "objects" / f"{file.name}-{key}.o"
    record = target.with_suffix(".json")  # the digest of the files, and which they are
    if target.exists() and record.exists():
        contents, files = json.loads(record.read_text())
        if contents == _contents(files):
            return target, _digest(key, contents)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        made, rule = Path(scratch) / "object.o", Path(scratch) / "object.d"
        _run([*command, "-o", made, "-MMD", "-MF", rule])
        files = shlex.split(rule.read_text().split(":", 1)[1].replace("\\\n", " "))
        contents = _contents(files)
        note = Path(scratch) / "record.json"
        note.write_text(json.dumps([contents, files]))
        record.unlink(missing_ok=True)
        made.replace(target)
        note.replace(record)
    return target, _digest(key, contents)


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
    files = [(file, flags) for file in (*kernels, *EXECUTOR_SOURCES)]
    if module:
        files += [(EXECUTOR / "device.cpp", flags)]
        files.append((ROOT / "csrc" / "bindings" / "cuda.cpp", module_flags))
    (CACHE / "objects").mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released with the file
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compiled = list(pool.map(lambda job: _compile(*job), files))
        return _link(name, compiled, module)


def _link(name: str, compiled: Sequence[tuple[Path, str]], module: bool) -> Path:
    """The folder with the library, and the module if asked for, made of these objects."""
    made_of = _digest(Path(__file__).read_bytes(), module, [digest for _, digest in compiled])
    folder = CACHE / f"{name}-{made_of}"
    if folder.exists():
        return folder
    objects = [path for path, _ in compiled]
    binding = [objects.pop()] if module else []
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        work = Path(scratch) / "work"
        work.mkdir()
        link = [*_compiler(), "-shared", "-Wl,-z,defs,-Bsymbolic"]
        _run([*link, *objects, "-o", work / f"lib{name}.so", "-ldl"])
        if module:
            suffix = sysconfig.get_config_var("EXT_SUFFIX")
            library = [f"-L{work}", f"-l{name}", "-Wl,-rpath,$ORIGIN"]
            extension = work / f"_cuda_simt{suffix}"
            _run([*_compiler(), "-shared", *binding, "-o", extension, *library])
        work.rename(folder)
    return folder
