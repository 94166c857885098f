"""The training step in Keras on TensorFlow, as its GAN tutorials write it.

``tf.keras.Sequential`` networks, a ``tf.function`` with gradient tapes, ``keras.optimizers.Adam``;
optionally compiled by XLA. Keras's Adam adds eps before the bias correction (the paper's epsilon
hat), the others after it; at the recipes' eps of 1e-8 no loss shows that.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ganengine.bench.problem import Array, Layer, Problem

# By name, because TensorFlow is optional and slow to import; this module is only imported to run.
os.environ["KERAS_BACKEND"] = "tensorflow"
tf: Any = importlib.import_module("tensorflow")
keras: Any = importlib.import_module("keras")


class KerasStep:
    """The step as one ``tf.function``; ``xla`` compiles it."""

    chunk = 1

    def __init__(self, problem: Problem, *, threads: int, concatenate: bool, xla: bool):
        with contextlib.suppress(RuntimeError):  # TensorFlow takes this once per process
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        keras.utils.set_random_seed(problem.seed)
        self.problem = problem
        self.recipe = problem.recipe
        self.concatenate = concatenate
        self.images = tf.constant(problem.images)
        self.generator = network(problem.generator, self.recipe.latent_size)
        self.discriminator = network(problem.discriminator, problem.images.shape[1])
        self.g_adam = self._adam(self.generator)
        self.d_adam = self._adam(self.discriminator)
        self.average = [tf.Variable(weight) for weight in self.generator.weights]
        self._step = tf.function(self._eager_step, jit_compile=xla)
        self._drawn_step = tf.function(self._eager_drawn_step, jit_compile=xla)
        self._batches = self._shuffled()

    def run(self, steps: int) -> None:
        losses = None
        for _ in range(steps):
            losses = self._drawn_step(self.images, next(self._batches))
        if losses is not None:
            losses[1].numpy()

    def losses(self) -> Array:
        batch, losses = self.recipe.batch_size, []
        for s, noise in enumerate(self.problem.check_noise):
            index = tf.range(s * batch, (s + 1) * batch)
            values = self._step(self.images, index, tf.constant(noise[0]), tf.constant(noise[1]))
            losses.append([float(value) for value in values])
        return np.array(losses)

    def _shuffled(self) -> Iterator[Any]:
        rng = np.random.default_rng(self.problem.seed)
        batch = self.recipe.batch_size
        while True:
            order = rng.permutation(len(self.images)).astype("int32")
            full = len(order) // batch
            yield from [tf.constant(rows) for rows in order[: full * batch].reshape(full, batch)]

    def _noise(self) -> Any:
        shape = (self.recipe.batch_size, self.recipe.latent_size)
        if self.recipe.latent == "normal":
            return tf.random.normal(shape)
        return tf.random.uniform(shape, -1.0, 1.0)

    def _eager_drawn_step(self, images: Any, index: Any) -> tuple[Any, Any]:
        d_noise = self._noise()
        g_noise = d_noise if self.recipe.same_noise else self._noise()
        return self._eager_step(images, index, d_noise, g_noise)

    def _eager_step(self, images: Any, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        recipe = self.recipe
        real = tf.cast(tf.gather(images, index), tf.float32) * self.problem.scale
        real += recipe.value_range[0]
        g_variables = self.generator.trainable_variables
        d_variables = self.discriminator.trainable_variables
        with tf.GradientTape() as g_tape:
            fake = self.generator(g_noise, training=True)
            with g_tape.stop_recording():
                d_fake = fake if recipe.same_noise else self.generator(d_noise, training=True)
                with tf.GradientTape() as d_tape:
                    d_loss = self._d_loss(real, d_fake)
                self.d_adam.apply_gradients(
                    zip(d_tape.gradient(d_loss, d_variables), d_variables, strict=True)
                )
            on_fake = self.discriminator(fake, training=True)
            g_loss = _bce(on_fake, 1.0) if recipe.loss == "non_saturating" else -_bce(on_fake, 0.0)
        gradients = g_tape.gradient(g_loss, g_variables)
        self.g_adam.apply_gradients(zip(gradients, g_variables, strict=True))
        if recipe.ema_decay is not None:
            for average, weight in zip(self.average, self.generator.weights, strict=True):
                average.assign_add((1.0 - recipe.ema_decay) * (weight.value - average))
        return d_loss, g_loss

    def _d_loss(self, real: Any, fake: Any) -> Any:
        if self.concatenate:
            logits = self.discriminator(tf.concat([real, fake], axis=0), training=True)
            on_real, on_fake = tf.split(logits, 2)
        else:
            on_real = self.discriminator(real, training=True)
            on_fake = self.discriminator(fake, training=True)
        return _bce(on_real, self.recipe.real_label) + _bce(on_fake, 0.0)

    def _adam(self, model: Any) -> Any:
        recipe = self.recipe
        adam = keras.optimizers.Adam(recipe.lr, recipe.beta1, recipe.beta2, recipe.eps)
        adam.build(model.trainable_variables)
        return adam


def network(layers: Sequence[Layer], size: int) -> Any:
    """The layers as a ``keras.Sequential`` with the same initial values."""
    parts = [keras.Input((size,))]
    arrays = []
    for layer in layers:
        values = layer.arrays
        if layer.kind == "dense":
            parts.append(keras.layers.Dense(len(values["weight"]), use_bias="bias" in values))
            arrays += [values["weight"].T, *([values["bias"]] if "bias" in values else [])]
        elif layer.kind == "batch_norm":
            affine = "gamma" in values
            parts.append(
                keras.layers.BatchNormalization(
                    momentum=1.0 - layer.momentum, epsilon=layer.eps, center=affine, scale=affine
                )
            )
            names = ("gamma", "beta", "running_mean", "running_var")
            arrays += [values[name] for name in names if name in values]
        elif layer.kind == "dropout":
            parts.append(keras.layers.Dropout(layer.rate))
        if layer.activation == "leaky_relu":
            parts.append(keras.layers.LeakyReLU(negative_slope=layer.slope))
        elif layer.activation != "linear":
            parts.append(keras.layers.Activation(layer.activation))
    model = keras.Sequential(parts)
    model.set_weights(arrays)
    return model


def _bce(logits: Any, target: float) -> Any:
    targets = tf.fill(tf.shape(logits), target)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))
