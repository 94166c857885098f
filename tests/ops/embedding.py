"""Rows by number: embeddings and labels."""

from __future__ import annotations

from typing import Any

from ops.op import Arguments, Draw, Op, Size


def embedding(a: Draw, rows: int = 3, features: int = 4, count: int = 5) -> Arguments:
    return {"indices": a.below(count, rows), "weight": a(count, features)}


def embedding_backward(a: Draw, rows: int = 3, features: int = 4, count: int = 5) -> Arguments:
    return {
        "dy": a(rows, features),
        "indices": a.below(count, rows),
        "count": count,
        "out": a(count, features),
        "accumulate": True,
    }


def one_hot(a: Draw, rows: int = 3, classes: int = 5) -> Arguments:
    return {"labels": a.below(classes, rows), "classes": classes}


def _torch_one_hot(torch: Any, *, labels: Any, classes: int) -> Any:
    wide = labels.long()
    return lambda: torch.nn.functional.one_hot(wide, classes).float()


def _torch_backward(torch: Any, *, dy: Any, indices: Any, count: int) -> Any:
    wide, back = indices.long(), torch.ops.aten.embedding_dense_backward
    return lambda: back(dy, wide, count, -1, False)


def _sizes(rows: int, columns: int) -> list[Size]:
    return [(rows, columns, 7)]


STEP, LARGE = ((100, 128, 10),), ((2**14, 2**11, 10),)

OPS = (
    Op(
        name="embedding",
        arguments=embedding,
        own_bad_input=True,
        sizes=_sizes,
        step=STEP,
        large=LARGE,
        torch=lambda torch, *, indices, weight: (
            lambda: torch.nn.functional.embedding(indices, weight)
        ),
    ),
    Op(
        name="embedding_backward",
        arguments=embedding_backward,
        own_bad_input=True,
        sizes=_sizes,
        variants=({}, {"accumulate": False}),
        terms=lambda rows, features, count: rows,
        step=STEP,
        large=LARGE,
        torch=_torch_backward,
    ),
    Op(
        name="one_hot",
        arguments=one_hot,
        own_bad_input=True,
        sizes=lambda rows, columns: [(rows, 9)],
        step=((100, 10),),
        large=((2**14, 2**11),),
        torch=_torch_one_hot,
    ),
)
