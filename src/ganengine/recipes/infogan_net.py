"""``infogan-net``: the networks with which Lucic et al. (2018) compared GANs on MNIST.

They are those of InfoGAN (Chen et al. 2016), here with batch norm in the discriminator.
"""

from dataclasses import dataclass

from ganengine import Classic, nn


@dataclass
class InfoganNet(Classic):
    """The networks of Lucic et al. (2018), who compared GANs with them."""

    batch_size: int = 64
    latent_size: int = 64

    epochs = 20
    train_images = 50_000
    value_range = (0.0, 1.0)

    def latent(self, count):
        return self.uniform(count, self.latent_size, low=-1.0)

    def make_generator(self, rng):
        drawn = {"weight_init": nn.init.normal(0.02), "rng": rng}
        twice = {"stride": 2, "padding": 1, **drawn}
        return nn.Sequential(
            nn.Dense(self.latent_size, 1024, **drawn),
            nn.BatchNorm(1024, activation="leaky_relu"),
            nn.Dense(1024, 7 * 7 * 128, **drawn),
            nn.BatchNorm(7 * 7 * 128, activation="leaky_relu"),
            nn.Reshape(128, 7, 7),
            nn.ConvTranspose2d(128, 64, 4, **twice),
            nn.BatchNorm(64, activation="leaky_relu"),
            nn.ConvTranspose2d(64, 1, 4, activation="sigmoid", **twice),
        )

    def make_discriminator(self, rng):
        drawn = {"weight_init": nn.init.normal(0.02), "rng": rng}
        half = {"stride": 2, "padding": 1, **drawn}
        return nn.Sequential(
            nn.Conv2d(1, 64, 4, activation="leaky_relu", **half),
            nn.Conv2d(64, 128, 4, **half),
            nn.BatchNorm(128, activation="leaky_relu"),
            nn.Flatten(),
            nn.Dense(7 * 7 * 128, 1024, **drawn),
            nn.BatchNorm(1024, activation="leaky_relu"),
            nn.Dense(1024, 1, **drawn),
        )
