"""A GAN for tests, as a user would write one."""

# A GAN that trains in no time, with a setting of every type.
SMALL = """
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ganengine import Adam, System, nn, no_grad

@dataclass
class Small(System):
    "A small GAN."

    batch_size: int = 4
    lr: float = 1e-3
    averaged: bool = False
    title: str = "small"
    limit: int | None = None
    widths: tuple[int, ...] = (8, 8)
    kind: Literal["plain", "wide"] = "plain"

    epochs = 1

    def build(self):
        self.real = self.loader("image", batch_size=self.batch_size)
        self.generator = nn.Dense(3, 784, activation="tanh", rng=self.rng())
        self.critic = nn.Sequential(nn.Flatten(), nn.Dense(784, 1, rng=self.rng()))
        self.g_optimizer = Adam(self.generator, lr=self.lr)
        self.c_optimizer = Adam(self.critic, lr=self.lr)

    def train_step(self):
        real = self.real.next().image
        with no_grad():
            fake = self.sample(self.batch_size)
        c_loss = self.critic(fake).mean() - self.critic(real).mean()
        self.c_optimizer.minimize(c_loss)
        g_loss = -self.critic(self.sample(self.batch_size)).mean()
        self.g_optimizer.minimize(g_loss)
        return {"c_loss": c_loss, "g_loss": g_loss}

    def sample(self, count):
        return self.generator(self.normal(count, 3)).reshape(count, 1, 28, 28)
"""
