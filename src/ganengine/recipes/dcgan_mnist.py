"""``dcgan-mnist``: the DCGAN of Radford et al. (2015) for MNIST, without labels.

As its authors' code for MNIST has it: no biases, batch norm without scale and shift, an L2 penalty
of 2.5e-5, images in [0, 1].
"""

from ganengine.recipes import _dcgan
from ganengine.recipes._recipe import Recipe

RECIPE = Recipe(
    name="dcgan-mnist",
    summary="DCGAN (Radford et al. 2015) for MNIST",
    generator=_dcgan.generator,
    discriminator=_dcgan.discriminator,
    **_dcgan.SETTINGS,
)
