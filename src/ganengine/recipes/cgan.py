"""``cgan``: the conditional GAN of Mirza and Osindero (2014) on MNIST.

Noise and label go through layers of their own and are joined. The discriminator's units are maxout.
SGD with a momentum that rises from 0.5 to 0.7 and a rate that shrinks by 1.00004 an update; both
are set anew for each epoch. Initial weights are drawn as by Goodfellow et al. (2014).
"""

from dataclasses import dataclass

from ganengine import SGD, Classic, Scheduled, nn


@dataclass
class Cgan(Classic):
    """Conditional GAN (Mirza and Osindero 2014): digits by label, dense and maxout."""

    batch_size: int = 100
    lr: float = 0.1

    epochs = 300
    value_range = (0.0, 1.0)
    classes = 10
    flat = True

    def latent(self, count):
        return self.uniform(count, self.latent_size)

    def make_generator(self, rng):
        drawn = {"weight_init": nn.init.uniform(-0.05, 0.05), "rng": rng}
        noise = nn.Dense(self.latent_size, 200, activation="relu", **drawn)
        label = nn.Sequential(nn.Dense(10, 1000, activation="relu", **drawn), nn.Dropout(0.5))
        return nn.Sequential(
            noise,
            nn.Dropout(0.5),
            nn.JoinCondition(label),
            nn.Dense(1200, 1200, activation="relu", **drawn),
            nn.Dropout(0.5),
            nn.Dense(1200, 784, activation="sigmoid", **drawn),
        )

    def make_discriminator(self, rng):
        drawn = {"weight_init": nn.init.uniform(-0.005, 0.005), "rng": rng}
        image = nn.Maxout(784, 240, 5, **drawn)
        label = nn.Sequential(nn.Maxout(10, 50, 5, **drawn), nn.Dropout(0.5))
        return nn.Sequential(
            image,
            nn.Dropout(0.5),
            nn.JoinCondition(label),
            nn.Maxout(290, 240, 4, **drawn),
            nn.Dropout(0.5),
            nn.Dense(240, 1, **drawn),
        )

    def make_optimizer(self, network):
        return SGD(network, lr=Scheduled(self.rate), momentum=Scheduled(self.momentum))

    def rate(self, step):
        """Divided by 1.00004 an update down to 1e-6, anew for each epoch."""
        return max(self.lr / 1.00004 ** (step - step % self.real.batches), 1e-6)

    def momentum(self, step):
        """From 0.5 to 0.7 over 250 epochs."""
        return 0.5 + 0.2 * min(1.0, step // self.real.batches / 250)
