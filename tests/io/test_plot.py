from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ganengine.io import plot

BLUE = np.array([0x1F, 0x6F, 0xEB])


def line(path) -> dict[int, float]:
    """For each column of the picture that holds the first curve: its mean row."""
    with Image.open(path) as image:
        near = np.abs(np.asarray(image).astype(int) - BLUE).sum(axis=2) < 30
    near[:50] = False  # the legend
    return {int(x): float(np.flatnonzero(near[:, x]).mean()) for x in np.flatnonzero(near.any(0))}


def test_a_rising_curve_rises(tmp_path) -> None:
    plot.save_plot(tmp_path / "a.png", {"Loss": {"d": np.linspace(0, 10, 1000)}})
    found = line(tmp_path / "a.png")
    left, right = min(found), max(found)
    assert left == pytest.approx(75, abs=6)
    assert right == pytest.approx(970, abs=6)
    assert found[left] == pytest.approx(265, abs=6)  # 0 is at the bottom of the panel
    assert found[right] == pytest.approx(55, abs=6)  # and 10 at its top
    middle = min(found, key=lambda x: abs(x - (left + right) / 2))
    assert found[middle] == pytest.approx(160, abs=6)


def test_one_panel_below_the_other(tmp_path) -> None:
    curves = {"a": np.ones(3), "b": np.zeros(3)}
    plot.save_plot(tmp_path / "a.png", {"One": curves, "Two": curves})
    with Image.open(tmp_path / "a.png") as image:
        upper, lower = np.split(np.asarray(image), 2)
    assert (upper != lower).any()
    # Halving the picture blurs a little of one panel into the other's first rows.
    np.testing.assert_allclose(upper[60:-9], lower[60:-9], atol=2)


@pytest.mark.parametrize(
    "values", [[], [1.0], [0.0, 0.0], [np.nan, 1.0, np.inf], [np.nan], [-3e9, 1e-9], [1e30] * 3]
)
def test_any_values_can_be_drawn(tmp_path, values) -> None:
    plot.save_plot(tmp_path / "a.png", {"Loss": {"d": np.array(values), "g": np.zeros(2)}})
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 5616, [0, 2000, 4000, 6000]), (-1.5, 4, range(-2, 5))],
)
def test_ticks_are_round(low, high, expected) -> None:
    assert plot._ticks(low, high) == pytest.approx(list(expected))


def test_means_of_neighbours() -> None:
    values = np.arange(641.0)
    values[5] = np.nan
    found = plot._summary(values)
    assert len(found) == 320
    np.testing.assert_array_equal(found[0], [1.5, 0.5, 0, 1])  # step, mean, lowest, highest
    np.testing.assert_array_equal(found[2], [6.0, 5.0, 4, 6])  # without the step that is NaN
