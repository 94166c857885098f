"""``acgan``: GAN with an auxiliary classifier (Odena et al. 2017), as Keras's example has it.

The generator is given a label, its noise times the label's row of a table. The discriminator has
two heads on one trunk, one for real or generated, one for the digit; the generator is to please
both.

The networks, rates and batches are those of Keras's ``mnist_acgan.py``: real images are called 0.9
and generated ones 0.1, the generator's aim is 0.9 on twice as many images, and the discriminator
learns digits from real images alone. The paper takes generated ones too. What differs: its table is
a dense layer without bias on one-hot labels, which is the same.

What to expect: the example's authors speak of reasonable images after 5 epochs and good ones after
15. ``c_real`` and ``c_fake`` are the cross-entropies of the digits on both kinds of images, 2.3 at
first; real ones are read within the first epoch, and generated ones after them.
"""

from dataclasses import dataclass

from ganengine import Adam, System, losses, nn, no_grad
from ganengine.nn import functional


class TimesLabel(nn.Module):
    """Noise times the label's row of a table, number by number."""

    conditional = True

    def __init__(self, features, rng):
        init = nn.init.glorot_normal()
        self.table = nn.Dense(10, features, bias=False, weight_init=init, rng=rng)

    def __call__(self, z, label):
        return z * self.table(label)


@dataclass
class Acgan(System):
    """ACGAN (Odena et al. 2017): a discriminator that reads the digit as well."""

    batch_size: int = 100
    latent_size: int = 100
    lr: float = 2e-4
    beta1: float = 0.5
    real_label: float = 0.9
    fake_label: float = 0.1

    epochs = 50

    def build(self):
        rng = self.rng()
        # "Same" padding of TensorFlow's cuts off 1 before and 2 behind.
        twice = {"stride": 2, "padding": (1, 2, 1, 2)}
        drawn = {"weight_init": nn.init.glorot_normal(), "rng": rng}
        self.generator = nn.Sequential(
            TimesLabel(self.latent_size, rng),
            nn.Dense(self.latent_size, 3 * 3 * 384, activation="relu", rng=rng),
            nn.Reshape(384, 3, 3),
            nn.ConvTranspose2d(384, 192, 5, activation="relu", **drawn),
            nn.ConvTranspose2d(192, 96, 5, activation="relu", **twice, **drawn),
            nn.ConvTranspose2d(96, 1, 5, activation="tanh", **twice, **drawn),
        )
        rng = self.rng()
        leaky = {"padding": "same", "activation": "leaky_relu", "rng": rng}
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=2, **leaky),
            nn.Dropout(0.3),
            nn.Conv2d(32, 64, 3, **leaky),
            nn.Dropout(0.3),
            nn.Conv2d(64, 128, 3, stride=2, **leaky),
            nn.Dropout(0.3),
            nn.Conv2d(128, 256, 3, **leaky),
            nn.Dropout(0.3),
            nn.Flatten(),
        )
        self.source = nn.Dense(7 * 7 * 256, 1, rng=rng)  # real or generated
        self.digit = nn.Dense(7 * 7 * 256, 10, rng=rng)
        self.g_optimizer = Adam(self.generator, lr=self.lr, beta1=self.beta1)
        self.d_optimizer = Adam(self.trunk, self.source, self.digit, lr=self.lr, beta1=self.beta1)
        self.real = self.loader("image", "label", batch_size=self.batch_size)

    def train_step(self):
        real = self.real.next()
        label = self.random_labels(self.batch_size, 10)
        with no_grad():
            fake = self.generator(self.noise(self.batch_size), label)
        features = self.trunk(real.image)
        real_loss = losses.bce_with_logits(self.source(features), self.real_label)
        fake_loss = losses.bce_with_logits(self.source(self.trunk(fake)), self.fake_label)
        c_real = functional.softmax_cross_entropy(self.digit(features), real.label)
        d_loss = (real_loss + fake_loss) * 0.5 + c_real
        self.d_optimizer.minimize(d_loss)

        label = self.random_labels(2 * self.batch_size, 10)
        features = self.trunk(self.generator(self.noise(2 * self.batch_size), label))
        c_fake = functional.softmax_cross_entropy(self.digit(features), label)
        g_loss = losses.bce_with_logits(self.source(features), self.real_label) + c_fake
        self.g_optimizer.minimize(g_loss)
        return {"d_loss": d_loss, "g_loss": g_loss, "c_real": c_real, "c_fake": c_fake}

    def noise(self, count):
        return self.uniform(count, self.latent_size, low=-1.0)

    def sample(self, count, label=None):
        label = functional.one_hot(self.labels(count, 10, label), 10)
        return self.generator(self.noise(count), label)
