"""Training: the losses of the game, the captured step, the watch over its health."""

from ganengine.gan import health, losses
from ganengine.gan.trainer import GAN, METRICS

__all__ = ["GAN", "METRICS", "health", "losses"]
