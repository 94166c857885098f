"""Digits drawn from strokes: labelled images that need no file and no network.

Each digit's strokes (`_glyphs`) are smooth curves through a few points. The points are shaken and
bent, the curves slanted, turned, stretched and fitted to a box as MNIST does, and every pixel is
inked by its distance to them. Nothing but the seed is random: it gives the same bits each run.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ganengine.data._dataset import DataError, Dataset
from ganengine.data._glyphs import GLYPHS

SIZE = 28
_BOX = 20.0  # MNIST fits a digit into 20 x 20 pixels, then puts its centre of mass in the middle
_CENTRE = 14.0
_CHUNK = 500  # images at a time: 50 of each digit; small enough for the cache of a core
_SEGMENTS = 32
_FADE = 0.8  # ink fades from this far inside a stroke's edge to this far outside, in pixels

_Floats = NDArray[np.float32]


class _Pen(NamedTuple):
    """What turns a glyph's points into line segments, for all glyphs at once.

    points: (G, P, 2) the points of each glyph, padded with zeros.
    starts, ends: (G, S, P) weights: segment s of glyph g goes from `starts[g, s] @ points[g]` to
        `ends[g, s] @ points[g]`.
    """

    points: _Floats
    starts: _Floats
    ends: _Floats


def drawn_digits(count: int, seed: int = 0) -> Dataset:
    """Draw labelled 28 x 28 digits, white on black, that look as if written by hand.

    Every 500 consecutive images hold each digit 50 times, in random order. A longer run with the
    same seed begins with the same images.

    Args:
        count: How many images, at least 1.
        seed: Another seed gives other images; 0 or more.

    Returns:
        Images ``(count, 1, 28, 28)``, uint8, and labels ``(count,)``, int64.

    Raises:
        DataError: ``count`` is below 1 or ``seed`` below 0.

    Example:
        >>> digits = drawn_digits(20, seed=1)
        >>> digits.images.shape, digits.labels.shape
        ((20, 1, 28, 28), (20,))
    """
    if count < 1 or seed < 0:
        raise DataError(f"count is {count} and seed is {seed}; expected 1 or more and 0 or more")
    images = np.empty((count, 1, SIZE, SIZE), np.uint8)
    labels = np.empty(count, np.int64)
    for start in range(0, count, _CHUNK):
        rng = np.random.default_rng([seed, start // _CHUNK])
        part = slice(start, min(start + _CHUNK, count))
        size = part.stop - start
        digits = rng.permutation(np.arange(_CHUNK) % 10)
        labels[part] = digits[:size]
        images[part, 0] = _ink(*_place(rng, *_write(rng, digits)))[:size]
    source = f"digits drawn from strokes by ganengine, seed {seed}"
    return Dataset("drawn", {"image": images, "label": labels}, source)


def _write(rng: np.random.Generator, digits: NDArray[np.int64]) -> tuple[_Floats, _Floats]:
    """Choose a way to write each digit, and vary it; give its segments, (B, S, 2) each end."""
    pen = _pen()
    shares = np.array([glyph.share for glyph in GLYPHS])
    owners = np.array([glyph.digit for glyph in GLYPHS])
    pick = rng.random(len(digits))
    glyph = np.zeros(len(digits), np.int64)
    for digit in range(10):
        (ways,) = np.nonzero(owners == digit)
        upto = np.cumsum(shares[ways]) / shares[ways].sum()
        mine = digits == digit
        glyph[mine] = ways[np.searchsorted(upto, pick[mine])]

    points = pen.points[glyph]
    batch = (len(digits), 1)
    # Bend: a slow wave along each axis moves neighbouring points together.
    for axis in (0, 1):
        wave = _normal(rng, 0.045, batch)
        phase = rng.uniform(0, 2 * np.pi, batch).astype(np.float32)
        pitch = rng.uniform(3, 6, batch).astype(np.float32)
        points[:, :, axis] += wave * np.sin(pitch * points[:, :, 1 - axis] + phase)
    # Proportion: a larger upper or lower half.
    y = points[:, :, 1].clip(0, 1)
    points[:, :, 1] += _normal(rng, 0.3, batch) * y * (1 - y)
    points += _normal(rng, 0.022, points.shape)

    slant, turn = _normal(rng, 0.19, batch) - 0.16, _normal(rng, 0.1, batch)
    stretch = np.exp(_normal(rng, 0.2, batch))
    x, y = points[:, :, 0] * stretch, points[:, :, 1]
    x = x + slant * y
    cos, sin = np.cos(turn), np.sin(turn)
    points = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
    return pen.starts[glyph] @ points, pen.ends[glyph] @ points


def _place(
    rng: np.random.Generator, starts: _Floats, ends: _Floats
) -> tuple[_Floats, _Floats, _Floats]:
    """Fit segments to the box in pixels; give starts, ends (B, S, 2) and half thickness (B, S)."""
    batch, segments, _ = starts.shape
    radius = 1.25 * np.exp(_normal(rng, 0.22, (batch, 1)))
    along = np.linspace(0, 1, segments, dtype=np.float32)
    phase = rng.uniform(0, 2 * np.pi, (batch, 1)).astype(np.float32)
    pressure = 1 + _normal(rng, 0.1, (batch, 1)) * np.sin(5 * along + phase)

    low = np.minimum(starts.min(axis=1), ends.min(axis=1))
    high = np.maximum(starts.max(axis=1), ends.max(axis=1))
    room = _BOX * np.exp(_normal(rng, 0.03, (batch, 1))) - 2 * radius
    scale = room / (high - low).max(axis=1, keepdims=True)
    starts, ends = starts * scale[:, :, None], ends * scale[:, :, None]

    length = np.linalg.norm(ends - starts, axis=2, keepdims=True)
    middle = ((starts + ends) * length).sum(axis=1) / (2 * length.sum(axis=1))
    shift = _CENTRE + _normal(rng, 0.3, (batch, 2)) - middle
    margin = radius * pressure.max(axis=1, keepdims=True) + _FADE  # no ink may leave the image
    shift = np.clip(shift, margin - low * scale, SIZE - 1 - margin - high * scale)[:, None]
    return starts + shift, ends + shift, radius * pressure


def _ink(starts: _Floats, ends: _Floats, radius: _Floats) -> NDArray[np.uint8]:
    """Ink (B, S) segments: (B, 28, 28) pixels, white inside the strokes, black outside."""
    batch, segments, _ = starts.shape
    depth = np.full((batch, SIZE, SIZE), _FADE, np.float32)  # distance to the nearest edge
    each = np.arange(batch)
    for s in range(segments):
        start, along, reach = starts[:, s], ends[:, s] - starts[:, s], radius[:, s]
        # Only a window around the segment can change; one window size for all images.
        low = np.minimum(start, ends[:, s]) - (reach + _FADE)[:, None]
        span = np.abs(along).max(axis=1) + 2 * (reach + _FADE)
        window = min(SIZE, int(np.ceil(span.max())) + 1)
        corner = np.clip(np.floor(low).astype(np.int64), 0, SIZE - window)
        near = sliding_window_view(depth, (window, window), axis=(1, 2), writeable=True)

        # (B, 1, W) and (B, W, 1): each pixel's offset from the segment's start.
        offset = np.arange(window, dtype=np.float32) + (corner - start)[:, :, None]
        x, y = offset[:, 0, None, :], offset[:, 1, :, None]
        ax, ay = along[:, 0, None, None], along[:, 1, None, None]
        inverse = 1 / np.maximum(ax * ax + ay * ay, 1e-6)
        t = np.clip((x * ax) * inverse + (y * ay) * inverse, 0, 1)
        distance = np.sqrt((x - t * ax) ** 2 + (y - t * ay) ** 2) - reach[:, None, None]
        where = (each, corner[:, 1], corner[:, 0])
        near[where] = np.minimum(near[where], distance)
    ink = np.clip(0.5 - depth / (2 * _FADE), 0, 1)
    pixels: NDArray[np.uint8] = np.rint(ink * ink * (3 - 2 * ink) * 255).astype(np.uint8)
    return pixels


def _normal(rng: np.random.Generator, sigma: float, shape: tuple[int, ...]) -> _Floats:
    """Normal noise, cut at 2.5 sigma so that no digit becomes unreadable."""
    return np.float32(sigma) * rng.standard_normal(shape, np.float32).clip(-2.5, 2.5)


@cache
def _pen() -> _Pen:
    parsed = [_parse(glyph.strokes) for glyph in GLYPHS]
    most = max(len(points) for points, _ in parsed)
    padded, starts, ends = [], [], []
    for points, strokes in parsed:
        padded.append(np.pad(points, ((0, most - len(points)), (0, 0))))
        start, end = _segments(points, strokes)
        starts.append(np.pad(start, ((0, 0), (0, most - len(points)))))
        ends.append(np.pad(end, ((0, 0), (0, most - len(points)))))
    return _Pen(*(np.stack(part).astype(np.float32) for part in (padded, starts, ends)))


def _parse(strokes: tuple[str, ...]) -> tuple[NDArray[np.float64], list[list[int]]]:
    """The different points of a glyph (P, 2), and each stroke as indices into them."""
    corners = [stroke.split() for stroke in strokes]
    different = list(dict.fromkeys(corner for stroke in corners for corner in stroke))
    points = np.array([[int(number) for number in corner.split(",")] for corner in different])
    return points / 100, [[different.index(corner) for corner in stroke] for stroke in corners]


def _segments(
    points: NDArray[np.float64], strokes: list[list[int]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut strokes into pieces of about one length: weights (S, P) of their starts and ends."""
    fine = [
        _spline(stroke, np.linspace(0, len(stroke) - 1, 400), len(points)) for stroke in strokes
    ]
    steps = [np.linalg.norm(np.diff(curve @ points, axis=0), axis=1) for curve in fine]
    lengths = np.array([step.sum() for step in steps])
    cuts = np.rint(np.cumsum(lengths) / lengths.sum() * _SEGMENTS).astype(int)
    starts, ends = [], []
    for stroke, step, pieces in zip(strokes, steps, np.diff(cuts, prepend=0), strict=True):
        travelled = np.concatenate([[0], np.cumsum(step)])
        wanted = np.linspace(0, travelled[-1], pieces + 1)
        at = np.interp(wanted, travelled, np.linspace(0, len(stroke) - 1, len(travelled)))
        knots = _spline(stroke, at, len(points))
        starts.append(knots[:-1])
        ends.append(knots[1:])
    return np.concatenate(starts), np.concatenate(ends)


