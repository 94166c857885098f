"""Rewrites of captured programs: the same results from fewer calls.

A rewrite is a function from a list of calls to another one. Each array that the program makes has
addresses of its own at that time, so that the calls say which reads what; where the arrays lie in
the end is decided afterwards (:mod:`ganengine.rewrite.plan`).

``$GANENGINE_REWRITES`` chooses: ``none``, ``exact`` for those that keep every bit, or names from
:data:`REWRITES`, as in ``dead,fuse``. The others change the order of sums.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from ganengine.program import Call, Extent
from ganengine.rewrite.batch import batched
from ganengine.rewrite.copies import without_copies
from ganengine.rewrite.dead import without_dead_calls
from ganengine.rewrite.fuse import fused
from ganengine.rewrite.head import joined_heads
from ganengine.rewrite.share import shared

# From calls and the program's own arrays, ascending, to which a rewrite may add some at the end.
Rewrite = Callable[[Sequence[Call], list[Extent]], list[Call]]

# In the order in which they are applied.
REWRITES: Mapping[str, Rewrite] = MappingProxyType(
    {
        "dead": without_dead_calls,
        "head": joined_heads,
        "fuse": fused,
        "copies": without_copies,
        "share": shared,
        "batch": batched,
    }
)
EXACT = ("dead", "fuse", "copies", "share")


def rewritten(
    calls: Sequence[Call], arrays: list[Extent], names: Iterable[str] | None = None
) -> list[Call]:
    """The calls after the rewrites of these names; those that the environment chooses, if None.

    Raises:
        ValueError: there is no rewrite of such a name.
    """
    chosen = _chosen() if names is None else tuple(names)
    for name in chosen:
        if name not in REWRITES:
            raise ValueError(f"rewrites has {name!r}; it can have {', '.join(REWRITES)}")
    result = list(calls)
    for name, rewrite in REWRITES.items():
        if name in chosen:
            result = rewrite(result, arrays)
    return result


def _chosen() -> tuple[str, ...]:
    text = os.environ.get("GANENGINE_REWRITES")
    if text is None:
        return tuple(REWRITES)
    return {"none": (), "exact": EXACT}.get(text, tuple(text.split(",")))
