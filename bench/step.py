"""Time one training step against PyTorch and JAX, and file the result.

    python bench/step.py mlp-128              → bench/results/<machine>/step-mlp-128.json
    python bench/step.py mlp-500 --against torch,jax,keras --rounds 30
    python bench/step.py bench/systems/wgan_gp_dense.py --set batch_size=100 --out /tmp/results
    python bench/step.py keras-dcgan          takes about seven minutes on two processors
    python bench/step.py mlp-128 --device cuda  → bench/results/<GPU>/step-mlp-128.json

What is timed is a recipe, or the System in a file. It needs nothing else on the machine to be
running; it says so where something was. It can be stopped and started again at any time: a result
is written only when it is complete. A system that twins/ has no step for is timed alone.
"""

import argparse
from pathlib import Path

from rich.console import Console
from twins.contestants import FOLDER, FRAMEWORKS, make_twins_problem, variants, why_not

from ganengine.bench.environment import results_folder
from ganengine.bench.measure import measure
from ganengine.bench.problem import make_problem
from ganengine.bench.report import render, save
from ganengine.gan import find
from ganengine.gan.settings import from_texts
from ganengine.gan.system import System

RESULTS = Path(__file__).parent / "results"


def system_of(name: str, texts: list[str]) -> System:
    """The system of a recipe, or the one in a file, with these settings."""
    kind = find.system_in(find.read(Path(name))) if name.endswith(".py") else find.recipe(name)
    return kind(**from_texts(kind, texts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("system", metavar="RECIPE|FILE.py")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="texts")
    parser.add_argument(
        "--against", default="torch,jax", help=f"of {', '.join(FRAMEWORKS)}, commas between"
    )
    parser.add_argument("--quick", action="store_true", help="only the simplest way of each")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--images", type=int, help="size of the made-up data set")
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
    folder = arguments.out or results_folder(RESULTS, arguments.device)
    folder.mkdir(parents=True, exist_ok=True)
    frameworks = [name.strip() for name in arguments.against.split(",") if name.strip()]
    if unknown := set(frameworks) - set(FRAMEWORKS):
        parser.error(f"--against: {unknown.pop()!r} is none of {', '.join(FRAMEWORKS)}")
    try:
        system = system_of(arguments.system, arguments.texts)
        problem = make_twins_problem(system, images=arguments.images) if frameworks else None
    except ValueError as error:
        parser.error(str(error))
    name, against, left_out = system.name, [], {}
    for framework in frameworks:
        if problem is None:
            left_out[framework] = f"twins/ has no step like that of {name}: it is timed alone"
            continue
        ways = variants(framework, problem, device=arguments.device, quick=arguments.quick)
        if reason := why_not(framework, ways, arguments.device):
            left_out[framework] = reason
        else:
            against += ways
    for framework, reason in left_out.items():
        print(f"{framework}: left out, {reason}")
    result = measure(
        problem or make_problem(system, images=arguments.images),
        against,
        device=arguments.device,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        limit=arguments.limit,
        patience=arguments.patience,
        threads=arguments.threads,
        folders=[FOLDER],
        left_out=left_out,
        say=print,
    )
    Console(highlight=False).print(render(result))
    path = folder / f"step-{name}.json"
    save(result, path)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
