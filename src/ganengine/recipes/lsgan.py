"""``lsgan``: the least squares GAN of Mao et al. (2017) on MNIST.

The discriminator's numbers are drawn to 1 on real and to 0 on generated images by their squared
distance, those on generated images by the generator to 1: a = 0, b = c = 1 of equation 2. A fake
that lies far on the right side still pulls, where cross-entropy would be content.

The networks are the ends of the authors' for scenes of 112 x 112 pixels that make 28 x 28: the last
two of the generator's six doublings and convolutions, and the discriminator's first three halvings.
What differs besides: noise of 128 numbers in place of 1,024, Adam at 2e-4, the rate of the paper's
tests of stability, not 1e-3, and a mean over the batch where their code has a sum.

What to expect: where nothing can be told apart, ``d_loss`` is 1/4, ``g_loss`` 1/8 and the mean
numbers ``d_real`` and ``d_fake``, which are no probabilities, 1/2; training comes near that from
above.
"""

from dataclasses import dataclass

from ganengine import Adam, System, losses, nn


@dataclass
class Lsgan(System):
    """LSGAN (Mao et al. 2017): squares in place of cross-entropy."""

    batch_size: int = 64
    latent_size: int = 128
    lr: float = 2e-4
    beta1: float = 0.5

    epochs = 20

    def build(self):
        drawn = {"weight_init": nn.init.normal(0.02), "rng": self.rng()}
        # "Same" padding of TensorFlow's cuts off nothing before and 1 behind.
        twice = {"stride": 2, "padding": (0, 1, 0, 1), **drawn}
        self.generator = nn.Sequential(
            nn.Dense(self.latent_size, 7 * 7 * 256, **drawn),
            nn.Reshape(256, 7, 7),
            nn.BatchNorm(256, activation="relu"),
            nn.ConvTranspose2d(256, 128, 3, **twice),
            nn.BatchNorm(128, activation="relu"),
            nn.ConvTranspose2d(128, 64, 3, **twice),
            nn.BatchNorm(64, activation="relu"),
            nn.ConvTranspose2d(64, 1, 3, padding=1, activation="tanh", **drawn),
        )
        cut = {"weight_init": nn.init.truncated_normal(0.02), "rng": self.rng()}
        half = {"stride": 2, "padding": "same", **cut}
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, 64, 5, activation="leaky_relu", **half),
            nn.Conv2d(64, 128, 5, **half),
            nn.BatchNorm(128, activation="leaky_relu"),
            nn.Conv2d(128, 256, 5, **half),
            nn.BatchNorm(256, activation="leaky_relu"),
            nn.Flatten(),
            nn.Dense(4 * 4 * 256, 1, weight_init=nn.init.normal(0.02), rng=self.rng()),
        )
        self.g_optimizer = Adam(self.generator, lr=self.lr, beta1=self.beta1)
        self.d_optimizer = Adam(self.discriminator, lr=self.lr, beta1=self.beta1)
        self.real = self.loader("image", batch_size=self.batch_size)

    def train_step(self):
        fake = self.generator(self.noise(self.batch_size))  # the same for both, as in their code
        d_real = self.discriminator(self.real.next().image)
        d_fake = self.discriminator(fake.detach())
        d_loss = losses.discriminator_least_squares(d_real, d_fake)
        self.d_optimizer.minimize(d_loss)
        g_loss = losses.generator_least_squares(self.discriminator(fake))
        self.g_optimizer.minimize(g_loss)
        means = {"d_real": d_real.mean(), "d_fake": d_fake.mean()}
        return {"d_loss": d_loss, "g_loss": g_loss, **means}

    def noise(self, count):
        return self.uniform(count, self.latent_size, low=-1.0)

    def sample(self, count):
        return self.generator(self.noise(count))
