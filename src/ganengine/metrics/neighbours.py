"""Measures by nearest neighbours: are samples where real ones are, and are real ones where they
are?

Distances are never all in memory: a block of rows at a time, from the engine's own product,
``|a - b|^2 = |a|^2 + |b|^2 - 2 a.b``, where ``|b|^2`` is the bias of a dense layer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganengine import check, kernels
from ganengine.backend import Array
from ganengine.metrics import _checked
from ganengine.metrics._types import Floats, Labels, Singles

_BLOCK = 1 << 22  # distances in memory at once: 16 MiB
_SAME = 1e-6  # a squared distance is rounding where it is less than this share of the points' own


class PrecisionRecall(NamedTuple):
    """Shares from 0 to 1: of samples that look real, and of real ones that could be samples."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """``density`` is about 1 for real data, and has no upper end; ``coverage`` is from 0 to 1."""

    density: float
    coverage: float


class Nearest(NamedTuple):
    """Of each of N examples the nearest one: its row, int64 (N,), and its distance, float64."""

    rows: Labels
    distances: Floats


def precision_recall(real: Array, fake: Array, k: int = 3) -> PrecisionRecall:
    """Are samples within the real data's reach, and real ones within the samples'?

    With ``r_k(x)`` the distance of x to the k-th nearest other one of its own set,
    ``precision = mean_j any_i [d(g_j, x_i) < r_k(x_i)]`` and
    ``recall = mean_i any_j [d(x_i, g_j) < r_k(g_j)]`` (Kynkäänniemi et al. 2019, eq. 1 and 2).

    Args:
        real: x, features (N, F) of real images, of any float dtype, N above ``k``.
        fake: g, the same features of samples (M, F), M above ``k``.
        k: The neighbour whose distance is a point's reach.

    Returns:
        Precision and recall.

    Raises:
        TypeError: They are no arrays of floating point.
        ValueError: A shape does not fit, a feature is not finite, or ``k`` is below 1.

    Example:
        >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> precision_recall(real, np.array([[0.5], [0.6], [9.0]]), k=1)
        PrecisionRecall(precision=0.6666666666666666, recall=0.75)
    """
    x, g = _centred(real, fake, k)
    hits = _within(x, reach(x, k)[0], g)
    return PrecisionRecall(float(np.mean(hits.times > 0)), _covered_by(x, g, reach(g, k)[0]))


def density_coverage(real: Array, fake: Array, k: int = 5) -> DensityCoverage:
    """How many real ones' reach is a sample in, and in how many is there a sample at all?

    ``density = mean_j sum_i [d(g_j, x_i) < r_k(x_i)] / k`` and
    ``coverage = mean_i [min_j d(x_i, g_j) < r_k(x_i)]`` (Naeem et al. 2020, eq. 5 and 7). One real
    outlier's wide reach spoils precision; it hardly changes these.

    Args:
        real, fake, k: As for :func:`precision_recall`; M may be any number above 0.

    Returns:
        Density and coverage.

    Raises:
        TypeError, ValueError: As :func:`precision_recall`.

    Example:
        >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> density_coverage(real, np.array([[0.5], [0.6], [9.0]]), k=1)
        DensityCoverage(density=1.3333333333333333, coverage=0.5)
    """
    x, g = _centred(real, fake, k, least=1)
    hits = _within(x, reach(x, k)[0], g)
    return DensityCoverage(float(np.mean(hits.times) / k), float(np.mean(hits.met)))


def realism(real: Array, fake: Array, k: int = 3) -> Singles:
    """How real each sample looks: the most that a real one's reach is, in units of its distance.

    ``max_i r_k(x_i) / d(g_j, x_i)`` (Kynkäänniemi et al. 2019, eq. 3, of all real ones): above 1
    where the sample counts for the precision.

    Args:
        real, fake, k: As for :func:`density_coverage`.

    Returns:
        float32 (M,); the more, the better; without end for a copy.

    Raises:
        TypeError, ValueError: As :func:`precision_recall`.

    Example:
        >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> realism(real, np.array([[0.5], [7.0]]), k=1)
        array([2.  , 0.25], dtype=float32)
    """
    x, g = _centred(real, fake, k, least=1)
    return _realism(x, reach(x, k)[0], g)


def nearest(fake: Array, train: Array) -> Nearest:
    """Which training image each sample is nearest to, and how near: is it a copy?

    Args:
        fake: Features of samples, or their pixels, (M, F), of any float dtype.
        train: The same of the training data, (N, F).

    Returns:
        Rows of ``train``, and distances in units of the features.

    Raises:
        TypeError: They are no arrays of floating point.
        ValueError: A shape does not fit, or a feature is not finite.

    Example:
        >>> nearest(np.array([[0.5], [5.0]]), np.array([[5.0], [1.0]]))
        Nearest(rows=array([1, 0]), distances=array([0.5, 0. ]))
    """
    t = _checked.features("train", train)
    g = _checked.features("fake", fake, like=t)
    from_, to = _around(t.mean(axis=0), g, t)
    rows = np.concatenate([block.argmin(axis=1) for _, block in _blocks(from_, to)])
    return Nearest(rows, np.linalg.norm(g - t[rows], axis=1))  # exact: a copy's is 0


def copy_limit(train: Array, held_out: Array, share: float = 0.01) -> float:
    """How near to a training image a sample must be to count as a copy, see :func:`copied`.

    Args:
        train: Features of the training images, (N, F), of any float dtype.
        held_out: The same of real images that are not in ``train``, (K, F).
        share: Of these, from 0 to 1, are nearer than that.

    Returns:
        In units of the features.

    Raises:
        TypeError, ValueError: As :func:`nearest`, or ``share`` is no share.

    Example:
        >>> copy_limit(np.zeros((1, 1)), np.array([[1.0], [2.0], [3.0]]), share=0.5)
        2.0
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; expected 0 to 1")
    return float(np.quantile(nearest(held_out, train).distances, share))


