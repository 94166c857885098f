"""Time one training step of a recipe against PyTorch and JAX, and file the result.

    python bench/step.py mlp-128              → bench/results/<machine>/step-mlp-128.json
    python bench/step.py mlp-500 --against torch,jax,keras --rounds 30
    python bench/step.py keras-dcgan          takes about seven minutes on two processors
    python bench/step.py mlp-128 --device cuda  → bench/results/<GPU>/step-mlp-128.json

It needs nothing else on the machine to be running; it says so where something was. It can be
stopped and started again at any time: a result is written only when it is complete.
"""

import argparse
from pathlib import Path

from rich.console import Console

from ganengine import recipes
from ganengine.bench.environment import results_folder
from ganengine.bench.measure import measure
from ganengine.bench.report import render, save

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe", choices=recipes.names())
    parser.add_argument("--against", default="torch,jax")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        help="that one turn lasts: many times what threads need to wake up",
    )
    parser.add_argument(
        "--limit", type=float, default=180.0, help="seconds for all rounds; else there are fewer"
    )
    parser.add_argument("--patience", type=float, default=600.0, help="seconds to get ready in")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, help="the result's folder, instead of the machine's")
    arguments = parser.parse_args()
    result = measure(
        recipes.get(arguments.recipe),
        arguments.against.split(","),
        device=arguments.device,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        limit=arguments.limit,
        patience=arguments.patience,
        threads=arguments.threads,
        say=print,
    )
    Console(highlight=False).print(render(result))
    folder = arguments.out or results_folder(RESULTS, arguments.device)
    path = folder / f"step-{arguments.recipe}.json"
    save(result, path)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
