"""How good digits are, by an independent judge, and how long the demo takes.

    GANENGINE_DATA=… python bench/digits.py      the demo  → bench/results/<machine>/digits.json
    GANENGINE_DATA=… python bench/digits.py dcgan-mnist --epochs 3 --seeds 3 --against torch
                                                 a recipe  → …/digits-dcgan-mnist.json

The judge (`ganengine.metrics`) learns from the real MNIST once and is kept under build/. The demo
and the recipe are trained as their user would train them. The judge reads which digit each sample
is; in a conditional GAN it should be the one that was asked for. The Fréchet distance is that
between its features of the samples and of the test images; its floor is the distance of as many
real training images. A recipe's runs stay under build/digits: an interrupted bench goes on where it
was.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ganengine import Classic, Trainer, backend, data, recipes
from ganengine.bench.environment import environment, results_folder
from ganengine.bench.report import save
from ganengine.io import Run
from ganengine.metrics import (
    Judge,
    Opinion,
    class_shares,
    frechet_distance,
    judge_for,
    label_accuracy,
    total_variation,
)

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
BUILD = ROOT / "build"
WANTED_ACCURACY = 0.99
CHUNK = 50  # training steps of the twin between two looks at the time


class Court:
    """The judge, and what it makes of real images."""

    def __init__(self, count: int):
        self.count = count
        self.train, self.test = data.load("mnist"), data.load("mnist", split="test")
        self.judge: Judge = judge_for(self.train, cache=BUILD)
        seen = self.judge.look(self.test.images)
        self.accuracy = label_accuracy(seen.labels, self.test.labels)
        print(f"judge: {self.accuracy:.2%} of the test images right", flush=True)
        if self.accuracy < WANTED_ACCURACY:
            sys.exit(f"a judge below {WANTED_ACCURACY:.0%} is none")
        self.features = seen.features
        self.shares = class_shares(seen.labels, 10)
        self.real_test_images = self._verdict(seen)
        some = np.random.default_rng(0).permutation(len(self.train))[:count]
        self.real_training_images = self.verdict(self.train.images[some])

    def verdict(self, images: Any, asked: Any = None) -> dict[str, Any]:
        """What the judge says of samples, and how far they are from the test images."""
        opinion = self.judge.look(images)
        distance = frechet_distance(self.features, opinion.features)
        found = {"frechet_distance": round(distance, 3), **self._verdict(opinion)}
        if asked is not None:
            found["label_accuracy"] = round(label_accuracy(opinion.labels, asked), 4)
        return found

    def _verdict(self, opinion: Opinion) -> dict[str, Any]:
        shares = class_shares(opinion.labels, 10)
        return {
            "images": len(opinion.labels),
            "share_of_each_digit": [round(float(share), 4) for share in shares],
            "rarest": round(float(shares.min()), 4),
            "total_variation": round(total_variation(shares, self.shares), 4),
            "mean_confidence": round(float(opinion.confidence.mean()), 4),
            "share_above_90_percent": round(float((opinion.confidence > 0.9).mean()), 4),
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "judge_test_accuracy": round(self.accuracy, 4),
            "real_test_images": self.real_test_images,
            "real_training_images": self.real_training_images,
        }


def ganengine(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "ganengine", *map(str, arguments)], check=True)


def samples(run: Path, count: int, checkpoint: str) -> Any:
    """Samples of a finished run; those of a conditional GAN are of one label after the other."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.npy"
        ganengine("sample", run, "-n", count, "--checkpoint", checkpoint, "--out", path)
        return np.load(path)


def trained(name: str, epochs: int, seed: int) -> tuple[Path, float | None]:
    """The run of a recipe, and how many seconds it took, if it was not there in part before."""
    run = BUILD / "digits" / f"{name}-{epochs}-epochs-seed-{seed}"
    if not run.exists():
        run.parent.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        what = ("--data", "mnist", "--epochs", epochs, "--seed", seed, "--out", run)
        ganengine("train", name, *what)
        return run, round(time.perf_counter() - start, 1)
    found = Run.open(run).checkpoints.latest()
    if found is None or found.metadata["step"] < Run.open(run).config["steps"]:
        ganengine("train", "--resume", run)
    return run, None


def torch_twin(name: str, steps: int, seed: int, court: Court) -> tuple[Any, float]:
    """Samples of PyTorch after as many steps with the same settings, and the seconds they took.

    It starts from the same weights; its noise and the order of its images are PyTorch's own.
    """
    import torch
    from twins.contestants import make_twins_problem

    system: Any = recipes.get(name)()
    problem: Any = make_twins_problem(system, seed=seed)
    images = court.train.images[: getattr(system, "train_images", None)]
    problem = replace(problem, images=images.reshape(len(images), -1))
    is_classic = isinstance(system, Classic)
    if is_classic:
        from twins.classic_torch import EagerStep
    else:
        from twins.wgan_gp_torch import EagerStep
    threads = backend.native("cpu").thread_count()
    twin: Any = EagerStep(problem, optimizer="fused", threads=threads, concatenate=False)
    start = time.perf_counter()
    for done in range(0, steps, CHUNK):
        twin.run(min(CHUNK, steps - done))
        spent = time.perf_counter() - start
        print(f"PyTorch: step {min(done + CHUNK, steps):,} of {steps:,}, {spent:.0f} s", flush=True)
    if is_classic and problem.ema_decay is not None:
        for current, average in zip(twin.averaged, twin.average, strict=True):
            current.copy_(average)
    generator = twin.generator.eval()
    noise, (low, high) = problem.noise, problem.value_range
    shape = (court.count, noise.size)
    with torch.no_grad():
        if noise.kind == "normal":
            z = torch.randn(shape)
        else:
            z = noise.low + (noise.high - noise.low) * torch.rand(shape)
        made = torch.cat([generator(part) for part in z.split(1000)]).numpy()
    unit = np.clip((made - low) / (high - low), 0.0, 1.0)
    return unit.reshape(court.count, *system.image_shape), spent


