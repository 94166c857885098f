"""Attacks on what ganengine promises (docs/promises.md), as long as you like.

python scripts/attack.py kills                 kill trainings at random system calls, compare bytes
python scripts/attack.py kernels               call kernels with hostile arguments
python scripts/attack.py folders               go on with, sample and export damaged run folders

Each prints what it found as JSON, and ends with exit code 1 if a promise was broken. ``--count``
says how often (100 kills, 100,000 calls), ``--seed`` makes others of them. With ``--save`` the
finding goes into bench/results/<machine>/attack.json, beside those of the other attacks, with
machine, versions, commit and date. A call of a kernel that went wrong is made again, alone, by
``python scripts/attack.py kernels --seed SEED --first NUMBER --count 1``.

The attacks themselves are in tests/attacks, where shorter ones run with the other tests.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from attacks import kernels, kills  # noqa: E402

from ganengine.bench.environment import environment, results_folder  # noqa: E402
from ganengine.bench.report import save  # noqa: E402

DAMAGED_RUNS = ROOT / "tests" / "cli" / "test_damaged_run.py"


def attack_kills(options: argparse.Namespace) -> dict[str, Any]:
    why_not = kills.why_not()
    if why_not is not None:
        sys.exit(f"cannot be made here: {why_not}")
    folder = Path(tempfile.mkdtemp(prefix="ganengine-attack-"))
    found = kills.attack(folder, options.count or 100, options.seed)
    if found["faults"]:
        print(f"the runs in which something is wrong are in {folder}", file=sys.stderr)
    return found


def attack_kernels(options: argparse.Namespace) -> dict[str, Any]:
    return kernels.attack(options.count or 100_000, options.seed, options.first)


def attack_folders(options: argparse.Namespace) -> dict[str, Any]:
    """The test of the damaged runs, which is long enough as it is."""
    if not DAMAGED_RUNS.exists():
        sys.exit(f"cannot be made here: there is no {DAMAGED_RUNS}")
    cases = re.search(r"^CASES = ([\d_]+)", DAMAGED_RUNS.read_text(), re.MULTILINE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(DAMAGED_RUNS)]
    there = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=there, capture_output=True, text=True, check=False)
    return {
        "folders": int(cases[1]) if cases else None,
        "faults": [(done.stdout + done.stderr)[-3000:]] if done.returncode else [],
    }


ATTACKS = {"kills": attack_kills, "kernels": attack_kernels, "folders": attack_folders}


def main() -> None:
    lines = __doc__.splitlines()
    parser = argparse.ArgumentParser(description=lines[0])
    parser.add_argument("attack", choices=ATTACKS)
    parser.add_argument("--count", type=int, help="kills, or calls of kernels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first call")
    parser.add_argument("--save", action="store_true", help="keep it under bench/results")
    options = parser.parse_args()
    where, begun = environment(), time.monotonic()
    found = ATTACKS[options.attack](options)
    found = {**found, "seconds": round(time.monotonic() - begun), "environment": where}
    print(json.dumps(found, indent=2))
    if options.save:
        path = results_folder(ROOT / "bench" / "results") / "attack.json"
        keep(path, options.attack, found)
        print(f"written to {path.relative_to(ROOT)}", file=sys.stderr)
    sys.exit(bool(found["faults"]))


def keep(path: Path, attack: str, found: dict[str, Any]) -> None:
    """Put a finding beside those of the other attacks."""
    result = json.loads(path.read_text()) if path.exists() else {"kind": "attack"}
    result[attack] = found
    save(result, path)


if __name__ == "__main__":
    main()
