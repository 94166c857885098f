"""The tape: which operation made a tensor, and the walk back that turns that into gradients.

A node holds an operation's inputs and its rule, a function from the gradient in the output to the
gradients in the inputs. The rule is told by a :class:`Pass` what is wanted of it; with
``create_graph`` it must be written in differentiable operations, so that the gradients can be
differentiated again. Each thread has a tape of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from ganengine.backend import Array


class Variable(Protocol):
    """What the tape knows of a :class:`ganengine.Tensor`."""

    node: Node | None  # the operation that made it; None for a leaf
    requires_grad: bool
    grad_buffer: Array | None

    @property
    def grad(self) -> object: ...
    def add_grad(self, gradient: Any) -> None: ...
    def claim_grad_buffer(self) -> Array: ...


class Mark(Enum):
    """What stands in the place of a gradient that is no array."""

    ONE = "the number 1, which the rule of a loss takes without an array for it"
    DELIVERED = "a gradient that the rule has put into its leaf's buffer itself"


ONE: Final = Mark.ONE
DELIVERED: Final = Mark.DELIVERED

# One for each input; None where the input gets none, or nobody wants it.
Gradients = Sequence[Variable | Mark | None]
Rule = Callable[[Any, "Pass"], Gradients]  # takes the gradient in the output: a tensor, or ONE


class _Tape(threading.local):
    recording = True


_tape = _Tape()


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: the tensors it took and the rule for their gradients.

    A loss, where most walks start, may spare itself the product with a gradient of 1: its rule
    ``takes_one`` if it understands :data:`ONE`.
    """

    inputs: tuple[Variable, ...]
    rule: Rule
    takes_one: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """What one backward walk asks of each rule."""

    wanted: frozenset[int]
    create_graph: bool
    into_leaves: bool

    def wants(self, tensor: Variable) -> bool:
        """Whether the gradient in ``tensor`` is needed; a rule may return None for others."""
        return id(tensor) in self.wanted

    def landing(self, *leaves: Variable) -> Landing:
        """Where a kernel may put the gradients in ``leaves``: their own buffers, if it can be.

        That needs each to be a leaf with a buffer that this walk serves, and either all of the
        buffers or none to hold a gradient already.
        """
        filled = {leaf.grad is not None for leaf in leaves}
        direct = (
            self.into_leaves
            and len(filled) == 1
            and all(
                self.wants(leaf) and leaf.node is None and leaf.grad_buffer is not None
                for leaf in leaves
            )
        )
        if not direct:
            return Landing(None, False)
        return Landing(tuple(leaf.claim_grad_buffer() for leaf in leaves), filled == {True})


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a kernel writes gradients: ``out``, or new arrays if that is None."""

    out: tuple[Array, ...] | None
    accumulate: bool  # what is written is added to what out holds


def recording() -> bool:
    """Whether operations of this thread are being put on the tape."""
    return _tape.recording


@contextmanager
def recording_set(value: bool) -> Iterator[None]:
    """Switch this thread's tape on or off inside a ``with`` block."""
    before, _tape.recording = _tape.recording, value
    try:
        yield
    finally:
        _tape.recording = before


def no_grad() -> AbstractContextManager[None]:
    """A ``with`` block in which nothing that this thread does is put on the tape.

    Example:
        >>> import numpy as np
        >>> from ganengine import Tensor, no_grad
        >>> x = Tensor(np.ones(2, "float32"), requires_grad=True)
        >>> with no_grad():
        ...     (x * x).requires_grad
        False
    """
    return recording_set(False)


def walk_back(
    output: Variable,
    seed: Variable | Mark,
    targets: Sequence[Variable] | None,
    *,
    create_graph: bool,
    into_leaves: bool,
) -> dict[int, Any]:
    """Gradients of ``output`` by id of tensor, for the targets (None: every leaf that wants one).

    ``seed`` is the gradient in ``output`` itself, :data:`ONE` if its rule takes that. With
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
                if gradient is DELIVERED or gradient is None:
                    continue
                if this_pass.wants(source):
                    before = gradients.get(id(source))
                    gradients[id(source)] = gradient if before is None else before + gradient
        if into_leaves:
            for target in targets:
                if id(target) in gradients:
                    target.add_grad(gradients[id(target)])
    return gradients


def _topological_order(output: Variable) -> list[Variable]:
    """Every tensor that ``output`` was made of, each after all its own inputs."""
    order: list[Variable] = []
    seen: set[int] = set()
    stack: list[tuple[Variable, bool]] = [(output, False)]
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
