"""The training step in JAX, as an expert would write it: jitted whole, with donated state.

``scan`` steps run in one call through ``lax.scan`` where that is asked for, so that Python is left
once in so many steps. A shuffle of the rows lies on the device, and the step takes its own from it.
The generator runs once where both updates share their noise, and no gradient is computed that
nobody uses (XLA drops the rest in any case).
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ganengine.bench.jax_network import forward, images, parameters, running
from ganengine.bench.layers import Array
from ganengine.bench.problem import Problem, low_noise

# By name, because JAX is optional and slow to import; this module is only imported to run it.
jax: Any = importlib.import_module("jax")
jnp: Any = jax.numpy

State = dict[str, Any]
Tree = Any


class JaxStep:
    """The jitted step; ``scan`` steps per call, noise from the named random generator."""

    def __init__(
        self,
        problem: Problem,
        *,
        threads: int,
        concatenate: bool,
        scan: int,
        random: str,
        layout: str = "NHWC",
        device: str = "cpu",
    ):
        del threads  # XLA takes the processors of the process
        jax.config.update("jax_platforms", "cpu" if device == "cpu" else f"{device},cpu")
        if device == "cuda" and jax.default_backend() != "gpu":
            raise RuntimeError(f"JAX computes on {jax.default_backend()}, it finds no GPU")
        self.problem = problem
        self.recipe = problem.recipe
        self.concatenate = concatenate
        self.layout = layout
        self.chunk = scan
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
        if self.recipe.ema_decay is not None:
            self.state["average"] = jax.tree.map(jnp.copy, self.state["g"])
        self._checked = jax.jit(self._step, donate_argnums=0)
        self._run = jax.jit(self._call, donate_argnums=0)
        self._rng = np.random.default_rng(problem.seed)
        self._rows: Any = None
        self._calls_left = 0

    def run(self, steps: int) -> None:
        losses = None
        for _ in range(steps // self.chunk):
            if not self._calls_left:
                self._shuffle()
            self.state, losses = self._run(self.state, self.images, self._rows)
            self._calls_left -= 1
        jax.block_until_ready(losses)

    def losses(self) -> Array:
        batch, losses, key = self.recipe.batch_size, [], jax.random.key(0)
        problem = self.problem
        for s, noises in enumerate(zip(problem.d_noise, problem.g_noise, strict=True)):
            index = jnp.arange(s * batch, (s + 1) * batch)
            with jax.default_matmul_precision("highest"):
                self.state, values = self._checked(
                    self.state, self.images, index, *map(jnp.asarray, noises), key
                )
            losses.append(np.asarray(values))
        return np.array(losses)

    def _shuffle(self) -> None:
        """Put the rows of a new epoch on the device: those of each call, (calls, scan, B)."""
        batch = self.recipe.batch_size
        order = self._rng.permutation(len(self.images)).astype("int32")
        self._calls_left = max(1, len(order) // (self.chunk * batch))
        self._rows = jnp.asarray(np.resize(order, (self._calls_left, self.chunk, batch)))
        self.state["call"] = jnp.zeros((), jnp.int32)

    def _call(self, state: State, images: Any, rows: Any) -> tuple[State, Any]:
        indices = rows[state["call"]]
        state = {**state, "call": state["call"] + 1}
        if self.chunk == 1:
            return self._drawn_step(state, images, indices[0])
        return jax.lax.scan(  # type: ignore[no-any-return]
            lambda carry, index: self._drawn_step(carry, images, index), state, indices
        )

    def _drawn_step(self, state: State, images: Any, index: Any) -> tuple[State, Any]:
        key, d_key, g_key, mask_key = jax.random.split(state["key"], 4)
        d_noise = self._noise(d_key, self.recipe.batch_size)
        g_noise = d_noise if self.recipe.same_noise else self._noise(g_key, self.problem.g_batch)
        return self._step({**state, "key": key}, images, index, d_noise, g_noise, mask_key)

    def _noise(self, key: Any, count: int) -> Any:
        shape = (count, self.recipe.latent_size)
        if self.recipe.latent == "normal":
            return jax.random.normal(key, shape)
        return jax.random.uniform(key, shape, minval=low_noise(self.recipe), maxval=1.0)

    def _step(
        self, state: State, rows: Any, index: Any, d_noise: Any, g_noise: Any, key: Any
    ) -> tuple[State, Any]:
        recipe, problem, layout = self.recipe, self.problem, self.layout
        keys = jax.random.split(key, 4) if problem.has_dropout else [key] * 4
        state = {**state}
        pixels = rows[index].astype(jnp.float32) * problem.scale + recipe.value_range[0]
        real = images(pixels, problem.image_shape, layout)

        def generate(g: Tree, noise: Any, running: Tree, key: Any) -> tuple[Any, Tree]:
            return forward(problem.generator, g, running, noise, key, layout)

        def discriminate(d: Tree, x: Any, running: Tree, key: Any) -> tuple[Any, Tree]:
            return forward(problem.discriminator, d, running, x, key, layout)

        def on_real(d: Tree, running: Tree) -> tuple[Any, Tree]:
            logits, running = discriminate(d, real, running, keys[0])
            return bce(logits, recipe.real_label), running

        def on_fake(d: Tree, running: Tree) -> tuple[Any, Tree]:
            logits, running = discriminate(d, fake, running, keys[1])
            return bce(logits, 0.0), running

        def on_both(d: Tree, running: Tree) -> tuple[Any, Tree]:
            if self.concatenate:
                logits, running = discriminate(d, jnp.concatenate([real, fake]), running, keys[0])
                of_real, of_fake = jnp.split(logits, 2)
                return bce(of_real, recipe.real_label) + bce(of_fake, 0.0), running
            real_loss, running = on_real(d, running)
            fake_loss, running = on_fake(d, running)
            return real_loss + fake_loss, running

        def g_loss(fake: Any) -> tuple[Any, Tree]:
            logits, running = discriminate(state["d"], fake, state["d_running"], keys[2])
            if recipe.loss == "non_saturating":
                return bce(logits, 1.0), running
            return -bce(logits, 0.0), running

        def pull_generator(noise: Any) -> tuple[Any, Callable[[Any], Any], Tree]:
            return jax.vjp(  # type: ignore[no-any-return]
                lambda g: generate(g, noise, state["g_running"], keys[3]), state["g"], has_aux=True
            )

        if recipe.same_noise:
            fake, backward, state["g_running"] = pull_generator(d_noise)
        else:
            fake, state["g_running"] = generate(state["g"], d_noise, state["g_running"], keys[3])
        d_value = 0.0
        for d_loss in [on_real, on_fake] if recipe.separate_updates else [on_both]:
            (value, state["d_running"]), gradients = jax.value_and_grad(d_loss, has_aux=True)(
                state["d"], state["d_running"]
            )
            self._adam(state, "d", gradients)
            d_value += value
        if not recipe.same_noise:
            fake, backward, state["g_running"] = pull_generator(g_noise)
        (g_value, state["d_running"]), dfake = jax.value_and_grad(g_loss, has_aux=True)(fake)
        self._adam(state, "g", backward(dfake)[0])
        if recipe.ema_decay is not None:
            decay = recipe.ema_decay
            state["average"] = jax.tree.map(
                lambda a, p: decay * a + (1.0 - decay) * p, state["average"], state["g"]
            )
        return state, jnp.stack([d_value, g_value])

    def _adam(self, state: State, name: str, gradients: Tree) -> None:
        recipe, t = self.recipe, state[f"{name}_t"] + 1.0
        b1, b2 = recipe.beta1, recipe.beta2
        if recipe.weight_decay:
            gradients = jax.tree.map(
                lambda g, p: g + recipe.weight_decay * p, gradients, state[name]
            )
        m = jax.tree.map(lambda m, g: b1 * m + (1.0 - b1) * g, state[f"{name}_m"], gradients)
        v = jax.tree.map(lambda v, g: b2 * v + (1.0 - b2) * g * g, state[f"{name}_v"], gradients)
        rate = recipe.lr / _one_minus_power(b1, t)
        root = jax.lax.rsqrt(_one_minus_power(b2, t))
        state[f"{name}_m"], state[f"{name}_v"], state[f"{name}_t"] = m, v, t
        state[name] = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) * root + recipe.eps), state[name], m, v
        )


def bce(logits: Any, target: float) -> Any:
    """Mean binary cross-entropy on logits."""
    softplus = jnp.log1p(jnp.exp(-jnp.abs(logits)))
    return jnp.mean(jnp.maximum(logits, 0.0) - logits * target + softplus)


def _one_minus_power(base: float, exponent: Any) -> Any:
    """``1 - base^exponent`` without the cancellation that float32 suffers in the first steps."""
    return -jnp.expm1(exponent * (math.log(base) if base > 0.0 else -math.inf))


def _zeros_like(tree: Tree) -> Tree:
    return jax.tree.map(jnp.zeros_like, tree)
