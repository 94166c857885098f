"""Programs drawn at random, for what must not depend on how they are run."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

UNARY = ("copy", "negative", "absolute", "sign", "sqrt")
BINARY = ("add", "subtract", "multiply", "divide")


@st.composite
def actions(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """What a program does, as names and numbers that pick among the arrays that there are."""
    number, value = st.integers(0, 10_000), st.floats(-2, 2, width=16)
    one = st.one_of(
        st.tuples(st.just("unary"), st.sampled_from(UNARY), number),
        st.tuples(st.just("binary"), st.sampled_from(BINARY), number, number),
        st.tuples(st.just("binary"), st.sampled_from(BINARY), number, number),
        st.tuples(st.just("affine"), number, value, value),
        st.tuples(st.just("activation"), st.sampled_from(("relu", "tanh", "linear")), number),
        st.tuples(st.just("backward"), st.sampled_from(("sigmoid", "leaky_relu")), number, number),
        st.tuples(st.just("sum"), number, st.booleans()),
        st.tuples(st.just("matmul"), number, number),
        st.tuples(st.just("filled"), number, value),
        st.tuples(st.just("in place"), st.sampled_from(BINARY), number, number),
        st.tuples(st.just("into"), number, number),
        st.tuples(st.just("view"), number, number),
    )
    return draw(st.lists(one, min_size=1, max_size=25))
