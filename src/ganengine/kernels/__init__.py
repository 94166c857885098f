"""The kernels: array in, array out. NumPy arrays run on the CPU, CuPy arrays on the GPU.

Layouts and argument names follow PyTorch. B batch, I and O in and out features.
"""

from ganengine.kernels.dense import dense, dense_backward, matmul

__all__ = ["dense", "dense_backward", "matmul"]
