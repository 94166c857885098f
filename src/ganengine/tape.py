"""The tape: which operation made a tensor, and the walk back that turns that into gradients.

A node holds an operation's inputs and its rule, a function from the gradient in the output to the
gradients in the inputs. The rule is told by a :class:`Pass` what is wanted of it; with
``create_graph`` it must be written in differentiable operations, so that the gradients can be
differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganengine.tensor import Tensor

Gradients = Sequence["Tensor | None"]
Rule = Callable[[Any, "Pass"], Gradients]  # the gradient in the output: Tensor

_recording = True


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: the tensors it took and the rule for their gradients.

    A loss, where most walks start, may spare itself the product with a gradient of 1: its rule
    ``takes_one`` if it understands None as that.
    """

    inputs: tuple[Tensor, ...]
    rule: Rule
    takes_one: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """What one backward walk asks of each rule."""

    wanted: frozenset[int]
    create_graph: bool
    into_leaves: bool

    def wants(self, tensor: Tensor) -> bool:
        """Whether the gradient in ``tensor`` is needed; a rule may return None for others."""
        return id(tensor) in self.wanted

    def delivers(self, *tensors: Tensor) -> bool:
        """Whether a rule may write these gradients straight into the tensors' own buffers."""
        return self.into_leaves and all(
            self.wants(tensor) and tensor.node is None and tensor.grad_buffer is not None
            for tensor in tensors
        )


def recording() -> bool:
    """Whether operations are being put on the tape."""
    return _recording


@contextmanager
def recording_set(value: bool) -> Iterator[None]:
    """Switch the tape on or off inside a ``with`` block."""
    global _recording
    before, _recording = _recording, value
    try:
        yield
    finally:
        _recording = before


def no_grad() -> AbstractContextManager[None]:
    """A ``with`` block in which nothing is put on the tape."""
    return recording_set(False)


def walk_back(
    output: Tensor,
    seed: Tensor | None,
    targets: Sequence[Tensor] | None,
    *,
    create_graph: bool,
    into_leaves: bool,
) -> dict[int, Tensor]:
    """Gradients of ``output`` by id of tensor, for the targets (None: every leaf that wants one).

    ``seed`` is the gradient in ``output`` itself, None standing for 1 if its rule takes that. With
    ``into_leaves`` each target's gradient is added to its ``grad`` as well, by the rule itself
    where it can.
    """
    order = _topological_order(output)
    if targets is None:
        targets = [tensor for tensor in order if tensor.node is None and tensor.requires_grad]
    wanted = {id(tensor) for tensor in targets}
    for tensor in order:  # inputs come before what was made of them
        if tensor.node and any(id(source) in wanted for source in tensor.node.inputs):
            wanted.add(id(tensor))
    this_pass = Pass(frozenset(wanted), create_graph, into_leaves)

    gradients: dict[int, Any] = {id(output): seed}
    with recording_set(create_graph):
        for tensor in reversed(order):
            if tensor.node is None or id(tensor) not in wanted or id(tensor) not in gradients:
                continue
            dy = gradients[id(tensor)]
            for source, gradient in zip(
                tensor.node.inputs, tensor.node.rule(dy, this_pass), strict=True
            ):
                if gradient is not None and this_pass.wants(source):
                    before = gradients.get(id(source))
                    gradients[id(source)] = gradient if before is None else before + gradient
        if into_leaves:
            for target in targets:
                if id(target) in gradients:
                    target.add_grad(gradients[id(target)])
    return gradients


def _topological_order(output: Tensor) -> list[Tensor]:
    """Every tensor that ``output`` was made of, each after all its own inputs."""
    order: list[Tensor] = []
    seen: set[int] = set()
    stack: list[tuple[Tensor, bool]] = [(output, False)]
    while stack:
        tensor, inputs_done = stack.pop()
        if inputs_done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            if tensor.node is not None:
                stack.extend((source, False) for source in tensor.node.inputs)
    return order
