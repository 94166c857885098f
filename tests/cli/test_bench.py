"""``ganengine bench`` in a process of its own, on a tiny data set."""

import json
from operator import le

import pytest

BRIEF = ("--repeats", 2, "--seconds", 0.01, "--images", 500, "--threads", 1, "--quick")


@pytest.mark.parametrize(
    ("framework", "name"), [("torch", "PyTorch"), ("jax", "JAX"), ("keras", "Keras")]
)
def test_a_framework_is_timed(ganengine_in, tmp_path, framework, name) -> None:
    package = "tensorflow" if framework == "keras" else framework
    pytest.importorskip(package, reason=f"{package} is not installed")
    output, errors = ganengine_in(
        "bench", "mlp-128", "--against", framework, "--json", "result.json", *BRIEF
    )
    result = json.loads((tmp_path / "result.json").read_text())
    assert set(result["best"]) == {"ganengine", framework}
    tolerance = result["check"]["tolerance"]
    for contestant in result["contestants"]:
        assert all(map(le, contestant["loss_differences"], tolerance))
    assert f"times as fast as {name}" in output
    assert "round 2 of 2" in errors


def test_this_engine_alone(ganengine_in, tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    output, _ = ganengine_in("bench", "mnist", "--against", "", "--plot", "a.png", *BRIEF, code=1)
    assert output == ""
    more = ("--images", 1000)
    output, _ = ganengine_in("bench", "mnist", "--against", "", "--plot", "a.png", *BRIEF, *more)
    assert "captured step" in output
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nope",), "there is no recipe 'nope'"),
        (("mlp-128", "--against", "mxnet"), "against is 'mxnet'; it can be torch, jax, keras"),
        (("mlp-128", "--json", "x/a.json"), "there is no folder x"),
        (("mlp-128", "--plot", "a.gif"), "its name must end in .svg or .png"),
    ],
)
def test_a_bad_request_is_refused_at_once(ganengine_in, tmp_path, arguments, reason) -> None:
    output, errors = ganengine_in("bench", *arguments, "--images", 500, code=1)
    assert output == ""
    assert reason in errors
    assert list(tmp_path.iterdir()) == []
