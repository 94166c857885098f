"""``cdcgan-mnist``: the conditional DCGAN of Radford et al. (2015) for MNIST.

``dcgan-mnist`` with ten classes.
"""

from dataclasses import dataclass

from ganengine.recipes.dcgan_mnist import DcganMnist


@dataclass
class CdcganMnist(DcganMnist):
    """Conditional DCGAN (Radford et al. 2015): digits by label."""

    classes = 10
