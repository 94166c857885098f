"""The step of WGAN-GP in JAX, as an expert would write it: jitted whole, with donated state.

The penalty's slope is ``jax.grad`` inside the loss that is differentiated once more. The updates of
the critic are unrolled; the critic sees real and generated images as one batch or as two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ganengine.bench.problem import Array
from twins.jax_network import forward
from twins.jax_twin import JaxTwin, State, Tree, adam, jax, jnp
from twins.wgan_gp import TINY, WganGpProblem


class JaxStep(JaxTwin):
    """The jitted step; its rows are those of all updates of the critic."""

    def __init__(self, problem: WganGpProblem, *, concatenate: bool, **common: Any):
        super().__init__(problem, **common)
        self.problem = problem
        self.concatenate = concatenate
        self.rows_per_step = problem.batch_size * problem.critic_steps
        self._checked = jax.jit(self._step, donate_argnums=0)

    def losses(self) -> Array:
        problem, losses = self.problem, []
        rows = self.rows_per_step
        drawn = zip(problem.c_noise, problem.t, problem.g_noise, strict=True)
        for s, (c_noise, t, g_noise) in enumerate(drawn):
            index = jnp.arange(s * rows, (s + 1) * rows)
            noises = map(jnp.asarray, (c_noise, t, g_noise))
            with jax.default_matmul_precision("highest"):
                self.state, values = self._checked(self.state, self.images, index, *noises)
            losses.append(np.asarray(values))
        return np.array(losses)

    def _drawn_step(self, state: State, images: Any, index: Any) -> tuple[State, Any]:
        updates, batch = self.problem.critic_steps, self.problem.batch_size
        key, c_key, t_key, g_key = jax.random.split(state["key"], 4)
        c_noise, g_noise = self._draw(c_key, updates, batch), self._draw(g_key, batch)
        t = jax.random.uniform(t_key, (updates, batch, 1, 1, 1))
        return self._step({**state, "key": key}, images, index, c_noise, t, g_noise)

    def _step(
        self, state: State, rows: Any, index: Any, c_noise: Any, t: Any, g_noise: Any
    ) -> tuple[State, Any]:
        problem = self.problem
        state = {**state}

        def generate(g: Tree, noise: Any) -> tuple[Any, Tree]:
            return forward(problem.generator, g, state["g_running"], noise, None, self.layout)

        def critic(d: Tree, x: Any) -> Any:
            return forward(problem.discriminator, d, state["d_running"], x, None, self.layout)[0]

        def c_loss(d: Tree, real: Any, fake: Any, t: Any) -> Any:
            if self.concatenate:
                on_real, on_fake = jnp.split(critic(d, jnp.concatenate([real, fake])), 2)
            else:
                on_real, on_fake = critic(d, real), critic(d, fake)
            slope = jax.grad(lambda x: critic(d, x).sum())(real + t * (fake - real))
            norm = jnp.sqrt((slope * slope).sum(axis=range(1, slope.ndim)) + TINY)
            penalty = jnp.mean((norm - 1.0) ** 2)
            return on_fake.mean() - on_real.mean() + problem.penalty * penalty

        def g_loss(g: Tree) -> tuple[Any, Tree]:
            fake, running = generate(g, g_noise)
            return -critic(state["d"], fake).mean(), running

        for k, batch in enumerate(index.reshape(problem.critic_steps, -1)):
            real = self._real(problem, rows, batch)
            fake, state["g_running"] = generate(state["g"], c_noise[k])
            c_value, gradients = jax.value_and_grad(c_loss)(state["d"], real, fake, t[k])
            adam(state, "d", gradients, problem.d_adam)
        (g_value, state["g_running"]), gradients = jax.value_and_grad(g_loss, has_aux=True)(
            state["g"]
        )
        adam(state, "g", gradients, problem.g_adam)
        return state, jnp.stack([c_value, g_value])
