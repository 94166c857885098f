"""Kernels that move numbers and compute none."""

from __future__ import annotations

from typing import Any

from ops.op import Arguments, Draw, Op, Size


def append_planes(
    a: Draw, batch: int = 2, channels: int = 3, size: int = 4, planes: int = 5
) -> Arguments:
    return {"x": a(batch, channels, size, size), "values": a(batch, planes)}


def concat(a: Draw, rows: int = 2, first: int = 3, second: int = 4) -> Arguments:
    arrays = [a(rows, first), a(rows, second)]
    return {"arrays": arrays, "axis": 1, "out": a(rows, first + second)}


def narrow(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"x": a(rows, columns), "start": 1, "length": columns // 2, "axis": 1}


def widen(a: Draw, rows: int = 3, columns: int = 4) -> Arguments:
    return {"x": a(rows, columns), "start": 1, "length": columns + 3, "axis": 1}


def pixel_shuffle(a: Draw, batch: int = 2, channels: int = 4, size: int = 3) -> Arguments:
    return {"x": a(batch, channels, size, size), "scale": 2}


def pixel_unshuffle(a: Draw, batch: int = 2, channels: int = 3, size: int = 4) -> Arguments:
    return {"x": a(batch, channels, size, size), "scale": 2}


def _torch_append_planes(torch: Any, *, x: Any, values: Any) -> Any:
    shape = (*values.shape, *x.shape[2:])
    return lambda: torch.cat([x, values[:, :, None, None].expand(shape)], 1)


def _images(rows: int, columns: int) -> list[Size]:
    return [(3, 20, 12)]


OPS = (
    Op(
        name="append_planes",
        arguments=append_planes,
        sizes=lambda rows, columns: [(3, 20, 13, 3)],
        step=((50, 8, 8, 10),),
        large=((512, 64, 32, 10),),
        torch=_torch_append_planes,
    ),
    Op(
        name="concat",
        arguments=concat,
        own_bad_input=True,
        sizes=lambda rows, columns: [(rows, columns, 33)],
        step=((200, 118, 10),),
        large=((2**14, 2**11, 10),),
        torch=lambda torch, *, arrays, **_: lambda: torch.cat(arrays, 1),
    ),
    Op(
        name="narrow",
        arguments=narrow,
        own_bad_input=True,
        torch=lambda torch, *, x, start, length, **_: (
            lambda: x[:, start : start + length].contiguous()
        ),
        bytes=lambda rows, columns: 8 * rows * (columns // 2),
    ),
    Op(
        name="widen",
        arguments=widen,
        own_bad_input=True,
        torch=lambda torch, *, x, start, length, **_: (
            lambda: torch.nn.functional.pad(x, (start, length - start - x.shape[1]))
        ),
    ),
    Op(
        name="pixel_shuffle",
        arguments=pixel_shuffle,
        any_shape=("x",),
        sizes=_images,
        step=((50, 8, 8),),
        large=((512, 64, 32),),
        torch=lambda torch, *, x, scale: lambda: torch.pixel_shuffle(x, scale),
    ),
    Op(
        name="pixel_unshuffle",
        arguments=pixel_unshuffle,
        any_shape=("x",),
        sizes=_images,
        step=((50, 8, 8),),
        large=((512, 64, 32),),
        torch=lambda torch, *, x, scale: lambda: torch.pixel_unshuffle(x, scale),
    ),
)
