"""The definition of right for the random kernels, in plain array expressions.

Here "right" is each bit: the same words, and the same float32 operations in the same order.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from ganengine import backend
from ganengine.backend import Array, Shape, xp

# A Philox block index: a number, or a counter (int64 (1,), on its device) and a distance from it.
Offset: TypeAlias = int | tuple[Array, int]

_LOW_32 = 0xFFFFFFFF
_SHUFFLE_ROUNDS = 8
_SHUFFLE_STREAM = 1  # the counter's last word; samples have 0


def uniform(
    shape: Shape, low: float, high: float, *, seed: int, offset: Offset, device: str = "cpu"
) -> Array:
    words = _words(math.prod(shape), seed, offset, device)
    span = np.float32(high) - np.float32(low)
    return (_unit(words) * span + np.float32(low)).reshape(shape)


def normal(shape: Shape, *, seed: int, offset: Offset, device: str = "cpu") -> Array:
    count = math.prod(shape)
    words = _words(count + count % 2, seed, offset, device)
    first, second = box_muller(words[0::2], words[1::2])
    return xp(first).stack([first, second], axis=1).reshape(-1)[:count].reshape(shape)


def dropout(x: Array, rate: float, *, seed: int, offset: Offset) -> Array:
    words = _words(x.size, seed, offset, backend.device_of(x)).reshape(x.shape)
    scale = 1 / (1 - x.dtype.type(rate))
    return xp(x).where(_unit(words) >= np.float32(rate), x * scale, x.dtype.type(0))


def shuffled_indices(
    n: int, count: int, *, seed: int, position: Offset, device: str = "cpu"
) -> Array:
    module = xp(position[0]) if isinstance(position, tuple) else _module(device)
    places = module.arange(count, dtype="uint64") + np.uint64(place(position))
    epoch, slot = places // np.uint64(n), (places % np.uint64(n)).astype("uint32")
    keys = _shuffle_keys(epoch, seed)
    index = _feistel(slot, n, keys)
    while (index >= n).any():
        index = module.where(index >= n, _feistel(index, n, keys), index)
    return index.astype("int32")


def place(offset: Offset) -> int:
    """The number that an offset stands for, modulo 2^64."""
    number = int(offset[0][0]) + offset[1] if isinstance(offset, tuple) else offset
    return number % 2**64


def philox(counter: Array, key: int) -> Array:
    """Philox4x32-10: counters uint32 (..., 4) -> random words uint32 (..., 4)."""
    c0, c1, c2, c3 = (counter[..., i].astype("uint64") for i in range(4))
    key0, key1 = key & _LOW_32, key >> 32
    for _ in range(10):
        product0, product1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1 = (product1 >> 32) ^ c1 ^ key0, product1 & _LOW_32
        c2, c3 = (product0 >> 32) ^ c3 ^ key1, product0 & _LOW_32
        key0, key1 = (key0 + 0x9E3779B9) & _LOW_32, (key1 + 0xBB67AE85) & _LOW_32
    return xp(counter).stack([c0, c1, c2, c3], axis=-1).astype("uint32")


def logarithm(u: Array) -> Array:
    """ln u for float32 u in (0, 1], in float32 operations that round alike everywhere."""
    root_half = 0x3F3504F3  # the bits of sqrt 1/2
    above = u.view("int32") - root_half
    k = (above >> 23).astype("float32")
    f = ((above & 0x7FFFFF) + root_half).view("float32") - 1
    p = f * 0.08700453 - 0.14267491
    for coefficient in (0.14914764, -0.16577584, 0.19963065, -0.25001338, 0.3333391, -0.5):
        p = f * p + coefficient
    return k * 0.6931472 + (f * f * p + f)


def box_muller(radius_words: Array, angle_words: Array) -> tuple[Array, Array]:
    """sqrt(-2 ln u) (cos angle, sin angle): two float32 normals from two uint32 words each."""
    module = xp(radius_words)
    u = (radius_words >> 1).astype("int32").astype("float32") * 2.0**-31 + 2.0**-32
    radius = module.sqrt(logarithm(u) * -2)

    quarter = (angle_words + 2**29) >> 30  # the nearest quarter turn, modulo 4
    rest = (angle_words << 2).view("int32") >> 2
    t = rest.astype("float32") * 1.4629181e-9  # 2 pi / 2^32
    tt = t * t
    sine = radius * (t * tt * ((tt * -0.000195173 + 0.008332178) * tt - 0.16666655) + t)
    p = (tt * 2.4438452e-5 - 0.0013887368) * tt + 0.041666646
    cosine = radius * (tt * (tt * p - 0.5) + 1)

    odd = quarter % 2 == 1
    first = module.where(odd, sine, cosine)
    second = module.where(odd, cosine, sine)
    first = module.where((quarter == 1) | (quarter == 2), -first, first)
    return first, module.where(quarter >= 2, -second, second)


def _module(device: str) -> Any:
    return xp(backend.to_device(np.empty(0), device))


def _words(count: int, seed: int, offset: Offset, device: str) -> Array:
    """Words 0 ... count-1 from block ``offset`` on, uint32 (count,)."""
    module = xp(offset[0]) if isinstance(offset, tuple) else _module(device)
    block = module.arange(-(-count // 4), dtype="uint64") + np.uint64(place(offset))
    zero = module.zeros_like(block)
    counter = module.stack([block & _LOW_32, block >> 32, zero, zero], axis=-1).astype("uint32")
    return philox(counter, seed).reshape(-1)[:count]


def _unit(words: Array) -> Array:
    """The top 24 bits as a fraction in [0, 1), exact in float32."""
    return (words >> 8).astype("float32") * np.float32(2.0**-24)


def _shuffle_keys(epoch: Array, seed: int) -> list[Array]:
    """The round keys of the permutations of ``epoch``, uint32 like epoch."""
    module = xp(epoch)
    keys: list[Array] = []
    for half in range(_SHUFFLE_ROUNDS // 4):
        words = [epoch & _LOW_32, epoch >> 32]
        words += [module.full_like(epoch, word) for word in (half, _SHUFFLE_STREAM)]
        block = philox(module.stack(words, axis=-1).astype("uint32"), seed)
        keys += [block[..., i] for i in range(4)]
    return keys


def _mix(x: Array) -> Array:
    x = (x ^ (x >> 16)) * 0x85EBCA6B
    x = (x ^ (x >> 13)) * 0xC2B2AE35
    return x ^ (x >> 16)


def _feistel(index: Array, n: int, keys: list[Array]) -> Array:
    """A keyed permutation of the 2^bits numbers that hold [0, n)."""
    bits = (n - 1).bit_length()
    low_bits = (bits + 1) // 2
    low_mask, high_mask = 2**low_bits - 1, 2 ** (bits // 2) - 1
    low, high = index & low_mask, index >> low_bits
    for even, odd in zip(keys[0::2], keys[1::2], strict=True):
        high = high ^ (_mix(low + even) & high_mask)
        low = low ^ (_mix(high + odd) & low_mask)
    return (high << low_bits) | low
