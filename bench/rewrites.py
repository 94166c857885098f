"""What rewrites of captured programs are worth: calls, time and memory with them and without.

    python bench/rewrites.py                     → bench/results/<machine>/rewrites.json
    python bench/rewrites.py wgan-gp bench/systems/wgan_gp_dense.py --rounds 20

Both programs of a recipe or file train in turn in one process: rewritten, as it was captured,
rewritten … The ratio of each round is what counts. Seconds to the first step are those that making
the trainer takes, after another one was made. Data are drawn digits, or made-up images. It needs
nothing else on the machine to be running.
"""

import argparse
import gc
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from ganengine import Trainer, recipes
from ganengine.bench.environment import environment, results_folder
from ganengine.bench.report import save
from ganengine.data import drawn_digits
from ganengine.gan import find
from ganengine.rewrite import REWRITES

HERE = Path(__file__).resolve().parent


def data_for(system: Any) -> Any:
    """Images of the shape that the system learns from."""
    if system.image_shape == (1, 28, 28):
        return drawn_digits(2000, seed=5)
    count = 20 * getattr(system, "batch_size", 64)
    shape = (min(count, 300), *system.image_shape)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def trainer(name: str, data: Any, chosen: str) -> tuple[Trainer, float]:
    """A trainer after its first step, and the seconds that it took to make it."""
    os.environ["GANENGINE_REWRITES"] = chosen
    start = time.perf_counter()
    made = Trainer(system_of(name), data, seed=3)
    seconds = time.perf_counter() - start
    made.train(1)
    return made, seconds


def system_of(name: str) -> Any:
    return find.system_in(find.read(Path(name)))() if name.endswith(".py") else recipes.get(name)()


def seconds_of(trained: Trainer, steps: int) -> float:
    start = time.perf_counter()
    trained.train(steps)
    return (time.perf_counter() - start) / steps


def compare(name: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Both programs of one system."""
    data = data_for(system_of(name))
    plain, _ = trainer(name, data, "none")
    rewritten, first = trainer(name, data, ",".join(REWRITES))
    sides = [rewritten, plain]
    steps = max(1, round(seconds / min(seconds_of(side, 2) for side in sides)))
    gc.collect()
    turns = np.array([[seconds_of(side, steps) for side in sides] for _ in range(rounds)])
    ours, theirs = turns.T
    return {
        "calls": [len(side.program) for side in sides],
        "mib": [round(side.program.nbytes / 2**20, 3) for side in sides],
        "seconds_to_first_step": float(f"{first:.3g}"),
        "steps_per_turn": steps,
        "rewritten_ms": summary(ours * 1e3),
        "plain_ms": summary(theirs * 1e3),
        "rewritten_to_plain": summary(ours / theirs),
    }


def summary(values: Any) -> dict[str, Any]:
    q1, median, q3 = (float(f"{value:.4g}") for value in np.percentile(values, [25, 50, 75]))
    return {"median": median, "q1": q1, "q3": q3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("systems", nargs="*", help="recipes or files; all recipes, if none")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="that one turn lasts")
    parser.add_argument("--out", type=Path, help="the result's folder, instead of the machine's")
    arguments = parser.parse_args()
    files = [str(path) for path in sorted((HERE / "systems").glob("*.py"))]
    where, found = environment(), {}
    for name in arguments.systems or [*recipes.names(), *files]:
        result = compare(name, arguments.rounds, arguments.seconds)
        found[Path(name).stem] = result
        calls, ratio = result["calls"], result["rewritten_to_plain"]
        print(
            f"{Path(name).stem}: {calls[1]} calls → {calls[0]}, {ratio['median']:.3f} of the time "
            f"({ratio['q1']:.3f} to {ratio['q3']:.3f}), first step after "
            f"{result['seconds_to_first_step']:.2f} s",
            flush=True,
        )
    settings = {"rounds": arguments.rounds, "seconds_per_turn": arguments.seconds}
    result = {"kind": "rewrites", "environment": where, "settings": settings, "systems": found}
    path = (arguments.out or results_folder(HERE / "results")) / "rewrites.json"
    save(result, path)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
