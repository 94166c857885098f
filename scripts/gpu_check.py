#!/usr/bin/env python3
"""Check and measure on a GPU: build, tests, compute-sanitizer, benchmarks, demo; one report.

Each section is a command with a time limit; one that fails does not stop the next. Exit status: 0
if none failed, 1 if one did, 2 if there is no GPU.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from gpu_sections import ROOT, SITE, WORK, Json, Section, sections

PACKAGES = (
    *("numpy", "cupy-cuda13x", "cupy-cuda12x", "torch", "triton", "jax", "jaxlib", "pytest"),
    *("hypothesis", "pybind11", "scikit-build-core", "cmake"),
)
ASKED_OF_GPU = ("name", "driver_version", "compute_cap", "memory.total")


def find_gpu() -> Json | str:
    """What the driver says of the first GPU, or why there is none."""
    query = ["nvidia-smi", f"--query-gpu={','.join(ASKED_OF_GPU)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi cannot be asked ({error})"
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        return f"nvidia-smi says: {(done.stdout + done.stderr).strip() or 'nothing'}"
    values = [value.strip() for value in lines[0].split(",")]
    return {**dict(zip(ASKED_OF_GPU, values, strict=True)), "gpus": len(lines)}


def check(
    todo: Sequence[Section], report: Json, out: Path, *, seconds: float, environment: dict[str, str]
) -> bool:
    """Run the sections, within ``seconds`` all together; whether none failed."""
    start = time.monotonic()
    done: list[Json] = []
    report["sections"] = done
    with (out / "log.txt").open("w+", encoding="utf-8", errors="replace") as log:
        for section in todo:
            print(f"{section.name} ... ", end="", flush=True)
            left = seconds - (time.monotonic() - start)
            failed = {entry["name"] for entry in done if entry["status"] == "failed"}
            reason = why_not(section, failed, left)
            if reason:
                entry = {"status": "skipped", "reason": reason, "seconds": 0.0}
            else:
                entry = run(section, log, min(section.limit, left), environment)
            done.append({"name": section.name, **entry})
            print(entry["status"], entry["reason"] or f"({entry['seconds']:.0f} s)", flush=True)
            report["seconds"] = round(time.monotonic() - start, 1)
            report["passed"] = all(entry["status"] != "failed" for entry in done)
            text = json.dumps(report, indent=2, ensure_ascii=False)
            (out / "report.json").write_text(text + "\n", encoding="utf-8")  # even if it ends now
    return bool(report["passed"])


def why_not(section: Section, failed: set[str], left: float) -> str:
    """Why a section is skipped; empty if it is not."""
    if section.needs in failed:
        return f"{section.needs} failed"
    if section.missing:
        return section.missing
    for package in section.packages:
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    return "" if left > 1 else "no time is left"


def run(section: Section, log: IO[str], limit: float, environment: dict[str, str]) -> Json:
    """Run one section; its output goes to the log."""
    log.write(f"\n== {section.name}: {' '.join(section.command)}\n")
    log.flush()
    first, start = log.tell(), time.monotonic()
    process = subprocess.Popen(
        section.command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    reason, out_of_time = "", False
    try:
        if process.wait(limit) != 0:
            reason = f"exit status {process.returncode}"
    except subprocess.TimeoutExpired:
        reason, out_of_time = f"stopped after {limit:.0f} s", True
    finally:
        stop(process)
    took = round(time.monotonic() - start, 1)
    log.seek(first)
    lines = [line.strip() for line in log.read().splitlines() if line.strip()]
    entry: Json = {"status": "ok", "reason": "", "seconds": took, "says": lines[-1:]}
    if section.unsupported and any(section.unsupported in line for line in lines):
        return {**entry, "status": "skipped", "reason": section.unsupported}
    if out_of_time and section.may_take_too_long:
        return {**entry, "status": "skipped", "reason": f"time: {reason}"}
    if reason:
        entry = {**entry, "status": "failed", "reason": reason, "says": lines[-20:]}
    if section.result:
        try:
            entry["result"] = section.result()
        except (OSError, ValueError, IndexError) as error:
            entry["status"] = "failed"
            entry["reason"] = entry["reason"] or f"left no result: {error}"
    return entry


def stop(process: subprocess.Popen[bytes]) -> None:
    """End what a section has left running."""
    for send in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, send)
            process.wait(5)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def describe(gpu: Json, commit: str | None) -> Json:
    """The report without its sections: where and when, and with what."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    nvcc = shutil.which("nvcc")
    if nvcc:
        said = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout
        versions["nvcc"] = next((line for line in said.splitlines() if "release" in line), said)
    return {
        "kind": "gpu check",
        "passed": False,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "seconds": 0.0,
        "commit": commit,
        "gpu": gpu,
        "machine": {
            "processor": platform.machine(),
            "processors": os.cpu_count(),
            "os": platform.system(),
            "python": platform.python_version(),
        },
        "versions": versions,
    }


def git_commit() -> str | None:
    """The commit that is checked, ``+`` behind it if it was changed."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("GANENGINE_COMMIT")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the report's folder")
    parser.add_argument("--minutes", type=float, default=8.0, help="after which it ends")
    parser.add_argument("--only", help="sections, with commas between; the build must be there")
    arguments = parser.parse_args()
    gpu = find_gpu()
    if isinstance(gpu, str):
        print(f"no GPU: {gpu}\nThis checks what cannot be checked without one.", file=sys.stderr)
        return 2
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(WORK / "run", ignore_errors=True)
    todo = sections(gpu, out)
    if arguments.only:
        chosen = arguments.only.split(",")
        if unknown := set(chosen) - {section.name for section in todo}:
            parser.error(f"--only: there is no section {', '.join(sorted(unknown))}")
        todo = [section for section in todo if section.name in chosen]
    commit = git_commit()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH")))),
        "PYTHONUNBUFFERED": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GE_CUDA": "ON",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # JAX would take the memory of all others
        **({"GANENGINE_COMMIT": commit} if commit else {}),
    }
    report = describe(gpu, commit)
    seconds = 60 * arguments.minutes
    passed = check(todo, report, out, seconds=seconds, environment=environment)
    print(f"{'passed' if passed else 'FAILED'} in {report['seconds']:.0f} s: {out / 'report.json'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
