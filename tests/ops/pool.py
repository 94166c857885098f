"""Pooling, by windows of 3 x 3 that overlap, the last of which reach over the border."""

from __future__ import annotations

from typing import Any

from ops.op import Arguments, Draw, Op, Size


def forward(
    a: Draw, batch: int = 2, channels: int = 3, height: int = 4, width: int = 4
) -> Arguments:
    x = a(batch, channels, height, width)
    return {"x": x, "kernel_size": 3, "stride": 2, "ceil_mode": True}


def backward(
    a: Draw, batch: int = 2, channels: int = 3, height: int = 4, width: int = 4
) -> Arguments:
    places = [(size - 2) // 2 + 1 for size in (height, width)]
    return {"dy": a(batch, channels, *places), **forward(a, batch, channels, height, width)}


def _torch_max(torch: Any, *, x: Any, **_: Any) -> Any:
    return lambda: torch.nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)


def _torch_max_backward(torch: Any, *, dy: Any, x: Any, **_: Any) -> Any:
    aten, window = torch.ops.aten, ([3, 3], [2, 2], [0, 0], [1, 1], True)
    _, places = aten.max_pool2d_with_indices(x, *window)
    return lambda: aten.max_pool2d_with_indices_backward(dy, x, *window, places)


def _torch_avg(torch: Any, *, x: Any, **_: Any) -> Any:
    return lambda: torch.nn.functional.avg_pool2d(x, 3, 2, ceil_mode=True)


def _torch_avg_backward(torch: Any, *, dy: Any, x: Any, **_: Any) -> Any:
    window = ([3, 3], [2, 2], [0, 0], True, True, None)
    return lambda: torch.ops.aten.avg_pool2d_backward(dy, x, *window)


def _op(name: str, arguments: Any, torch: Any, any_shape: tuple[str, ...] = ()) -> Op:
    def sizes(rows: int, columns: int) -> list[Size]:
        return [(3, 20, 11, 13)]

    averages = name.startswith("avg")
    return Op(
        name=name,
        arguments=arguments,
        any_shape=any_shape,
        sizes=sizes,
        variants=({}, {"count_include_pad": False}) if averages else ({},),
        terms=lambda *size: 9,
        step=((50, 8, 8, 8),),
        large=((128, 64, 64, 64),),
        torch=torch,
    )


OPS = (
    _op("max_pool2d", forward, _torch_max, ("x",)),
    _op("max_pool2d_backward", backward, _torch_max_backward),
    _op("avg_pool2d", forward, _torch_avg, ("x",)),
    _op("avg_pool2d_backward", backward, _torch_avg_backward),
)
