"""bench/kernels.py on the CPU: every case runs, and says how far it is from its limit."""

import importlib.util
import json
import sys
from pathlib import Path

import kernel_cases
import pytest
from conv_layers import LAYERS
from kernel_cases import GROUPS, Bench
from ops import OPS

from ganengine import backend, kernels
from ganengine.bench import peak
from ganengine.bench.environment import package_version

SCRIPT = Path(__file__).parents[2] / "bench" / "kernels.py"


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The script as a function of its arguments, which returns its result."""
    spec = importlib.util.spec_from_file_location("bench_kernels", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "copy_bandwidth", lambda device: 1e10)
    monkeypatch.setattr(module, "peak", lambda device: 1e11)

    def run(*arguments):
        out = tmp_path / "kernels.json"
        brief = ["--rounds", "1", "--seconds", "0.001", "--out", str(out)]
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *brief, *arguments])
        try:
            module.main()
        finally:
            run.result = json.loads(out.read_text())
        return run.result

    return run


def test_the_kernels_of_a_step(script):
    result = script("--groups", "step")
    assert result["settings"]["device"] == "cpu"
    assert result["limits"] == {"bytes_per_second": 1e10, "flops_per_second": 1e11}
    lines = {line["kernel"]: line for line in result["kernels"]}
    adam = lines["adam_step"]
    assert adam["bytes"] == 7 * 4 * 130_576
    assert adam["limit_microseconds"] == pytest.approx(adam["bytes"] / 1e10 * 1e6, rel=1e-3)
    dense = lines["dense leaky_relu"]
    assert dense["flops"] == 2 * dense["size"][0] * dense["size"][1] * dense["size"][2]
    for line in result["kernels"]:
        assert "error" not in line
        ratio = line["limit_microseconds"] / line["microseconds"]
        assert line["fraction_of_limit"] == pytest.approx(ratio, rel=1e-2)
        op = OPS.get(line["kernel"].partition(" ")[0])
        if package_version("torch") and op and op.torch:
            assert line["torch_microseconds"] > 0
            assert ("difference_from_torch" in line) != op.random


def test_the_convolutions(script, monkeypatch):
    kinds = {layer.kind: layer for layer in LAYERS} | {f"few {y.kind}": y for y in LAYERS[1:4]}
    small = [layer._replace(batch=2) for layer in kinds.values()]
    monkeypatch.setattr(kernel_cases, "LAYERS", small)
    with_torch = bool(package_version("torch"))
    lines = script("--groups", "convolution")["kernels"]
    assert len(lines) == len(small) * 3 * (2 if with_torch else 1)
    for line in lines:
        assert "error" not in line, line
        assert line["flops"] > 0
        assert ("difference_from_torch" in line) == with_torch
    if with_torch:
        assert {line["kernel"].partition(", ")[2] for line in lines} == {"", "channels last"}


def test_a_kernel_that_computes_something_else_gets_no_time(script, monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    right = kernels.sum
    monkeypatch.setattr(kernels, "sum", lambda x, **options: right(x, **options) * 2)
    with pytest.raises(SystemExit, match="1 kernels failed"):
        script("--groups", "step", "--only", "sum axis=0")
    (line,) = script.result["kernels"]
    assert line["error"].startswith("differs from PyTorch by 1.0e+00")


def test_every_group_has_cases():
    bench = Bench("cpu", with_torch=False)
    for group in GROUPS:
        assert list(bench.cases(group))
    (product,) = Bench("cuda", with_torch=False).cases("product")
    assert product.size == (8192, 4096, 4096)


def test_time_per_call_does_not_depend_on_the_time_given(monkeypatch):
    clock = [0.0]

    def work():
        clock[0] += 1e-4

    with monkeypatch.context() as patched:
        patched.setattr(peak.time, "perf_counter", lambda: clock[0])
        for seconds in (0.01, 0.1):
            begun = clock[0]
            assert peak.seconds_per_call(work, "cpu", seconds) == pytest.approx(1e-4)
            assert seconds < clock[0] - begun < 4 * seconds
    assert peak.copy_bandwidth("cpu", 0.001) > 1e8
    assert peak.peak("cpu", 0.01) > 1e8


def test_waiting_is_for_the_device(monkeypatch):
    waited = []

    class Device:
        def synchronize(self):
            waited.append(1)

    cuda = type("cuda", (), {"Device": Device})
    monkeypatch.setattr(backend, "cupy", lambda: type("cupy", (), {"cuda": cuda}))
    peak.elapsed(lambda: None, "cuda", 3)
    assert len(waited) == 2
