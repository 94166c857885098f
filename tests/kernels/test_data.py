"""The data kernels: every bit against the reference, and what they refuse."""

import math

import numpy as np
import pytest
from helpers import draw, kernels_only
from hypothesis import given, settings
from hypothesis import strategies as st

from ganengine import _cpu, backend, capture, kernels, reference


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (50, 28, 28), "uint8")


def some_indices(count, items=50):
    return np.random.default_rng(count).integers(0, items, count, "int32")


# gather


@settings(deadline=None, max_examples=60)
@given(
    items=st.integers(1, 20),
    count=st.integers(0, 40),
    trailing=st.lists(st.integers(0, 9), max_size=3),
    scale=st.floats(-100, 100, width=32),
    shift=st.floats(-100, 100, width=32),
)
def test_gather_equals_the_reference(items, count, trailing, scale, shift):
    data = np.random.default_rng(1).integers(0, 256, (items, *trailing), "uint8")
    indices = some_indices(count, items)
    actual = kernels.gather(data, indices, scale=scale, shift=shift)
    expected = reference.gather(data, indices, scale=scale, shift=shift)
    assert actual.dtype == np.float32
    assert actual.shape == (count, *trailing)
    np.testing.assert_array_equal(actual, expected)


def test_gather_scales_each_value():
    data = np.arange(256, dtype="uint8").reshape(1, 256)
    y = kernels.gather(data, np.zeros(1, "int32"), scale=2 / 255, shift=-1.0)
    np.testing.assert_allclose(y[0], np.linspace(-1, 1, 256), rtol=0, atol=2e-7)


def test_gather_writes_into_part_of_a_batch(images):
    indices = some_indices(7)
    batch = np.full((20, 28, 28), 9.0, "float32")
    part = batch[5:12]
    assert kernels.gather(images, indices, scale=0.5, shift=1.0, out=part) is part
    np.testing.assert_array_equal(part, images[indices] * np.float32(0.5) + 1)
    np.testing.assert_array_equal(batch[:5], 9)
    np.testing.assert_array_equal(batch[12:], 9)


def test_gather_takes_strided_arrays(images):
    indices = some_indices(14)
    expected = kernels.gather(images[:, ::3, ::-1].copy(), indices[::2].copy(), scale=1, shift=0)
    actual = kernels.gather(images[:, ::3, ::-1], indices[::2], scale=1, shift=0)
    np.testing.assert_array_equal(actual, expected)


def test_gather_of_nothing():
    nothing = np.zeros(0, "int32")
    assert kernels.gather(np.zeros((0, 4), "uint8"), nothing, scale=1, shift=0).shape == (0, 4)
    assert kernels.gather(np.zeros((3, 4), "uint8"), nothing, scale=1, shift=0).shape == (0, 4)


@pytest.mark.cpu_only
def test_gather_gives_the_same_bits_on_any_number_of_threads(images):
    before = _cpu.thread_count()
    indices = some_indices(33)
    expected = reference.gather(images, indices, scale=0.3, shift=-0.7)
    try:
        for threads in (1, 2, 3):
            _cpu.set_thread_count(threads)
            actual = kernels.gather(images, indices, scale=0.3, shift=-0.7)
            np.testing.assert_array_equal(actual, expected)
    finally:
        _cpu.set_thread_count(before)


def test_gather_takes_shuffled_indices(images):
    indices = kernels.shuffled_indices(50, 50, seed=0, position=0)
    y = kernels.gather(images, indices, scale=1, shift=0)
    np.testing.assert_array_equal(y, images[indices])


@pytest.mark.cpu_only
def test_a_captured_gather_reads_no_foreign_memory(images):
    indices, y = np.zeros(4, "int32"), np.zeros((4, 28, 28), "float32")
    program = capture(
        lambda: kernels.gather(images, indices, scale=1, shift=0, out=y), [images, indices, y]
    )
    indices[:] = [-(2**31), -1, 50, 2**31 - 1]
    program.run()
    np.testing.assert_array_equal(y, images[[0, 0, 49, 49]])


@pytest.mark.cpu_only
def test_a_captured_gather_needs_rows():
    data, indices = np.zeros((0, 3), "uint8"), np.zeros(4, "int32")
    with pytest.raises(ValueError, match="data has no rows"):
        capture(lambda: kernels.gather(data, indices, scale=1, shift=0), [data, indices])


# gather_shuffled


