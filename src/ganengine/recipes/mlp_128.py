"""``mlp-128``: the TensorFlow tutorial's GAN of two hidden layers of 128.

Leaky ReLU 0.2, tanh images, glorot-uniform weights, zero biases; the real label is 0.9, and the
same noise serves both updates. Its own settings collapse to a few digits; it is kept as it is.
"""

from dataclasses import dataclass

from ganengine import Classic, nn


@dataclass
class Mlp128(Classic):
    """TensorFlow tutorial: two hidden layers of 128, faithful to its settings."""

    batch_size: int = 100
    lr: float = 1e-3
    beta1: float = 0.9
    real_label: float = 0.9

    epochs = 500
    train_images = 55_000
    same_noise = True
    flat = True

    def latent(self, count):
        return self.uniform(count, self.latent_size, low=-1.0)

    def make_generator(self, rng):
        return nn.Sequential(
            nn.Dense(self.latent_size, 128, activation="leaky_relu", rng=rng),
            nn.Dense(128, 128, activation="leaky_relu", rng=rng),
            nn.Dense(128, 784, activation="tanh", rng=rng),
        )

    def make_discriminator(self, rng):
        return nn.Sequential(
            nn.Dense(784, 128, activation="leaky_relu", rng=rng),
            nn.Dense(128, 128, activation="leaky_relu", rng=rng),
            nn.Dense(128, 1, rng=rng),
        )