def _spline(stroke: list[int], at: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Catmull-Rom weights: row k of the result, times the points, is the curve at `at[k]`.

    Between points 1 and 2 of four neighbours, at t from 0 to 1, their weights are
    ((-t^3 + 2t^2 - t), (3t^3 - 5t^2 + 2), (-3t^3 + 4t^2 + t), (t^3 - t^2)) / 2.
    """
    weights = np.zeros((len(at), points))
    last = len(stroke) - 1
    span = np.minimum(at.astype(int), last - 1)
    for row, i, t in zip(weights, span, at - span, strict=True):
        before, one, two, after = (
            (-(t**3) + 2 * t**2 - t) / 2,
            (3 * t**3 - 5 * t**2 + 2) / 2,
            (-3 * t**3 + 4 * t**2 + t) / 2,
            (t**3 - t**2) / 2,
        )
        row[stroke[i]] += one
        row[stroke[i + 1]] += two
        closed = stroke[0] == stroke[last]
        for weight, j, edge, inner in ((before, i - 1, 0, 1), (after, i + 2, last, last - 1)):
            if 0 <= j <= last:
                row[stroke[j]] += weight
            elif closed:
                row[stroke[last - 1 if j < 0 else 1]] += weight
            else:  # beyond an open end, the curve goes on as it came
                row[stroke[edge]] += 2 * weight
                row[stroke[inner]] -= weight
    return weights
