"""Speed of the dense kernels on the recipes' layers, against NumPy and PyTorch.

    python bench/dense.py                     → bench/results/<machine>/dense.json

Each layer of each recipe, forwards (product, bias, activation) and backwards (gradients of input,
weight and bias). NumPy computes the same with ``@`` and separate passes, PyTorch with ``linear``,
its activation and autograd. Everyone has one turn per round; the GFLOP/s are medians.
"""

import argparse
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from ganengine import Classic, Trainer, backend, kernels, recipes, reference
from ganengine.bench.environment import environment, package_version, results_folder
from ganengine.bench.peak import fma_peak
from ganengine.bench.report import save
from ganengine.nn import Dense

RESULTS = Path(__file__).parent / "results"
# Threads of another library spin for a while after its work; no turn may start among them.
REST = 0.01
SIDES = ("ganengine", "numpy", "torch") if package_version("torch") else ("ganengine", "numpy")
Work = Callable[[], object]


class Shape(NamedTuple):
    batch: int
    in_features: int
    out_features: int
    activation: str

    def __str__(self) -> str:
        return f"{self.batch} x {self.in_features} x {self.out_features}"


def shapes() -> dict[Shape, list[str]]:
    """Every dense layer, with the recipes that have it."""
    found: dict[Shape, list[str]] = {}
    for name in recipes.names():
        system: Any = Trainer(name).system
        second = system.discriminator if isinstance(system, Classic) else system.critic
        batch = system.batch_size
        # Real and generated images in one batch.
        for network, rows in ((system.generator, batch), (second, 2 * batch)):
            for layer in network.modules():
                if isinstance(layer, Dense):
                    shape = Shape(rows, layer.in_features, layer.out_features, layer.activation)
                    found.setdefault(shape, []).append(name)
    return found


def works(shape: Shape) -> dict[str, Work]:
    """What is timed, by name."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(shape.batch, shape.in_features)).astype("float32")
    weight = rng.normal(0, 0.05, (shape.out_features, shape.in_features)).astype("float32")
    bias = np.zeros(shape.out_features, "float32")
    dy = rng.normal(size=(shape.batch, shape.out_features)).astype("float32")
    name = shape.activation
    y = kernels.dense(x, weight, bias, activation=name)
    found: dict[str, Work] = {
        "forward ganengine": lambda: kernels.dense(x, weight, bias, activation=name),
        "forward numpy": lambda: reference.dense(x, weight, bias, activation=name),
        "backward ganengine": lambda: kernels.dense_backward(dy, x, weight, y, activation=name),
        "backward numpy": lambda: reference.dense_backward(dy, x, weight, y, activation=name),
    }
    return found | torch_works(x, weight, bias, dy, name) if "torch" in SIDES else found


def torch_works(x: Any, weight: Any, bias: Any, dy: Any, activation: str) -> dict[str, Work]:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(backend.native("cpu").thread_count())
    activate = {
        "linear": lambda z: z,
        "relu": torch.relu_,
        "leaky_relu": lambda z: torch.nn.functional.leaky_relu(z, 0.2, inplace=True),
        "tanh": torch.tanh_,
        "sigmoid": torch.sigmoid_,
    }[activation]
    inputs = [torch.from_numpy(array).requires_grad_() for array in (x, weight, bias)]
    gradient = torch.from_numpy(dy)
    result = activate(torch.nn.functional.linear(*inputs))

    def forward() -> Any:
        with torch.no_grad():
            return activate(torch.nn.functional.linear(*inputs))

    def backward() -> Any:
        return torch.autograd.grad(result, inputs, gradient, retain_graph=True)

    return {"forward torch": forward, "backward torch": backward}


def seconds_each(work: Work, seconds: float) -> float:
    """Time of one call, over as many as fill the time."""
    start = time.perf_counter()
    work()
    count = max(1, int(seconds / (time.perf_counter() - start + 1e-9)))
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.02, help="that one turn lasts")
    arguments = parser.parse_args()
    table = Table("batch x in x out", "activation", "", title="dense layer, GFLOP/s")
    for side in SIDES:
        table.add_column(side, justify="right")
    rows, peaks = [], []
    for shape, names in shapes().items():
        todo = works(shape)
        times: dict[str, list[float]] = {name: [] for name in todo}
        for _ in range(arguments.rounds):
            for name, work in todo.items():
                time.sleep(REST)
                times[name].append(seconds_each(work, arguments.seconds))
            peaks.append(fma_peak(arguments.seconds) / 1e9)
        product = 2 * shape.batch * shape.in_features * shape.out_features
        for direction, flops in (("forward", product), ("backward", 2 * product)):
            speed = {
                side: round(flops / float(np.median(times[f"{direction} {side}"])) / 1e9, 1)
                for side in SIDES
            }
            rows.append(
                {
                    **shape._asdict(),
                    "recipes": sorted(set(names)),
                    "direction": direction,
                    "gflops": speed,
                }
            )
            figures = (f"{speed[side]:.0f}" for side in SIDES)
            table.add_row(str(shape), shape.activation, direction, *figures)
    peak = {"median": round(float(np.median(peaks)), 1), "max": round(max(peaks), 1)}
    console = Console(highlight=False)
    console.print(table)
    console.print(f"measured peak {peak['median']:.0f} GFLOP/s (highest {peak['max']:.0f})")
    path = results_folder(RESULTS) / "dense.json"
    result = {
        "kind": "dense layer",
        "environment": environment(),
        "threads": backend.native("cpu").thread_count(),
        "peak_gflops": peak,
        "layers": rows,
    }
    save(result, path)
    console.print(f"written to {path}")


if __name__ == "__main__":
    main()
