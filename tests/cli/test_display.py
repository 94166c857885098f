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


def gan(step: int) -> SimpleNamespace:
    recipe = SimpleNamespace(image_shape=(1, 28, 28))
    return SimpleNamespace(
        step=step, recipe=recipe, sample=lambda count: np.ones((count, 1, 28, 28), np.float32)
    )


def history(steps: int, value: float = 0.5) -> np.ndarray:
    return np.full((steps, 4), value, np.float32) + np.arange(4, dtype=np.float32)


def console(**options: object) -> Console:
    return Console(file=io.StringIO(), width=90, height=30, soft_wrap=True, **options)


def text(of: Console) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", of.file.getvalue())


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(_display.time, "perf_counter", lambda: clock.now)
    return clock


def test_a_line_at_each_look(clock) -> None:
    screen = console()
    with PlainLog(screen, 1000, 100) as log:
        for step in (50, 100, 150, 200):
            clock.now += 2
            log.trained(gan(step), history(50))
        log.examined(gan(200), WELL, None)
    assert text(screen) == (
        "step 200/1,000 · epoch 2.0/10.0 · 25 steps/s · 0:32 left"
        " · d_loss 0.500 · g_loss 1.500 · D(x) 2.50 · D(G(z)) 3.50\n"
    )


def test_a_slow_run_is_not_silent(clock) -> None:
    screen = console()
    log = PlainLog(screen, 1000, 2000)
    for step in range(1, 8):
        clock.now += 4
        log.trained(gan(step), history(1))
    assert [line[:29] for line in text(screen).splitlines()] == [
        "step 3/1,000 · 0.25 steps/s ·",
        "step 6/1,000 · 0.25 steps/s ·",
    ]


def test_the_speed_is_that_of_late(clock) -> None:
    log = PlainLog(console(), 10_000, 100)
    for step in range(100, 1000, 100):
        clock.now += 10
        log.trained(gan(step), history(100))
    for step in range(1900, 6000, 1000):
        clock.now += 4
        log.trained(gan(step), history(1000))
    assert log.speed() == pytest.approx(250)


def test_the_numbers_are_means_of_the_latest_hundred_steps() -> None:
    log = PlainLog(console(), 1000, 100)
    for value, steps in ((9.0, 500), (1.0, 30), (2.0, 60), (3.0, 10)):
        log.trained(gan(1), history(steps, value))
    assert log.means()[0] == pytest.approx((30 * 1 + 60 * 2 + 10 * 3) / 100)


def test_trouble_is_told_once(clock) -> None:
    screen = console()
    log = LiveDisplay(screen, 1000, 100)
    for step, verdict in ((1, WELL), (2, ILL), (3, ILL), (4, WELL)):
        log.trained(gan(step), history(1))
        screen.file = io.StringIO()
        log.examined(gan(step), verdict, None)
        log.saved(gan(step), None)
        expected = {
            2: "Step 2: this training is in trouble.\n"
            "  it has [collapsed]\n"
            "  best.safetensors keeps step 1\n",
            4: "Step 4: the training looks healthy again.\n",
        }
        assert text(screen) == expected.get(step, "")


def test_the_live_picture() -> None:
    screen = console(force_terminal=True, color_system="truecolor")
    with LiveDisplay(screen, 1000, 100) as display:
        display.trained(gan(250), history(10))
    found = text(screen)
    assert " 25%" in found
    assert "step 250/1,000 · epoch 2.5/10.0" in found
    assert re.search(r"discriminator loss +0\.500 +D\(x\) +2\.50", found)
    assert re.search(r"generator loss +1\.500 +D\(G\(z\)\) +3\.50", found)
    line = "▀" * 14
    assert max(row.count(line) for row in found.splitlines()) == 5
    assert "\x1b[38;2;255;255;255;48;2;255;255;255m▀" in screen.file.getvalue()


def test_the_live_picture_without_colours() -> None:
    screen = console(force_terminal=True, no_color=True)
    with LiveDisplay(screen, 1000, 100) as display:
        display.trained(gan(250), history(10, np.nan))
    assert "@" * 14 in text(screen)
    assert "nan" in text(screen)


def test_drawn_digits_are_announced_whole() -> None:
    screen = console()
    announce_drawn(screen, "looked " + "here and there " * 20)
    lines = text(screen).splitlines()
    assert max(map(len, lines)) == 90
    assert sum(line.count("there") for line in lines) == 20
