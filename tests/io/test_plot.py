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


def test_every_curve_has_a_colour_of_its_own(tmp_path) -> None:
    colours = [plot._colour(number) for number in range(40)]
    assert len(set(colours)) == 40
    curves = {f"loss_{number}": np.full(9, float(number)) for number in range(12)}
    plot.save_plot(tmp_path / "a.png", {"Loss": curves})
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[1] > 310  # the names take a second row
        pixels = np.asarray(image).astype(int)
    for colour in colours[:12]:
        rgb = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        there = np.abs(pixels - rgb).sum(axis=2) < 30
        assert there[-270:].any(axis=0).sum() > 700  # along the whole panel
        assert there[:-270].any()  # and beside its name


def test_the_names_of_two_curves_take_no_second_row() -> None:
    assert plot._legend("Loss", ["generator", "critic"]) == [[(0, "generator"), (1, "critic")]]
    rows = plot._legend("Loss", [f"{'long' * 8}_{number}" for number in range(9)])
    assert [number for row in rows for number, _ in row] == list(range(9))
    assert len(rows) > 1
    assert plot._legend("Loss", ["endless" * 100]) == [[(0, "endless" * 100)]]


def test_a_curve_that_is_measured_now_and_then(tmp_path) -> None:
    every = np.full(1600, np.nan, np.float32)
    every[15::16] = np.linspace(0, 10, 100)
    plot.save_plot(tmp_path / "a.png", {"Phase": {"r1": every, "never": np.full(1600, np.nan)}})
    found = line(tmp_path / "a.png")
    assert len(found) == pytest.approx(885, abs=15)  # without a gap
    assert found[max(found)] == pytest.approx(55, abs=6)


def test_panels_show_the_same_steps(tmp_path) -> None:
    once = np.full(1000, np.nan)
    once[499] = 1.0
    plot.save_plot(tmp_path / "a.png", {"Once": {"a": once}})
    found = line(tmp_path / "a.png")
    assert (min(found) + max(found)) / 2 == pytest.approx((75 + 970) / 2, abs=3)


def test_a_panel_without_curves(tmp_path) -> None:
    plot.save_plot(tmp_path / "a.png", {"Empty": {}})
    assert (tmp_path / "a.png").exists()
