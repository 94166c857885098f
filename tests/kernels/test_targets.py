"""Every instruction set, number of threads and the reference switch give the right results."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import parity
import pytest
from helpers import kernels_only

from ganengine import _cpu, kernels

pytestmark = pytest.mark.cpu_only

PARITY = Path(parity.__file__)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def restored_threads() -> Iterator[None]:
    before = _cpu.thread_count()
    yield
    _cpu.set_thread_count(before)


@kernels_only
@pytest.mark.parametrize("name", ["baseline", "avx2", "avx512"])
def test_instruction_set(name: str) -> None:
    asked = "from ganengine import _cpu; print(_cpu.instruction_set())"
    probe = python("-c", asked, GANENGINE_CPU=name)
    if "processor has no such instructions" in probe.stderr or "architecture" in probe.stderr:
        pytest.skip(f"no {name} here")
    assert probe.stdout.strip() == name, probe.stderr
    result = python(str(PARITY), GANENGINE_CPU=name)
    assert result.returncode == 0, result.stderr


@pytest.mark.subprocess
def test_unknown_instruction_set_is_refused() -> None:
    result = python("-c", "from ganengine import kernels", GANENGINE_CPU="abacus")
    assert "it can be baseline, avx2 or avx512" in result.stderr


@kernels_only
@pytest.mark.usefixtures("restored_threads")
def test_same_bits_for_any_number_of_threads() -> None:
    def bits(threads: int) -> list[tuple[str, list[bytes]]]:
        _cpu.set_thread_count(threads)
        results = parity.calls(kernels, "float32")
        return [(words, [array.tobytes() for array in arrays]) for _, words, _, arrays in results]

    alone = bits(1)
    for threads in (2, 3, 7):
        for (name, expected), (_, actual) in zip(alone, bits(threads), strict=True):
            assert actual == expected, f"{name} differs on {threads} threads"


# There is no memory for the copies of dy, some 70 MB, that its threads make in the product.
NO_MEMORY = """
import resource
import numpy as np
from ganengine import _cpu, kernels

dy, x = np.ones((1, 200_000, 2, 2), "float32"), np.ones((1, 1, 3, 3), "float32")
weight = np.zeros((200_000, 1, 2, 2), "float32")
out = (np.zeros_like(weight), np.zeros(200_000, "float32"))

def backward():
    kernels.conv2d_backward(dy, x, weight, dy, need_dx=False, out=out)

small = np.ones((64, 64), "float32")
for _ in range(100):
    kernels.matmul(small, small)  # the threads are there
assert _cpu.thread_count() == THREADS
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
_, most = resource.getrlimit(resource.RLIMIT_AS)
for _ in range(3):
    resource.setrlimit(resource.RLIMIT_AS, (used + 8 * 2**20, most))
    try:
        backward()
    except MemoryError:
        print("MemoryError")
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    assert (kernels.matmul(small, small) == 64).all()
backward()
assert (out[0] == 4).all() and (out[1] == 4).all()
"""


@pytest.mark.subprocess
@kernels_only
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_without_memory_end_in_a_memory_error(threads: int) -> None:
    program = NO_MEMORY.replace("THREADS", str(threads))
    result = python("-c", program, GANENGINE_NUM_THREADS=str(threads))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["MemoryError"] * 3


MANY_THREADS = """
import os, resource, sys
import numpy as np
from ganengine import _cpu, kernels

def running():
    return len(os.listdir("/proc/self/task"))

before = running()
room = int(sys.argv[1])
if room:
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
ones = np.ones((300, 300), "float32")
assert (kernels.matmul(ones, ones) == 300).all()
print(_cpu.thread_count())
assert running() == before + _cpu.thread_count() - 1
_cpu.set_thread_count(2)
assert (kernels.matmul(ones, ones) == 300).all()
assert _cpu.thread_count() == 2 and running() == before + 1
"""


@pytest.mark.subprocess
@kernels_only
@pytest.mark.parametrize(("room", "most"), [(0, 1024), (200 * 2**20, 100)])
def test_more_threads_than_there_can_be(room: int, most: int) -> None:
    """A thread takes some 8 MiB of addresses for its stack."""
    result = python("-c", MANY_THREADS, str(room), GANENGINE_NUM_THREADS="100000")
    assert result.returncode == 0, result.stderr
    assert 1 <= int(result.stdout) <= most


@pytest.mark.subprocess
@kernels_only
def test_reference_switch_warns_and_runs_no_native_kernel() -> None:
    program = f"""
import runpy, sys
from ganengine import backend

class Signatures:
    signatures = backend.native("cpu").signatures  # what kernels take, which are not run

    def __getattr__(self, name):
        sys.exit("a native kernel ran")

backend.native = lambda device: Signatures()
runpy.run_path({str(PARITY)!r}, run_name="__main__")
"""
    assert "a native kernel ran" in python("-c", program).stderr
    result = python("-c", program, GANENGINE_IMPL="reference")
    assert result.returncode == 0, result.stderr
    assert "RuntimeWarning: GANENGINE_IMPL=reference" in result.stderr


@pytest.mark.subprocess
def test_unknown_implementation_is_refused() -> None:
    program = "import numpy as np; from ganengine import kernels; kernels.sum(np.ones(2, 'f4'))"
    result = python("-c", program, GANENGINE_IMPL="magic")
    assert "ValueError: GANENGINE_IMPL is 'magic'" in result.stderr
