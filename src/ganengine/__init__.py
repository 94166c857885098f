"""ganengine: generative adversarial networks on fused C++ and CUDA kernels."""

from ganengine import gan, kernels, nn, optim, recipes
from ganengine.backend import precision, set_precision
from ganengine.capture import capture
from ganengine.gan import EMA, Classic, Constant, ImagePool, System, Trainer, every, losses
from ganengine.optim import SGD, Adam, RMSProp
from ganengine.program import Program
from ganengine.random import Generator
from ganengine.schedule import Scheduled, cosine, linear
from ganengine.tape import no_grad
from ganengine.tensor import Tensor, grad

__all__ = [
    "EMA",
    "SGD",
    "Adam",
    "Classic",
    "Constant",
    "Generator",
    "ImagePool",
    "Program",
    "RMSProp",
    "Scheduled",
    "System",
    "Tensor",
    "Trainer",
    "capture",
    "cosine",
    "every",
    "gan",
    "grad",
    "kernels",
    "linear",
    "losses",
    "nn",
    "no_grad",
    "optim",
    "precision",
    "recipes",
    "set_precision",
]