@pytest.mark.parametrize("count", [0, 1, 64, 65, 130, 300])
@pytest.mark.parametrize("position", [0, 49, 2**40 + 3])
def test_gather_shuffled_is_gather_of_shuffled_indices(images, count, position):
    indices = reference.shuffled_indices(50, count, seed=7, position=position)
    expected = reference.gather(images, indices, scale=0.3, shift=-0.7)
    places = (position, (np.array([position - 3], "int64"), 3))
    how = {"seed": 7, "scale": 0.3, "shift": -0.7}
    for place in places if position else places[:1]:
        for room in (kernels, reference):
            actual = room.gather_shuffled(images, count, position=place, **how)
            np.testing.assert_array_equal(actual, expected)


@pytest.mark.cpu_only
def test_gather_shuffled_gives_the_same_bits_on_any_number_of_threads(images):
    before = _cpu.thread_count()
    arguments = {"seed": 7, "position": 11, "scale": 0.3, "shift": -0.7}
    expected = reference.gather_shuffled(images, 333, **arguments)
    try:
        for threads in (1, 2, 3):
            _cpu.set_thread_count(threads)
            out = np.empty((333, 28, 28), "float32")
            assert kernels.gather_shuffled(images, 333, **arguments, out=out) is out
            np.testing.assert_array_equal(out, expected)
    finally:
        _cpu.set_thread_count(before)


# take_shuffled


@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("trailing", [(), (5,), (2, 3)])
@pytest.mark.parametrize(("count", "position"), [(0, 0), (1, 49), (130, 2**40 + 3)])
def test_take_shuffled_takes_the_rows_of_gather_shuffled(dtype, trailing, count, position):
    """Every bit of them, those of NaN too."""
    words = np.random.default_rng(3).integers(0, 2**32, (50, *trailing), "uint32")
    data = words.view(dtype)
    rows = reference.shuffled_indices(50, count, seed=7, position=position)
    counter = np.array([position], "int64")
    for room in (kernels, reference):
        for place in (position, (counter, 0)):
            y = room.take_shuffled(data, count, seed=7, position=place)
            assert y.dtype == dtype
            np.testing.assert_array_equal(y.view("uint32"), words[rows])
        out = np.zeros((count, *trailing), dtype)
        assert room.take_shuffled(data, count, seed=7, position=position, out=out) is out
        np.testing.assert_array_equal(out.view("uint32"), words[rows])


@pytest.mark.cpu_only
@kernels_only
def test_take_shuffled_in_a_capture_on_any_number_of_threads():
    before = _cpu.thread_count()
    labels, counter, out = np.arange(50, dtype="int32"), np.zeros(1, "int64"), []
    place = {"seed": 7, "position": (counter, 0)}
    program = capture(
        lambda: out.append(kernels.take_shuffled(labels, 333, **place)), [labels, counter]
    )
    try:
        for threads in (1, 2, 3):
            _cpu.set_thread_count(threads)
            counter[0] = 11 * threads
            program.run()
            np.testing.assert_array_equal(out[0], reference.take_shuffled(labels, 333, **place))
    finally:
        _cpu.set_thread_count(before)


# advance and record


def test_advance():
    for room in (kernels, reference):
        counter, other = np.array([2**40], "int64"), np.array([7], "int64")
        room.advance((counter, 25))
        room.advance((counter, -5), (other, 1), (other, 2), (counter, 3))
        assert counter[0] == 2**40 + 23
        assert other[0] == 10
        counter[0] = 2**63 - 1
        room.advance((counter, 1))
        assert counter[0] == -(2**63)
        room.advance()


@pytest.mark.parametrize("position", [0, 3, 4, 2**33 + 1])
@pytest.mark.parametrize("count", [1, 33, 1000])
def test_record(position, count):
    losses = np.float32([2.5]), np.full((), -1.5, "float32")
    logits = [draw(count, 1, seed=i, spread=20.0) for i in (1, 2)]
    means = [reference.activation(each.astype("float64"), "sigmoid").mean() for each in logits]
    for room in (kernels, reference):
        for place in (position, (np.array([position - 3], "int64"), 3)):
            history = np.zeros((5, 4), "float32")
            room.record([*losses, *logits], history, place, probabilities=(2, 3))
            np.testing.assert_allclose(history[position % 5], [2.5, -1.5, *means], rtol=1e-6)
            assert np.count_nonzero(history.any(axis=1)) == 1


