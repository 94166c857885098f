"""Measures by neighbours against their definitions, and against the package prdc."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ganengine.metrics import (
    copied,
    copy_limit,
    density_coverage,
    nearest,
    neighbourhood,
    neighbours,
    precision_recall,
    realism,
)

RNG = np.random.default_rng(3)
REAL = RNG.normal(size=(300, 6)).astype("float32")
FAKE = (0.7 * RNG.normal(size=(200, 6)) + 0.4).astype("float32")


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a.astype("f8")[:, None] - b.astype("f8")[None], axis=2)


def own_reach(points: np.ndarray, k: int) -> np.ndarray:
    return np.sort(distances(points, points), axis=1)[:, k]


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_the_definitions(k: int, offset: float) -> None:
    """Also far from the origin, where |a|^2 - 2 a.b + |b|^2 would be mostly rounding."""
    x, g = REAL + np.float32(offset), FAKE + np.float32(offset)
    apart, r_x, r_g = distances(x, g), own_reach(x, k), own_reach(g, k)
    inside = apart < r_x[:, None]
    assert precision_recall(x, g, k) == pytest.approx(
        (inside.any(axis=0).mean(), (apart < r_g[None]).any(axis=1).mean())
    )
    found = density_coverage(x, g, k)
    assert found.density == pytest.approx(inside.sum(axis=0).mean() / k)
    assert found.coverage == pytest.approx((apart.min(axis=1) < r_x).mean())
    expected = (r_x[:, None] / apart).max(axis=0)
    np.testing.assert_allclose(realism(x, g, k), expected, rtol=1e-3)


@pytest.mark.parametrize("k", [3, 5])
def test_it_agrees_with_prdc(k: int) -> None:
    prdc = pytest.importorskip("prdc")
    x, g = RNG.normal(size=(800, 20)), 0.9 * RNG.normal(size=(700, 20)) + 0.1
    expected = prdc.compute_prdc(x, g, k)
    found = precision_recall(x, g, k)._asdict() | density_coverage(x, g, k)._asdict()
    assert found == pytest.approx(expected)


def test_the_published_sanity_values() -> None:
    """Of two samples of one distribution, from prdc's description; draws differ by some percent."""
    x, g = np.random.default_rng(1).normal(size=(2, 10_000, 1000)).astype("float32")
    found = density_coverage(x, g, k=5)
    assert found.density == pytest.approx(1.056, abs=0.1)
    assert found.coverage == pytest.approx(0.974, abs=0.01)


@pytest.mark.parametrize(("k", "wide"), [(3, 5), (4, 2)])
def test_all_at_once_are_the_same_as_each_alone(k: int, wide: int) -> None:
    found = neighbourhood(REAL, FAKE, k, wide)
    assert found.precision_recall == precision_recall(REAL, FAKE, k)
    assert found.density_coverage == density_coverage(REAL, FAKE, wide)
    np.testing.assert_array_equal(found.realism, realism(REAL, FAKE, k))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = precision_recall(REAL, FAKE), density_coverage(REAL, FAKE)
    rows, gaps = nearest(FAKE, REAL)
    monkeypatch.setattr(neighbours, "_BLOCK", 700)
    assert (precision_recall(REAL, FAKE), density_coverage(REAL, FAKE)) == expected
    again = nearest(FAKE, REAL)
    np.testing.assert_array_equal(again.rows, rows)
    np.testing.assert_array_equal(again.distances, gaps)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK", 1 << 18)
    x, g = RNG.normal(size=(2, 3000, 4)).astype("float32")
    tracemalloc.start()
    try:
        precision_recall(x, g)
        density_coverage(x, g)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3000 * 3000 * 4 / 3


def test_one_sample_again_and_again_reaches_nothing() -> None:
    """Its own reach is 0, and the definition's < is strict: rounding must not make it more."""
    collapsed = np.tile(REAL[:1], (50, 1)) + np.float32(1e3)
    found = precision_recall(REAL + np.float32(1e3), collapsed)
    assert found == (1.0, 0.0)
    assert density_coverage(collapsed, collapsed) == (0.0, 0.0)


def test_the_nearest_and_copies() -> None:
    train, held_out = RNG.random((400, 30)), RNG.random((300, 30))
    rows, gaps = nearest(held_out, train)
    apart = distances(held_out, train)
    np.testing.assert_array_equal(rows, apart.argmin(axis=1))
    np.testing.assert_allclose(gaps, apart.min(axis=1))
    assert (nearest(train[7:9], train).distances == 0).all()
    unseen, learned = RNG.random((300, 30)), train[:300] + 1e-3
    limit = copy_limit(train, held_out)
    assert limit == pytest.approx(np.quantile(apart.min(axis=1), 0.01))
    assert copied(unseen, train, limit) < 0.05
    assert copied(np.concatenate([unseen, learned]), train, limit) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("measure", [precision_recall, density_coverage, realism])
@pytest.mark.parametrize(
    ("real", "fake", "k", "error", "message"),
    [
        (REAL.astype(int), FAKE, 3, TypeError, "real must be float16"),
        (REAL, FAKE[0], 3, ValueError, r"fake must have shape \(N, F\)"),
        (REAL, FAKE[:, :5], 3, ValueError, "fake has 5 features, and the others 6"),
        (REAL[:3], FAKE, 3, ValueError, "real must .* N at least 4"),
        (REAL, FAKE[:0], 3, ValueError, "fake must .* N at least"),
        (REAL, FAKE * np.float32(np.nan), 3, ValueError, "fake must be finite"),
        (REAL, FAKE, 0, ValueError, "k is 0|k must be"),
        (REAL, FAKE, 1.5, TypeError, "k "),
    ],
)
def test_bad_features(measure, real, fake, k, error, message) -> None:
    with pytest.raises(error, match=message):
        measure(real, fake, k)


def test_bad_copies() -> None:
    with pytest.raises(ValueError, match="share is 2"):
        copy_limit(FAKE, REAL, share=2)
    with pytest.raises(ValueError, match="train must have shape"):
        nearest(FAKE, REAL[:0])
