"""``keras-dcgan``: the Keras tutorial's convolutional GAN.

The generator enlarges 7 x 7 twice and convolves; leaky ReLU stands before batch norm. The
discriminator learns from 128 real and then from 128 generated images, in two updates, and the
generator from 256. Keras' defaults: glorot-uniform weights, batch norm of momentum 0.99 and eps
1e-3, TensorFlow's "same" padding, which for stride 2 is wider behind.
"""

from dataclasses import dataclass

from ganengine import Classic, nn


@dataclass
class KerasDcgan(Classic):
    """Keras tutorial: upsampling and 5x5 convolutions, faithful to its settings."""

    g_batch_size: int | None = 256
    real_label: float = 0.9

    epochs = 50
    separate_updates = True

    def make_generator(self, rng):
        same = {"padding": "same", "rng": rng}
        keras = {"momentum": 0.01, "eps": 1e-3}
        return nn.Sequential(
            nn.Dense(self.latent_size, 7 * 7 * 128, activation="leaky_relu", rng=rng),
            nn.Reshape(128, 7, 7),
            nn.BatchNorm(128, **keras),
            nn.UpsampleConv2d(128, 64, 5, activation="leaky_relu", **same),
            nn.BatchNorm(64, **keras),
            nn.UpsampleConv2d(64, 1, 5, activation="tanh", **same),
        )

    def make_discriminator(self, rng):
        halving = {"stride": 2, "padding": "same", "activation": "leaky_relu", "rng": rng}
        return nn.Sequential(
            nn.Conv2d(1, 64, 5, **halving),
            nn.Conv2d(64, 128, 5, **halving),
            nn.Flatten(),
            nn.Dense(6272, 1, rng=rng),
        )
