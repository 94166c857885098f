"""``cdcgan-mnist``: the conditional DCGAN of Radford et al. (2015) for MNIST.

The label joins the input of every layer: behind the features of a dense layer, and as ten planes
behind the channels of a convolution.
"""

from functools import partial

from ganengine.recipes import _dcgan
from ganengine.recipes._recipe import Recipe

RECIPE = Recipe(
    name="cdcgan-mnist",
    summary="conditional DCGAN (Radford et al. 2015): digits by label",
    generator=partial(_dcgan.generator, classes=10),
    discriminator=partial(_dcgan.discriminator, classes=10),
    classes=10,
    **_dcgan.SETTINGS,
)
