"""Compare this tree with an older one: the same bits, and the time of a step.

    python bench/versions.py ../before/src       → bench/results/<machine>/versions.json
    python bench/versions.py ../before/src --recipes mlp-128,mnist --rounds 20

The older tree is a path to its ``src``, with the kernels built in place. After 50 steps from the
same seed and the same drawn digits (for dcgan-64 fewer, on made-up images), the hash of every array
of the state and of the metrics is compared. Then each side trains in a process of its own, in turn
before, now, before, now …; the ratio of each round is what counts. It needs nothing else on the
machine to be running.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ganengine.bench.environment import environment, results_folder
from ganengine.bench.report import save
from ganengine.data import drawn_digits

HERE = Path(__file__).resolve().parent
NOW = HERE.parent / "src"
RECIPES = (
    *("mnist", "mlp-128", "mlp-500", "cgan"),
    *("keras-dcgan", "dcgan-mnist", "cdcgan-mnist", "infogan-net", "dcgan-64"),
)
FEW_STEPS = {"dcgan-64": 8}  # of the comparison, where one takes a second
IMAGES = {"dcgan-64": 300}


class Version:
    """A process in which one version trains a recipe."""

    def __init__(self, source: Path, recipe: str, data: Path):
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "versions_side.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        self.number = self.ask("start", recipe=recipe, data=str(data))

    def ask(self, what: str, **arguments: object) -> Any:
        inbox, outbox = self._process.stdout, self._process.stdin
        assert inbox is not None
        assert outbox is not None
        with suppress(BrokenPipeError):  # then there will be no answer either
            print(json.dumps({"do": what, **arguments}), file=outbox, flush=True)
        answer = inbox.readline()
        if not answer:
            sys.exit(f"the process of a version ended with status {self._process.wait()}")
        return json.loads(answer)

    def close(self) -> None:
        self._process.communicate()


def same_bits(before: Version, now: Version, steps: int) -> dict[str, Any]:
    """Whether all that the older version keeps is the same in the newer one."""
    old, new = (version.ask("hashes", steps=steps) for version in (before, now))
    different = sorted(name for name in old if old[name] != new.get(name))
    return {
        "steps": steps,
        "arrays": len(old),
        "same_bits": not different,
        "different": different,
        "new": sorted(new.keys() - old.keys()),
    }


def times(before: Version, now: Version, rounds: int, seconds: float) -> dict[str, Any]:
    """Seconds of a step on both sides, turn by turn."""
    steps = max(1, round(seconds / min(side.ask("time", steps=2) for side in (before, now))))
    turns = [(before.ask("time", steps=steps), now.ask("time", steps=steps)) for _ in range(rounds)]
    old, new = np.array(turns).T
    return {
        "steps_per_turn": steps,
        "before_ms": summary(old * 1e3),
        "now_ms": summary(new * 1e3),
        "times_as_fast": summary(old / new),
    }


def summary(values: Any) -> dict[str, Any]:
    q1, median, q3 = (float(f"{value:.5g}") for value in np.percentile(values, [25, 50, 75]))
    rounds = [float(f"{value:.5g}") for value in values]
    return {"median": median, "q1": q1, "q3": q3, "rounds": rounds}


def write_data(recipe: str, folder: Path) -> Path:
    """The same data for both sides, as a file."""
    path = folder / f"{recipe}.npz"
    if recipe == "dcgan-64":
        rng = np.random.default_rng(0)
        np.savez(path, image=rng.integers(0, 256, (IMAGES[recipe], 3, 64, 64), dtype=np.uint8))
    else:
        digits = drawn_digits(2000, seed=5)
        np.savez(path, image=digits.images, label=digits.labels)
    return path


def commit(source: Path) -> str | None:
    """Of the tree that a source is in, ``+`` behind it if it was changed; None if it is in none."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(source), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path, help="src of the older tree, with kernels built")
    parser.add_argument("--recipes", default=",".join(RECIPES), help="with commas between")
    parser.add_argument("--steps", type=int, default=50, help="after which bits are compared")
    parser.add_argument("--rounds", type=int, default=11, help="0: only compare the bits")
    parser.add_argument("--seconds", type=float, default=1.0, help="that one turn lasts")
    parser.add_argument("--out", type=Path, help="the result's folder, instead of the machine's")
    arguments = parser.parse_args()
    if not (arguments.before / "ganengine" / "__init__.py").is_file():
        parser.error(f"{arguments.before} holds no ganengine")
    where, before, found, numbers = environment(), arguments.before.resolve(), {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for recipe in arguments.recipes.split(","):
            data = write_data(recipe, Path(folder))
            with ExitStack() as stack:
                sides = []
                for name, source in (("before", before), ("now", NOW)):
                    sides.append(Version(source, recipe, data))
                    stack.callback(sides[-1].close)
                    numbers[name] = sides[-1].number
                found[recipe] = same_bits(*sides, FEW_STEPS.get(recipe, arguments.steps))
                if arguments.rounds:
                    found[recipe] |= times(*sides, arguments.rounds, arguments.seconds)
            print(words(recipe, found[recipe]), flush=True)
    result = {
        "kind": "versions",
        "environment": where,
        "before": {"version": numbers["before"], "commit": commit(before)},
        "now": {"version": numbers["now"], "commit": commit(NOW)},
        "settings": {"rounds": arguments.rounds, "seconds_per_turn": arguments.seconds},
        "recipes": found,
    }
    path = (arguments.out or results_folder(HERE / "results")) / "versions.json"
    save(result, path)
    print(f"written to {path}")


def words(recipe: str, found: dict[str, Any]) -> str:
    bits = f"the same bits after {found['steps']} steps ({found['arrays']} arrays)"
    if not found["same_bits"]:
        bits = f"OTHER BITS after {found['steps']} steps: {', '.join(found['different'])}"
    if "now_ms" not in found:
        return f"{recipe}: {bits}"
    before, now, ratio = (found[key] for key in ("before_ms", "now_ms", "times_as_fast"))
    return (
        f"{recipe}: {bits}; {before['median']:.3f} ms before, {now['median']:.3f} ms now: "
        f"{ratio['median']:.3f} times as fast ({ratio['q1']:.3f} to {ratio['q3']:.3f})"
    )


if __name__ == "__main__":
    main()
