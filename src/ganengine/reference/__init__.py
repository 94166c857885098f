"""Every kernel in plain NumPy or CuPy expressions: the definition of right.

Same names and signatures as :mod:`ganengine.kernels`, for any floating dtype; nothing is checked
here. ``GANENGINE_IMPL=reference`` makes the kernels run these.
"""

from ganengine.reference.activation import activation, activation_backward
from ganengine.reference.dense import dense, dense_backward, matmul

__all__ = ["activation", "activation_backward", "dense", "dense_backward", "matmul"]
