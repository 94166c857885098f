"""The step of the classic GAN in JAX, as an expert would write it: jitted whole, donated state.

The generator runs once where both updates share their noise, and no gradient is computed that
nobody uses (XLA drops the rest in any case).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ganengine.bench.problem import Array
from twins.classic import ClassicProblem
from twins.jax_network import forward
from twins.jax_twin import JaxTwin, State, Tree, adam, jax, jnp


class JaxStep(JaxTwin):
    """The jitted step; with ``concatenate`` D sees real and generated images as one batch."""

    def __init__(self, problem: ClassicProblem, *, concatenate: bool, **common: Any):
        super().__init__(problem, **common)
        self.problem = problem
        self.concatenate = concatenate
        if problem.ema_decay is not None:
            self.state["average"] = jax.tree.map(jnp.copy, self.state["g"])
        self._checked = jax.jit(self._step, donate_argnums=0)

    def losses(self) -> Array:
        batch, losses, key = self.problem.batch_size, [], jax.random.key(0)
        problem = self.problem
        for s, noises in enumerate(zip(problem.d_noise, problem.g_noise, strict=True)):
            index = jnp.arange(s * batch, (s + 1) * batch)
            with jax.default_matmul_precision("highest"):
                self.state, values = self._checked(
                    self.state, self.images, index, *map(jnp.asarray, noises), key
                )
            losses.append(np.asarray(values))
        return np.array(losses)

    def _drawn_step(self, state: State, images: Any, index: Any) -> tuple[State, Any]:
        key, d_key, g_key, mask_key = jax.random.split(state["key"], 4)
        d_noise = self._draw(d_key, self.problem.batch_size)
        g_noise = d_noise if self.problem.same_noise else self._draw(g_key, self.problem.g_batch)
        return self._step({**state, "key": key}, images, index, d_noise, g_noise, mask_key)

    def _step(
        self, state: State, rows: Any, index: Any, d_noise: Any, g_noise: Any, key: Any
    ) -> tuple[State, Any]:
        problem, layout = self.problem, self.layout
        keys = jax.random.split(key, 4) if problem.has_dropout else [key] * 4
        state = {**state}
        real = self._real(problem, rows, index)

        def generate(g: Tree, noise: Any, running: Tree, key: Any) -> tuple[Any, Tree]:
            return forward(problem.generator, g, running, noise, key, layout)

        def discriminate(d: Tree, x: Any, running: Tree, key: Any) -> tuple[Any, Tree]:
            return forward(problem.discriminator, d, running, x, key, layout)

        def on_real(d: Tree, running: Tree) -> tuple[Any, Tree]:
            logits, running = discriminate(d, real, running, keys[0])
            return bce(logits, problem.real_label), running

        def on_fake(d: Tree, running: Tree) -> tuple[Any, Tree]:
            logits, running = discriminate(d, fake, running, keys[1])
            return bce(logits, 0.0), running

        def on_both(d: Tree, running: Tree) -> tuple[Any, Tree]:
            if self.concatenate:
                logits, running = discriminate(d, jnp.concatenate([real, fake]), running, keys[0])
                of_real, of_fake = jnp.split(logits, 2)
                return bce(of_real, problem.real_label) + bce(of_fake, 0.0), running
            real_loss, running = on_real(d, running)
            fake_loss, running = on_fake(d, running)
            return real_loss + fake_loss, running

        def g_loss(fake: Any) -> tuple[Any, Tree]:
            logits, running = discriminate(state["d"], fake, state["d_running"], keys[2])
            if not problem.minimax:
                return bce(logits, 1.0), running
            return -bce(logits, 0.0), running

        def pull_generator(noise: Any) -> tuple[Any, Callable[[Any], Any], Tree]:
            return jax.vjp(  # type: ignore[no-any-return]
                lambda g: generate(g, noise, state["g_running"], keys[3]), state["g"], has_aux=True
            )

        if problem.same_noise:
            fake, backward, state["g_running"] = pull_generator(d_noise)
        else:
            fake, state["g_running"] = generate(state["g"], d_noise, state["g_running"], keys[3])
        d_value = 0.0
        for d_loss in [on_real, on_fake] if problem.separate_updates else [on_both]:
            (value, state["d_running"]), gradients = jax.value_and_grad(d_loss, has_aux=True)(
                state["d"], state["d_running"]
            )
            adam(state, "d", gradients, problem.d_adam)
            d_value += value
        if not problem.same_noise:
            fake, backward, state["g_running"] = pull_generator(g_noise)
        (g_value, state["d_running"]), dfake = jax.value_and_grad(g_loss, has_aux=True)(fake)
        adam(state, "g", backward(dfake)[0], problem.g_adam)
        if problem.ema_decay is not None:
            decay = problem.ema_decay
            state["average"] = jax.tree.map(
                lambda a, p: decay * a + (1.0 - decay) * p, state["average"], state["g"]
            )
        return state, jnp.stack([d_value, g_value])


def bce(logits: Any, target: float) -> Any:
    """Mean binary cross-entropy on logits."""
    softplus = jnp.log1p(jnp.exp(-jnp.abs(logits)))
    return jnp.mean(jnp.maximum(logits, 0.0) - logits * target + softplus)
