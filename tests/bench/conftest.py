"""A small problem, and its training step in float64 NumPy with every gradient written by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from twins.classic import ClassicProblem
from twins.layers import Layer
from twins.problem import Noise, Rates

from ganengine.gan.find import Source

PIXELS, LATENT, HIDDEN, BATCH, STEPS = 20, 6, 9, 8, 4


@pytest.fixture
def make_toy():
    """Builds a problem without the engine; keywords change the step or Adam's rates."""

    def make(*, batch_norm=False, dropout=0.0, noise="uniform", **changes):
        rng = np.random.default_rng(5)
        adam = Rates(lr=3e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0)
        adam = adam._replace(
            **{name: changes.pop(name) for name in Rates._fields if name in changes}
        )
        generator = [_dense(rng, LATENT, HIDDEN, "leaky_relu"), _dense(rng, HIDDEN, PIXELS, "tanh")]
        if batch_norm:
            norm = Layer(
                "batch_norm",
                "relu",
                arrays={
                    "gamma": rng.uniform(0.5, 1.5, HIDDEN).astype("float32"),
                    "beta": rng.normal(size=HIDDEN).astype("float32"),
                    "running_mean": np.zeros(HIDDEN, "float32"),
                    "running_var": np.ones(HIDDEN, "float32"),
                },
            )
            generator[0] = Layer(
                "dense", arrays={"weight": generator[0].arrays["weight"]}
            )  # as usual before a norm: no bias
            generator.insert(1, norm)
        discriminator = [_dense(rng, PIXELS, HIDDEN, "relu"), _dense(rng, HIDDEN, 1, "linear")]
        discriminator.insert(1, Layer("activation", "sigmoid"))
        if dropout:
            discriminator.insert(1, Layer("dropout", rate=dropout))
        g_batch, same_noise = changes.get("g_batch", BATCH), changes.get("same_noise", True)
        d_noise, g_noise = (
            rng.uniform(-1, 1, (STEPS, count, LATENT)).astype("float32")
            for count in (BATCH, g_batch)
        )
        problem = ClassicProblem(
            source=Source(Path("toy.py"), b""),
            settings={},
            rows=STEPS * BATCH + 11,
            check_losses=np.zeros((STEPS, 2), "float32"),
            check_spread=np.zeros(STEPS),
            generator=tuple(generator),
            discriminator=tuple(discriminator),
            g_adam=adam,
            d_adam=adam,
            noise=Noise(noise, LATENT),
            image_shape=(PIXELS,),
            batch_size=BATCH,
            g_batch=g_batch,
            value_range=(-1.0, 1.0),
            images=rng.integers(0, 256, (STEPS * BATCH + 11, PIXELS), dtype=np.uint8),
            real_label=0.9,
            ema_decay=None,
            minimax=False,
            same_noise=same_noise,
            separate_updates=False,
            d_noise=d_noise,
            g_noise=d_noise if same_noise else g_noise,
        )
        return replace(problem, **changes)

    return make


@pytest.fixture
def numpy_losses():
    """d_loss and g_loss of each step of a problem's check, (steps, 2), in float64."""

    def losses(problem):
        batch = problem.batch_size
        generator, discriminator = _Network(problem.generator), _Network(problem.discriminator)
        rows = []
        noises = problem.d_noise.astype("float64"), problem.g_noise.astype("float64")
        for s, (d_noise, g_noise) in enumerate(zip(*noises, strict=True)):
            low, high = problem.value_range
            pixels = problem.images[s * batch : (s + 1) * batch]
            real = pixels / 255.0 * (high - low) + low
            fake = generator.forward(d_noise)[-1]
            gradients, d_loss = None, 0.0
            for images, label in ((real, problem.real_label), (fake, 0.0)):
                outputs = discriminator.forward(images)
                loss, dlogits = _bce(outputs[-1], label)
                part = discriminator.backward(outputs, dlogits)[1]
                gradients = part if gradients is None else _add(gradients, part)
                d_loss += loss
                if problem.separate_updates:
                    discriminator.adam(part, problem.d_adam)
            if not problem.separate_updates:
                discriminator.adam(gradients, problem.d_adam)
            g_outputs = generator.forward(g_noise)
            outputs = discriminator.forward(g_outputs[-1])
            saturating = problem.minimax
            loss, dlogits = _bce(outputs[-1], 0.0 if saturating else 1.0)
            sign = -1.0 if saturating else 1.0
            dfake = discriminator.backward(outputs, sign * dlogits)[0]
            generator.adam(generator.backward(g_outputs, dfake)[1], problem.g_adam)
            rows.append([d_loss, sign * loss])
        return np.array(rows)

    return losses


