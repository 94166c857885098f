"""``wgan-gp``: Wasserstein GAN with a gradient penalty (Gulrajani et al. 2017) on MNIST.

The critic learns five times as often as the generator, and its slope between real and generated
images is drawn towards 1. The networks are those of the authors' code for MNIST: transposed
convolutions of 5 x 5 from 4 x 4 pixels (cut to 7 x 7 on the way), no normalisation. The losses are
no probabilities: ``critic_loss`` is minus the distance that the critic sees, plus the penalty, and
shrinks in size as the images get better. This file is the template for a system of one's own.
"""

from dataclasses import dataclass

from ganengine import Adam, System, losses, nn, no_grad


@dataclass
class WganGp(System):
    """WGAN-GP (Gulrajani et al. 2017): a critic whose slope is held at 1."""

    batch_size: int = 50
    latent_size: int = 128
    lr: float = 1e-4
    critic_steps: int = 5
    penalty: float = 10.0

    epochs = 20

    def build(self):
        he = {"weight_init": nn.init.he_normal(), "rng": self.rng()}
        twice = {"stride": 2, "activation": "relu", **he}
        # "Same" padding of TensorFlow's cuts off 1 before and 2 behind: 8 pixels of 4; 7 are kept.
        self.generator = nn.Sequential(
            nn.Dense(self.latent_size, 4 * 4 * 256, activation="relu", **he),
            nn.Reshape(256, 4, 4),
            nn.ConvTranspose2d(256, 128, 5, padding=(1, 3, 1, 3), **twice),
            nn.ConvTranspose2d(128, 64, 5, padding=(1, 2, 1, 2), **twice),
            nn.ConvTranspose2d(
                64, 1, 5, stride=2, padding=(1, 2, 1, 2), activation="sigmoid", **he
            ),
        )
        he = {"weight_init": nn.init.he_normal(), "rng": self.rng()}
        half = {"stride": 2, "padding": "same", "activation": "leaky_relu", **he}
        self.critic = nn.Sequential(
            nn.Conv2d(1, 64, 5, **half),
            nn.Conv2d(64, 128, 5, **half),
            nn.Conv2d(128, 256, 5, **half),
            nn.Flatten(),
            nn.Dense(4 * 4 * 256, 1, **he),
        )
        self.g_optimizer = Adam(self.generator, lr=self.lr, beta1=0.5, beta2=0.9)
        self.c_optimizer = Adam(self.critic, lr=self.lr, beta1=0.5, beta2=0.9)
        self.real = self.loader("image", batch_size=self.batch_size, value_range=(0.0, 1.0))

    def train_step(self):
        for _ in range(self.critic_steps):
            real = self.real.next().image
            with no_grad():
                fake = self.generator(self.normal(self.batch_size, self.latent_size))
            distance = self.critic(real).mean() - self.critic(fake).mean()
            penalty = losses.gradient_penalty(self.critic, real, fake, self.uniform)
            c_loss = self.penalty * penalty - distance
            self.c_optimizer.minimize(c_loss)
        noise = self.normal(self.batch_size, self.latent_size)
        g_loss = -self.critic(self.generator(noise)).mean()
        self.g_optimizer.minimize(g_loss)
        return {"critic_loss": c_loss, "generator_loss": g_loss, "distance": distance}

    def sample(self, count):
        return self.generator(self.normal(count, self.latent_size))
