"""The systems that ganengine trains, one file each, found by name: ``mlp-128`` is ``mlp_128.py``.

Each file is written as a user would write it, with what ``ganengine`` itself offers, so that
``ganengine new my_gan.py --from mlp-128`` can give it away as it is.
"""

from ganengine.gan.find import names
from ganengine.gan.find import recipe as get

__all__ = ["get", "names"]
