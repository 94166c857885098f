"""``mnist``: the demo's recipe, chosen to give all ten digits at the first try.

Batch normalisation keeps the generator from collapsing, dropout keeps the discriminator from
winning, and the averaged generator gives the cleaner samples.
"""

from dataclasses import dataclass

from ganengine import Classic, nn


@dataclass
class Mnist(Classic):
    """The demo: batch norm and dropout, all ten digits in about a minute."""

    latent_size: int = 64
    lr: float = 8e-4
    ema_decay: float | None = 0.999

    epochs = 20
    flat = True

    def make_generator(self, rng):
        drawn = {"weight_init": nn.init.normal(0.02), "rng": rng}
        return nn.Sequential(
            nn.Dense(self.latent_size, 256, bias=False, **drawn),
            nn.BatchNorm(256, activation="leaky_relu"),
            nn.Dense(256, 512, bias=False, **drawn),
            nn.BatchNorm(512, activation="leaky_relu"),
            nn.Dense(512, 784, activation="tanh", **drawn),
        )

    def make_discriminator(self, rng):
        drawn = {"weight_init": nn.init.normal(0.02), "rng": rng}
        return nn.Sequential(
            nn.Dense(784, 512, activation="leaky_relu", **drawn),
            nn.Dropout(0.3),
            nn.Dense(512, 256, activation="leaky_relu", **drawn),
            nn.Dropout(0.3),
            nn.Dense(256, 1, **drawn),
        )
