"""``infogan``: InfoGAN (Chen et al. 2016) on MNIST, which finds the ten digits without labels.

Besides noise the generator is given a code: one of ten classes, and two numbers. A head on the
discriminator's trunk reads the code off the image, and generator and head are both rewarded if that
succeeds; so the code comes to stand for what differs most between images.

Networks, rates and losses are those of the authors' code: leaky ReLU of slope 0.01, a weight of 1
on both parts of the information, and numbers with a fixed deviation of 1, whose two predicted
variances nobody reads. What differs: there is no 1e-8 inside the logarithms, which are taken of
logits here.

What to expect: each class of the code comes to be one digit, though not in order:
``ganengine sample RUN --label 3`` draws class 3, whichever digit that is. At least 90 % by the best
assignment is usual. The two numbers are slant and width. ``code`` is the cross-entropy of the
class, 2.3 at first.
"""

from dataclasses import dataclass

from ganengine import Adam, System, losses, nn, no_grad
from ganengine.nn import functional


@dataclass
class Infogan(System):
    """InfoGAN (Chen et al. 2016): codes that come to mean digit, slant and width."""

    batch_size: int = 128
    noise_size: int = 62
    g_lr: float = 1e-3
    d_lr: float = 2e-4
    beta1: float = 0.5
    information: float = 1.0

    epochs = 11  # some 50 times 100 steps, as they train

    def build(self):
        drawn = {"weight_init": nn.init.normal(0.02), "rng": self.rng()}
        norm = {"gamma_init": nn.init.normal(0.02, mean=1.0)}
        relu = {"activation": "relu", **norm}
        twice = {"stride": 2, "padding": 1, **drawn}
        self.generator = nn.Sequential(
            nn.Dense(self.noise_size + 12, 1024, **drawn),
            nn.BatchNorm(1024, rng=drawn["rng"], **relu),
            nn.Dense(1024, 7 * 7 * 128, **drawn),
            nn.BatchNorm(7 * 7 * 128, rng=drawn["rng"], **relu),
            nn.Reshape(128, 7, 7),
            nn.ConvTranspose2d(128, 64, 4, **twice),
            nn.BatchNorm(64, rng=drawn["rng"], **relu),
            nn.ConvTranspose2d(64, 1, 4, activation="sigmoid", **twice),
        )
        drawn["rng"] = rng = self.rng()
        leaky = {"activation": "leaky_relu", "slope": 0.01}
        cut = {"weight_init": nn.init.truncated_normal(0.02), "rng": rng}
        half = {"stride": 2, "padding": 1, **cut}
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 64, 4, **leaky, **half),
            nn.Conv2d(64, 128, 4, **half),
            nn.BatchNorm(128, rng=rng, **leaky, **norm),
            nn.Flatten(),
            nn.Dense(7 * 7 * 128, 1024, **drawn),
            nn.BatchNorm(1024, rng=rng, **leaky, **norm),
        )
        self.source = nn.Dense(1024, 1, **drawn)  # real or generated
        self.reader = nn.Sequential(
            nn.Dense(1024, 128, **drawn),
            nn.BatchNorm(128, rng=rng, **leaky, **norm),
            nn.Dense(128, 14, **drawn),
        )
        self.g_optimizer = Adam(self.generator, lr=self.g_lr, beta1=self.beta1)
        self.d_optimizer = Adam(
            self.trunk, self.source, self.reader, lr=self.d_lr, beta1=self.beta1
        )
        self.real = self.loader("image", batch_size=self.batch_size, value_range=(0.0, 1.0))

    def train_step(self):
        d_real = self.source(self.trunk(self.real.next().image))
        label, numbers = self.code(self.batch_size)
        with no_grad():
            fake = self.generate(label, numbers)
        features = self.trunk(fake)
        d_fake = self.source(features)
        class_loss, number_loss = self.misread(features, label, numbers)
        d_loss = losses.discriminator_bce(d_real, d_fake)
        d_loss = d_loss + self.information * (class_loss + number_loss)
        self.d_optimizer.minimize(d_loss)

        label, numbers = self.code(self.batch_size)
        features = self.trunk(self.generate(label, numbers))
        class_loss, number_loss = self.misread(features, label, numbers)
        g_loss = losses.generator_non_saturating(self.source(features))
        g_loss = g_loss + self.information * (class_loss + number_loss)
        self.g_optimizer.minimize(g_loss)
        return {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "code": class_loss,
            "numbers": number_loss,
            "d_real": losses.Probability(d_real),
            "d_fake": losses.Probability(d_fake),
        }

    def code(self, count):
        return self.random_labels(count, 10), self.uniform(count, 2, low=-1.0)

    def generate(self, label, numbers):
        noise = self.uniform(label.shape[0], self.noise_size, low=-1.0)
        return self.generator(functional.concat([noise, label, numbers]))

    def misread(self, features, label, numbers):
        """How far the reader is off: the cross-entropy of the class, and that of the numbers."""
        read = self.reader(features)
        class_loss = functional.softmax_cross_entropy(read[:, :10], label)
        return class_loss, ((numbers - read[:, 10:12]) ** 2).sum(axis=1).mean() * 0.5

    def sample(self, count, label=None):
        label = functional.one_hot(self.labels(count, 10, label), 10)
        return self.generate(label, self.uniform(count, 2, low=-1.0))
