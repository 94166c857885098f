"""What scripts/gpu_check.py runs."""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LARGE_GIB = 8  # for what measures bandwidth and large products
WORK = ROOT / "build" / "gpu-check"
SITE = WORK / "site"  # the package is installed here, and nowhere else

Json = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A command, and what to make of it."""

    name: str
    command: Sequence[str]
    limit: float  # seconds
    needs: str = "build"  # a section that must not have failed
    packages: tuple[str, ...] = ("cupy",)  # modules without which it is skipped
    missing: str = ""  # why it cannot run here
    may_take_too_long: bool = False  # on a slow GPU: then it is skipped, and has not failed
    unsupported: str = ""  # words of its output that say that the machine cannot do this
    result: Callable[[], Json] | None = None  # read when it is over


def sections(gpu: Json, out: Path) -> list[Section]:
    """What is done, the most important first: time may run out."""
    python, capability = sys.executable, gpu["compute_cap"]
    architecture = "90a" if capability == "9.0" else capability.replace(".", "")
    bench = [python, "bench/kernels.py", "--device", "cuda"]
    memory = int(gpu["memory.total"].split()[0]) / 1024  # GiB
    small = "" if memory >= LARGE_GIB else f"needs {LARGE_GIB} GiB of device memory"
    workers = ["-n", "8"] if importlib.util.find_spec("xdist") else []

    def step(recipe: str) -> Section:
        brief = ["--rounds", "10", "--seconds", "0.1", "--patience", "75"]
        return Section(
            f"step {recipe}",
            [python, "bench/step.py", recipe, "--device", "cuda", *brief, "--out", str(out)],
            limit=110,
            may_take_too_long=True,
            result=lambda: read_json(out / f"step-{recipe}.json"),
        )

    def sanitizer(tool: str) -> Section:
        program = find_sanitizer()
        parity = [python, "tests/parity.py", "--device", "cuda", "--rows", "33", "--columns", "65"]
        return Section(
            tool,
            [program or "", "--tool", tool, "--error-exitcode", "9", *parity],
            limit=60,
            packages=("cupy", "pytest"),
            missing="" if program else "compute-sanitizer was not found",
            may_take_too_long=True,
            unsupported="Device not supported",
        )

    return [
        Section(
            "build",
            [
                *(python, "-m", "pip", "install", "--no-index", "--no-deps"),
                *("--no-build-isolation", "--upgrade", "--target", str(SITE)),
                f"-Cbuild-dir={WORK / 'cmake'}",
                f"-Ccmake.define.GE_CUDA_ARCHITECTURES={architecture}-real",
                ".",
            ],
            limit=180,
            needs="",
            packages=("scikit_build_core", "pybind11"),
        ),
        Section("doctor", [python, "-m", "ganengine", "doctor"], limit=30, packages=()),
        Section(
            "tests",
            [
                *(python, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *workers),
                *("--device", "cuda", "--ignore", "tests/simt"),  # which needs no GPU
                *("-W", "default"),  # other libraries' versions warn of what they like
            ],
            limit=150,
            packages=("cupy", "pytest", "hypothesis"),
        ),
        step("mlp-128"),
        Section(
            "large product",
            [*bench, "--groups", "product", "--out", str(out / "product.json")],
            limit=40,
            missing=small,
            may_take_too_long=True,
            result=lambda: read_json(out / "product.json"),
        ),
        limits(architecture, out),
        *map(sanitizer, ("memcheck", "racecheck", "initcheck")),
        Section(
            "kernels",
            [
                *(*bench, "--groups", "step,large", "--seconds", "0.02"),
                *("--out", str(out / "kernels.json")),
            ],
            limit=60,
            missing=small,
            may_take_too_long=True,
            result=lambda: read_json(out / "kernels.json"),
        ),
        Section(
            "demo",
            [python, "-m", "ganengine", "mnist", "--device", "cuda", "--out", str(WORK / "run")],
            limit=60,
            result=lambda: keep_demo(WORK / "run", out),
        ),
        step("mlp-500"),
        Section(
            "convolutions",
            [
                *(*bench, "--groups", "convolution", "--rounds", "3", "--seconds", "0.01"),
                *("--out", str(out / "convolutions.json")),
            ],
            limit=150,
            missing=small,
            may_take_too_long=True,
            result=lambda: read_json(out / "convolutions.json"),
        ),
        step("keras-dcgan"),
        step("dcgan-mnist"),
        step("wgan-gp"),
    ]


def limits(architecture: str, out: Path) -> Section:
    """What the device can do at best, measured by a program of its own."""
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    program, result = WORK / "limits", out / "limits.json"
    build = shlex.join(
        [
            *(nvcc or "nvcc", "-std=c++17", "-O3", f"-arch=sm_{architecture}"),
            *("bench/limits.cu", "-o", str(program)),
        ]
    )
    return Section(
        "limits",
        ["bash", "-eo", "pipefail", "-c", f"{build}; {program} | tee {shlex.quote(str(result))}"],
        limit=60,
        needs="",
        packages=(),
        missing="" if nvcc else "nvcc was not found",
        result=lambda: read_json(result),
    )


def find_sanitizer() -> str | None:
    """compute-sanitizer, which may lie beside nvcc and not on PATH."""
    name = "compute-sanitizer"
    return shutil.which(name) or shutil.which(name, path="/usr/local/cuda/bin")


def read_json(path: Path) -> Json:
    result: Json = json.loads(path.read_text(encoding="utf-8"))
    return result


def keep_demo(run: Path, out: Path) -> Json:
    """Keep the last grid of samples; say what the demo learned from, and how far it got."""
    shutil.copyfile(max((run / "samples").glob("*.png")), out / "digits.png")
    config = read_json(run / "config.json")
    last = (run / "metrics.jsonl").read_text().splitlines()[-1]
    kept = ("device", "precision", "data", "steps", "seed")
    return {**{key: config.get(key) for key in kept}, "last": json.loads(last)}
