from __future__ import annotations

import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from ganengine.cli import _display
from ganengine.cli._display import LiveDisplay, PlainLog, announce_drawn
from ganengine.gan.health import Health

WELL, ILL = Health(()), Health(("it has [collapsed]",))


def trainer(
    step: int = 0, per_epoch: int = 100, shape: tuple[int, ...] = (1, 28, 28)
) -> SimpleNamespace:
    return SimpleNamespace(
        step=step,
        steps_per_epoch=per_epoch,
        columns=("d_loss", "g_loss", "d_real", "penalty"),
        probabilities=frozenset({"d_real"}),
        occasional=frozenset({"penalty"}),
        sample=lambda count: np.ones((count, *shape), np.float32),
    )


def history(steps: int, value: float = 0.5) -> np.ndarray:
    return np.full((steps, 4), value, np.float32) + np.arange(4, dtype=np.float32)


def console(**options: object) -> Console:
    return Console(
        file=io.StringIO(), width=90, height=30, soft_wrap=True, highlight=False, **options
    )


def text(of: Console) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", of.file.getvalue())


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(_display.time, "perf_counter", lambda: clock.now)
    return clock


def test_a_line_at_each_look(clock) -> None:
    screen = console()
    with PlainLog(screen, trainer(), 1000) as log:
        for step in (50, 100, 150, 200):
            clock.now += 2
            log.trained(trainer(step), history(50))
        log.examined(trainer(200), WELL, None)
    assert text(screen) == (
        "step 200/1,000 · epoch 2.0/10.0 · 25 steps/s · 0:32 left"
        " · d_loss 0.500 · g_loss 1.500 · d_real 2.500 · penalty 3.500\n"
    )


def test_a_slow_run_is_not_silent(clock) -> None:
    screen = console()
    log = PlainLog(screen, trainer(per_epoch=2000), 1000)
    for step in range(1, 8):
        clock.now += 4
        log.trained(trainer(step), history(1))
    assert [line[:29] for line in text(screen).splitlines()] == [
        "step 3/1,000 · 0.25 steps/s ·",
        "step 6/1,000 · 0.25 steps/s ·",
    ]


def test_the_speed_is_that_of_late(clock) -> None:
    log = PlainLog(console(), trainer(), 10_000)
    for step in range(100, 1000, 100):
        clock.now += 10
        log.trained(trainer(step), history(100))
    for step in range(1900, 6000, 1000):
        clock.now += 4
        log.trained(trainer(step), history(1000))
    assert log.speed() == pytest.approx(250)


def test_the_numbers_are_means_of_the_latest_hundred_steps() -> None:
    log = PlainLog(console(), trainer(), 1000)
    for value, steps in ((9.0, 500), (1.0, 30), (2.0, 60), (3.0, 10)):
        log.trained(trainer(1), history(steps, value))
    assert log.means()["d_loss"] == pytest.approx((30 * 1 + 60 * 2 + 10 * 3) / 100)


def test_trouble_is_told_once(clock) -> None:
    screen = console()
    log = LiveDisplay(screen, trainer(), 1000)
    for step, verdict in ((1, WELL), (2, ILL), (3, ILL), (4, WELL)):
        log.trained(trainer(step), history(1))
        screen.file = io.StringIO()
        log.examined(trainer(step), verdict, None)
        log.saved(trainer(step), None, best=verdict.ok)
        expected = {
            2: "Step 2: this training is in trouble.\n"
            "  it has [collapsed]\n"
            "  best.safetensors keeps step 1\n",
            4: "Step 4: the training looks healthy again.\n",
        }
        assert text(screen) == expected.get(step, "")


def test_the_live_picture() -> None:
    screen = console(force_terminal=True, color_system="truecolor")
    with LiveDisplay(screen, trainer(), 1000) as display:
        display.trained(trainer(250), history(10))
    found = text(screen)
    assert " 25%" in found
    assert "step 250/1,000 · epoch 2.5/10.0" in found
    assert re.search(r"d_loss +0\.500 *\n", found)
    assert re.search(r"g_loss +1\.500 *\n", found)
    assert re.search(r"d_real +2\.500 +━{20}", found)  # a probability has a bar
    assert re.search(r"penalty +3\.500 *\n", found)
    line = "▀" * 14
    assert max(row.count(line) for row in found.splitlines()) == 5
    assert "\x1b[38;2;255;255;255;48;2;255;255;255m▀" in screen.file.getvalue()


def test_the_live_picture_without_colours() -> None:
    screen = console(force_terminal=True, no_color=True)
    with LiveDisplay(screen, trainer(), 1000) as display:
        display.trained(trainer(250), history(10, np.nan))
    assert "@" * 14 in text(screen)
    assert "nan" in text(screen)


def test_drawn_digits_are_announced_whole() -> None:
    screen = console()
    announce_drawn(screen, "looked " + "here and there " * 20)
    lines = text(screen).splitlines()
    assert max(map(len, lines)) == 90
    assert sum(line.count("there") for line in lines) == 20


def test_what_is_measured_now_and_then_is_a_mean_of_those_times() -> None:
    log = PlainLog(console(), trainer(), 1000)
    rows = history(4)
    rows[1:, 3] = np.nan  # occasional
    rows[1:, 0] = np.nan  # not: the training has diverged
    log.trained(trainer(4), rows)
    found = log.means()
    assert found["penalty"] == pytest.approx(3.5)
    assert np.isnan(found["d_loss"])


def test_a_metric_that_was_not_measured_yet() -> None:
    screen = console()
    log = PlainLog(screen, trainer(), 1000)
    log.trained(trainer(4), history(4, np.nan))
    log.examined(trainer(4), WELL, None)
    assert "penalty nan" in text(screen)


def test_samples_that_are_no_pictures_are_not_drawn() -> None:
    screen = console(force_terminal=True, color_system="truecolor")
    with LiveDisplay(screen, trainer(shape=(1, 8, 8, 8)), 1000) as display:
        display.trained(trainer(250), history(10))
    assert "step 250/1,000" in text(screen)
    assert "▀" not in text(screen)


def test_a_terminal_obeys_nothing_that_is_told() -> None:
    screen = console(force_terminal=True)
    log = PlainLog(screen, trainer(), 1000)
    log.trained(trainer(4), history(4))
    log.examined(trainer(4), Health(("it said \x1b[2J",)), None)
    announce_drawn(screen, "looked in \x1b]0;title\x07\nand there")
    found = screen.file.getvalue()
    assert "it said \\x1b[2J" in found
    assert "\\x1b]0;title\\x07" in found
    assert not any(obeyed in found for obeyed in ("\x1b[2J", "\x1b]", "\x07"))
