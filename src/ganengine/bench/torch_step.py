"""The training step in PyTorch, as an expert would write it for the CPU or for a GPU.

Eager: autograd with the foreach or the fused Adam. Graph: the eager step as one CUDA graph.
Compiled: the whole step, both updates and Adam included, as one ``torch.compile`` graph. In all, no
gradient is computed that nobody uses, the generator runs once where both updates share their noise,
and nothing waits for a value. Images lie as NCHW, or with their channels last.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ganengine.bench.layers import Array, Layer
from ganengine.bench.problem import Problem, low_noise
from ganengine.bench.torch_network import images, network

# By name, because PyTorch is optional and slow to import; this module is only imported to run it.
torch: Any = importlib.import_module("torch")
F: Any = torch.nn.functional

Tensors = dict[str, Any]
Network = Callable[[Any], Any]

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
        channels_last: bool = False,
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
        self.channels_last = channels_last
        self.precision = precision
        self.device = torch.device(device)
        self.images = torch.from_numpy(problem.images).to(self.device)
        batch = self.recipe.batch_size
        self.real_target = torch.full((batch, 1), self.recipe.real_label, device=self.device)
        self.fake_target = torch.zeros(batch, 1, device=self.device)
        self.both_targets = torch.cat([self.real_target, self.fake_target])
        g_label = 1.0 if self.recipe.loss == "non_saturating" else 0.0
        self.g_target = torch.full((problem.g_batch, 1), g_label, device=self.device)
        self._batches = self._shuffled()

    def step(self, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        """One training step; returns d_loss and g_loss without waiting for them."""
        raise NotImplementedError

    def run(self, steps: int) -> None:
        self._set_precision(exact=False)
        for _ in range(steps):
            self._drawn_step(next(self._batches))
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def losses(self) -> Array:
        self._set_precision(exact=self.device.type == "cuda")
        batch, problem = self.recipe.batch_size, self.problem
        losses = []
        for s, noises in enumerate(zip(problem.d_noise, problem.g_noise, strict=True)):
            index = torch.arange(s * batch, (s + 1) * batch, device=self.device)
            d_noise, g_noise = (torch.from_numpy(noise).to(self.device) for noise in noises)
            losses.append([float(value) for value in self.step(index, d_noise, g_noise)])
        return np.array(losses)

    def _set_precision(self, *, exact: bool) -> None:
        torch.set_float32_matmul_precision("highest" if exact else self.precision)
        if self.device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = not exact
            torch.backends.cudnn.benchmark = True

    def _drawn_step(self, index: Any) -> None:
        d_noise, g_noise = self._noises()
        self.step(index, d_noise, g_noise)

    def _network(self, layers: Sequence[Layer]) -> Any:
        return network(layers, channels_last=self.channels_last).to(self.device)

    def _shuffled(self) -> Iterator[Any]:
        while True:
            order = torch.randperm(len(self.images), device=self.device)
            yield from order.split(self.recipe.batch_size)[: len(order) // self.recipe.batch_size]

    def _noises(self) -> tuple[Any, Any]:
        """For the discriminator's update, and for the generator's."""
        d_noise = self._noise(self.recipe.batch_size)
        return d_noise, d_noise if self.recipe.same_noise else self._noise(self.problem.g_batch)

    def _noise(self, count: int) -> Any:
        noise = torch.empty(count, self.recipe.latent_size, device=self.device)
        if self.recipe.latent == "normal":
            return noise.normal_()
        return noise.uniform_(low_noise(self.recipe), 1.0)

    def _real(self, index: Any) -> Any:
        pixels = self.images[index].float()
        pixels = pixels.mul_(self.problem.scale).add_(self.recipe.value_range[0])
        return images(pixels, self.problem.image_shape, self.channels_last)

    def _d_losses(self, real: Any, fake: Any) -> list[Callable[[Network], Any]]:
        """What the discriminator descends, one after the other: each takes it and gives a loss."""

        def on_real(discriminator: Network) -> Any:
            return F.binary_cross_entropy_with_logits(discriminator(real), self.real_target)

        def on_fake(discriminator: Network) -> Any:
            return F.binary_cross_entropy_with_logits(discriminator(fake), self.fake_target)

        def on_both(discriminator: Network) -> Any:
            if self.concatenate:
                logits = discriminator(torch.cat([real, fake]))
                return 2.0 * F.binary_cross_entropy_with_logits(logits, self.both_targets)
            return on_real(discriminator) + on_fake(discriminator)

        return [on_real, on_fake] if self.recipe.separate_updates else [on_both]

    def _g_loss(self, logits: Any) -> Any:
        loss = F.binary_cross_entropy_with_logits(logits, self.g_target)
        return loss if self.recipe.loss == "non_saturating" else -loss


class EagerStep(TorchStep):
    """Autograd and ``torch.optim.Adam``; ``adam`` is a key of ``_ADAM``."""

    def __init__(self, problem: Problem, *, adam: str, **common: Any):
        super().__init__(problem, **common)
        self.generator = self._network(problem.generator)
        self.discriminator = self._network(problem.discriminator)
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
        d_losses = []
        for loss in self._d_losses(real, fake.detach()):
            d_losses.append(loss(self.discriminator))
            self.d_adam.zero_grad(set_to_none=True)
            d_losses[-1].backward()
            self.d_adam.step()
        if not self.recipe.same_noise:
            fake = self.generator(g_noise)
        g_loss = self._g_loss(self.discriminator(fake))
        self.g_adam.zero_grad(set_to_none=True)
        g_loss.backward(inputs=self.g_parameters)
        self.g_adam.step()
        if self.recipe.ema_decay is not None:
            torch._foreach_lerp_(self.average, self.averaged, 1.0 - self.recipe.ema_decay)
        return sum(loss.detach() for loss in d_losses), g_loss.detach()

    def _adam(self, module: Any, kind: str) -> Any:
        recipe = self.recipe
        return torch.optim.Adam(
            module.parameters(),
            lr=recipe.lr,
            betas=(recipe.beta1, recipe.beta2),
            eps=recipe.eps,
            weight_decay=recipe.weight_decay,
            **_ADAM[kind],
        )


class GraphStep(EagerStep):
    """The eager step, captured once as a CUDA graph and replayed.

    The rows of the batch are copied into the graph's memory; noise is drawn inside the graph.
    """

    def __init__(self, problem: Problem, **common: Any):
        super().__init__(problem, **common)
        self._index = torch.zeros(self.recipe.batch_size, dtype=torch.int64, device=self.device)
        self._d_noise = self._noise(self.recipe.batch_size)
        self._g_noise = self._noise(problem.g_batch)
        self._losses: tuple[Any, Any] | None = None
        self._replay: Callable[[], None] | None = None

    def losses(self) -> Array:
        networks = (self.generator, self.discriminator)
        tensors = [*self.average, *(t for net in networks for t in net.state_dict().values())]
        before = [tensor.clone() for tensor in tensors]
        self._set_precision(exact=True)

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
        d_noise, g_noise = self._noises()
        EagerStep.step(self, self._index, d_noise, g_noise)


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
        self.g_module = self._network(problem.generator)
        self.d_module = self._network(problem.discriminator)
        self.g, self.g_buffers = _split_state(self.g_module)
        self.d, self.d_buffers = _split_state(self.d_module)
        self.g_moments = [_zeros_like(self.g), _zeros_like(self.g)]
        self.d_moments = [_zeros_like(self.d), _zeros_like(self.d)]
        self.average = {name: tensor.clone() for name, tensor in self.g.items()}
        # One element, not none: Dynamo takes a 0-d float64 for a Python number and loses add_.
        self.g_updates, self.d_updates = (
            torch.zeros(1, dtype=torch.float64, device=self.device) for _ in range(2)
        )
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
        real = self._real(index)
        if self.recipe.same_noise:
            fake, backward = vjp(lambda g: self._generate(g, d_noise), self.g)
        else:
            fake = self._generate(self.g, d_noise)
        d_loss = 0.0
        for loss in self._d_losses(real, fake):
            gradients, value = grad_and_value(
                lambda d, loss=loss: loss(lambda x: self._discriminate(d, x))
            )(self.d)
            self._adam(self.d, gradients, self.d_moments, self.d_updates)
            d_loss = d_loss + value
        if not self.recipe.same_noise:
            fake, backward = vjp(lambda g: self._generate(g, g_noise), self.g)
        dfake, g_loss = grad_and_value(lambda x: self._g_loss(self._discriminate(self.d, x)))(fake)
        (g_gradients,) = backward(dfake)
        self._adam(self.g, g_gradients, self.g_moments, self.g_updates)
        if self.recipe.ema_decay is not None:
            for name, average in self.average.items():
                average.lerp_(self.g[name], 1.0 - self.recipe.ema_decay)
        return d_loss, g_loss

    def _pin_addresses(self) -> None:
        """Promise that the state never moves: only then may a CUDA graph change it in place."""
        state = [self.g, self.d, self.g_buffers, self.d_buffers, self.average]
        updates = {"g": self.g_updates, "d": self.d_updates}
        for tensors in [*state, *self.g_moments, *self.d_moments, updates]:
            for tensor in tensors.values():
                torch._dynamo.mark_static_address(tensor)

    def _generate(self, parameters: Tensors, noise: Any) -> Any:
        return torch.func.functional_call(self.g_module, (parameters, self.g_buffers), (noise,))

    def _discriminate(self, parameters: Tensors, x: Any) -> Any:
        return torch.func.functional_call(self.d_module, (parameters, self.d_buffers), (x,))

    def _adam(
        self, parameters: Tensors, gradients: Tensors, moments: Sequence[Tensors], updates: Any
    ) -> None:
        recipe = self.recipe
        updates.add_(1)
        rate = (recipe.lr / (1.0 - recipe.beta1**updates)).float()
        root = torch.rsqrt(1.0 - recipe.beta2**updates).float()
        for name, gradient in gradients.items():
            m, v = (moment[name] for moment in moments)
            parameter = parameters[name]
            if recipe.weight_decay:
                gradient = gradient.add(parameter, alpha=recipe.weight_decay)
            m.lerp_(gradient, 1.0 - recipe.beta1)
            v.mul_(recipe.beta2).addcmul_(gradient, gradient, value=1.0 - recipe.beta2)
            parameter.sub_(rate * m / (v.sqrt() * root + recipe.eps))


def _split_state(module: Any) -> tuple[Tensors, Tensors]:
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    return parameters, dict(module.named_buffers())


def _zeros_like(tensors: Tensors) -> Tensors:
    return {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
