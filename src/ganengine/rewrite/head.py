"""A discriminator's last layer and its loss become one call."""

from __future__ import annotations

from collections.abc import Sequence

from ganengine.program import Call, Extent
from ganengine.rewrite.order import Order


def joined_heads(calls: Sequence[Call], arrays: Sequence[Extent]) -> list[Call]:
    """The calls with ``dense_bce_with_logits`` for ``dense_forward``, ``bce_with_logits``.

    The layer must have one output and no activation, and the loss be a mean or a sum.
    """
    order = Order(calls, arrays)
    layers: dict[int, int] = {}  # the dense_forward that wrote last at an address
    for number, call in enumerate(calls):
        if call.kernel == "bce_with_logits" and (first := layers.get(_logits(call))) is not None:
            head = _joined(calls[first], call)
            if head is not None and order.can_join(order.group(first), number):
                order.join(order.group(first), number, head)
                del layers[_logits(call)]  # a second loss of the same logits stays one
        for operand in call.writes():
            layers.pop(operand.address, None)
        if call.kernel == "dense_forward":
            layers[call.arguments[3].address] = number
    return order.calls()


def _logits(loss: Call) -> int:
    address: int = loss.arguments[0].address
    return address


def _joined(layer: Call, loss: Call) -> Call | None:
    x, weight, bias, y, batch, in_features, out_features, activation, _ = layer.arguments
    logits, targets, target, losses, total, dlogits, count, scale = loss.arguments
    fits = (logits.extent, count, out_features, activation) == (y.extent, batch, 1, "linear")
    if not fits or losses is not None or total is None:
        return None
    arguments = x, weight, bias, targets, target, y, total, dlogits, batch, in_features, scale
    return Call("dense_bce_with_logits", arguments)
