"""The step of the classic GAN in PyTorch, as an expert would write it for the CPU or for a GPU.

Eager: autograd with the foreach or the fused Adam. Graph: the eager step as one CUDA graph.
Compiled: the whole step, both updates and Adam included, as one ``torch.compile`` graph. In all, no
gradient is computed that nobody uses, the generator runs once where both updates share their noise,
and nothing waits for a value. Images lie as NCHW, or with their channels last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ganengine.bench.problem import Array
from twins.classic import ClassicProblem
from twins.torch_compiled import Trained
from twins.torch_twin import TorchTwin, adam, captured, torch

F: Any = torch.nn.functional

Network = Callable[[Any], Any]


class TorchStep(TorchTwin):
    """What all ways of writing the step share: targets and losses."""

    def __init__(self, problem: ClassicProblem, *, concatenate: bool, **common: Any):
        super().__init__(problem, **common)
        self.problem = problem
        self.concatenate = concatenate
        batch = problem.batch_size
        self.real_target = torch.full((batch, 1), problem.real_label, device=self.device)
        self.fake_target = torch.zeros(batch, 1, device=self.device)
        self.both_targets = torch.cat([self.real_target, self.fake_target])
        g_label = 0.0 if problem.minimax else 1.0
        self.g_target = torch.full((problem.g_batch, 1), g_label, device=self.device)
        self._batches = self._shuffled(batch)

    def step(self, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        """One training step; returns d_loss and g_loss without waiting for them."""
        raise NotImplementedError

    def run(self, steps: int) -> None:
        self._set_precision(exact=False)
        for _ in range(steps):
            self._drawn_step(next(self._batches))
        self._finish()

    def losses(self) -> Array:
        self._set_precision(exact=self.device.type == "cuda")
        batch, problem = self.problem.batch_size, self.problem
        losses = []
        for s, noises in enumerate(zip(problem.d_noise, problem.g_noise, strict=True)):
            index = torch.arange(s * batch, (s + 1) * batch, device=self.device)
            d_noise, g_noise = (torch.from_numpy(noise).to(self.device) for noise in noises)
            losses.append([float(value) for value in self.step(index, d_noise, g_noise)])
        return np.array(losses)

    def _drawn_step(self, index: Any) -> None:
        d_noise, g_noise = self._noises()
        self.step(index, d_noise, g_noise)

    def _noises(self) -> tuple[Any, Any]:
        """For the discriminator's update, and for the generator's."""
        d_noise = self._draw(self.problem.batch_size)
        return d_noise, d_noise if self.problem.same_noise else self._draw(self.problem.g_batch)

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

        return [on_real, on_fake] if self.problem.separate_updates else [on_both]

    def _g_loss(self, logits: Any) -> Any:
        loss = F.binary_cross_entropy_with_logits(logits, self.g_target)
        return loss if not self.problem.minimax else -loss


class EagerStep(TorchStep):
    """Autograd and ``torch.optim.Adam``; ``optimizer`` is a kind of twins.torch_twin.ADAM."""

    def __init__(self, problem: ClassicProblem, *, optimizer: str, **common: Any):
        super().__init__(problem, **common)
        self.generator = self._network(problem.generator)
        self.discriminator = self._network(problem.discriminator)
        self.g_parameters = list(self.generator.parameters())
        self.g_adam = adam(self.generator, problem.g_adam, optimizer)
        self.d_adam = adam(self.discriminator, problem.d_adam, optimizer)
        self.averaged = [tensor.detach() for tensor in self.generator.state_dict().values()]
        self.average = [tensor.clone() for tensor in self.averaged]

    def step(self, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        real = self._real(index)
        if self.problem.same_noise:
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
        if not self.problem.same_noise:
            fake = self.generator(g_noise)
        g_loss = self._g_loss(self.discriminator(fake))
        self.g_adam.zero_grad(set_to_none=True)
        g_loss.backward(inputs=self.g_parameters)
        self.g_adam.step()
        if self.problem.ema_decay is not None:
            torch._foreach_lerp_(self.average, self.averaged, 1.0 - self.problem.ema_decay)
        return sum(loss.detach() for loss in d_losses), g_loss.detach()


class GraphStep(EagerStep):
    """The eager step, captured once as a CUDA graph and replayed.

    The rows of the batch are copied into the graph's memory; noise is drawn inside the graph.
    """

    def __init__(self, problem: ClassicProblem, **common: Any):
        super().__init__(problem, **common)
        self._index = torch.zeros(self.problem.batch_size, dtype=torch.int64, device=self.device)
        self._d_noise = self._draw(self.problem.batch_size)
        self._g_noise = self._draw(problem.g_batch)
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
        for optimizer in (self.g_adam, self.d_adam):
            for moments in optimizer.state.values():
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


class CompiledStep(TorchStep):
    """The whole step as one graph, Adam written out in it; ``compiler`` goes to torch.compile."""

    def __init__(self, problem: ClassicProblem, *, compiler: dict[str, Any], **common: Any):
        super().__init__(problem, **common)
        self.generator = Trained(self._network(problem.generator), problem.g_adam)
        self.discriminator = Trained(self._network(problem.discriminator), problem.d_adam)
        self.average = {name: p.clone() for name, p in self.generator.parameters.items()}
        if self.device.type == "cuda":
            self.generator.pin_addresses()
            self.discriminator.pin_addresses()
            for tensor in self.average.values():
                torch._dynamo.mark_static_address(tensor)
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
        generator, discriminator = self.generator, self.discriminator
        real = self._real(index)
        if self.problem.same_noise:
            fake, backward = vjp(lambda g: generator(g, d_noise), generator.parameters)
        else:
            fake = generator(generator.parameters, d_noise)
        d_loss = 0.0
        for loss in self._d_losses(real, fake):
            gradients, value = grad_and_value(
                lambda d, loss=loss: loss(lambda x: discriminator(d, x))
            )(discriminator.parameters)
            discriminator.update(gradients)
            d_loss = d_loss + value
        if not self.problem.same_noise:
            fake, backward = vjp(lambda g: generator(g, g_noise), generator.parameters)
        dfake, g_loss = grad_and_value(
            lambda x: self._g_loss(discriminator(discriminator.parameters, x))
        )(fake)
        (g_gradients,) = backward(dfake)
        generator.update(g_gradients)
        if self.problem.ema_decay is not None:
            for name, average in self.average.items():
                average.lerp_(generator.parameters[name], 1.0 - self.problem.ema_decay)
        return d_loss, g_loss
