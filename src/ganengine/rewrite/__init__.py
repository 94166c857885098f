"""Rewrites of captured programs: the same bits from fewer calls.

A rewrite is a function from a list of calls to another one. Each array that the program makes has
addresses of its own at that time, so that the calls say which reads what; where the arrays lie in
the end is decided afterwards (:mod:`ganengine.rewrite.plan`).

``$GANENGINE_REWRITES`` chooses: ``none``, or names from :data:`REWRITES`, as in ``dead,fuse``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from ganengine.program import Call, Extent
from ganengine.rewrite.dead import without_dead_calls
from ganengine.rewrite.fuse import fused
from ganengine.rewrite.share import shared

Rewrite = Callable[[Sequence[Call], Sequence[Extent]], list[Call]]

# In the order in which they are applied.
REWRITES: Mapping[str, Rewrite] = MappingProxyType(
    {"dead": without_dead_calls, "fuse": fused, "share": shared}
)


def rewritten(
    calls: Sequence[Call], arrays: Sequence[Extent], names: Iterable[str] | None = None
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
    return () if text == "none" else tuple(text.split(","))
