"""``mlp-500``: the TensorFlow tutorial's GAN with layers of 500 and 200.

ReLU, sigmoid images in [0, 1], weights N(0, 1/sqrt(fan_in / 2)), which is He's initialiser. Its own
settings collapse to a few digits; it is kept as it is.
"""

from dataclasses import dataclass

from ganengine import Classic, nn


@dataclass
class Mlp500(Classic):
    """TensorFlow tutorial: layers of 500 and 200, faithful to its settings."""

    lr: float = 1e-3
    beta1: float = 0.9

    epochs = 1067  # 500,000 iterations
    value_range = (0.0, 1.0)
    flat = True

    def latent(self, count):
        return self.uniform(count, self.latent_size, low=-1.0)

    def make_generator(self, rng):
        he = {"weight_init": nn.init.he_normal(), "rng": rng}
        return nn.Sequential(
            nn.Dense(self.latent_size, 200, activation="relu", **he),
            nn.Dense(200, 500, activation="relu", **he),
            nn.Dense(500, 784, activation="sigmoid", **he),
        )

    def make_discriminator(self, rng):
        he = {"weight_init": nn.init.he_normal(), "rng": rng}
        return nn.Sequential(
            nn.Dense(784, 500, activation="relu", **he),
            nn.Dense(500, 200, activation="relu", **he),
            nn.Dense(200, 1, **he),
        )
