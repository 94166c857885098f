"""``hinge``: the hinge loss with spectral normalisation (Miyato et al. 2018) on MNIST.

Every layer of the discriminator has its weight divided by its largest singular value, so that a
dense layer stretches no difference, and a convolution none by much. Its loss takes no account of
what it has right by a margin of 1 (Lim and Ye 2017).

As in the authors' code the generator steps first, then the discriminator five times, each on new
images; Adam(2e-4, 0, 0.9), and both rates fall to 0 in a straight line. The networks are a small
form of the paper's convolutional ones for MNIST: pairs of 3 x 3 and 4 x 4 convolutions with leaky
ReLU 0.1, 32 channels at first where the paper has 64, and two halvings where it has three. The rate
is 0 after 4,000 steps, about what 20 epochs are; the paper takes 50,000.

What to expect: ``d_loss`` is 2 where nothing is told apart and 0 where all is. It falls to almost 0
in the first hundred steps, for the discriminator learns five times as often, and climbs again as
the generator follows. ``d_real`` and ``d_fake`` are mean numbers, not probabilities. A step costs
much; ``--set d_steps=1`` is cheaper, and not the paper's.
"""

from dataclasses import dataclass

from ganengine import Adam, Scheduled, System, linear, losses, nn, no_grad


@dataclass
class Hinge(System):
    """Hinge loss and spectral normalisation (Miyato et al. 2018)."""

    batch_size: int = 64
    latent_size: int = 128
    lr: float = 2e-4
    lr_steps: int = 4_000
    d_steps: int = 5

    epochs = 20

    def build(self):
        rng = self.rng()
        self.generator = nn.Sequential(
            nn.Dense(self.latent_size, 7 * 7 * 128, rng=rng),
            nn.Reshape(128, 7, 7),
            nn.BatchNorm(128, activation="relu"),
            nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1, rng=rng),
            nn.BatchNorm(64, activation="relu"),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1, rng=rng),
            nn.BatchNorm(32, activation="relu"),
            nn.Conv2d(32, 1, 3, padding=1, activation="tanh", rng=rng),
        )
        rng = self.rng()
        same = {"padding": 1, "activation": "leaky_relu", "slope": 0.1, "rng": rng}
        half = {"stride": 2, **same}
        layers = (
            nn.Conv2d(1, 32, 3, **same),
            nn.Conv2d(32, 32, 4, **half),
            nn.Conv2d(32, 64, 3, **same),
            nn.Conv2d(64, 64, 4, **half),
            nn.Conv2d(64, 128, 3, **same),
            nn.Dense(7 * 7 * 128, 1, rng=rng),
        )
        *convolutions, last = (nn.SpectralNorm(layer, rng=rng) for layer in layers)
        self.discriminator = nn.Sequential(*convolutions, nn.Flatten(), last)
        self.rate = Scheduled(linear(self.lr, 0.0, steps=self.lr_steps))
        self.g_optimizer = Adam(self.generator, lr=self.rate, beta1=0.0, beta2=0.9)
        self.d_optimizer = Adam(self.discriminator, lr=self.rate, beta1=0.0, beta2=0.9)
        self.real = self.loader("image", batch_size=self.batch_size)

    def train_step(self):
        fake = self.generator(self.normal(self.batch_size, self.latent_size))
        g_loss = losses.generator_hinge(self.discriminator(fake))
        self.g_optimizer.minimize(g_loss)
        for _ in range(self.d_steps):
            with no_grad():
                fake = self.generator(self.normal(self.batch_size, self.latent_size))
            d_real = self.discriminator(self.real.next().image)
            d_fake = self.discriminator(fake)
            d_loss = losses.discriminator_hinge(d_real, d_fake)
            self.d_optimizer.minimize(d_loss)
        means = {"d_real": d_real.mean(), "d_fake": d_fake.mean()}
        return {"d_loss": d_loss, "g_loss": g_loss, **means}

    def sample(self, count):
        return self.generator(self.normal(count, self.latent_size))