def _dense(rng, in_features, out_features, activation):
    return Layer(
        "dense",
        activation,
        arrays={
            "weight": rng.normal(0, 0.5, (out_features, in_features)).astype("float32"),
            "bias": rng.normal(0, 0.1, out_features).astype("float32"),
        },
    )


def _bce(logits, target):
    probability = 1.0 / (1.0 + np.exp(-logits))
    loss = -(target * np.log(probability) + (1.0 - target) * np.log(1.0 - probability))
    return loss.mean(), (probability - target) / logits.size


def _add(left, right):
    return [{k: a[k] + b[k] for k in a} for a, b in zip(left, right, strict=True)]


class _Network:
    def __init__(self, layers):
        trained = ("weight", "bias", "gamma", "beta")
        self.layers = layers
        self.parameters = [
            {k: v.astype("float64") for k, v in layer.arrays.items() if k in trained}
            for layer in layers
        ]
        self.m = [{k: np.zeros_like(v) for k, v in p.items()} for p in self.parameters]
        self.v = [{k: np.zeros_like(v) for k, v in p.items()} for p in self.parameters]
        self.t = 0

    def forward(self, x):
        """The input, and every layer's output."""
        outputs = [x]
        for layer, p in zip(self.layers, self.parameters, strict=True):
            if layer.kind == "dense":
                x = x @ p["weight"].T + p.get("bias", 0.0)
            elif layer.kind == "batch_norm":
                x = (x - x.mean(0)) / np.sqrt(x.var(0) + layer.eps) * p["gamma"] + p["beta"]
            outputs.append(x := _activate(x, layer))
        return outputs

    def backward(self, outputs, dy):
        """The gradients of the input and of the parameters."""
        gradients = []
        for layer, p, x, y in reversed(
            list(zip(self.layers, self.parameters, outputs, outputs[1:], strict=False))
        ):
            dz, gradient = dy * _slope(y, layer), {}
            if layer.kind == "dense":
                gradient["weight"] = dz.T @ x
                if "bias" in p:
                    gradient["bias"] = dz.sum(0)
                dy = dz @ p["weight"]
            elif layer.kind == "batch_norm":
                std = np.sqrt(x.var(0) + layer.eps)
                unit = (x - x.mean(0)) / std
                gradient = {"gamma": (dz * unit).sum(0), "beta": dz.sum(0)}
                dunit = dz * p["gamma"]
                dy = (dunit - dunit.mean(0) - unit * (dunit * unit).mean(0)) / std
            else:
                dy = dz
            gradients.insert(0, gradient)
        return dy, gradients

    def adam(self, gradients, rates):
        self.t += 1
        b1, b2 = rates.beta1, rates.beta2
        for p, m, v, g in zip(self.parameters, self.m, self.v, gradients, strict=True):
            for k in p:
                gradient = g[k] + rates.weight_decay * p[k]
                m[k] = b1 * m[k] + (1 - b1) * gradient
                v[k] = b2 * v[k] + (1 - b2) * gradient**2
                unbiased_m, unbiased_v = m[k] / (1 - b1**self.t), v[k] / (1 - b2**self.t)
                p[k] = p[k] - rates.lr * unbiased_m / (np.sqrt(unbiased_v) + rates.eps)


def _activate(z, layer):
    if layer.activation == "relu":
        return np.maximum(z, 0)
    if layer.activation == "leaky_relu":
        return np.where(z > 0, z, layer.slope * z)
    if layer.activation == "tanh":
        return np.tanh(z)
    return 1 / (1 + np.exp(-z)) if layer.activation == "sigmoid" else z


def _slope(y, layer):
    if layer.activation == "relu":
        return y > 0
    if layer.activation == "leaky_relu":
        return np.where(y > 0, 1.0, layer.slope)
    if layer.activation == "tanh":
        return 1 - y * y
    return y * (1 - y) if layer.activation == "sigmoid" else 1.0
