"""The tests of this folder run on each device, though they speak NumPy."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from devices import OnCuda


@pytest.fixture(scope="module", autouse=True)
def kernels_on_the_device(request: pytest.FixtureRequest, device: str) -> Iterator[None]:
    """Lets the name ``kernels`` mean those of the device, in the test module and what it shares."""
    modules = (request.module, sys.modules.get("convolutions"))
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            if device == "cuda" and hasattr(module, "kernels"):
                patch.setattr(module, "kernels", OnCuda(module.kernels))
        yield
