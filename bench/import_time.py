"""How long ``import ganengine`` takes, in fresh processes; NumPy alone beside it, for scale.

python bench/import_time.py               → bench/results/<machine>/import-time.json
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from ganengine.bench.environment import environment, results_folder
from ganengine.bench.report import save

RESULTS = Path(__file__).parent / "results"
MODULES = ("ganengine", "numpy")
PROGRAM = """
import sys, time
start = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - start)
"""


def seconds(module: str) -> float:
    command = [sys.executable, "-c", PROGRAM, module]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    for module in MODULES:
        seconds(module)  # the first import reads the disk, and compiles the bytecode
    times: dict[str, list[float]] = {module: [] for module in MODULES}
    for _ in range(arguments.rounds):
        for module in MODULES:
            times[module].append(round(seconds(module), 4))
    medians = {module: statistics.median(times[module]) for module in MODULES}
    for module, median in medians.items():
        print(f"import {module:10} {median * 1e3:6.1f} ms (median of {arguments.rounds})")
    result = {
        "kind": "import time",
        "environment": environment(),
        "median_seconds": medians,
        "seconds": times,
    }
    path = results_folder(RESULTS) / "import-time.json"
    save(result, path)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
