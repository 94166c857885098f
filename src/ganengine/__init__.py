"""ganengine: generative adversarial networks on fused C++ and CUDA kernels."""

from ganengine import gan, kernels, nn, optim, recipes
from ganengine.backend import precision, set_precision
from ganengine.capture import Program, capture
from ganengine.gan import GAN
from ganengine.random import Generator
from ganengine.tape import no_grad
from ganengine.tensor import Tensor, grad

__all__ = [
    "GAN",
    "Generator",
    "Program",
    "Tensor",
    "capture",
    "gan",
    "grad",
    "kernels",
    "nn",
    "no_grad",
    "optim",
    "precision",
    "recipes",
    "set_precision",
]
