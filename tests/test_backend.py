"""What the package asks of the machine."""

from pathlib import Path
from types import ModuleType

import pytest

from ganengine import backend, precision, set_precision


def test_precision_is_one_of_three() -> None:
    before = precision()
    try:
        set_precision("fp32")
        with pytest.raises(ValueError, match="precision is 'fp64'; it can be tf32, bf16, fp32"):
            set_precision("fp64")
        assert precision() == "fp32"
    finally:
        set_precision(before)


def test_a_second_build_is_refused(tmp_path: Path) -> None:
    installed, package = tmp_path / "site-packages", tmp_path / "src"
    module = ModuleType("ganengine._cpu")
    for folder in (installed, package):
        folder.mkdir()
    module.__file__ = str(installed / "_cpu.so")
    (installed / "_cpu.so").write_bytes(b"new")
    backend.refuse_two_builds(module, package)
    (package / "_cpu.so").write_bytes(b"old")
    with pytest.raises(ImportError, match=r"two builds of ganengine\._cpu: .*site-packages.*src"):
        backend.refuse_two_builds(module, package)
    (package / "_cpu.so").write_bytes(b"new")
    backend.refuse_two_builds(module, package)
    module.__file__ = str(package / "_cpu.so")
    (installed / "_cpu.so").write_bytes(b"old")
    backend.refuse_two_builds(module, package)
