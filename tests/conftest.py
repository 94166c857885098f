"""What every test runs under: the shared helpers on the path, and a bounded, repeatable search."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("repeatable", max_examples=30, deadline=None, derandomize=True)
settings.load_profile("repeatable")
