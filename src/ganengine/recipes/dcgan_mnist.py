"""``dcgan-mnist``: the DCGAN of Radford et al. (2015) for MNIST, without labels.

As its authors' code for MNIST has it: no biases, batch norm without scale and shift, an L2 penalty
of 2.5e-5, images in [0, 1], 100 epochs at the full rate and 100 in which it falls to 0. With
classes (``cdcgan-mnist``) the label joins the input of every layer: behind the features of a dense
layer, and as planes behind the channels of a convolution.
"""

from dataclasses import dataclass

from ganengine import Adam, Classic, Scheduled, nn


@dataclass
class DcganMnist(Classic):
    """DCGAN (Radford et al. 2015) for MNIST."""

    weight_decay: float = 2.5e-5

    epochs = 200
    value_range = (0.0, 1.0)

    def latent(self, count):
        return self.uniform(count, self.latent_size, low=-1.0)

    def make_generator(self, rng):
        more, plain = self.classes, {"bias": False, "weight_init": nn.init.normal(0.02), "rng": rng}
        twice = {"stride": 2, "padding": 2, "output_padding": 1, **plain}
        relu = {"affine": False, "activation": "relu"}
        return nn.Sequential(
            *self.join(),
            nn.Dense(self.latent_size + more, 1024, **plain),
            nn.BatchNorm(1024, **relu),
            *self.join(),
            nn.Dense(1024 + more, 7 * 7 * 128, **plain),
            nn.BatchNorm(7 * 7 * 128, **relu),
            nn.Reshape(128, 7, 7),
            *self.join(),
            nn.ConvTranspose2d(128 + more, 64, 5, **twice),
            nn.BatchNorm(64, **relu),
            *self.join(),
            nn.ConvTranspose2d(64 + more, 1, 5, activation="sigmoid", **twice),
        )

    def make_discriminator(self, rng):
        more, plain = self.classes, {"bias": False, "weight_init": nn.init.normal(0.02), "rng": rng}
        half = {"stride": 2, "padding": 2, **plain}
        leaky = {"affine": False, "activation": "leaky_relu"}
        return nn.Sequential(
            *self.join(),
            nn.Conv2d(1 + more, 64, 5, activation="leaky_relu", **half),
            *self.join(),
            nn.Conv2d(64 + more, 128, 5, **half),
            nn.BatchNorm(128, **leaky),
            nn.Flatten(),
            *self.join(),
            nn.Dense(7 * 7 * 128 + more, 1024, **plain),
            nn.BatchNorm(1024, **leaky),
            *self.join(),
            nn.Dense(1024 + more, 1, **plain),
        )

    def join(self):
        """The layer that joins the label, if there are labels."""
        return [nn.JoinCondition()] if self.classes else []

    def make_optimizer(self, network):
        rates = {"beta1": self.beta1, "weight_decay": self.weight_decay}
        return Adam(network, lr=Scheduled(self.rate), **rates)

    def rate(self, step):
        """Full for 100 epochs, then down to 0 in 100 more, an epoch at a time."""
        epoch = step // self.real.batches
        return self.lr * min(1.0, (200 - epoch) / 100) if epoch < 200 else 0.0
