"""docs/promises.md: what it names is there, and its figures are those of the committed result."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "promises.md").read_text()
RESULT = json.loads((ROOT / "bench/results/amd-epyc-2-cores/attack.json").read_text())


def test_what_it_names_is_there() -> None:
    named = re.findall(r"`((?:tests|scripts|bench)/[\w/.]+)", PAGE)
    assert len(named) > 20
    for name in named:
        assert (ROOT / name).exists(), name


def test_its_figures() -> None:
    kills, calls, folders = (RESULT[attack] for attack in ("kills", "kernels", "folders"))
    assert [attack["faults"] for attack in (kills, calls, folders)] == [[], [], []]
    for figure in (
        f"{kills['kills']} kills ",
        f"in {kills['trainings']} trainings",
        f"any of their {kills['files_compared']} files",
        f"{calls['calls']:,} hostile calls of the {calls['kernels']} kernels",
        f"{folders['folders']:,} of them",
    ):
        assert figure in PAGE
