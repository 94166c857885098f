"""The random kernels: every bit against the reference, and the numbers against their laws."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import random_draws
from hypothesis import given, settings
from hypothesis import strategies as st
from random_draws import SEEDS, assert_same_bits, chi_square_bound, draws

from ganengine import _cpu, backend, kernels, reference
from ganengine.reference.random import box_muller, logarithm, philox

OFFSETS = (0, 1, 2**32 - 2, 2**32 + 5, 2**63 - 1)

# Counter, key and result: "philox4x32 10" of Random123's kat_vectors.
KNOWN_ANSWERS = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text):
    return np.array([int(word, 16) for word in text.split()], "uint32")


# Bits


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_reference_gives_the_published_philox_answers(counter, key, expected):
    key = words(key)
    result = philox(words(counter), int(key[0]) | int(key[1]) << 32)
    np.testing.assert_array_equal(result, words(expected))


def test_native_gives_the_published_philox_answer():
    expected = (words(KNOWN_ANSWERS[0][2]) >> 8).astype("float32") * np.float32(2**-24)
    for count in (4, 400):  # the scalar and the vector path
        assert_same_bits(kernels.uniform(count, 0.0, 1.0, seed=0, offset=0)[:4], expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("offset", OFFSETS)
def test_samples_equal_the_reference(seed, offset):
    at = {"seed": seed, "offset": offset}
    assert_same_bits(
        kernels.uniform((3, 31), -1.0, 1.0, **at), reference.uniform((3, 31), -1.0, 1.0, **at)
    )
    assert_same_bits(kernels.normal((3, 31), **at), reference.normal((3, 31), **at))
    x = np.arange(93, dtype="float32").reshape(3, 31) - 40
    assert_same_bits(kernels.dropout(x, 0.4, **at), reference.dropout(x, 0.4, **at))


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(0, 5000),
    seed=st.integers(0, 2**64 - 1),
    offset=st.integers(0, 2**63 - 1),
    low=st.floats(-1e6, 1e6, width=32),
    span=st.floats(0, 1e6, width=32),
    rate=st.floats(0, 0.75, width=32),
)
def test_samples_of_any_length_equal_the_reference(count, seed, offset, low, span, rate):
    at = {"seed": seed, "offset": offset}
    assert_same_bits(
        kernels.uniform(count, low, low + span, **at),
        reference.uniform((count,), low, low + span, **at),
    )
    z = kernels.normal(count, **at)
    assert_same_bits(z, reference.normal((count,), **at))
    assert_same_bits(kernels.dropout(z, rate, **at), reference.dropout(z, rate, **at))


@pytest.mark.cpu_only
@pytest.mark.parametrize("instruction_set", ["baseline", "avx2", "avx512"])
def test_each_instruction_set_gives_the_same_bits(instruction_set, tmp_path):
    script = (
        "import runpy, sys, numpy; from ganengine import kernels;"
        "numpy.savez(sys.argv[2], **runpy.run_path(sys.argv[1])['draws'](kernels))"
    )
    command = [sys.executable, "-c", script, random_draws.__file__, str(tmp_path / "draws.npz")]
    environment = {**os.environ, "GANENGINE_CPU": instruction_set}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "only baseline" in done.stderr or "no such instructions" in done.stderr:
        pytest.skip(f"this machine has no {instruction_set}")
    assert done.returncode == 0, done.stderr
    actual = np.load(tmp_path / "draws.npz")
    for name, expected in draws(reference).items():
        assert_same_bits(actual[name], expected)


@pytest.mark.cpu_only
def test_the_number_of_threads_changes_no_bit():
    before = _cpu.thread_count()
    try:
        for threads in (1, 2, 3):
            _cpu.set_thread_count(threads)
            actual = draws(kernels)
            for name, expected in draws(reference).items():
                assert_same_bits(actual[name], expected)
    finally:
        _cpu.set_thread_count(before)


@pytest.mark.cpu_only
def test_implementation_switch_reaches_the_reference(monkeypatch):
    expected = draws(kernels)
    monkeypatch.setattr(backend, "implementation", lambda: "reference")
    monkeypatch.setattr(backend, "native", None)
    for name, actual in draws(kernels).items():
        assert_same_bits(actual, expected[name])


# Streams


def test_an_offset_is_a_place_in_one_stream():
    whole = kernels.normal(64, seed=5, offset=10)
    assert_same_bits(kernels.normal(16, seed=5, offset=14), whole[16:32])
    assert not np.array_equal(kernels.normal(64, seed=6, offset=10), whole)


def test_a_counter_on_the_device_says_the_offset():
    counter = np.array([2**33], "int64")
    for kernel in (kernels, reference):
        by_counter = kernel.normal((9,), seed=3, offset=(counter, 4))
        assert_same_bits(by_counter, kernels.normal(9, seed=3, offset=2**33 + 4))
        by_counter = kernel.uniform((9,), 0.0, 1.0, seed=3, offset=(counter, 4))
        assert_same_bits(by_counter, kernels.uniform(9, 0.0, 1.0, seed=3, offset=2**33 + 4))
        x = np.ones(9, "float32")
        by_counter = kernel.dropout(x, 0.5, seed=3, offset=(counter, 4))
        assert_same_bits(by_counter, kernels.dropout(x, 0.5, seed=3, offset=2**33 + 4))
    assert counter[0] == 2**33


@pytest.mark.parametrize("shape", [0, (), 5, (2, 3), [4, 1], (0, 3), (2, 1, 0)])
def test_shapes(shape):
    expected = np.empty(shape).shape
    assert kernels.uniform(shape, 0.0, 1.0, seed=0, offset=0).shape == expected
    assert kernels.normal(shape, seed=0, offset=0).shape == expected
    x = np.ones(shape, "float32")
    assert kernels.dropout(x, 0.5, seed=0, offset=0).shape == expected


# Laws


def test_uniform_is_flat():
    count, bins = 1_000_000, 256
    x = kernels.uniform(count, -2.0, 6.0, seed=11, offset=0)
    assert x.min() >= -2
    assert x.max() <= 6
    found = np.histogram(x, bins, (-2, 6))[0]
    expected = count / bins
    assert ((found - expected) ** 2 / expected).sum() < chi_square_bound(bins - 1)
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 5 / math.sqrt(count)


def test_uniform_without_width_is_constant():
    np.testing.assert_array_equal(kernels.uniform(40, 0.1, 0.1, seed=0, offset=0), np.float32(0.1))


@pytest.fixture(scope="module")
def million_normals(device):
    return kernels.normal(1_000_000, seed=12, offset=0).astype("float64")


def test_normal_moments(million_normals):
    z = million_normals
    assert np.isfinite(z).all()
    # each within five standard errors
    assert abs(z.mean()) < 5e-3
    assert abs((z**2).mean() - 1) < 5e-3 * math.sqrt(2)
    assert abs((z**3).mean()) < 5e-3 * math.sqrt(15)
    assert abs((z**4).mean() - 3) < 5e-3 * math.sqrt(96)


def test_normal_distribution(million_normals):
    """The Kolmogorov-Smirnov distance; chance alone exceeds the bound once in a thousand times."""
    z = np.sort(million_normals)
    grid = np.linspace(-5, 5, 4001)
    law = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in grid])
    found = np.searchsorted(z, grid, side="right") / z.size
    assert np.abs(found - law).max() < 1.95 / math.sqrt(z.size)


def test_normal_tails(million_normals):
    for sign in (-1, 1):
        beyond = (sign * million_normals > 4).sum()
        assert 31.7 - 5 * 5.6 < beyond < 31.7 + 5 * 5.6
    assert 4.4 < np.abs(million_normals).max() < math.sqrt(64 * math.log(2)) + 1e-5


def test_normals_are_independent(million_normals):
    a, b = million_normals[0::2], million_normals[1::2]
    for left, right in [(a, b), (a**2, b**2), (a[1:], a[:-1]), (b[:-1], a[1:])]:
        assert abs(np.corrcoef(left, right)[0, 1]) < 5 / math.sqrt(a.size)


def test_logarithm_is_accurate():
    u = np.concatenate([2.0 ** -np.linspace(0, 33, 200_000), 1 - np.arange(1000) * 2.0**-24])
    u = u.astype("float32")
    expected = np.log(u.astype("float64"))
    error = np.abs(logarithm(u) - expected)
    assert (error <= 1.5 * np.spacing(np.abs(expected).astype("float32"))).all()


def test_box_muller_is_accurate():
    corners = [0, 1, 2**29 - 1, 2**29, 2**30, 2**31 - 1, 2**31, 3 * 2**29, 2**32 - 2, 2**32 - 1]
    some = np.random.default_rng(0).integers(0, 2**32, 3000)
    v, w = np.meshgrid(np.array([*corners[:-2], *some[:300]]), np.array([*corners, *some]))
    u = ((v // 2).astype("float32") * 2.0**-31 + np.float32(2.0**-32)).astype("float64")
    radius, angle = np.sqrt(-2 * np.log(u)), w * (2 * math.pi * 2.0**-32)
    first, second = box_muller(v.astype("uint32"), w.astype("uint32"))
    np.testing.assert_allclose(first, radius * np.cos(angle), rtol=0, atol=1e-6)
    np.testing.assert_allclose(second, radius * np.sin(angle), rtol=0, atol=1e-6)


def test_dropout_keeps_where_uniform_reaches_the_rate():
    x = np.linspace(1, 2, 20_001, dtype="float32")
    u = kernels.uniform(x.size, 0.0, 1.0, seed=4, offset=7)
    rates = [0.0, 2**-24, 0.1, 1 / 3, 0.5, 0.9, 1 - 2**-23, 1 - 2**-24]
    # At a number of the stream and just beside it, where one bit of the rate decides.
    rates += [np.nextafter(u[k], end) for k in range(40) for end in (u[k], 0, 1)]
    for rate in np.float32(rates):
        y = kernels.dropout(x, rate, seed=4, offset=7)
        expected = np.where(u >= rate, x * (1 / (1 - rate)), np.float32(0))
        assert_same_bits(y, expected)
        assert abs((y == 0).mean() - rate) < 5 * math.sqrt(0.25 / x.size)


def test_dropout_drops_what_is_not_finite():
    x = np.full(1000, np.nan, "float32")
    y = kernels.dropout(x, 0.5, seed=4, offset=7)
    kept = kernels.dropout(np.ones_like(x), 0.5, seed=4, offset=7) > 0
    np.testing.assert_array_equal(np.isnan(y), kept)
    np.testing.assert_array_equal(y[~kept], 0)


def test_dropout_takes_strided_input():
    x = np.arange(600, dtype="float32").reshape(20, 30)
    expected = kernels.dropout(x.T[::2].copy(), 0.5, seed=1, offset=0)
    assert_same_bits(kernels.dropout(x.T[::2], 0.5, seed=1, offset=0), expected)


# Bad input


NO_COUNTER = np.zeros(1, "int32")
BAD_CALLS = [
    (lambda: kernels.uniform((2.5,), 0, 1, seed=0, offset=0), TypeError, r"shape\[0\]"),
    (lambda: kernels.uniform("23", 0, 1, seed=0, offset=0), TypeError, "shape"),
    (lambda: kernels.uniform((2, -1), 0, 1, seed=0, offset=0), ValueError, r"shape\[1\]"),
    (lambda: kernels.uniform(2, "a", 1, seed=0, offset=0), TypeError, "low"),
    (lambda: kernels.uniform(2, math.nan, 1, seed=0, offset=0), ValueError, "low"),
    (lambda: kernels.uniform(2, 0, math.inf, seed=0, offset=0), ValueError, "high"),
    (lambda: kernels.uniform(2, -3e38, 3e38, seed=0, offset=0), ValueError, "low"),
    (lambda: kernels.uniform(2, 1, 0, seed=0, offset=0), ValueError, "high"),
    (lambda: kernels.uniform(2, 0, 1, seed=0.5, offset=0), TypeError, "seed"),
    (lambda: kernels.uniform(2, 0, 1, seed=-1, offset=0), ValueError, "seed"),
    (lambda: kernels.uniform(2, 0, 1, seed=2**64, offset=0), ValueError, "seed"),
    (lambda: kernels.uniform(2, 0, 1, seed=0, offset=0, device="tpu"), ValueError, "device"),
    (lambda: kernels.normal((-1,), seed=0, offset=0), ValueError, r"shape\[0\]"),
    (lambda: kernels.normal(2, seed=None, offset=0), TypeError, "seed"),
    (lambda: kernels.normal(2, seed=0, offset=-1), ValueError, "offset"),
    (lambda: kernels.normal(2, seed=0, offset=2**63), ValueError, "offset"),
    (lambda: kernels.normal(2, seed=0, offset=1.0), TypeError, "offset"),
    (lambda: kernels.normal(2, seed=0, offset=(1, 2, 3)), ValueError, "offset"),
    (lambda: kernels.normal(2, seed=0, offset=(NO_COUNTER, 0)), TypeError, r"offset\[0\]"),
    (lambda: kernels.normal(2, seed=0, offset=(np.zeros(2, int), 0)), ValueError, r"offset\[0\]"),
    (lambda: kernels.normal(2, seed=0, offset=(np.zeros(1, int), -1)), ValueError, r"offset\[1\]"),
    (lambda: kernels.dropout(np.zeros(2), 0.5, seed=0, offset=0), TypeError, "x must be float32"),
    (lambda: kernels.dropout(np.float32([1]), 1.0, seed=0, offset=0), ValueError, "rate"),
    (lambda: kernels.dropout(np.float32([1]), 1 - 1e-12, seed=0, offset=0), ValueError, "rate"),
    (lambda: kernels.dropout(np.float32([1]), -0.1, seed=0, offset=0), ValueError, "rate"),
    (lambda: kernels.dropout(np.float32([1]), "half", seed=0, offset=0), TypeError, "rate"),
    (lambda: kernels.dropout(np.float32([1]), 0.5, seed=2**65, offset=0), ValueError, "seed"),
    (lambda: kernels.dropout(np.float32([1]), 0.5, seed=0, offset="a"), TypeError, "offset"),
    (lambda: kernels.shuffled_indices(0, 0, seed=0, position=0), ValueError, "n is 0"),
    (lambda: kernels.shuffled_indices(2**31 + 1, 0, seed=0, position=0), ValueError, "n is"),
    (lambda: kernels.shuffled_indices(5.0, 1, seed=0, position=0), TypeError, "n must"),
    (lambda: kernels.shuffled_indices(5, -1, seed=0, position=0), ValueError, "count"),
    (lambda: kernels.shuffled_indices(5, 1, seed=-5, position=0), ValueError, "seed"),
    (lambda: kernels.shuffled_indices(5, 1, seed=0, position=-1), ValueError, "position"),
    (lambda: kernels.shuffled_indices(5, 1, seed=0, position=0.5), TypeError, "position"),
    (
        lambda: kernels.shuffled_indices(5, 1, seed=0, position=(NO_COUNTER, 0)),
        TypeError,
        "position",
    ),
    (lambda: kernels.shuffled_indices(5, 1, seed=0, position=0, device=""), ValueError, "device"),
]


@pytest.mark.parametrize("case", range(len(BAD_CALLS)))
def test_bad_input_is_refused_before_anything_ran(case, monkeypatch):
    call, error, message = BAD_CALLS[case]
    monkeypatch.setattr(backend, "native", None)
    with pytest.raises(error, match=message):
        call()
