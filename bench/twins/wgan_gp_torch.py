"""The step of WGAN-GP in PyTorch, as an expert would write it for the CPU or for a GPU.

Eager: ``autograd.grad`` with ``create_graph``, the foreach or the fused Adam. Graph: the eager step
as one CUDA graph. ``torch.compile`` cannot differentiate a compiled function twice; so the compiled
step takes both derivatives inside, with ``torch.func``, and is two graphs: an update of the critic,
and one of the generator, with Adam written out in them. Images lie as NCHW, or with their channels
last; the critic sees real and generated images as one batch or as two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ganengine.bench.problem import Array
from twins.torch_compiled import Trained
from twins.torch_twin import TorchTwin, adam, captured, torch
from twins.wgan_gp import TINY, WganGpProblem

Network = Callable[[Any], Any]
Slope = Callable[[Network, Any], Any]


class TorchStep(TorchTwin):
    """What all ways of writing the step share: what is drawn, and the critic's loss."""

    def __init__(self, problem: WganGpProblem, *, concatenate: bool, **common: Any):
        super().__init__(problem, **common)
        self.problem = problem
        self.concatenate = concatenate
        self._batches = self._shuffled(problem.batch_size)

    def update_critic(self, index: Any, noise: Any, t: Any) -> Any:
        """One update on these rows of the images; the loss, without waiting for it."""
        raise NotImplementedError

    def update_generator(self, noise: Any) -> Any:
        """One update; the loss, without waiting for it."""
        raise NotImplementedError

    def run(self, steps: int) -> None:
        self._set_precision(exact=False)
        for _ in range(steps):
            self._drawn_step()
        self._finish()

    def losses(self) -> Array:
        self._set_precision(exact=self.device.type == "cuda")
        problem, batch = self.problem, self.problem.batch_size
        drawn = (problem.c_noise, problem.t, problem.g_noise)
        c_noise, t, g_noise = (torch.from_numpy(array).to(self.device) for array in drawn)
        losses = []
        for s in range(len(g_noise)):
            for k in range(problem.critic_steps):
                first = (s * problem.critic_steps + k) * batch
                index = torch.arange(first, first + batch, device=self.device)
                c_loss = self.update_critic(index, c_noise[s, k], t[s, k])
            # Now, for a replayed graph writes the next loss to the same place.
            losses.append([float(c_loss), float(self.update_generator(g_noise[s]))])
        return np.array(losses)

    def _drawn_step(self) -> None:
        batch = self.problem.batch_size
        for _ in range(self.problem.critic_steps):
            t = torch.rand(batch, 1, 1, 1, device=self.device)
            self.update_critic(next(self._batches), self._draw(batch), t)
        self.update_generator(self._draw(batch))

    def _critic_loss(self, critic: Network, real: Any, fake: Any, t: Any, slope: Slope) -> Any:
        if self.concatenate:
            on_real, on_fake = critic(torch.cat([real, fake])).split(len(real))
        else:
            on_real, on_fake = critic(real), critic(fake)
        squares = slope(critic, real + t * (fake - real)).square().flatten(1).sum(1)
        penalty = ((squares + TINY).sqrt() - 1.0).square().mean()
        return on_fake.mean() - on_real.mean() + self.problem.penalty * penalty


class EagerStep(TorchStep):
    """Autograd and ``torch.optim.Adam``; ``optimizer`` is a kind of twins.torch_twin.ADAM."""

    def __init__(self, problem: WganGpProblem, *, optimizer: str, **common: Any):
        super().__init__(problem, **common)
        self.generator = self._network(problem.generator)
        self.critic = self._network(problem.discriminator)
        self.g_parameters = list(self.generator.parameters())
        self.g_adam = adam(self.generator, problem.g_adam, optimizer)
        self.c_adam = adam(self.critic, problem.d_adam, optimizer)

    def update_critic(self, index: Any, noise: Any, t: Any) -> Any:
        real = self._real(index)
        with torch.no_grad():
            fake = self.generator(noise)
        loss = self._critic_loss(self.critic, real, fake, t, _slope)
        self.c_adam.zero_grad(set_to_none=True)
        loss.backward()
        self.c_adam.step()
        return loss.detach()

    def update_generator(self, noise: Any) -> Any:
        loss = -self.critic(self.generator(noise)).mean()
        self.g_adam.zero_grad(set_to_none=True)
        loss.backward(inputs=self.g_parameters)
        self.g_adam.step()
        return loss.detach()


class GraphStep(EagerStep):
    """The eager step, captured once as a CUDA graph and replayed; the check runs eagerly.

    The rows of the batches are copied into the graph's memory; noise is drawn inside the graph.
    """

    def __init__(self, problem: WganGpProblem, **common: Any):
        super().__init__(problem, **common)
        shape = (problem.critic_steps, problem.batch_size)
        self._index = torch.zeros(shape, dtype=torch.int64, device=self.device)
        self._replay: Callable[[], None] | None = None

    def _drawn_step(self) -> None:
        for index in self._index:
            index.copy_(next(self._batches))
        if self._replay is None:
            self._replay = captured(self._whole_step)
        self._replay()

    def _whole_step(self) -> None:
        batch = self.problem.batch_size
        for index in self._index:
            t = torch.rand(batch, 1, 1, 1, device=self.device)
            self.update_critic(index, self._draw(batch), t)
        self.update_generator(self._draw(batch))


class CompiledStep(TorchStep):
    """Each update as one graph; ``compiler`` goes to torch.compile."""

    def __init__(self, problem: WganGpProblem, *, compiler: dict[str, Any], **common: Any):
        super().__init__(problem, **common)
        self.generator = Trained(self._network(problem.generator), problem.g_adam)
        self.critic = Trained(self._network(problem.discriminator), problem.d_adam)
        if self.device.type == "cuda":
            self.generator.pin_addresses()
            self.critic.pin_addresses()
        self._update_critic = torch.compile(self._critic_update, fullgraph=True, **compiler)
        self._update_generator = torch.compile(self._generator_update, fullgraph=True, **compiler)

    def losses(self) -> Array:
        result = super().losses()
        if self.device.type == "cuda":
            torch.compiler.reset()  # to compile anew for the precision that is timed
        return result

    def update_critic(self, index: Any, noise: Any, t: Any) -> Any:
        return self._update_critic(index, noise, t)

    def update_generator(self, noise: Any) -> Any:
        return self._update_generator(noise)

    def _critic_update(self, index: Any, noise: Any, t: Any) -> Any:
        real, critic = self._real(index), self.critic
        fake = self.generator(self.generator.parameters, noise)
        gradients, loss = torch.func.grad_and_value(
            lambda c: self._critic_loss(lambda x: critic(c, x), real, fake, t, _slope_inside)
        )(critic.parameters)
        critic.update(gradients)
        return loss

    def _generator_update(self, noise: Any) -> Any:
        gradients, loss = torch.func.grad_and_value(
            lambda g: -self.critic(self.critic.parameters, self.generator(g, noise)).mean()
        )(self.generator.parameters)
        self.generator.update(gradients)
        return loss


def _slope(critic: Network, images: Any) -> Any:
    images.requires_grad_()
    (slope,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    return slope


def _slope_inside(critic: Network, images: Any) -> Any:
    return torch.func.grad(lambda x: critic(x).sum())(images)
