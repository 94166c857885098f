"""Layers, initialisers and networks."""

from ganengine.nn import functional, init
from ganengine.nn.clip_weights import clip_weights
from ganengine.nn.condition import JoinCondition
from ganengine.nn.conv import Conv2d, ConvTranspose2d, UpsampleConv2d
from ganengine.nn.embedding import Embedding
from ganengine.nn.layers import Activation, BatchNorm, Dense, Dropout, InstanceNorm2d, Sequential
from ganengine.nn.maxout import Maxout
from ganengine.nn.module import Module, evaluating
from ganengine.nn.shape import AvgPool2d, Flatten, MaxPool2d, PixelShuffle, Reshape
from ganengine.nn.spectral_norm import SpectralNorm

__all__ = [
    "Activation",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "InstanceNorm2d",
    "JoinCondition",
    "MaxPool2d",
    "Maxout",
    "Module",
    "PixelShuffle",
    "Reshape",
    "Sequential",
    "SpectralNorm",
    "UpsampleConv2d",
    "clip_weights",
    "evaluating",
    "functional",
    "init",
]
