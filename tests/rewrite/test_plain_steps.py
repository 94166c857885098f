"""How few calls are left of steps that are written plainly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ganengine import Adam, System, Trainer, losses, nn
from ganengine.data import drawn_digits

pytestmark = pytest.mark.cpu_only


@dataclass
class Plain(System):
    """What ``mlp-128`` is, without the fusions that :class:`ganengine.Classic` makes by hand."""

    batch_size: int = 100

    def build(self) -> None:
        leaky = {"activation": "leaky_relu", "rng": self.rng()}
        self.generator = nn.Sequential(
            nn.Dense(100, 128, **leaky),
            nn.Dense(128, 128, **leaky),
            nn.Dense(128, 784, activation="tanh", rng=leaky["rng"]),
            nn.Reshape(1, 28, 28),
        )
        self.discriminator = nn.Sequential(
            nn.Flatten(),
            nn.Dense(784, 128, **leaky),
            nn.Dense(128, 128, **leaky),
            nn.Dense(128, 1, rng=leaky["rng"]),
        )
        self.g_optimizer = Adam(self.generator, lr=1e-3)
        self.d_optimizer = Adam(self.discriminator, lr=1e-3)
        self.real = self.loader("image", batch_size=self.batch_size)

    def train_step(self) -> dict[str, Any]:
        real = self.real.next().image
        fake = self.generator(self.uniform(self.batch_size, 100, low=-1.0))
        d_real, d_fake = self.discriminator(real), self.discriminator(fake.detach())
        d_loss = losses.discriminator_bce(d_real, d_fake, real_label=0.9)
        self.d_optimizer.minimize(d_loss)
        g_loss = losses.generator_non_saturating(self.discriminator(fake))
        self.g_optimizer.minimize(g_loss)
        verdicts = {"d_real": losses.Probability(d_real), "d_fake": losses.Probability(d_fake)}
        return {"d_loss": d_loss, "g_loss": g_loss, **verdicts}

    def sample(self, count: int) -> Any:
        return self.generator(self.uniform(count, 100, low=-1.0))


def test_the_classic_step(monkeypatch: pytest.MonkeyPatch) -> None:
    rewritten = Trainer(Plain(), drawn_digits(200), seed=3)
    monkeypatch.setenv("GANENGINE_REWRITES", "none")
    plain = Trainer(Plain(), drawn_digits(200), seed=3)
    assert (len(rewritten.program), len(plain.program)) == (26, 37)
    expected = plain.train(3)
    for name, values in rewritten.train(3).items():
        assert values.tolist() == pytest.approx(expected[name].tolist(), rel=1e-4)
