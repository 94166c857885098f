"""What every test runs under: the shared helpers on the path, and a bounded, repeatable search."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("repeatable", max_examples=30, deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "subprocess: starts a Python of its own")
    # ``GANENGINE_IMPL=reference pytest`` shall run: its warning is no error then.
    if os.environ.get("GANENGINE_IMPL") == "reference":
        config.addinivalue_line("filterwarnings", "ignore:GANENGINE_IMPL=reference:RuntimeWarning")
