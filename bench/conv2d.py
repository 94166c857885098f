"""Speed of the convolution kernels on the recipes' layers, against PyTorch.

    python bench/conv2d.py                    → bench/results/<machine>/conv2d.json

Every convolution of the recipes: forwards (with bias and activation), the gradient of the input,
and the gradients of weight and bias (both with the gradient of the activation). PyTorch (oneDNN)
computes the same in NCHW and in channels-last order; an enlarging convolution is ``interpolate``
and ``conv2d`` there. Everyone has one turn of many calls per round. Times and GFLOP/s are medians;
"times faster" is the median of each round's ratio to the faster of the two orders. The GFLOP/s
count what the layer needs with summed taps and without products beyond the border.
"""

import argparse
import ctypes
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from conv_layers import DIRECTIONS, LAYERS, Layer
from rich.console import Console
from rich.table import Table

from ganengine import backend
from ganengine.bench.environment import environment, results_folder
from ganengine.bench.peak import fma_peak
from ganengine.bench.report import save
from ganengine.launch import launch

RESULTS = Path(__file__).parent / "results"
# Before a turn counts, the other side's threads must have gone to sleep (OpenMP's spin for some
# milliseconds) and one's own must have found a processor each (which can take as long).
WARM_UP = 0.03
TURN = 0.04
Work = Callable[[], object]


def engine_works(layer: Layer, x: Any, weight: Any, bias: Any, dy: Any) -> dict[str, Work]:
    kernel = layer.kernel_name
    folded, scale, step = [], [], layer.stride
    if layer.kind == "upsample":
        side = layer.kernel + layer.stride - 1
        folded, scale, step = [np.empty(weight.size * side**2, "float32")], [layer.stride], 1
    top = layer.padding[0]
    tail = (x.shape, weight.shape, dy.shape, (step, step, top, top), *scale, layer.activation, 0.2)

    def forward() -> Any:
        y = np.empty(layer.y_shape, "float32")
        launch(f"{kernel}_forward", x, weight, bias, *folded, y, *tail)
        return y

    y = forward()

    def backward(need_dx: bool) -> Any:
        dz = None if layer.activation == "linear" else np.empty_like(dy)
        dx = np.empty_like(x) if need_dx else None
        dweight, dbias = (None, None) if need_dx else (np.empty_like(weight), np.empty_like(bias))
        launch(
            f"{kernel}_backward", dy, x, weight, y, *folded, dz, dx, dweight, dbias, *tail, False
        )
        return dx if need_dx else dweight

    return {
        "forward": forward,
        "dx": lambda: backward(True),
        "dweight": lambda: backward(False),
    }


def torch_works(
    layer: Layer, x: Any, weight: Any, bias: Any, dy: Any, channels_last: bool
) -> dict[str, Work]:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(backend.native("cpu").thread_count())
    f = torch.nn.functional
    order = torch.channels_last if channels_last else torch.contiguous_format
    inputs = [
        torch.from_numpy(array).to(memory_format=order).requires_grad_() for array in (x, weight)
    ]
    inputs.append(torch.from_numpy(bias).requires_grad_())
    gradient = torch.from_numpy(dy).to(memory_format=order)
    top, bottom = layer.padding
    activate = {
        "linear": lambda z: z,
        "leaky_relu": lambda z: f.leaky_relu(z, 0.2, inplace=True),
        "tanh": torch.tanh_,
    }[layer.activation]

    def run() -> Any:
        image, kernel, offset = inputs
        if layer.kind == "transpose":
            return activate(
                f.conv_transpose2d(image, kernel, offset, layer.stride, top, layer.output_padding)
            )
        if layer.kind == "upsample":
            image = f.interpolate(image, scale_factor=layer.stride, mode="nearest")
            return activate(f.conv2d(image, kernel, offset, 1, top))
        if top != bottom:
            image = f.pad(image, (top, bottom, top, bottom))
        return activate(f.conv2d(image, kernel, offset, layer.stride, top if top == bottom else 0))

    def forward() -> Any:
        with torch.no_grad():
            return run()

    y = run()

    def gradients(of: list[Any]) -> Work:
        return lambda: torch.autograd.grad(y, of, gradient, retain_graph=True)

    return {"forward": forward, "dx": gradients(inputs[:1]), "dweight": gradients(inputs[1:])}


def seconds_of(work: Work) -> float:
    """Time of one call, in a turn of many."""
    calls_for(WARM_UP, work)
    start = time.perf_counter()
    calls = calls_for(TURN, work)
    return (time.perf_counter() - start) / calls


def keep_memory() -> None:
    """Have the C library keep what is freed, or both sides would time the kernel's fresh pages."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc
        trim_threshold, mmap_max = -1, -4
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(mmap_max, 0)


def calls_for(seconds: float, work: Work) -> int:
    """Call until so many seconds are over; how often that was."""
    end = time.perf_counter() + seconds
    calls = 0
    while not calls or time.perf_counter() < end:
        work()
        calls += 1
    return calls


def measure(layer: Layer, rounds: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=layer.x_shape).astype("float32")
    weight = rng.normal(0, 0.05, layer.weight_shape).astype("float32")
    bias = np.zeros(layer.outputs, "float32")
    dy = rng.normal(size=layer.y_shape).astype("float32")
    sides = {
        "ganengine": engine_works(layer, x, weight, bias, dy),
        "torch nchw": torch_works(layer, x, weight, bias, dy, False),
        "torch channels-last": torch_works(layer, x, weight, bias, dy, True),
    }
    rows = []
    for direction in DIRECTIONS:
        times: dict[str, list[float]] = {side: [] for side in sides}
        peaks = []
        for _ in range(rounds):
            for side, works in sides.items():
                times[side].append(seconds_of(works[direction]))
            peaks.append(fma_peak(TURN))
        ours, *theirs = (np.array(times[side]) for side in sides)
        row = {
            **layer._asdict(),
            "direction": direction,
            "ms": {side: round(1e3 * float(np.median(t)), 3) for side, t in times.items()},
            "times_faster": round(float(np.median(np.minimum(*theirs) / ours)), 2),
            "gflops": round(layer.flops / float(np.median(ours)) / 1e9, 1),
            "peak_gflops": round(float(np.median(peaks)) / 1e9, 1),
        }
        row["fraction_of_peak"] = round(row["gflops"] / row["peak_gflops"], 3)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="part of a layer's name")
    arguments = parser.parse_args()
    keep_memory()
    columns = ("", "ms", "torch nchw", "channels-last", "times faster", "GFLOP/s", "of peak")
    table = Table("layer", *columns, title="convolutions")
    rows = []
    for layer in LAYERS:
        if arguments.only not in f"{layer.recipe} {layer}":
            continue
        for row in measure(layer, arguments.rounds):
            rows.append(row)
            table.add_row(
                f"{layer.recipe} {layer}",
                row["direction"],
                *(f"{ms:.2f}" for ms in row["ms"].values()),
                f"{row['times_faster']:.2f}",
                f"{row['gflops']:.0f}",
                f"{row['fraction_of_peak']:.0%}",
            )
    console = Console(highlight=False, width=150)
    console.print(table)
    if arguments.only or arguments.rounds < 7:
        return
    path = results_folder(RESULTS) / "conv2d.json"
    result = {
        "kind": "convolution layer",
        "environment": environment(),
        "threads": backend.native("cpu").thread_count(),
        "rounds": arguments.rounds,
        "layers": rows,
    }
    save(result, path)
    console.print(f"written to {path}")


if __name__ == "__main__":
    main()
