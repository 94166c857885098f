from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from ganengine.io import Run, RunError


def test_it_is_found_again(tmp_path) -> None:
    run = Run.create(tmp_path / "deep" / "run", {"seed": 3, "keep": 5})
    run.configure(steps=100)
    found = Run.open(run.folder)
    assert found.config == {"seed": 3, "keep": 5, "steps": 100}
    assert found.checkpoints.keep == 5


def test_a_folder_holds_one_run(tmp_path) -> None:
    Run.create(tmp_path, {"seed": 1})
    with pytest.raises(RunError, match="holds a run already"):
        Run.create(tmp_path, {"seed": 2})
    assert Run.open(tmp_path).config == {"seed": 1}


def test_no_run(tmp_path) -> None:
    with pytest.raises(RunError, match=r"holds no run .*no config\.json"):
        Run.open(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", json.dumps({"format": "other"}), "\xff"])
def test_a_config_of_something_else(tmp_path, text) -> None:
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(RunError, match=r"config\.json: (damaged|not the config)"):
        Run.open(tmp_path)


def test_samples_and_plot(tmp_path) -> None:
    run = Run.create(tmp_path, {})
    path = run.save_samples(12, np.zeros((4, 1, 8, 8)))
    assert path == tmp_path / "samples" / "step-00000012.png"
    with Image.open(path) as image:
        assert image.format == "PNG"
    with Image.open(run.save_plot({"Loss": {"d": np.arange(5.0)}})) as image:
        assert image.size == (1000, 310)
