"""A user's file that fails: one clear error with its line, and no run is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from .small_gan import SMALL

TRAIN = ("train", "small.py", "--steps", 2)


def changed(old: str, new: str) -> str:
    assert SMALL.count(old) == 1
    return SMALL.replace(old, new)


def broken(name: str) -> tuple[str, str]:
    """Code that fails, and what is said of it."""
    return {
        "syntax": ("def f(:\n", "small.py, line 1: SyntaxError: "),
        "nulls": ("a\0b", "small.py"),
        "encoding": ("# coding: nope\n", "small.py: SyntaxError: "),
        "import": ("import no_such_module\n", "line 1: ModuleNotFoundError: No module named"),
        "exit": ("raise SystemExit(3)\n", "small.py, line 1: SystemExit: 3"),
        "empty": ("", "small.py: defines no System; it needs one class X(System)"),
        "two": (SMALL + SMALL.replace("Small", "Large"), "defines 2 Systems, Small and Large"),
        "bare": (changed("@dataclass\n", "\n"), "Small has fields (batch_size), but no @dataclass"),
        "value": (
            changed("batch_size: int = 4", "batch_size: int"),
            "batch_size has no value; give",
        ),
        "type": (changed("int = 4", "np.ndarray = None"), "small.py"),
        "post": (
            changed("    epochs = 1", "    def __post_init__(self):\n        oh"),
            "small.py, line 22: NameError: name 'oh' is not defined",
        ),
        "build": (
            changed("self.real = ", "self.real = oh = no + "),
            "small.py, line 24: NameError: name 'no' is not defined",
        ),
        "step": (
            changed('{"c_loss": c_loss,', '{"c_loss": loss,'),
            "small.py, line 38: NameError: name 'loss' is not defined",
        ),
        "metric": (changed('"c_loss": c_loss', '"c_loss": 3.0'), "metric c_loss must be a Tensor"),
        "sample": (changed("(count, 3)", "(many, 3)"), "small.py, line 41: NameError: name 'many'"),
        "count": (
            changed("self.normal(count, 3)).reshape(count,", "self.normal(9, 3)).reshape(9,"),
            "sample of small must give a Tensor of 1 images, got (9, 1, 28, 28)",
        ),
        "stale": (
            changed(
                "c_loss = self.critic(fake)",
                'c_loss = self.critic(fake + nn.Tensor(np.ones((4, 1, 28, 28), "float32")))',
            )
            .replace("import Adam, System", "import Adam, System, Tensor")
            .replace("nn.T", "T"),
            "line 34: binary got an array of shape (4, 1, 28, 28) that is neither in state nor",
        ),
        "column": (changed('"image"', '"voxel"'), "learns from the column 'voxel', which digits"),
        "shape": (changed("    epochs = 1", "    image_shape = (1, 8, 8)"), "shape (1, 8, 8)"),
        "epochs": (changed("    epochs = 1", "    epochs = 'many'"), "epochs is 'many'; expected"),
        "data": (changed("    epochs = 1", "    default_data = 5"), "AttributeError"),
    }[name]


NAMES = [
    "syntax",
    "nulls",
    "encoding",
    "import",
    "exit",
    "empty",
    "two",
    "bare",
    "value",
    "post",
    "build",
    "step",
    "metric",
    "sample",
    "count",
    "stale",
    "column",
    "shape",
    "epochs",
    "data",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_fails_is_told_in_a_line(here, small, digits, name) -> None:
    code, reason = broken(name)
    small.write_text(code)
    steps = () if name == "epochs" else ("--steps", 2)
    data = () if name == "data" else ("--data", digits)
    output, errors = here("train", "small.py", *data, *steps, code=1)
    assert output == ""
    assert reason in errors
    assert errors.startswith("error: ")
    assert "Traceback" not in errors
    assert len(errors.splitlines()) <= 2
    assert not Path("runs").exists()


def test_a_value_that_no_json_keeps(here, small, digits) -> None:
    small.write_text(changed('title: str = "small"', "title: object = np.float32"))
    _, errors = here(*TRAIN, "--data", digits, code=1)
    assert "title is <class 'numpy.float32'>; a setting is a number, text" in errors
    assert not Path("runs").exists()


def test_code_that_fails_while_it_trains(here, small, digits) -> None:
    small.write_text(SMALL + "\n    def problems(self, metrics):\n        return metrics['oh']\n")
    _, errors = here(*TRAIN, "--data", digits, code=1)
    assert "small.py, line 44: KeyError: 'oh'" in errors
