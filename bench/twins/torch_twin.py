"""What the twins in PyTorch share: data and noise on the device, precision, Adam."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twins.layers import Layer
from twins.problem import Rates, TwinProblem
from twins.torch_network import images, network

# By name, because PyTorch is optional and slow to import; this module is only imported to run it.
torch: Any = importlib.import_module("torch")

ADAM: dict[str, dict[str, bool]] = {
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "capturable": {"fused": True, "capturable": True},  # its step count lives on the GPU
}


class TorchTwin:
    """A step in PyTorch; images lie as NCHW, or with their channels last."""

    chunk = 1

    def __init__(
        self,
        problem: TwinProblem,
        *,
        threads: int,
        channels_last: bool = False,
        precision: str = "highest",
        device: str = "cpu",
    ):
        torch.set_num_threads(threads)
        # A generator that loses makes tiny moments; an expert does not pay for denormal numbers.
        torch.set_flush_denormal(True)
        torch.manual_seed(problem.seed)
        self.channels_last = channels_last
        self.precision = precision
        self.device = torch.device(device)
        self.images = torch.from_numpy(problem.images).to(self.device)
        self.noise = problem.noise
        self.scale, self.low = problem.scale, problem.value_range[0]
        self.image_shape = problem.image_shape

    def _finish(self) -> None:
        """Return when the device has done everything."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _set_precision(self, *, exact: bool) -> None:
        torch.set_float32_matmul_precision("highest" if exact else self.precision)
        if self.device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = not exact
            torch.backends.cudnn.benchmark = True

    def _network(self, layers: Sequence[Layer]) -> Any:
        return network(layers, channels_last=self.channels_last).to(self.device)

    def _shuffled(self, batch: int) -> Iterator[Any]:
        while True:
            order = torch.randperm(len(self.images), device=self.device)
            yield from order.split(batch)[: max(1, len(order) // batch)]

    def _draw(self, count: int) -> Any:
        """Noise for so many images."""
        noise = torch.empty(count, self.noise.size, device=self.device)
        if self.noise.kind == "normal":
            return noise.normal_()
        return noise.uniform_(self.noise.low, self.noise.high)

    def _real(self, index: Any) -> Any:
        pixels = self.images[index].float().mul_(self.scale).add_(self.low)
        return images(pixels, self.image_shape, self.channels_last)


def adam(module: Any, rates: Rates, kind: str) -> Any:
    """PyTorch's Adam; ``kind`` is a key of ``ADAM``."""
    return torch.optim.Adam(
        module.parameters(),
        lr=rates.lr,
        betas=(rates.beta1, rates.beta2),
        eps=rates.eps,
        weight_decay=rates.weight_decay,
        **ADAM[kind],
    )


def captured(work: Callable[[], None]) -> Callable[[], None]:
    """A CUDA graph of what ``work`` does on the GPU; ``work`` runs a few times to warm up."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    replay: Callable[[], None] = graph.replay
    return replay
