"""``dragan``: DRAGAN (Kodali et al. 2017), a penalty on the slope around real images alone.

The classic game, and in the discriminator's loss ten times ``(|grad D| - 1)^2`` at points between a
real image and that image with noise, as the authors' notebook for MNIST has it: the noise is
0.5 std(batch) U[0, 1) on every pixel, std being one number for the batch. It is not centred and
nothing is clipped, unlike in compare_gan, whose noise reaches half as far to either side.

Networks, rates and batches are the notebook's: one hidden layer of 128 each. It trains for 200,000
steps, about 430 epochs of MNIST; here it is 100.

What to expect: rough digits, as of any generator of this size, but of all kinds, after some
thousand steps; ``penalty`` is soon below 0.01 and stays there.
"""

from dataclasses import dataclass

from ganengine import Adam, System, losses, nn, no_grad


@dataclass
class Dragan(System):
    """DRAGAN (Kodali et al. 2017): the slope held at 1 around real images."""

    batch_size: int = 128
    latent_size: int = 100
    lr: float = 1e-4
    penalty: float = 10.0
    reach: float = 0.5

    epochs = 100

    def build(self):
        he = {"weight_init": nn.init.he_normal(), "rng": self.rng()}
        self.generator = nn.Sequential(
            nn.Dense(self.latent_size, 128, activation="relu", **he),
            nn.Dense(128, 784, activation="sigmoid", **he),
            nn.Reshape(1, 28, 28),
        )
        he = {"weight_init": nn.init.he_normal(), "rng": self.rng()}
        self.discriminator = nn.Sequential(
            nn.Flatten(),
            nn.Dense(784, 128, activation="relu", **he),
            nn.Dense(128, 1, **he),
        )
        self.g_optimizer = Adam(self.generator, lr=self.lr, beta1=0.5, beta2=0.9)
        self.d_optimizer = Adam(self.discriminator, lr=self.lr, beta1=0.5, beta2=0.9)
        self.real = self.loader("image", batch_size=self.batch_size, value_range=(0.0, 1.0))

    def train_step(self):
        real = self.real.next().image
        with no_grad():
            fake = self.generator(self.noise(self.batch_size))
            std = ((real - real.mean()) ** 2).mean().sqrt()
            near = real + self.reach * std * self.uniform(*real.shape)
        d_real, d_fake = self.discriminator(real), self.discriminator(fake)
        penalty = losses.gradient_penalty(self.discriminator, real, near, self.uniform)
        d_loss = losses.discriminator_bce(d_real, d_fake) + self.penalty * penalty
        self.d_optimizer.minimize(d_loss)
        g_loss = losses.generator_non_saturating(
            self.discriminator(self.generator(self.noise(self.batch_size)))
        )
        self.g_optimizer.minimize(g_loss)
        return {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "penalty": penalty,
            "d_real": losses.Probability(d_real),
            "d_fake": losses.Probability(d_fake),
        }

    def noise(self, count):
        return self.uniform(count, self.latent_size, low=-1.0)

    def sample(self, count):
        return self.generator(self.noise(count))
