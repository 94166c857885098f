"""Systems and what trains them: the step that each owns, its parts, losses, health."""

from ganengine.gan import losses
from ganengine.gan.classic import Classic
from ganengine.gan.parts import EMA, Constant, ImagePool
from ganengine.gan.system import System, every
from ganengine.gan.trainer import Trainer

__all__ = ["EMA", "Classic", "Constant", "ImagePool", "System", "Trainer", "every", "losses"]