@pytest.mark.parametrize("count", [1, 3, 8, 9, 17])
@pytest.mark.parametrize("column", [0, 2])
def test_record_of_any_number_of_columns(count, column):
    """Values of different sizes, one of them not measured, every third a logit."""
    values = [draw(1 + 37 * i, seed=i) for i in range(count)]
    values[count // 2] = None
    logits = set(range(0, count, 3))
    expected = np.full((3, column + count + 1), 7.0)
    for i, value in enumerate(values):
        wide = np.float64(np.nan) if value is None else value.astype("float64")
        expected[1, column + i] = (1 / (1 + np.exp(-wide)) if i in logits else wide).mean()
    for room in (kernels, reference):
        history = np.full(expected.shape, 7.0, "float32")
        room.record(values, history, 4, column=column, probabilities=logits)
        np.testing.assert_allclose(history, expected, rtol=1e-6, atol=1e-7)


def test_record_copies_one_number_bit_for_bit():
    bits = np.array([0x80000000, 0x7FC12345, 0xFF800000, 1, 0x3F800001], "uint32")
    values = list(bits.view("float32"))
    for room in (kernels, reference):
        history = np.zeros((1, 5), "float32")
        room.record([np.full((1, 1), value) for value in values], history, 0)
        np.testing.assert_array_equal(history.view("uint32")[0], bits)


def test_record_of_nothing():
    history = np.ones((2, 1), "float32")
    for room in (kernels, reference):
        room.record([], history, 0)
    assert (history == 1).all()


@pytest.mark.cpu_only
@kernels_only
def test_a_captured_record_is_one_call_for_eight_values():
    values, history = [draw(i + 1) for i in range(9)], np.zeros((2, 9), "float32")
    state = [*values, history]
    for count, calls in ((1, 1), (8, 1), (9, 2)):
        program = capture(lambda n=count: kernels.record(values[:n], history, 0), state)
        assert len(program) == calls
    program.run()
    np.testing.assert_allclose(history[0], [value.mean() for value in values], rtol=1e-6)


@pytest.mark.cpu_only
def test_implementation_switch_reaches_the_reference(images, monkeypatch):
    indices = some_indices(9)
    expected = kernels.gather(images, indices, scale=0.3, shift=-0.7)
    monkeypatch.setattr(backend, "implementation", lambda: "reference")
    monkeypatch.setattr(backend, "native", None)
    out = np.empty((9, 28, 28), "float32")
    assert kernels.gather(images, indices, scale=0.3, shift=-0.7, out=out) is out
    np.testing.assert_array_equal(out, expected)
    kernels.gather_shuffled(images, 9, seed=0, position=0, scale=1, shift=0, out=out)
    assert (out == images[kernels.shuffled_indices(50, 9, seed=0, position=0)]).all()
    counter, history = np.array([4]), np.zeros((3, 4), "float32")
    kernels.advance((counter, 3))
    kernels.record([ONE], history, (counter, 0), column=1)
    assert counter[0] == 7
    assert history[1, 1] == 1.0


# Bad input


DATA = np.zeros((5, 3), "uint8")
INDICES = np.array([0, 4], "int32")
COUNTER = np.zeros(1, "int64")
HISTORY = np.zeros((4, 4), "float32")
ONE = np.ones(1, "float32")
FLOATS = np.ones(4, "float32")
READ_ONLY = np.zeros(1, "int64")
READ_ONLY.flags.writeable = False


def gather(data=DATA, indices=INDICES, scale=1.0, shift=0.0, out=None):
    return kernels.gather(data, indices, scale=scale, shift=shift, out=out)


def shuffled(data=DATA, count=2, seed=0, position=0, scale=1.0, shift=0.0, out=None):
    return kernels.gather_shuffled(
        data, count, seed=seed, position=position, scale=scale, shift=shift, out=out
    )


def taken(data=ONE, count=2, seed=0, position=0, out=None):
    return kernels.take_shuffled(data, count, seed=seed, position=position, out=out)


def record(values=(ONE, ONE), history=HISTORY, position=0, column=0, probabilities=()):
    return kernels.record(values, history, position, column=column, probabilities=probabilities)


BAD_CALLS = [
    (lambda: gather(data=DATA.astype("float32")), TypeError, "data must be uint8"),
    (lambda: gather(data=np.uint8(3)), ValueError, "data"),
    (lambda: gather(indices=INDICES.astype("int64")), TypeError, "indices must be int32"),
    (lambda: gather(indices=INDICES[:, None]), ValueError, "indices"),
    (lambda: gather(indices=np.array([0, 5], "int32")), ValueError, "indices"),
    (lambda: gather(indices=np.array([-1, 0], "int32")), ValueError, "indices"),
    (lambda: gather(data=DATA[:0]), ValueError, "data has no rows"),
    (lambda: gather(scale="a"), TypeError, "scale"),
    (lambda: gather(scale=math.inf), ValueError, "scale"),
    (lambda: gather(shift=math.nan), ValueError, "shift"),
    (lambda: gather(out=np.zeros((2, 4), "float32")), ValueError, "out"),
    (lambda: gather(out=np.zeros((2, 3))), TypeError, "out"),
    (lambda: gather(out=np.zeros((3, 2), "float32").T), ValueError, "out"),
    (lambda: shuffled(data=DATA[:0]), ValueError, "data must have shape"),
    (lambda: shuffled(data=ONE), TypeError, "data must be uint8"),
    (lambda: shuffled(count=-1), ValueError, "count"),
    (lambda: shuffled(count=1.0), TypeError, "count"),
    (lambda: shuffled(seed=-1), ValueError, "seed"),
    (lambda: shuffled(position=-1), ValueError, "position"),
    (lambda: shuffled(position=(ONE, 0)), TypeError, r"position\[0\]"),
    (lambda: shuffled(scale=math.nan), ValueError, "scale"),
    (lambda: shuffled(out=np.zeros((3, 3), "float32")), ValueError, "out"),
    (lambda: taken(data=DATA), TypeError, "data must be int32 or float32, got uint8"),
    (lambda: taken(data=COUNTER), TypeError, "data must be int32 or float32, got int64"),
    (lambda: taken(data=ONE[:0]), ValueError, "data must have shape"),
    (lambda: taken(data=np.float32(3)), ValueError, "data must have shape"),
    (lambda: taken(count=-1), ValueError, "count"),
    (lambda: taken(seed=2**64), ValueError, "seed"),
    (lambda: taken(position=(ONE, 0)), TypeError, r"position\[0\]"),
    (lambda: taken(out=np.zeros(2, "int32")), TypeError, "out must be float32"),
    (lambda: taken(out=np.zeros(3, "float32")), ValueError, "out must have shape"),
    (lambda: taken(data=FLOATS[:3], out=FLOATS[2:4]), ValueError, "out overlaps"),
    (lambda: kernels.advance((COUNTER.astype("int32"), 1)), TypeError, r"moves\[0\]\[0\]"),
    (lambda: kernels.advance((np.zeros(2, "int64"), 1)), ValueError, r"moves\[0\]\[0\]"),
    (lambda: kernels.advance((COUNTER, 1), (READ_ONLY, 1)), ValueError, r"moves\[1\]\[0\]"),
    (lambda: kernels.advance((COUNTER, 1.5)), TypeError, r"moves\[0\]\[1\]"),
    (lambda: kernels.advance((COUNTER, 2**63)), ValueError, r"moves\[0\]\[1\]"),
    (lambda: kernels.advance(*[(COUNTER, 1)] * 5), ValueError, "moves has 5 pairs"),
    (lambda: record(values=(np.ones(1), ONE)), TypeError, r"values\[0\]"),
    (lambda: record(values=(ONE, 1.0)), TypeError, r"values\[1\]"),
    (lambda: record(values=(ONE, ONE[:0])), ValueError, r"values\[1\] is empty"),
    (lambda: record(values=(ONE,) * 5), ValueError, "column is 0; 5 values"),
    (lambda: record(column=3), ValueError, "column is 3; 2 values"),
    (lambda: record(column=-1), ValueError, "column is -1"),
    (lambda: record(column=0.0), TypeError, "column"),
    (lambda: record(probabilities=[2]), ValueError, "probabilities is 2"),
    (lambda: record(probabilities=[-1]), ValueError, "probabilities is -1"),
    (lambda: record(probabilities=["0"]), TypeError, "probabilities"),
    (lambda: record(values=(), probabilities=[0]), ValueError, "probabilities is 0"),
    (lambda: record(history=HISTORY[0]), ValueError, "history"),
    (lambda: record(history=HISTORY[:0]), ValueError, "history must have rows and columns"),
    (lambda: record(history=HISTORY[:, :0]), ValueError, "history must have rows and columns"),
    (lambda: record(history=np.zeros(0, "float32")), ValueError, "history must have shape"),
    (lambda: record(history=HISTORY.astype("float64")), TypeError, "history"),
    (lambda: record(history=np.zeros((4, 6), "float32").T), ValueError, "history"),
    (lambda: record(position=(ONE, 0)), TypeError, r"position\[0\]"),
    (lambda: record(position=(COUNTER[:0], 0)), ValueError, r"position\[0\]"),
    (lambda: record(position=-1), ValueError, "position"),
]


@pytest.mark.cpu_only
@pytest.mark.parametrize("case", range(len(BAD_CALLS)))
def test_bad_input_is_refused_before_anything_ran(case, monkeypatch):
    call, error, message = BAD_CALLS[case]
    monkeypatch.setattr(backend, "native", None)
    with pytest.raises(error, match=message):
        call()
