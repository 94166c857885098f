"""Layers, initialisers and networks."""

from ganengine.nn import functional, init
from ganengine.nn.layers import Activation, BatchNorm, Dense, Dropout, Sequential
from ganengine.nn.module import Module

__all__ = [
    "Activation",
    "BatchNorm",
    "Dense",
    "Dropout",
    "Module",
    "Sequential",
    "functional",
    "init",
]