def copied(fake: Array, train: Array, limit: float) -> float:
    """How many samples are nearer to a training image than unseen real images hardly ever are.

    ``mean_j [min_i d(g_j, t_i) < limit]``.

    Args:
        fake: g, features of samples, (M, F), of any float dtype.
        train: t, the same of the training images, (N, F).
        limit: That of :func:`copy_limit`, for the same ``train``.

    Returns:
        From 0 to 1: about the limit's share for samples that are no copies, and much more where
        the generator learned images by heart.

    Raises:
        TypeError, ValueError: As :func:`nearest`.

    Example:
        >>> copied(np.array([[1.1], [1.5]]), np.array([[0.0], [1.0]]), limit=0.2)
        0.5
    """
    return float(np.mean(nearest(fake, train).distances < limit))


class Neighbourhood(NamedTuple):
    """Both pairs of measures with their usual k, and the realism of each sample, float32 (M,)."""

    precision_recall: PrecisionRecall
    density_coverage: DensityCoverage
    realism: Singles


def neighbourhood(real: Array, fake: Array, k: int = 3, wide: int = 5) -> Neighbourhood:
    """All measures by neighbours, in half the time that each alone would take.

    Args:
        real, fake, k: As for :func:`precision_recall` and :func:`realism`.
        wide: The k of :func:`density_coverage`.

    Raises:
        TypeError, ValueError: As :func:`precision_recall`.

    Example:
        >>> real = np.arange(8.0)[:, None]
        >>> neighbourhood(real, real + 0.25).density_coverage.coverage
        1.0
    """
    wide = check.integer("wide", wide, low=1)
    x, g = _centred(real, fake, max(k, wide), least=k + 1)
    near, far = reach(x, k, wide)
    hits, broad = _within(x, near, g), _within(x, far, g)
    precision = PrecisionRecall(float(np.mean(hits.times > 0)), _covered_by(x, g, reach(g, k)[0]))
    density = DensityCoverage(float(np.mean(broad.times) / wide), float(np.mean(broad.met)))
    return Neighbourhood(precision, density, _realism(x, near, g))


