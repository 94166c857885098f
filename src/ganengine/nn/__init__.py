"""Layers, initialisers and networks."""

from ganengine.nn import functional, init
from ganengine.nn.conv import Conv2d, ConvTranspose2d, UpsampleConv2d
from ganengine.nn.layers import Activation, BatchNorm, Dense, Dropout, Sequential
from ganengine.nn.module import Module

__all__ = [
    "Activation",
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Module",
    "Sequential",
    "UpsampleConv2d",
    "functional",
    "init",
]
