"""What the package asks of the machine."""

import pytest

from ganengine import backend, precision, set_precision


class FakeModule:
    precision = ""

    def set_precision(self, name: str) -> None:
        self.precision = name


def test_precision_reaches_the_cuda_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    module = FakeModule()
    monkeypatch.setattr(backend, "cuda_module", lambda: module)
    before = precision()
    try:
        set_precision("fp32")
        assert (precision(), module.precision) == ("fp32", "fp32")
        with pytest.raises(ValueError, match="precision is 'fp64'; it can be tf32, bf16, fp32"):
            set_precision("fp64")
        assert (precision(), module.precision) == ("fp32", "fp32")
    finally:
        set_precision(before)
