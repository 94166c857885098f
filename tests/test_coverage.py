"""Everything is everywhere: each kernel and layer in all places where it must be, or exempt."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import parity
import pytest
from helpers import kernels_only
from kernel_cases import Bench
from ops import EVERY

from ganengine import _cpu, kernels, launch, nn
from ganengine.io.onnx_forms import FORMS

pytestmark = pytest.mark.cpu_only

# What is exempt, and why.
NO_KERNEL = {"fma_peak": "it measures the machine"}
NO_LAYER = {nn.Module: "the base of all", nn.Sequential: "it is taken apart into its layers"}
NO_ONNX_FORM = {
    nn.Embedding: "it reads labels, and the labels of an exported network are one-hot",
    nn.Maxout: "no recipe that is exported has one",
    nn.SpectralNorm: "it is for discriminators, and generators are exported",
}
NO_PYTORCH_NAMES = {
    nn.Maxout: "PyTorch has no such layer",
    nn.JoinCondition: "PyTorch has no such layer",
    nn.Activation: "it has no state",
    nn.AvgPool2d: "it has no state",
    nn.Reshape: "it has no state",
}

NATIVE = set(_cpu.signatures()) - set(NO_KERNEL)
LAYERS = {x for x in vars(nn).values() if inspect.isclass(x) and issubclass(x, nn.Module)}
TESTS = Path(__file__).parent


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The native kernels that run from then on."""
    seen: set[str] = set()
    run = launch._launch_native

    def spy(kernel: str, arguments: Sequence[Any]) -> None:
        seen.add(kernel)
        run(kernel, arguments)

    monkeypatch.setattr(launch, "_launch_native", spy)
    return seen


@kernels_only
def test_each_kernel_is_compared_with_the_reference(launched: set[str]) -> None:
    for _ in parity.calls(kernels, "float32", 3, 5):
        pass
    assert launched == NATIVE


@kernels_only
def test_each_kernel_is_timed(launched: set[str]) -> None:
    bench, ways = Bench("cpu", with_torch=False), set()
    for planned in bench.cases("step"):
        planned.make()
    for planned in bench.cases("convolution"):  # of the recipes' sizes, which take long
        name, direction = planned.name.split()
        ways.add(f"{name}_{'forward' if direction == 'forward' else 'backward'}")
    assert launched | ways == NATIVE


def test_each_kernel_runs_thread_by_thread() -> None:
    """A test in tests/simt calls it: ``run("kernel", ...)`` or ``cuda.kernel(...)``.

    Or its description has sizes for the executor.
    """
    text = "\n".join(path.read_text() for path in (TESTS / "simt").glob("test_*.py"))
    called = {a or b for a, b in re.findall(r'run\(\s*"(\w+)"|cuda\.(\w+)\(', text)}
    for name in re.findall(r'Convolution\(cuda, simt, "(\w+)"\)', text):
        called |= {f"{name}_forward", f"{name}_backward"}
    called |= {name for op in EVERY if op.edges for name in (op.name, f"{op.name}_forward")}
    assert NATIVE - called == set()


def test_each_layer_has_an_onnx_form() -> None:
    assert set(FORMS) | set(NO_ONNX_FORM) | set(NO_LAYER) == LAYERS
    assert not set(FORMS) & set(NO_ONNX_FORM)


def test_each_layer_has_its_pytorch_names() -> None:
    """They are compared with a network of PyTorch's, where weights go in and out or beside it."""
    files = (TESTS / "io" / "test_state.py", *(TESTS / "nn").glob("test_*.py"))
    text = "\n".join(t for t in (file.read_text() for file in files) if "torch.nn." in t)
    made = set(re.findall(r"(?<!torch\.)\bnn\.(\w+)\(", text))
    compared = {layer for layer in LAYERS if layer.__name__ in made}
    assert compared | set(NO_PYTORCH_NAMES) | set(NO_LAYER) == LAYERS
