"""``goodfellow-mnist``: the first GAN (Goodfellow et al. 2014), dense layers and maxout on MNIST.

Networks, initial weights, rates and dropout are those of the authors' ``mnist.yaml``: a generator
of ReLU, a discriminator of maxout units with dropout on all that it sees, gradient descent with
momentum. Both take their gradients from one forward pass, the same samples and dropout, and step
at once; the discriminator's loss is half the sum of both cross-entropies. Pixels begin with their
mean in the data, through the biases of the generator's last layer. It learns from the first 50,000
images. Their code stops by a held-out likelihood; here it is after 300 epochs.

What differs: momentum gathers gradients, not steps, which is the same but for a rate that falls by
4 millionths a step.

What to expect: soft but varied digits. The paper's measure is the log-likelihood of the test images
under Parzen windows: 225 +- 2 there; ``ganengine evaluate`` prints it.
"""

from dataclasses import dataclass

import numpy as np

from ganengine import SGD, Scheduled, System, Tensor, losses, nn


@dataclass
class GoodfellowMnist(System):
    """The first GAN (Goodfellow et al. 2014): ReLU against maxout and dropout."""

    batch_size: int = 100
    latent_size: int = 100
    lr: float = 0.1

    epochs = 300

    def build(self):
        self.real = self.loader(
            "image", batch_size=self.batch_size, value_range=(0.0, 1.0), limit=50_000
        )
        drawn = {"weight_init": nn.init.uniform(-0.05, 0.05), "rng": self.rng()}
        self.generator = nn.Sequential(
            nn.Dense(self.latent_size, 1200, activation="relu", **drawn),
            nn.Dense(1200, 1200, activation="relu", **drawn),
            nn.Dense(1200, 784, activation="sigmoid", bias_init=self.marginals, **drawn),
            nn.Reshape(1, 28, 28),
        )
        drawn = {"weight_init": nn.init.uniform(-0.005, 0.005), "rng": self.rng()}
        self.discriminator = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Maxout(784, 240, 5, **drawn),
            nn.Dropout(0.5),
            nn.Maxout(240, 240, 5, **drawn),
            nn.Dropout(0.5),
            nn.Dense(240, 1, **drawn),
        )
        rates = {"lr": Scheduled(self.rate), "momentum": Scheduled(self.momentum)}
        self.g_optimizer = SGD(self.generator, **rates)
        self.d_optimizer = SGD(self.discriminator, **rates)

    def train_step(self):
        fake = self.generator(self.noise(self.batch_size))
        d_real = self.discriminator(self.real.next().image)
        d_fake = self.discriminator(fake)
        d_loss = losses.discriminator_bce(d_real, d_fake) * 0.5
        g_loss = losses.generator_non_saturating(d_fake)
        for optimizer, loss in ((self.d_optimizer, d_loss), (self.g_optimizer, g_loss)):
            optimizer.zero_grad()
            loss.backward(inputs=optimizer.parameters)
        self.d_optimizer.step()
        self.g_optimizer.step()
        return {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "d_real": losses.Probability(d_real),
            "d_fake": losses.Probability(d_fake),
        }

    def marginals(self, shape, rng):
        """The biases with which sigmoid gives each pixel's mean in the data; 0 without data."""
        if self.real.columns is None:
            return np.zeros(shape, "float32")
        mean = self.real.columns["image"].mean(axis=0, dtype="float32") / 255
        mean = Tensor(mean).numpy().reshape(shape).clip(1e-7, 1 - 1e-7)
        return np.log(mean / (1 - mean))

    def noise(self, count):
        return self.uniform(count, self.latent_size, low=-(3**0.5), high=3**0.5)

    def rate(self, step):
        """Divided by 1.000004 an update, down to 1e-6."""
        return max(self.lr / 1.000004**step, 1e-6)

    def momentum(self, step):
        """From 0.5 to 0.7 over 250 epochs."""
        return 0.5 + 0.2 * min(1.0, step // self.real.batches / 250)

    def sample(self, count):
        return self.generator(self.noise(count))
