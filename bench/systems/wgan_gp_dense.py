"""WGAN-GP with dense networks of 784-512-256-1 and 128-256-784: small products, twice derived."""

from dataclasses import dataclass

from ganengine import Adam, System, losses, nn, no_grad


@dataclass
class WganGp(System):
    """WGAN-GP (Gulrajani et al. 2017) with dense networks, on 28 x 28 images."""

    batch_size: int = 50
    lr: float = 1e-4
    critic_steps: int = 5
    penalty: float = 10.0

    def build(self):
        self.generator = nn.Sequential(
            nn.Dense(128, 256, activation="leaky_relu", rng=self.rng()),
            nn.Dense(256, 784, activation="sigmoid", rng=self.rng()),
            nn.Reshape(1, 28, 28),
        )
        self.critic = nn.Sequential(
            nn.Flatten(),
            nn.Dense(784, 512, activation="leaky_relu", rng=self.rng()),
            nn.Dense(512, 256, activation="leaky_relu", rng=self.rng()),
            nn.Dense(256, 1, rng=self.rng()),
        )
        self.g_optimizer = Adam(self.generator, lr=self.lr, beta1=0.5, beta2=0.9)
        self.c_optimizer = Adam(self.critic, lr=self.lr, beta1=0.5, beta2=0.9)
        self.real = self.loader("image", batch_size=self.batch_size, value_range=(0.0, 1.0))

    def train_step(self):
        for _ in range(self.critic_steps):
            real = self.real.next().image
            with no_grad():
                fake = self.generator(self.normal(self.batch_size, 128))
            c_loss = self.critic(fake).mean() - self.critic(real).mean()
            penalty = losses.gradient_penalty(self.critic, real, fake, self.uniform)
            c_loss = c_loss + self.penalty * penalty
            self.c_optimizer.minimize(c_loss)
        g_loss = -self.critic(self.generator(self.normal(self.batch_size, 128))).mean()
        self.g_optimizer.minimize(g_loss)
        return {"critic_loss": c_loss, "generator_loss": g_loss}

    def sample(self, count):
        return self.generator(self.normal(count, 128))
