"""scripts/gpu_check.py without a GPU: that it says so, and what it makes of sections."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"
GPU = {
    "name": "NVIDIA H200",
    "driver_version": "580",
    "compute_cap": "9.0",
    "memory.total": "143771 MiB",
}


@pytest.fixture
def gpu_check(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import gpu_check

    yield gpu_check
    for name in ("gpu_check", "gpu_sections"):
        del sys.modules[name]


@pytest.fixture
def run(gpu_check, tmp_path):
    """Runs sections; returns whether they passed, their entries by name, and the log."""

    def run(*sections, seconds=60.0):
        report = {"kind": "gpu check"}
        environment = dict(os.environ)
        passed = gpu_check.check(
            sections, report, tmp_path, seconds=seconds, environment=environment
        )
        assert json.loads((tmp_path / "report.json").read_text()) == report
        assert report["passed"] == passed
        entries = {entry["name"]: entry for entry in report["sections"]}
        return passed, entries, (tmp_path / "log.txt").read_text()

    return run


@pytest.fixture
def section(gpu_check):
    def section(name, program, limit=20.0, **options):
        command = [sys.executable, "-c", program]
        options = {"needs": "", "packages": (), **options}
        return gpu_check.Section(name, command, limit, **options)

    return section


def fake_nvidia_smi(folder, program):
    script = folder / "nvidia-smi"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:/usr/bin:/bin", "PYTHON": sys.executable}


@pytest.mark.parametrize(
    ("program", "reason"),
    [("echo 'No devices were found'; exit 6", "nvidia-smi says: No devices were found"), ("", "")],
)
def test_without_a_gpu_it_ends_at_once(tmp_path, program, reason):
    environment = fake_nvidia_smi(tmp_path, program)
    command = [str(SCRIPTS / "gpu_check.sh"), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("no GPU: ")
    assert reason in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_gpu_is_found(gpu_check, monkeypatch, tmp_path):
    answer = "echo 'NVIDIA H200, 580.159.04, 9.0, 143771 MiB'; echo 'NVIDIA H200, 580, 9.0, 1 MiB'"
    monkeypatch.setattr(os, "environ", fake_nvidia_smi(tmp_path, answer))
    assert gpu_check.find_gpu() == {
        "name": "NVIDIA H200",
        "driver_version": "580.159.04",
        "compute_cap": "9.0",
        "memory.total": "143771 MiB",
        "gpus": 2,
    }


def test_all_is_well(run, section):
    passed, entries, log = run(section("one", "print('hello'); print('3 passed')"))
    assert passed
    assert entries["one"]["status"] == "ok"
    assert entries["one"]["says"] == ["3 passed"]
    assert "== one: " in log
    assert "hello" in log


def test_a_failure_does_not_stop_the_next_but_what_needs_it(run, section):
    passed, entries, _ = run(
        section("build", "import sys; print('no nvcc'); sys.exit(3)"),
        section("tests", "", needs="build"),
        section("other", "print('here')"),
    )
    assert not passed
    assert entries["build"]["reason"] == "exit status 3"
    assert entries["build"]["says"] == ["no nvcc"]
    assert (entries["tests"]["status"], entries["tests"]["reason"]) == ("skipped", "build failed")
    assert entries["other"]["status"] == "ok"


def test_a_slow_section_is_skipped_where_slowness_is_no_fault(run, section):
    program = "import time; print('half', flush=True); time.sleep(60)"
    passed, entries, _ = run(section("slow", program, limit=2.0, may_take_too_long=True))
    assert passed
    assert (entries["slow"]["status"], entries["slow"]["says"]) == ("skipped", ["half"])
    assert entries["slow"]["reason"] == "time: stopped after 2 s"


@pytest.mark.parametrize(
    ("capability", "memory", "architecture", "skipped"),
    [
        ("7.5", "3911 MiB", "75", {"large product", "kernels", "convolutions"}),
        ("8.9", "24564 MiB", "89", set()),
        ("9.0", "81559 MiB", "90a", set()),
        ("12.0", "32607 MiB", "120", set()),
    ],
)
def test_sections_fit_the_gpu(gpu_check, tmp_path, capability, memory, architecture, skipped):
    todo = gpu_check.sections({"compute_cap": capability, "memory.total": memory}, tmp_path)
    small = {section.name for section in todo if section.missing.startswith("needs 8 GiB")}
    assert small == skipped
    commands = {section.name: " ".join(section.command) for section in todo}
    assert f"ARCHITECTURES={architecture}-real" in commands["build"]
    assert f"-arch=sm_{architecture} " in commands["limits"]
    slow = {section.name for section in todo if section.may_take_too_long}
    assert {"memcheck", "racecheck", "initcheck"} < slow
    assert not slow & {"build", "doctor", "tests", "demo"}


def test_a_section_has_a_time_limit_and_leaves_nothing_running(run, section):
    program = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    start = time.monotonic()
    passed, entries, _ = run(section("slow", program, limit=2.0))
    assert not passed
    assert time.monotonic() - start < 30
    assert entries["slow"]["reason"] == "stopped after 2 s"
    child = Path("/proc", entries["slow"]["says"][0])
    for _ in range(200):
        if not child.exists() or "Z" in (child / "stat").read_text().split()[2]:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("the section's child goes on")


def test_what_cannot_run_here_is_skipped_with_the_reason(run, section):
    passed, entries, _ = run(
        section("tool", "", missing="compute-sanitizer was not found"),
        section("package", "", packages=("no_such_package",)),
        section(
            "device", "print('Device not supported'); exit(1)", unsupported="Device not supported"
        ),
    )
    assert passed
    assert {entry["status"] for entry in entries.values()} == {"skipped"}
    assert [entry["reason"] for entry in entries.values()] == [
        "compute-sanitizer was not found",
        "no_such_package is not installed",
        "Device not supported",
    ]


def test_when_time_is_over_the_rest_is_skipped(run, section):
    passed, entries, _ = run(
        section("long", "import time; time.sleep(60)"), section("next", ""), seconds=2.0
    )
    assert not passed
    assert entries["long"]["reason"] == "stopped after 2 s"
    assert entries["next"]["reason"] == "no time is left"


def test_results_go_into_the_report(run, section, gpu_check, tmp_path):
    path = tmp_path / "result.json"
    program = f"open({str(path)!r}, 'w').write('{{\"ms\": 2}}')"
    from gpu_sections import read_json

    passed, entries, _ = run(
        section("good", program, result=lambda: read_json(path)),
        section("none", "", result=lambda: read_json(tmp_path / "nothing")),
    )
    assert not passed
    assert entries["good"]["result"] == {"ms": 2}
    assert entries["none"]["reason"].startswith("left no result: ")


def test_the_report_says_where_and_with_what(gpu_check):
    report = gpu_check.describe(GPU, "abc")
    assert report["gpu"] == GPU
    assert report["commit"] == "abc"
    assert report["versions"]["pytest"] == pytest.__version__
    assert {"kind", "passed", "date", "seconds", "machine"} < set(report)


def test_the_sections_are_what_they_should_be(gpu_check, tmp_path):
    todo = {section.name: section for section in gpu_check.sections(GPU, tmp_path)}
    wanted = {
        *("build", "doctor", "tests", "memcheck", "racecheck", "initcheck", "step mlp-128"),
        *("step mlp-500", "limits", "kernels", "large product", "demo"),
        *("convolutions", "step keras-dcgan", "step dcgan-mnist", "step wgan-gp"),
    }
    assert set(todo) == wanted
    assert "-Ccmake.define.GE_CUDA_ARCHITECTURES=90a-real" in todo["build"].command
    older = gpu_check.sections({**GPU, "compute_cap": "8.6"}, tmp_path)[0]
    assert "-Ccmake.define.GE_CUDA_ARCHITECTURES=86-real" in older.command
    for section in todo.values():
        for i, word in enumerate(section.command):
            if word.endswith(".py"):
                text = (ROOT / word).read_text()
                for option in section.command[i + 1 :]:
                    assert not option.startswith("--") or f'"{option}"' in text


def test_the_demo_is_kept(gpu_check, tmp_path):
    from gpu_sections import keep_demo

    samples = tmp_path / "run" / "samples"
    samples.mkdir(parents=True)
    for step in (0, 20):
        (samples / f"step-{step:08d}.png").write_bytes(b"%d" % step)
    (tmp_path / "run" / "config.json").write_text('{"device": "cuda", "steps": 20, "x": 1}')
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 1}\n{"step": 20}\n')
    result = keep_demo(tmp_path / "run", tmp_path)
    assert (tmp_path / "digits.png").read_bytes() == b"20"
    assert result["steps"] == 20
    assert result["last"] == {"step": 20}
