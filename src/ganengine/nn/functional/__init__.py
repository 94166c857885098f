"""Differentiable kernels: each forward kernel with the rule for its gradient."""

from ganengine.nn.functional.activation import activation, activation_backward
from ganengine.nn.functional.loss import bce_with_logits, dense_bce_with_logits
from ganengine.nn.functional.norm import batch_norm
from ganengine.nn.functional.product import conv2d, conv_transpose2d, dense, upsample_conv2d
from ganengine.nn.functional.random import dropout

__all__ = [
    "activation",
    "activation_backward",
    "batch_norm",
    "bce_with_logits",
    "conv2d",
    "conv_transpose2d",
    "dense",
    "dense_bce_with_logits",
    "dropout",
    "upsample_conv2d",
]
