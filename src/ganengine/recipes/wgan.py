"""``wgan``: the Wasserstein GAN of Arjovsky et al. (2017), whose critic's weights are clipped.

The critic learns five times as often as the generator. After each of its updates every weight is
brought back into [-0.01, 0.01], which bounds its slope, so that what it sees of the difference
between real and generated images is, but for a factor, their Wasserstein distance.

The networks are those of Gulrajani et al. (2017) in their code for MNIST: ``wgan-gp``'s, with batch
norm. Four things differ: RMSProp is PyTorch's (alpha 0.99, where TensorFlow has 0.9), which the
authors of the paper used as far as we recall; images are cut to 7 x 7 before they are normalised,
not after; samples are normalised by running averages; and the critic's last layer has no bias, for
that would move real and generated images alike, and RMSProp would make full steps of its rounding
errors.

What to expect: ``distance`` is small, for the clipped critic is nearly flat, and falls slowly; the
paper's point is that it falls as the images get better. ``wgan-gp`` learns faster.
"""

from dataclasses import dataclass

from ganengine import RMSProp, System, losses, nn, no_grad


@dataclass
class Wgan(System):
    """WGAN (Arjovsky et al. 2017): a critic whose weights are clipped."""

    batch_size: int = 50
    latent_size: int = 128
    lr: float = 5e-5
    critic_steps: int = 5
    clip: float = 0.01

    epochs = 20

    def build(self):
        he = {"weight_init": nn.init.he_normal(), "rng": self.rng()}
        # "Same" padding of TensorFlow's cuts off 1 before and 2 behind: 8 pixels of 4; 7 are kept.
        self.generator = nn.Sequential(
            nn.Dense(self.latent_size, 4 * 4 * 256, **he),
            nn.BatchNorm(4 * 4 * 256, activation="relu"),
            nn.Reshape(256, 4, 4),
            nn.ConvTranspose2d(256, 128, 5, stride=2, padding=(1, 3, 1, 3), **he),
            nn.BatchNorm(128, activation="relu"),
            nn.ConvTranspose2d(128, 64, 5, stride=2, padding=(1, 2, 1, 2), **he),
            nn.BatchNorm(64, activation="relu"),
            nn.ConvTranspose2d(
                64, 1, 5, stride=2, padding=(1, 2, 1, 2), activation="sigmoid", **he
            ),
        )
        half = {"stride": 2, "padding": "same", "weight_init": he["weight_init"], "rng": self.rng()}
        self.critic = nn.Sequential(
            nn.Conv2d(1, 64, 5, activation="leaky_relu", **half),
            nn.Conv2d(64, 128, 5, **half),
            nn.BatchNorm(128, activation="leaky_relu"),
            nn.Conv2d(128, 256, 5, **half),
            nn.BatchNorm(256, activation="leaky_relu"),
            nn.Flatten(),
            nn.Dense(4 * 4 * 256, 1, bias=False, rng=self.rng()),
        )
        self.g_optimizer = RMSProp(self.generator, lr=self.lr)
        self.c_optimizer = RMSProp(self.critic, lr=self.lr)
        self.real = self.loader("image", batch_size=self.batch_size, value_range=(0.0, 1.0))

    def train_step(self):
        for _ in range(self.critic_steps):
            real = self.real.next().image
            with no_grad():
                fake = self.generator(self.normal(self.batch_size, self.latent_size))
            c_loss = losses.critic_wasserstein(self.critic(real), self.critic(fake))
            self.c_optimizer.minimize(c_loss)
            nn.clip_weights(self.critic, self.clip)
        fake = self.generator(self.normal(self.batch_size, self.latent_size))
        g_loss = losses.generator_wasserstein(self.critic(fake))
        self.g_optimizer.minimize(g_loss)
        return {"critic_loss": c_loss, "generator_loss": g_loss, "distance": -c_loss}

    def sample(self, count):
        return self.generator(self.normal(count, self.latent_size))
