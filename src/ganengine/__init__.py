"""ganengine: generative adversarial networks on fused C++ and CUDA kernels."""

from ganengine import kernels

__all__ = ["kernels"]
