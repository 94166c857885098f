"""The step of the classic GAN in Keras on TensorFlow, as its GAN tutorials write it.

``tf.keras.Sequential`` networks, a ``tf.function`` with gradient tapes, ``keras.optimizers.Adam``;
optionally compiled by XLA. Images have their channels last. Keras's Adam adds eps before the bias
correction (the paper's epsilon hat), the others after it; at the recipes' eps of 1e-8 no loss shows
that.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ganengine.backend import Shape
from ganengine.bench.problem import Array
from twins.classic import ClassicProblem
from twins.layers import Layer
from twins.problem import Rates

# By name, because TensorFlow is optional and slow to import; this module is only imported to run.
os.environ["KERAS_BACKEND"] = "tensorflow"
tf: Any = importlib.import_module("tensorflow")
keras: Any = importlib.import_module("keras")


class KerasStep:
    """The step as one ``tf.function``; ``xla`` compiles it."""

    chunk = 1

    def __init__(self, problem: ClassicProblem, *, threads: int, concatenate: bool, xla: bool):
        with contextlib.suppress(RuntimeError):  # TensorFlow takes this once per process
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        keras.utils.set_random_seed(problem.seed)
        self.problem = problem
        self.concatenate = concatenate
        self.images = tf.constant(problem.images)
        self.generator = network(problem.generator, (self.problem.noise.size,))
        self.discriminator = network(problem.discriminator, problem.image_shape)
        self.g_adam = self._adam(problem.g_adam, self.generator)
        self.d_adam = self._adam(problem.d_adam, self.discriminator)
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
        batch, problem, losses = self.problem.batch_size, self.problem, []
        for s, noises in enumerate(zip(problem.d_noise, problem.g_noise, strict=True)):
            index = tf.range(s * batch, (s + 1) * batch)
            values = self._step(self.images, index, *map(tf.constant, noises))
            losses.append([float(value) for value in values])
        return np.array(losses)

    def _shuffled(self) -> Iterator[Any]:
        rng = np.random.default_rng(self.problem.seed)
        batch = self.problem.batch_size
        while True:
            order = rng.permutation(len(self.images)).astype("int32")
            full = len(order) // batch
            yield from [tf.constant(rows) for rows in order[: full * batch].reshape(full, batch)]

    def _noise(self, count: int) -> Any:
        shape = (count, self.problem.noise.size)
        if self.problem.noise.kind == "normal":
            return tf.random.normal(shape)
        return tf.random.uniform(shape, self.problem.noise.low, self.problem.noise.high)

    def _eager_drawn_step(self, images: Any, index: Any) -> tuple[Any, Any]:
        d_noise = self._noise(self.problem.batch_size)
        g_noise = d_noise if self.problem.same_noise else self._noise(self.problem.g_batch)
        return self._eager_step(images, index, d_noise, g_noise)

    def _eager_step(self, images: Any, index: Any, d_noise: Any, g_noise: Any) -> tuple[Any, Any]:
        problem = self.problem
        real = tf.cast(tf.gather(images, index), tf.float32) * self.problem.scale
        real = _images(real + problem.value_range[0], self.problem.image_shape)
        g_variables = self.generator.trainable_variables
        d_variables = self.discriminator.trainable_variables
        with tf.GradientTape() as g_tape:
            fake = self.generator(g_noise, training=True)
            with g_tape.stop_recording():
                d_fake = fake if problem.same_noise else self.generator(d_noise, training=True)
                d_loss = 0.0
                for loss in self._d_losses(real, d_fake):
                    with tf.GradientTape() as d_tape:
                        value = loss()
                    self._descend(self.d_adam, d_tape.gradient(value, d_variables), d_variables)
                    d_loss += value
            on_fake = self.discriminator(fake, training=True)
            g_loss = _bce(on_fake, 1.0) if not problem.minimax else -_bce(on_fake, 0.0)
        self._descend(self.g_adam, g_tape.gradient(g_loss, g_variables), g_variables)
        if problem.ema_decay is not None:
            for average, weight in zip(self.average, self.generator.weights, strict=True):
                average.assign_add((1.0 - problem.ema_decay) * (weight.value - average))
        return d_loss, g_loss

    def _d_losses(self, real: Any, fake: Any) -> list[Callable[[], Any]]:
        """What the discriminator descends, one after the other."""

        def on_real() -> Any:
            return _bce(self.discriminator(real, training=True), self.problem.real_label)

        def on_fake() -> Any:
            return _bce(self.discriminator(fake, training=True), 0.0)

        def on_both() -> Any:
            if self.concatenate:
                logits = self.discriminator(tf.concat([real, fake], axis=0), training=True)
                of_real, of_fake = tf.split(logits, 2)
                return _bce(of_real, self.problem.real_label) + _bce(of_fake, 0.0)
            return on_real() + on_fake()

        return [on_real, on_fake] if self.problem.separate_updates else [on_both]

    def _descend(self, adam: Any, gradients: Any, variables: Any) -> None:
        rates = self.problem.g_adam if adam is self.g_adam else self.problem.d_adam
        if rates.weight_decay:  # Keras's own decays the weights past the moments
            pairs = zip(gradients, variables, strict=True)
            gradients = [gradient + rates.weight_decay * weight for gradient, weight in pairs]
        adam.apply_gradients(zip(gradients, variables, strict=True))

    def _adam(self, rates: Rates, model: Any) -> Any:
        adam = keras.optimizers.Adam(rates.lr, rates.beta1, rates.beta2, rates.eps)
        adam.build(model.trainable_variables)
        return adam


def network(layers: Sequence[Layer], shape: Shape) -> Any:
    """The layers as a ``keras.Sequential`` for ``shape``, with the same initial values."""
    parts = [keras.Input(shape if len(shape) == 1 else (*shape[1:], shape[0]))]
    arrays = []
    for layer in layers:
        parts += _modules(layer)
        arrays += _arrays(layer)
        if layer.activation == "leaky_relu":
            parts.append(keras.layers.LeakyReLU(negative_slope=layer.slope))
        elif layer.activation != "linear":
            parts.append(keras.layers.Activation(layer.activation))
    model = keras.Sequential(parts)
    model.set_weights(arrays)
    return model


def _modules(layer: Layer) -> list[Any]:
    """The layer without its activation."""
    kinds, has_bias = keras.layers, "bias" in layer.arrays
    if layer.kind == "dense":
        return [kinds.Dense(layer.shape[0], use_bias=has_bias)]
    if layer.kind == "reshape":
        return [kinds.Reshape(layer.shape), *([kinds.Permute((2, 3, 1))] * (len(layer.shape) == 3))]
    if layer.kind == "flatten":
        return [kinds.Permute((3, 1, 2)), kinds.Flatten()]
    if layer.kind == "batch_norm":
        affine = "gamma" in layer.arrays
        momentum = 1.0 - layer.momentum
        return [
            kinds.BatchNormalization(
                momentum=momentum, epsilon=layer.eps, center=affine, scale=affine
            )
        ]
    if layer.kind == "dropout":
        return [kinds.Dropout(layer.rate)]
    if layer.is_convolution:
        return _convolution(layer, has_bias)
    return []  # an activation


def _convolution(layer: Layer, has_bias: bool) -> list[Any]:
    kinds, (top, bottom, left, right) = keras.layers, layer.padding
    options = {"strides": layer.stride, "padding": "valid", "use_bias": has_bias}
    if layer.kind == "conv_transpose2d":
        more = layer.output_padding
        cut = ((top, bottom), (left, right))
        if any(more):  # Keras adds it behind, and "valid" is then the size with it
            options["output_padding"] = more
        return [
            kinds.Conv2DTranspose(layer.shape[0], layer.kernel, **options),
            kinds.Cropping2D(cut),
        ]
    parts = [kinds.UpSampling2D(layer.scale)] if layer.scale > 1 else []
    if any(layer.padding):
        parts.append(kinds.ZeroPadding2D(((top, bottom), (left, right))))
    return [*parts, kinds.Conv2D(layer.shape[0], layer.kernel, **options)]


def _arrays(layer: Layer) -> list[Array]:
    names = ("weight", "bias", "gamma", "beta", "running_mean", "running_var")
    arrays = [layer.arrays[name] for name in names if name in layer.arrays]
    if "weight" in layer.arrays:
        # (I, O); kernels (h, w, C, O), and (h, w, O, C) where they are transposed
        arrays[0] = arrays[0].T if layer.kind == "dense" else arrays[0].transpose(2, 3, 1, 0)
    return arrays


def _images(rows: Any, shape: Shape) -> Any:
    if len(shape) == 1:
        return rows
    return tf.transpose(tf.reshape(rows, (-1, *shape)), (0, 2, 3, 1))


def _bce(logits: Any, target: float) -> Any:
    targets = tf.fill(tf.shape(logits), target)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))
