"""Every kernel in plain NumPy or CuPy expressions: the definition of right.

Same names and signatures as :mod:`ganengine.kernels`, for any floating dtype; nothing is checked
here. ``GANENGINE_IMPL=reference`` makes the kernels run these.
"""

from ganengine.reference.activation import activation, activation_backward
from ganengine.reference.conv2d import conv2d, conv2d_backward
from ganengine.reference.conv_transpose2d import conv_transpose2d, conv_transpose2d_backward
from ganengine.reference.data import advance, gather, gather_shuffled, record, take_shuffled
from ganengine.reference.dense import dense, dense_backward, matmul
from ganengine.reference.elementwise import affine, binary, mean, sum, unary
from ganengine.reference.embedding import embedding, embedding_backward, one_hot
from ganengine.reference.instance_norm import instance_norm, instance_norm_backward
from ganengine.reference.layout import (
    append_planes,
    concat,
    narrow,
    pixel_shuffle,
    pixel_unshuffle,
    widen,
)
from ganengine.reference.loss import bce_with_logits, dense_bce_with_logits
from ganengine.reference.norm import batch_norm, batch_norm_backward
from ganengine.reference.optimizer import adam_step, ema_step, sgd_step
from ganengine.reference.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)
from ganengine.reference.random import dropout, normal, shuffled_indices, uniform
from ganengine.reference.upsample_conv2d import upsample_conv2d, upsample_conv2d_backward

__all__ = [
    "activation",
    "activation_backward",
    "adam_step",
    "advance",
    "affine",
    "append_planes",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "bce_with_logits",
    "binary",
    "concat",
    "conv2d",
    "conv2d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "dense",
    "dense_backward",
    "dense_bce_with_logits",
    "dropout",
    "ema_step",
    "embedding",
    "embedding_backward",
    "gather",
    "gather_shuffled",
    "instance_norm",
    "instance_norm_backward",
    "matmul",
    "max_pool2d",
    "max_pool2d_backward",
    "mean",
    "narrow",
    "normal",
    "one_hot",
    "pixel_shuffle",
    "pixel_unshuffle",
    "record",
    "sgd_step",
    "shuffled_indices",
    "sum",
    "take_shuffled",
    "unary",
    "uniform",
    "upsample_conv2d",
    "upsample_conv2d_backward",
    "widen",
]
