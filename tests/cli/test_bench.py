"""``ganengine bench`` on a tiny data set."""

import json
from pathlib import Path

import numpy as np
import pytest

BRIEF = ("--repeats", 2, "--seconds", 0.01, "--images", 500, "--threads", 1)
DENSE = Path(__file__).parents[2] / "bench" / "systems" / "wgan_gp_dense.py"


@pytest.mark.parametrize(
    ("system", "name"), [("mlp-128", "mlp-128"), (DENSE, "wgan-gp-dense"), ("cgan", "cgan")]
)
def test_a_step_is_timed(ganengine_in, tmp_path, system, name) -> None:
    settings = ("--set", "batch_size=10", "--set", "lr=1e-5", "--json", "result.json")
    output, errors = ganengine_in("bench", system, *settings, *BRIEF)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["recipe"] == name
    assert result["settings_of_system"]["lr"] == 1e-5
    assert result["settings"]["batch_size"] == 10
    assert set(result["best"]) == {"ganengine"}
    assert result["flops_per_step"] > 0
    assert f"{name}: one training step, batch 10" in output
    assert "of the measured peak" in output
    assert "MiB of data" in output
    assert "round 2 of 2" in errors


def test_the_result_is_drawn(ganengine_in, tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    output, _ = ganengine_in("bench", "mnist", "--plot", "a.png", *BRIEF)
    assert "captured step" in output
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_data_of_the_users(ganengine_in, tmp_path) -> None:
    np.save(tmp_path / "more.npy", np.zeros((700, 1, 28, 28), "uint8"))
    ganengine_in("bench", "mlp-128", "--data", "more.npy", "--json", "result.json", *BRIEF)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["memory_bytes"]["data"] >= 700 * 784  # more than the made-up 500 images


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nope",), "there is no recipe 'nope'"),
        (("mlp-128", "--set", "lr=x"), "lr=x: expected"),
        (("mlp-128", "--json", "x/a.json"), "there is no folder x"),
        (("mlp-128", "--plot", "a.gif"), "its name must end in .svg or .png"),
        (("mlp-128", "--threads", 9999), "threads is 9999"),
    ],
)
def test_a_bad_request_is_refused_at_once(here, tmp_path, arguments, reason) -> None:
    output, errors = here("bench", *arguments, "--images", 500, code=1)
    assert output == ""
    assert reason in errors
    assert list(tmp_path.iterdir()) == []