class _Hits(NamedTuple):
    """In how many real ones' reach each sample is, (M,); whether each of these has one, (N,)."""

    times: Labels
    met: NDArray[np.bool_]


def reach(points: Singles, *ks: int) -> Singles:
    """The squared distance of each point to its k-th nearest other one, 0 where that is a copy.

    Args:
        points: (N, F), N above every k.
        ks: One or more, at least 1.

    Returns:
        float32 (ks, N).

    Example:
        >>> reach(np.array([[0.0], [1.0], [3.0]], "float32"), 1, 2)
        array([[1., 1., 4.],
               [9., 4., 9.]], dtype=float32)
    """
    squares = np.empty((len(ks), len(points)), np.float32)
    places = list(ks)

    def select(rows: slice, block: Singles) -> None:  # the nearest is the point itself
        squares[:, rows] = np.partition(block, places, axis=1)[:, places].T

    with ThreadPoolExecutor(2) as pool:
        pending: deque[Future[None]] = deque()
        for each in _blocks(points, points):  # the next product is made meanwhile
            pending.append(pool.submit(select, *each))
            if len(pending) > 2:
                pending.popleft().result()
        for last in pending:
            last.result()
    norms = _norms(points)
    squares += norms
    return np.where(squares > _SAME * norms, squares, np.float32(0))


def _within(x: Singles, squares: Singles, g: Singles) -> _Hits:
    """Which g are in the reach of which x."""
    times, met = np.zeros(len(g), np.int64), np.zeros(len(x), bool)
    limits = np.where(squares > 0, squares - _norms(x), -np.inf).astype(np.float32)
    for rows, block in _blocks(x, g):
        inside = block < limits[rows, None]
        times += inside.sum(axis=0)
        met[rows] = inside.any(axis=1)
    return _Hits(times, met)


def _realism(x: Singles, squares: Singles, g: Singles) -> Singles:
    """The root of the largest ratio of a squared reach of any x to the squared distance."""
    found = np.zeros(len(g), np.float32)
    for rows, block in _blocks(x, g):
        block += _norms(x[rows])[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = squares[rows, None] / block.clip(min=0)
        np.fmax(found, np.fmax.reduce(shares, axis=0), out=found)
    return np.sqrt(found)


def _covered_by(x: Singles, g: Singles, squares: Singles) -> float:
    """The share of x that are in the reach of any g."""
    return float(np.mean(_within(g, squares, x).times > 0))


def _centred(real: Array, fake: Array, k: int, least: int | None = None) -> list[Singles]:
    """Both, checked, around the mean of ``real``; ``fake`` has ``least`` rows or more."""
    k = check.integer("k", k, low=1)
    x = _checked.features("real", real, least=k + 1)
    g = _checked.features("fake", fake, least=k + 1 if least is None else least, like=x)
    return _around(x.mean(axis=0), x, g)


def _around(centre: Floats, *sets: Floats) -> list[Singles]:
    """As float32 around a centre: small numbers, so that rounding is small."""
    return [(each - centre).astype(np.float32) for each in sets]


def _norms(points: Singles) -> Singles:
    return np.asarray(np.einsum("ij,ij->i", points, points))


def _blocks(a: Singles, b: Singles) -> Iterator[tuple[slice, Singles]]:
    """Rows of ``|b|^2 - 2 a b^T``: squared distances without the rows' own ``|a|^2``."""
    norms = _norms(b)
    height = max(1, _BLOCK // len(b))
    for start in range(0, len(a), height):
        rows = slice(start, start + height)
        yield rows, kernels.dense(np.float32(-2) * a[rows], b, norms)
