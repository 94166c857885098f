"""Differentiable kernels: each forward kernel with the rule for its gradient."""

from ganengine.nn.functional.activation import activation, activation_backward
from ganengine.nn.functional.elementwise import clip, maximum, minimum, power, softplus
from ganengine.nn.functional.embedding import embedding, one_hot
from ganengine.nn.functional.indexing import part, stack
from ganengine.nn.functional.layout import (
    append_planes,
    concat,
    narrow,
    pixel_shuffle,
    pixel_unshuffle,
    widen,
)
from ganengine.nn.functional.loss import (
    bce_with_logits,
    dense_bce_with_logits,
    softmax_cross_entropy,
)
from ganengine.nn.functional.norm import batch_norm, instance_norm
from ganengine.nn.functional.pool import avg_pool2d, max_pool2d
from ganengine.nn.functional.product import conv2d, conv_transpose2d, dense, upsample_conv2d
from ganengine.nn.functional.random import dropout
from ganengine.nn.functional.softmax import log_softmax, softmax

__all__ = [
    "activation",
    "activation_backward",
    "append_planes",
    "avg_pool2d",
    "batch_norm",
    "bce_with_logits",
    "clip",
    "concat",
    "conv2d",
    "conv_transpose2d",
    "dense",
    "dense_bce_with_logits",
    "dropout",
    "embedding",
    "instance_norm",
    "log_softmax",
    "max_pool2d",
    "maximum",
    "minimum",
    "narrow",
    "one_hot",
    "part",
    "pixel_shuffle",
    "pixel_unshuffle",
    "power",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "stack",
    "upsample_conv2d",
    "widen",
]
