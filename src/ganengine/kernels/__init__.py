"""The kernels: array in, array out. NumPy arrays run on the CPU, CuPy arrays on the GPU.

Layouts and argument names follow PyTorch. B batch, I and O in and out features.
"""

from ganengine.kernels.activation import activation, activation_backward
from ganengine.kernels.conv2d import conv2d, conv2d_backward
from ganengine.kernels.conv_transpose2d import conv_transpose2d, conv_transpose2d_backward
from ganengine.kernels.data import advance, gather, gather_shuffled, record, take_shuffled
from ganengine.kernels.dense import dense, dense_backward, matmul
from ganengine.kernels.elementwise import affine, binary, mean, sum, unary
from ganengine.kernels.embedding import embedding, embedding_backward, one_hot
from ganengine.kernels.instance_norm import instance_norm, instance_norm_backward
from ganengine.kernels.layout import (
    append_planes,
    concat,
    narrow,
    pixel_shuffle,
    pixel_unshuffle,
    widen,
)
from ganengine.kernels.loss import bce_with_logits, dense_bce_with_logits
from ganengine.kernels.norm import batch_norm, batch_norm_backward
from ganengine.kernels.optimizer import adam_step, ema_step, sgd_step
from ganengine.kernels.pool import avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward
from ganengine.kernels.random import dropout, normal, shuffled_indices, uniform
from ganengine.kernels.upsample_conv2d import upsample_conv2d, upsample_conv2d_backward

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
