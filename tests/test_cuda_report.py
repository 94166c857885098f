"""scripts/cuda_report.py reads the compiler's and the disassembler's output."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PTXAS = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z5firstPf' for 'sm_90a'
ptxas info    : Function properties for _Z5firstPf
    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 8 bytes cumulative stack size
ptxas info    : Compiling entry function '_Z6secondPf' for 'sm_90a'
ptxas info    : Function properties for _Z6secondPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 1024 bytes smem
"""

SASS = """\
\t\tFunction : _Z5firstPf
        /*5c00*/                   HMMA.1688.F32.TF32 R76, R12, R96, R76 ;
        /*5c10*/              @!P2 FMUL R96, R97, 1.5 ;
        /*5c20*/                   HMMA.16816.F32.BF16 R76, R12, R96, R76 ;
\t\tFunction : _Z6secondPf
        /*0010*/                   FFMA R1, R2, R3, R4 ;
"""


@pytest.fixture(scope="module")
def report() -> ModuleType:
    file = Path(__file__).parents[1] / "scripts" / "cuda_report.py"
    spec = importlib.util.spec_from_file_location("cuda_report", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["cuda_report"] = module
    spec.loader.exec_module(module)
    return module


def test_ptxas_output_is_read(report: ModuleType) -> None:
    first, second = report.parse_ptxas(PTXAS)
    assert (first.symbol, first.arch) == ("_Z5firstPf", "sm_90a")
    assert (first.registers, first.shared, first.stack, first.spills) == (128, 0, 8, 16)
    assert (second.registers, second.shared, second.stack, second.spills) == (32, 1024, 0, 0)


def test_tensor_core_instructions_are_counted(report: ModuleType) -> None:
    assert report.tensor_instructions(SASS) == {"_Z5firstPf": 2}


def test_names_become_readable(report: ModuleType) -> None:
    mangled = (
        "void ge::(anonymous namespace)::dense_forward_kernel<(ge::Precision)1, "
        "ge::Tile<32, 32, 64, 1, 1, 4> >(ge::Product<int>)"
    )
    assert report.readable(mangled) == "dense_forward_kernel<tf32, small>"


@pytest.mark.parametrize(
    ("name", "arch", "expected"),
    [
        ("f<tf32, small>", "sm_80", True),
        ("f<bf16, small>", "sm_100", True),
        ("f<tf32, small>", "sm_75", False),
        ("f<fp32, small>", "sm_90a", False),
    ],
)
def test_which_kernels_must_use_tensor_cores(
    report: ModuleType, name: str, arch: str, expected: bool
) -> None:
    assert report.Kernel(symbol="f", name=name, arch=arch).uses_tensor_cores is expected


def test_architectures_are_those_of_the_build(report: ModuleType) -> None:
    assert {"sm_75", "sm_80", "sm_90a"} <= set(report.architectures())


def test_faults_are_seen(report: ModuleType) -> None:
    kernels = report.parse_ptxas(PTXAS)
    assert report.find_faults(kernels[1:], ["sm_90a"]) == []
    (spills,) = report.find_faults(kernels, ["sm_90a"])
    assert "for sm_90a spills 16 bytes" in spills
    (missing,) = report.find_faults(kernels[1:], ["sm_75", "sm_90a"])
    assert "not compiled for sm_75" in missing
    assert report.find_faults([], ["sm_75"]) == ["there is no kernel"]
    tensor = report.Kernel(symbol="f", name="f<tf32>", arch="sm_80", tensor_instructions=0)
    assert report.find_faults([tensor], ["sm_80"]) == [
        "f<tf32> for sm_80 has no tensor-core instruction"
    ]


def test_a_build_with_several_architectures_is_read(
    report: ModuleType, monkeypatch, capsys, tmp_path
) -> None:
    """As pip prints it: indented."""
    both = PTXAS.replace("4 bytes spill stores, 12", "0 bytes spill stores, 0")
    both += both.replace("sm_90a", "sm_80")
    log = tmp_path / "log"
    log.write_text("".join(f"  {line}\n" for line in both.splitlines()))
    command = ["cuda_report.py", "--log", str(log), "--arch", "sm_80", "sm_90a"]
    monkeypatch.setattr(sys, "argv", command)
    report.main()
    printed = capsys.readouterr().out
    assert "2 kernels for sm_80, sm_90a" in printed
    assert "no spills" in printed
    monkeypatch.setattr(sys, "argv", [*command, "sm_75"])
    with pytest.raises(SystemExit):
        report.main()
    assert capsys.readouterr().out.count("is not compiled for sm_75") == 2
