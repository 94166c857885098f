#!/usr/bin/env python3
"""Compile every CUDA kernel, or those of some files, and report what it takes of the device.

With --log, read instead what a build of the package said of its kernels, for which nvcc must have
been told to: CUDAFLAGS=-Xptxas=-v pip install -v . >LOG

For each kernel and architecture: registers, shared memory, stack and spills, as `ptxas -v` gives
them, and, where a disassembler is at hand (cuobjdump on PATH or in the triton package), the number
of tensor-core instructions. Fails if a kernel spills registers, or if one for tensor cores has none
of their instructions.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "csrc" / "cuda"
PRECISIONS = {"(ge::Precision)0": "fp32", "(ge::Precision)1": "tf32", "(ge::Precision)2": "bf16"}


@dataclass
class Kernel:
    """What ptxas says of one kernel for one architecture."""

    symbol: str
    name: str
    arch: str
    registers: int = 0
    shared: int = 0
    stack: int = 0
    spills: int = 0
    tensor_instructions: int | None = None  # None: no disassembler

    @property
    def uses_tensor_cores(self) -> bool:
        """Whether it should: fp32 has none, and neither have architectures before 8.0."""
        for_them = re.search(r"\b(tf32|bf16)\b", self.name) is not None
        return for_them and int(re.sub(r"\D", "", self.arch)) >= 80


def find_nvcc() -> str:
    """The CUDA compiler, or the end of the program."""
    places = (os.environ.get("CUDACXX"), shutil.which("nvcc"), "/usr/local/cuda/bin/nvcc")
    for place in places:
        if place and Path(place).exists():
            return place
    sys.exit("no nvcc: set CUDACXX, or put it on PATH")


def find_disassembler() -> str | None:
    """cuobjdump, which needs nvdisasm beside it or on PATH."""
    found = shutil.which("cuobjdump")
    triton = importlib.util.find_spec("triton")
    if found is None and triton is not None and triton.origin is not None:
        bundled = Path(triton.origin).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
        found = str(bundled) if bundled.exists() else None
    return found


def architectures() -> list[str]:
    """The architectures that CMake builds for, as nvcc names them."""
    text = (SOURCES / "CMakeLists.txt").read_text()
    listed = re.search(r'GE_CUDA_ARCHITECTURES "([^"]+)"', text)
    assert listed is not None
    return ["sm_" + entry.split("-")[0] for entry in listed[1].split(";")]


def demangle(symbols: list[str]) -> list[str]:
    """Readable names without namespaces and parameters, where c++filt is installed."""
    if shutil.which("c++filt") is None:
        return symbols
    run = subprocess.run(["c++filt"], input="\n".join(symbols), capture_output=True, text=True)
    return [readable(line) for line in run.stdout.splitlines()]


def readable(name: str) -> str:
    """`void ge::(anonymous namespace)::f<(ge::Precision)1, ...>(...)` as `f<tf32, ...>`."""
    for code, precision in PRECISIONS.items():
        name = name.replace(code, precision)
    name = name.replace("(anonymous namespace)::", "").replace("ge::", "").removeprefix("void ")
    name = name.replace("Tile<128, 128, 32, 2, 2, 1>", "large")
    name = name.replace("Tile<32, 32, 64, 1, 1, 4>", "small")
    depth = 0
    for i, character in enumerate(name):
        depth += (character == "<") - (character == ">")
        if character == "(" and depth == 0:
            return name[:i].replace(" >", ">")
    return name


def parse_ptxas(log: str) -> list[Kernel]:
    """The kernels in the output of `ptxas -v`, for one architecture or several."""
    kernels: list[Kernel] = []
    for line in log.splitlines():
        if entry := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            kernels.append(Kernel(symbol=entry[1], name=entry[1], arch=entry[2]))
        elif frame := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+)", line):
            kernels[-1].stack = int(frame[1])
            kernels[-1].spills = int(frame[2]) + int(frame[3])
        elif used := re.search(r"Used (\d+) registers", line):
            kernels[-1].registers = int(used[1])
            shared = re.search(r"(\d+) bytes smem", line)
            kernels[-1].shared = int(shared[1]) if shared else 0
    for kernel, name in zip(kernels, demangle([k.symbol for k in kernels]), strict=True):
        kernel.name = name
    return kernels


def tensor_instructions(sass: str) -> Counter[str]:
    """How many tensor-core instructions each function has."""
    counts: Counter[str] = Counter()
    function = ""
    for line in sass.splitlines():
        if start := re.search(r"Function : (\w+)", line):
            function = start[1]
        elif re.search(r"\b[HQ]G?MMA\b|\bUTC\w*MMA\b", line):
            counts[function] += 1
    return counts


def compile_one(nvcc: str, source: Path, arch: str, cubin: Path) -> tuple[list[Kernel], int]:
    """Compile one file for one architecture; its kernels, and the size of their code."""
    options = ["--options-file", str(SOURCES / "nvcc_options.txt"), "-I", str(ROOT / "csrc")]
    strict = ["--Werror=all-warnings", "-Xptxas=-v"]
    command = [nvcc, "-cubin", f"-arch={arch}", *strict, *options, str(source)]
    run = subprocess.run([*command, "-o", str(cubin)], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{run.stdout}{run.stderr}")
    kernels = parse_ptxas(run.stdout + run.stderr)
    disassembler = find_disassembler()
    if disassembler is not None:
        path = f"{Path(disassembler).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        dump = subprocess.run(
            [disassembler, "-sass", str(cubin)],
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path},
        )
        if dump.returncode != 0:
            sys.exit(f"{disassembler}: {dump.stderr}")
        counts = tensor_instructions(dump.stdout)
        for kernel in kernels:
            kernel.tensor_instructions = counts[kernel.symbol]
    return kernels, cubin.stat().st_size


def table(kernels: list[Kernel]) -> str:
    """The kernels in columns."""
    columns = (
        "kernel",
        "arch",
        "registers",
        "shared",
        "stack",
        "spills",
        "tensor-core instructions",
    )
    rows: list[tuple[str, ...]] = [columns]
    for k in kernels:
        tensor = "?" if k.tensor_instructions is None else str(k.tensor_instructions)
        counts = (k.registers, k.shared, k.stack, k.spills)
        rows.append((k.name, k.arch, *map(str, counts), tensor))
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def compile_all(
    sources: list[Path], architectures: list[str], jobs: int
) -> tuple[list[Kernel], str]:
    """Compile these files for these architectures; their kernels, and a line about them."""
    nvcc = find_nvcc()
    pairs = [(source, arch) for source in sources for arch in architectures]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(jobs) as pool:
        results = list(
            pool.map(
                lambda pair: compile_one(
                    nvcc, pair[0], pair[1], Path(scratch) / f"{pair[0].stem}.{pair[1]}.cubin"
                ),
                pairs,
            )
        )
    kernels = [kernel for found, _ in results for kernel in found]
    size = sum(size for _, size in results) / 2**20
    return kernels, f"{len(sources)} files, {size:.1f} MiB of device code"


def find_faults(kernels: list[Kernel], architectures: list[str]) -> list[str]:
    """What no kernel may do, and which are missing for an architecture."""
    faults = [f"{k.name} for {k.arch} spills {k.spills} bytes" for k in kernels if k.spills > 0]
    faults += [
        f"{k.name} for {k.arch} has no tensor-core instruction"
        for k in kernels
        if k.uses_tensor_cores and k.tensor_instructions == 0
    ]
    names = {kernel.name for kernel in kernels}
    for arch in architectures:
        missing = names - {kernel.name for kernel in kernels if kernel.arch == arch}
        faults += [f"{name} is not compiled for {arch}" for name in sorted(missing)]
    return faults or ([] if names else ["there is no kernel"])


def main() -> None:
    """Compile or read, print and write the table, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="only these .cu files; all without")
    parser.add_argument("--log", type=Path, help="compile nothing, read what a build said")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    parser.add_argument("--arch", nargs="+", default=architectures(), help="such as sm_90a")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()

    for file in arguments.files:
        if file.suffix != ".cu" or not file.is_file():
            parser.error(f"{file} is no .cu file")
    if arguments.log:
        kernels, made = parse_ptxas(arguments.log.read_text()), f"the build in {arguments.log}"
    else:
        sources = arguments.files or sorted(SOURCES.glob("*.cu"))
        kernels, made = compile_all(sources, arguments.arch, arguments.jobs)
    kernels.sort(key=lambda k: (k.name, k.arch))
    distinct = len({kernel.name for kernel in kernels})
    report = [table(kernels), "", f"{distinct} kernels for {', '.join(arguments.arch)}: {made}"]
    built = sorted((ROOT / "src" / "ganengine").glob("_cuda.*"))
    report += [f"{file.name}: {file.stat().st_size / 2**20:.1f} MiB" for file in built]
    if not arguments.log and find_disassembler() is None:
        report.append("tensor-core instructions were not counted: there is no cuobjdump here")
    faults = find_faults(kernels, arguments.arch)
    report += [f"FAULT: {fault}" for fault in faults] or ["no spills"]
    text = "\n".join(report) + "\n"
    print(text, end="")
    if arguments.out is not None:
        arguments.out.write_text(text)
    if faults:
        sys.exit(1)


if __name__ == "__main__":
    main()
