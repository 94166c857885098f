"""What the twins in JAX share: data on the device, the calls of a jitted step, Adam.

A shuffle of the rows lies on the device, and each call takes its own from it. ``scan`` steps run in
one call through ``lax.scan`` where that is asked for, so that Python is left once in so many steps.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from twins.jax_network import images, parameters, running
from twins.problem import Rates, TwinProblem

# By name, because JAX is optional and slow to import; this module is only imported to run it.
jax: Any = importlib.import_module("jax")
jnp: Any = jax.numpy

State = dict[str, Any]
Tree = Any


class JaxTwin:
    """A jitted step; ``scan`` steps per call, noise from the named random generator."""

    def __init__(
        self,
        problem: TwinProblem,
        *,
        threads: int,
        scan: int,
        random: str,
        layout: str = "NHWC",
        device: str = "cpu",
    ):
        del threads  # XLA takes the processors of the process
        jax.config.update("jax_platforms", "cpu" if device == "cpu" else f"{device},cpu")
        if device == "cuda" and jax.default_backend() != "gpu":
            raise RuntimeError(f"JAX computes on {jax.default_backend()}, it finds no GPU")
        self.layout = layout
        self.chunk = scan
        self.noise = problem.noise
        self.rows_per_step = problem.batch_size
        self.images = jnp.asarray(problem.images)
        self.state: State = {
            "g": parameters(problem.generator, layout),
            "d": parameters(problem.discriminator, layout),
            "g_running": running(problem.generator),
            "d_running": running(problem.discriminator),
            "key": jax.random.key(problem.seed, impl=random),
            "call": jnp.zeros((), jnp.int32),  # with which rows of the shuffle
        }
        for name in ("g", "d"):
            self.state[f"{name}_m"] = _zeros_like(self.state[name])
            self.state[f"{name}_v"] = _zeros_like(self.state[name])
            self.state[f"{name}_t"] = jnp.zeros((), jnp.float32)
        self._run = jax.jit(self._call, donate_argnums=0)
        self._rng = np.random.default_rng(problem.seed)
        self._rows: Any = None
        self._calls_left = 0

    def run(self, steps: int) -> None:
        """Take steps, a multiple of ``chunk``, and wait for them."""
        losses = None
        for _ in range(steps // self.chunk):
            if not self._calls_left:
                self._shuffle()
            self.state, losses = self._run(self.state, self.images, self._rows)
            self._calls_left -= 1
        jax.block_until_ready(losses)

    def _drawn_step(self, state: State, images: Any, index: Any) -> tuple[State, Any]:
        """One step on these rows of the images, with noise of its own: the new state, losses."""
        raise NotImplementedError

    def _shuffle(self) -> None:
        """Put the rows of a new epoch on the device: those of each call, (calls, scan, rows)."""
        order = self._rng.permutation(len(self.images)).astype("int32")
        self._calls_left = max(1, len(order) // (self.chunk * self.rows_per_step))
        shape = (self._calls_left, self.chunk, self.rows_per_step)
        self._rows = jnp.asarray(np.resize(order, shape))
        self.state["call"] = jnp.zeros((), jnp.int32)

    def _call(self, state: State, images: Any, rows: Any) -> tuple[State, Any]:
        indices = rows[state["call"]]
        state = {**state, "call": state["call"] + 1}
        if self.chunk == 1:
            return self._drawn_step(state, images, indices[0])
        return jax.lax.scan(  # type: ignore[no-any-return]
            lambda carry, index: self._drawn_step(carry, images, index), state, indices
        )

    def _draw(self, key: Any, *shape: int) -> Any:
        """Noise for so many images."""
        shape = (*shape, self.noise.size)
        if self.noise.kind == "normal":
            return jax.random.normal(key, shape)
        return jax.random.uniform(key, shape, minval=self.noise.low, maxval=self.noise.high)

    def _real(self, problem: TwinProblem, rows: Any, index: Any) -> Any:
        pixels = rows[index].astype(jnp.float32) * problem.scale + problem.value_range[0]
        return images(pixels, problem.image_shape, self.layout)


def adam(state: State, name: str, gradients: Tree, rates: Rates) -> None:
    """Update the network ``name`` in a step's state."""
    t, b1, b2 = state[f"{name}_t"] + 1.0, rates.beta1, rates.beta2
    if rates.weight_decay:
        gradients = jax.tree.map(lambda g, p: g + rates.weight_decay * p, gradients, state[name])
    m = jax.tree.map(lambda m, g: b1 * m + (1.0 - b1) * g, state[f"{name}_m"], gradients)
    v = jax.tree.map(lambda v, g: b2 * v + (1.0 - b2) * g * g, state[f"{name}_v"], gradients)
    rate = rates.lr / _one_minus_power(b1, t)
    root = jax.lax.rsqrt(_one_minus_power(b2, t))
    state[f"{name}_m"], state[f"{name}_v"], state[f"{name}_t"] = m, v, t
    state[name] = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) * root + rates.eps), state[name], m, v
    )


def _one_minus_power(base: float, exponent: Any) -> Any:
    """``1 - base^exponent`` without the cancellation that float32 suffers in the first steps."""
    return -jnp.expm1(exponent * (math.log(base) if base > 0.0 else -math.inf))


def _zeros_like(tree: Tree) -> Tree:
    return jax.tree.map(jnp.zeros_like, tree)
