"""The page on writing a GAN of one's own tells the truth: its example trains as it is printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganengine import Trainer
from ganengine.data import drawn_digits

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def names(blocks: list[str]) -> dict[str, Any]:
    """What the page's code leaves behind."""
    found: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), found)
    return found


def test_it_trains_and_samples(names: dict[str, Any]) -> None:
    assert list(names["history"]) == ["critic_loss", "generator_loss"]
    assert all(values.shape == (3,) for values in names["history"].values())
    assert all(np.isfinite(values).all() for values in names["history"].values())
    assert names["digits"].shape == (100, 1, 28, 28)


def test_captured_is_eager(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANENGINE_REWRITES", "exact")  # the others change the order of sums
    captured, eager = (Trainer(names["WganGp"](), drawn_digits(200), seed=3) for _ in range(2))
    captured.train(2)
    eager.run_eagerly(2)
    for name, array in captured.state_dict().items():
        np.testing.assert_array_equal(array, eager.state_dict()[name], err_msg=name)


def test_an_own_gan_is_one_file(blocks: list[str], tmp_path: Path) -> None:
    from ganengine.gan import find

    file = tmp_path / "my_gan.py"
    file.write_text(blocks[0], encoding="utf-8")
    assert find.system_in(find.read(file)).name == "my-gan"
