"""The training step in PyTorch, as an expert would write it for the CPU or for a GPU.

Eager: autograd with the foreach or the fused Adam. Graph: the eager step as one CUDA graph.
Compiled: the whole step, both updates and Adam included, as one ``torch.compile`` graph. In all, no
gradient is computed that nobody uses, the generator runs once where both updates share their noise,
and nothing waits for a value.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ganengine.bench.problem import Array, Layer, Problem

# By name, because PyTorch is optional and slow to import; this module is only imported to run it.
torch: Any = importlib.import_module("torch")
F: Any = torch.nn.functional

Tensors = dict[str, Any]

_ADAM: dict[str, dict[str, bool]] = {
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "capturable": {"fused": True, "capturable": True},  # its step count lives on the GPU
}


class TorchStep:
    """What all ways of writing the step share: data, noise, targets and losses."""

    chunk = 1

    def __init__(
        self,
        problem: Problem,
        *,
        threads: int,
        concatenate: bool,
        precision: str = "highest",
        device: str = "cpu",
    ):
        torch.set_num_threads(threads)
        # A generator that loses makes tiny moments; an expert does not pay for denormal numbers.
        torch.set_flush_denormal(True)
        torch.manual_seed(problem.seed)
        self.problem = problem
        self.recipe = problem.recipe
        self.concatenate = concatenate
        self.precision = precision
        self.device = torch.device(device)
        self.images = torch.from_numpy(problem.images).to(self.device)
        batch = self.recipe.batch_size
        self.real_target = torch.full((batch, 1), self.recipe.real_label, device=self.device)
        self.fake_target = torch.zeros(batch, 1, device=self.device)
        self.both_targets = torch.cat([self.real_target, self.fake_target])
        self.one_target = torch.ones(batch, 1, device=self.device)
        self._batches = self._shuffled()

    def step(self, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        """One training step; returns d_loss and g_loss without waiting for them."""
        raise NotImplementedError

    def run(self, steps: int) -> None:
        torch.set_float32_matmul_precision(self.precision)
        for _ in range(steps):
            self._drawn_step(next(self._batches))
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def losses(self) -> Array:
        exact = self.device.type == "cuda"
        torch.set_float32_matmul_precision("highest" if exact else self.precision)
        batch = self.recipe.batch_size
        losses = []
        for s, noise in enumerate(torch.from_numpy(self.problem.check_noise).to(self.device)):
            index = torch.arange(s * batch, (s + 1) * batch, device=self.device)
            losses.append([float(value) for value in self.step(index, noise[0], noise[1])])
        return np.array(losses)

    def _drawn_step(self, index: Any) -> None:
        d_noise = self._noise()
        self.step(index, d_noise, d_noise if self.recipe.same_noise else self._noise())

    def _shuffled(self) -> Iterator[Any]:
        while True:
            order = torch.randperm(len(self.images), device=self.device)
            yield from order.split(self.recipe.batch_size)[: len(order) // self.recipe.batch_size]

    def _noise(self) -> Any:
        shape = (self.recipe.batch_size, self.recipe.latent_size)
        noise = torch.empty(shape, device=self.device)
        return noise.normal_() if self.recipe.latent == "normal" else noise.uniform_(-1.0, 1.0)

    def _real(self, index: Any) -> Any:
        pixels = self.images[index].float()
        return pixels.mul_(self.problem.scale).add_(self.recipe.value_range[0])

    def _d_loss(self, discriminator: Callable[[Any], Any], real: Any, fake: Any) -> Any:
        if self.concatenate:
            logits = discriminator(torch.cat([real, fake]))
            return 2.0 * F.binary_cross_entropy_with_logits(logits, self.both_targets)
        on_real, on_fake = discriminator(real), discriminator(fake)
        return F.binary_cross_entropy_with_logits(
            on_real, self.real_target
        ) + F.binary_cross_entropy_with_logits(on_fake, self.fake_target)

    def _g_loss(self, logits: Any) -> Any:
        if self.recipe.loss == "non_saturating":
            return F.binary_cross_entropy_with_logits(logits, self.one_target)
        return -F.binary_cross_entropy_with_logits(logits, self.fake_target)


class EagerStep(TorchStep):
    """Autograd and ``torch.optim.Adam``; ``adam`` is a key of ``_ADAM``."""

    def __init__(self, problem: Problem, *, adam: str, **common: Any):
        super().__init__(problem, **common)
        self.generator = network(problem.generator).to(self.device)
        self.discriminator = network(problem.discriminator).to(self.device)
        self.g_parameters = list(self.generator.parameters())
        self.g_adam = self._adam(self.generator, adam)
        self.d_adam = self._adam(self.discriminator, adam)
        self.averaged = [tensor.detach() for tensor in self.generator.state_dict().values()]
        self.average = [tensor.clone() for tensor in self.averaged]

    def step(self, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        real = self._real(index)
        if self.recipe.same_noise:
            fake = self.generator(d_noise)
        else:
            with torch.no_grad():
                fake = self.generator(d_noise)
        d_loss = self._d_loss(self.discriminator, real, fake.detach())
        self.d_adam.zero_grad(set_to_none=True)
        d_loss.backward()
        self.d_adam.step()
        if not self.recipe.same_noise:
            fake = self.generator(g_noise)
        g_loss = self._g_loss(self.discriminator(fake))
        self.g_adam.zero_grad(set_to_none=True)
        g_loss.backward(inputs=self.g_parameters)
        self.g_adam.step()
        if self.recipe.ema_decay is not None:
            torch._foreach_lerp_(self.average, self.averaged, 1.0 - self.recipe.ema_decay)
        return d_loss.detach(), g_loss.detach()

    def _adam(self, module: Any, kind: str) -> Any:
        recipe = self.recipe
        return torch.optim.Adam(
            module.parameters(),
            lr=recipe.lr,
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.eps,
            **_ADAM[kind],
        )


class GraphStep(EagerStep):
    """The eager step, captured once as a CUDA graph and replayed.

    The rows of the batch are copied into the graph's memory; noise is drawn inside the graph.
    """

    def __init__(self, problem: Problem, **common: Any):
        super().__init__(problem, **common)
        self._index = torch.zeros(self.recipe.batch_size, dtype=torch.int64, device=self.device)
        self._d_noise, self._g_noise = self._noise(), self._noise()
        self._losses: tuple[Any, Any] | None = None
        self._replay: Callable[[], None] | None = None

    def losses(self) -> Array:
        networks = (self.generator, self.discriminator)
        tensors = [*self.average, *(t for net in networks for t in net.state_dict().values())]
        before = [tensor.clone() for tensor in tensors]
        torch.set_float32_matmul_precision("highest")

        def given_step() -> None:
            self._losses = EagerStep.step(self, self._index, self._d_noise, self._g_noise)

        self._replay = captured(given_step)
        for tensor, value in zip(tensors, before, strict=True):
            tensor.detach().copy_(value)  # as before capturing, which takes some steps
        for adam in (self.g_adam, self.d_adam):
            for moments in adam.state.values():
                for tensor in moments.values():
                    tensor.zero_()
        result = super().losses()
        self._replay = None
        return result

    def step(self, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        assert self._replay is not None
        for memory, value in (
            (self._index, index),
            (self._d_noise, d_noise),
            (self._g_noise, g_noise),
        ):
            memory.copy_(value)
        self._replay()
        assert self._losses is not None
        return self._losses

    def _drawn_step(self, index: Any) -> None:
        self._index.copy_(index)
        if self._replay is None:
            self._replay = captured(self._whole_step)
        self._replay()

    def _whole_step(self) -> None:
        noise = self._noise()
        other = noise if self.recipe.same_noise else self._noise()
        EagerStep.step(self, self._index, noise, other)


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


class CompiledStep(TorchStep):
    """The whole step as one graph, Adam written out in it; ``compiler`` goes to torch.compile."""

    def __init__(self, problem: Problem, *, compiler: dict[str, Any], **common: Any):
        super().__init__(problem, **common)
        self.g_module = network(problem.generator).to(self.device)
        self.d_module = network(problem.discriminator).to(self.device)
        self.g, self.g_buffers = _split_state(self.g_module)
        self.d, self.d_buffers = _split_state(self.d_module)
        self.g_moments = [_zeros_like(self.g), _zeros_like(self.g)]
        self.d_moments = [_zeros_like(self.d), _zeros_like(self.d)]
        self.average = {name: tensor.clone() for name, tensor in self.g.items()}
        # One element, not none: Dynamo takes a 0-d float64 for a Python number and loses add_.
        self.steps_done = torch.zeros(1, dtype=torch.float64, device=self.device)
        if self.device.type == "cuda":
            self._pin_addresses()
        self._compiled = torch.compile(self._step, fullgraph=True, **compiler)

    def losses(self) -> Array:
        result = super().losses()
        if self.device.type == "cuda":
            torch.compiler.reset()  # to compile anew for the precision that is timed
        return result

    def step(self, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        losses: tuple[Any, Any] = self._compiled(index, d_noise, g_noise)
        return losses

    def _step(self, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        grad_and_value, vjp = torch.func.grad_and_value, torch.func.vjp
        self.steps_done.add_(1)
        real = self._real(index)
        if self.recipe.same_noise:
            fake, backward = vjp(lambda g: self._generate(g, d_noise), self.g)
        else:
            fake = self._generate(self.g, d_noise)
        d_gradients, d_loss = grad_and_value(
            lambda d: self._d_loss(lambda x: self._discriminate(d, x), real, fake)
        )(self.d)
        self._adam(self.d, d_gradients, self.d_moments)
        if not self.recipe.same_noise:
            fake, backward = vjp(lambda g: self._generate(g, g_noise), self.g)
        dfake, g_loss = grad_and_value(lambda x: self._g_loss(self._discriminate(self.d, x)))(fake)
        (g_gradients,) = backward(dfake)
        self._adam(self.g, g_gradients, self.g_moments)
        if self.recipe.ema_decay is not None:
            for name, average in self.average.items():
                average.lerp_(self.g[name], 1.0 - self.recipe.ema_decay)
        return d_loss, g_loss

    def _pin_addresses(self) -> None:
        """Promise that the state never moves: only then may a CUDA graph change it in place."""
        state = [self.g, self.d, self.g_buffers, self.d_buffers, self.average]
        for tensors in [*state, *self.g_moments, *self.d_moments, {"": self.steps_done}]:
            for tensor in tensors.values():
                torch._dynamo.mark_static_address(tensor)

    def _generate(self, parameters: Tensors, noise: Any) -> Any:
        return torch.func.functional_call(self.g_module, (parameters, self.g_buffers), (noise,))

    def _discriminate(self, parameters: Tensors, x: Any) -> Any:
        return torch.func.functional_call(self.d_module, (parameters, self.d_buffers), (x,))

    def _adam(self, parameters: Tensors, gradients: Tensors, moments: Sequence[Tensors]) -> None:
        recipe = self.recipe
        rate = (recipe.lr / (1.0 - recipe.beta1**self.steps_done)).float()
        root = torch.rsqrt(1.0 - recipe.beta2**self.steps_done).float()
        for name, gradient in gradients.items():
            m, v = (moment[name] for moment in moments)
            m.lerp_(gradient, 1.0 - recipe.beta1)
            v.mul_(recipe.beta2).addcmul_(gradient, gradient, value=1.0 - recipe.beta2)
            parameters[name].sub_(rate * m / (v.sqrt() * root + recipe.eps))


def network(layers: Sequence[Layer]) -> Any:
    """The layers as a ``torch.nn.Sequential`` with the same initial values, in training mode."""
    nn = torch.nn
    modules = []
    for layer in layers:
        if layer.kind == "dense":
            out_features, in_features = layer.arrays["weight"].shape
            modules.append(nn.Linear(in_features, out_features, bias="bias" in layer.arrays))
        elif layer.kind == "batch_norm":
            modules.append(
                nn.BatchNorm1d(
                    len(layer.arrays["running_mean"]),
                    eps=layer.eps,
                    momentum=layer.momentum,
                    affine="gamma" in layer.arrays,
                )
            )
        elif layer.kind == "dropout":
            modules.append(nn.Dropout(layer.rate))
        if layer.arrays:
            names = {"gamma": "weight", "beta": "bias"}
            values = {names.get(k, k): torch.from_numpy(v) for k, v in layer.arrays.items()}
            modules[-1].load_state_dict(values)
        if layer.kind == "batch_norm":
            # An int64 count of batches, for a kind of averaging that is not in use here.
            modules[-1].num_batches_tracked = None
        modules += _activation(layer)
    return nn.Sequential(*modules).train()


def _activation(layer: Layer) -> list[Any]:
    nn, in_place = torch.nn, layer.kind != "activation"  # not on what another layer has saved
    if layer.activation == "relu":
        return [nn.ReLU(inplace=in_place)]
    if layer.activation == "leaky_relu":
        return [nn.LeakyReLU(layer.slope, inplace=in_place)]
    return {"tanh": [nn.Tanh()], "sigmoid": [nn.Sigmoid()]}.get(layer.activation, [])


def _split_state(module: Any) -> tuple[Tensors, Tensors]:
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    return parameters, dict(module.named_buffers())


def _zeros_like(tensors: Tensors) -> Tensors:
    return {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
