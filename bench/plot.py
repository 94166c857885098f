"""Draw the step times that are filed under bench/results/<machine>: the README's picture.

python bench/plot.py bench/results/<machine> [--out docs/images/step-time.svg]
"""

import argparse
from pathlib import Path

from ganengine.bench.plot import plot
from ganengine.bench.report import load

DEFAULT = Path(__file__).parent.parent / "docs" / "images" / "step-time.svg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=DEFAULT)
    arguments = parser.parse_args()
    plot([load(path) for path in sorted(arguments.folder.glob("step-*.json"))], arguments.out)
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