def measure_recipe(name: str, court: Court, arguments: argparse.Namespace) -> dict[str, Any]:
    trainer = Trainer(name, court.train)
    system: Any = trainer.system
    epochs = arguments.epochs or system.epochs
    steps = epochs * trainer.steps_per_epoch
    classes = getattr(system, "classes", 0)
    asked = np.arange(court.count) % classes if classes else None
    engines: dict[str, list[dict[str, Any]]] = {"ganengine": []}
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        run, seconds = trained(name, epochs, seed)
        found = court.verdict(samples(run, court.count, "latest"), asked)
        engines["ganengine"].append({"seed": seed, "seconds": seconds, **found})
        if arguments.against == "torch":
            made, seconds = torch_twin(name, steps, seed, court)
            twin = {"seed": seed, "seconds": round(seconds, 1), **court.verdict(made)}
            engines.setdefault("torch", []).append(twin)
    return {
        "kind": "digits of a recipe",
        "recipe": {"name": name, **system.settings()},
        "epochs": epochs,
        "steps": steps,
        **court.as_json(),
        "floor": court.real_training_images["frechet_distance"],
        "frechet_distance": {
            side: spread([found["frechet_distance"] for found in runs])
            for side, runs in engines.items()
        },
        "generated": engines,
    }


def measure_demo(court: Court, arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        run, seconds = arguments.run, None
        if run is None:
            run = Path(folder) / "run"
            start = time.perf_counter()
            ganengine("mnist", "--data", "mnist", "--seed", arguments.seed, "--out", run)
            seconds = round(time.perf_counter() - start, 1)
        generated = court.verdict(samples(run, court.count, "best"))
    return {
        "kind": "digits",
        "seed": arguments.seed,
        "seconds_end_to_end": seconds,
        **court.as_json(),
        "generated": generated,
    }


def spread(values: list[float]) -> dict[str, float]:
    """Of the seeds."""
    middle = round(float(np.mean(values)), 3)
    return {"mean": middle, "lowest": min(values), "highest": max(values)}


def show(what: str, found: dict[str, Any]) -> None:
    shares = "  ".join(f"{d}: {s:.1%}" for d, s in enumerate(found["share_of_each_digit"]))
    print(f"{what}: {shares}")
    parts = [
        f"rarest {found['rarest']:.1%}",
        f"mean confidence {found['mean_confidence']:.3f}",
        f"{found['share_above_90_percent']:.1%} read with more than 90 % confidence",
    ]
    if "frechet_distance" in found:
        parts.append(f"Fréchet distance {found['frechet_distance']:.2f}")
    if "label_accuracy" in found:
        parts.append(f"{found['label_accuracy']:.1%} show the digit that was asked for")
    print("  " + ", ".join(parts))


def show_all(result: dict[str, Any]) -> None:
    show("real test images", result["real_test_images"])
    show("real training images", result["real_training_images"])
    if result["kind"] == "digits":
        show("the demo's", result["generated"])
        if (seconds := result["seconds_end_to_end"]) is not None:
            print(f"ganengine mnist took {seconds:.1f} s end to end")
        return
    for name, runs in result["generated"].items():
        for found in runs:
            show(f"{name}, seed {found['seed']}", found)
    for name, values in result["frechet_distance"].items():
        print(
            f"{name}: Fréchet distance {values['mean']:.2f} "
            f"({values['lowest']:.2f} to {values['highest']:.2f}), floor {result['floor']:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = recipes.names()
    parser.add_argument("recipe", nargs="?", choices=known, help="none: measure the demo")
    parser.add_argument("-n", "--count", type=int, default=10_000, help="digits to judge")
    parser.add_argument("--seed", type=int, default=0, help="of the run, or of the first run")
    parser.add_argument("--run", type=Path, help="demo: judge this finished run, train no new one")
    parser.add_argument("--epochs", type=int, help="recipe: how long to train; its own by default")
    parser.add_argument("--seeds", type=int, default=1, help="recipe: how many runs")
    parser.add_argument("--against", choices=["torch"], help="recipe: train its twin as well")
    arguments = parser.parse_args()
    where = environment()
    name = arguments.recipe
    if name and recipes.get(name).default_data != "mnist":
        parser.error(f"{name} makes no digits of MNIST")
    court = Court(arguments.count)
    found = measure_recipe(name, court, arguments) if name else measure_demo(court, arguments)
    result = {
        "kind": found.pop("kind"),
        "environment": where,
        "threads": backend.native("cpu").thread_count(),
        **found,
    }
    show_all(result)
    path = results_folder(RESULTS) / (f"digits-{name}.json" if name else "digits.json")
    save(result, path)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
