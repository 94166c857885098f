"""A GAN of one's own: a file is written, changed, trained, sampled, exported, and gone on with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganengine import recipes

from .small_gan import SMALL

TRAIN = ("train", "small.py", "--steps", 2)


@pytest.mark.parametrize("recipe", recipes.names())
def test_a_copy_of_each_recipe_trains_at_once(here, tmp_path, digits, recipe) -> None:
    output, _ = here("new", "my_gan.py", "--from", recipe)
    assert (
        output == f"my_gan.py is a copy of {recipe}. Train it with\n  ganengine train my_gan.py\n"
    )
    data = digits
    if recipe == "dcgan-64":
        data = tmp_path / "photos"
        data.mkdir()
        for number in range(4):
            Image.effect_noise((70, 80), 90).convert("RGB").save(data / f"{number}.png")
    batch = ("--set", "batch_size=4")
    output, errors = here("train", "my_gan.py", "--data", data, "--steps", 3, *batch)
    assert "Done: step 3" in output
    assert errors == ""
    assert json.loads(Path("runs/my-gan/config.json").read_text())["settings"]["batch_size"] == 4
    here("sample", "runs/my-gan", "-n", 4, "--out", "a.npy")
    images = np.load("a.npy")
    assert images.shape == (4, *recipes.get(recipe).image_shape)
    assert np.isfinite(images).all()
    output, _ = here("recipes", "my_gan.py")
    assert "--set NAME=VALUE" in output


def test_a_file_that_is_there_stays(here, small) -> None:
    _, errors = here("new", "small.py", code=1)
    assert errors == "error: small.py: is there already; choose another name\n"
    assert small.read_text() == SMALL


def test_settings(here, small, digits) -> None:
    texts = ("lr=2e-4", "averaged=yes", "title=a=b", "limit=7", "widths=1, 2,3", "kind=wide")
    options = [part for text in texts for part in ("--set", text)]
    here(*TRAIN, "--data", digits, *options)
    settings = json.loads(Path("runs/small/config.json").read_text())["settings"]
    assert settings == {
        "batch_size": 4,
        "lr": 2e-4,
        "averaged": True,
        "title": "a=b",
        "limit": 7,
        "widths": [1, 2, 3],
        "kind": "wide",
    }
    here("train", "--resume", "runs/small", "--steps", 3)  # also the tuple is the same again
    here(*TRAIN, "--data", digits, "--set", "limit=none", "--set", "averaged=0", "--out", "b")
    settings = json.loads(Path("b/config.json").read_text())["settings"]
    assert (settings["limit"], settings["averaged"]) == (None, False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lr", "'lr' is no setting; one is written NAME=VALUE"),
        ("lrr=1", "small has no setting 'lrr'; did you mean lr?"),
        ("colour=1", "small has no setting 'colour'; there are batch_size, lr, averaged"),
        ("batch_size=2.5", "batch_size=2.5: expected a whole number"),
        ("lr=fast", "lr=fast: expected a number"),
        ("lr=nan", "lr=nan: expected a number"),
        ("averaged=2", "averaged=2: expected true or false"),
        ("limit=many", "limit=many: expected a whole number or none"),
        ("widths=1,b", "widths=1,b: expected numbers with commas between"),
        ("kind=tall", "kind=tall: expected plain or wide"),
        ("=3", "small has no setting ''"),
    ],
)
def test_settings_that_do_not_fit(here, small, digits, text, reason) -> None:
    output, errors = here(*TRAIN, "--data", digits, "--set", text, code=1)
    assert output == ""
    assert errors.startswith(f"error: {reason}")
    assert not Path("runs").exists()


def test_what_can_be_set_is_shown(here, small) -> None:
    output, _ = here("recipes", "small.py")
    for words in (
        "small\n",
        "A small GAN.",
        "kind",
        "plain or wide",
        "generator",
        "3,136",
        "1 epoch",
    ):
        assert words in output
    output, _ = here("recipes", "wgan-gp")
    assert "critic_steps" in output
    output, _ = here("recipes")
    assert (
        re.findall(r"^([\w-]+) ", output, re.MULTILINE)[: len(recipes.names())] == recipes.names()
    )


def test_a_file_that_is_none(here, tmp_path) -> None:
    (tmp_path / "folder.py").mkdir()
    assert "is no regular file" in here("train", "folder.py", code=1)[1]
    (tmp_path / "long.py").write_bytes(b"#" * 2**21)
    assert "larger than" in here("train", "long.py", code=1)[1]
    (tmp_path / "loop.py").symlink_to("loop.py")
    assert "loop.py" in here("train", "loop.py", code=1)[1]
    (tmp_path / "my.py").touch()
    assert "give its whole name" in here("train", "my", code=1)[1]


def test_the_name_of_a_recipe_wins(here, tmp_path, digits) -> None:
    (tmp_path / "mlp-128").write_text(SMALL)
    (tmp_path / "mlp-128.py").write_text(SMALL)
    here("train", "mlp-128", "--steps", 1, "--data", digits)
    assert json.loads(Path("runs/mlp-128/config.json").read_text())["code"] is None


def test_it_is_sampled_exported_and_gone_on_with(here, small, digits) -> None:
    here(*TRAIN, "--data", digits, "--out", "run")
    assert Path("run/system.py.txt").read_text() == SMALL
    output, _ = here("train", "--resume", "run", "--steps", 4)
    assert "going on from step 2" in output
    assert f"from {small}\n" in output
    here("train", "small.py", "--resume", "run", "--steps", 5)
    here("sample", "run", "-n", 3, "--out", "a.npy")
    assert np.load("a.npy").shape == (3, 1, 28, 28)
    output, _ = here("export", "run", "--weights", "g.safetensors")
    assert output == "the weights of generator of step 5 are in g.safetensors\n"
    pytest.importorskip("onnx")
    output, _ = here("export", "run", "--onnx", "g.onnx")
    assert "takes normal noise (batch, 3), gives images (batch, 1, 28, 28) from -1 to 1" in output
    output, _ = here(
        "export", "run", "--onnx", "c.onnx", "--network", "critic", "--input-shape", "1,28,28"
    )
    assert "takes numbers (batch, 1, 28, 28)\n" in output


def test_a_file_that_has_changed(here, small, digits) -> None:
    here(*TRAIN, "--data", digits, "--out", "run")
    small.write_text(SMALL + "# another")
    export = ("export", "--weights", "a.safetensors")
    for command in (("sample",), export, ("train", "--steps", 3, "--resume")):
        _, errors = here(*command, "run", code=1)
        assert "small.py has changed since run began" in errors
        assert "name it with --file" in errors
        here(*command, "run", "--file", "small.py")


def test_a_file_that_is_gone_or_elsewhere(here, small, digits) -> None:
    here(*TRAIN, "--data", digits, "--out", "run")
    small.rename("moved.py")
    for command in (("sample",), ("train", "--steps", 3, "--resume")):
        _, errors = here(*command, "run", code=1)
        assert "small.py, which run trains, is not there; name it with --file" in errors
        here(*command, "run", "--file", "moved.py")
    here("sample", "run")  # after the training from moved.py, it is known
    assert json.loads(Path("run/config.json").read_text())["system"] == "small"
    checkpoint = "run/checkpoints/step-00000003.safetensors"
    _, errors = here("sample", checkpoint, code=1)
    assert "was trained from a user's file; name that with --file" in errors
    here("sample", checkpoint, "--file", "moved.py")


def test_a_checkpoint_of_other_code_is_refused(here, small, digits) -> None:
    here(*TRAIN, "--data", digits, "--out", "run")
    small.write_text(SMALL + "# another")
    here(*TRAIN, "--data", digits, "--out", "other")
    shutil.copytree("run/checkpoints", "other/checkpoints", dirs_exist_ok=True)
    _, errors = here("train", "--resume", "other", "--steps", 3, code=1)
    assert "of another training: code was " in errors
    here("train", "--resume", "other", "--steps", 3, "--file", "small.py")


TWO = SMALL.replace(
    'self.real = self.loader("image", batch_size=self.batch_size)',
    'self.real = self.loader("image", batch_size=self.batch_size, source="a")\n'
    '        self.other = self.loader("image", "label", batch_size=self.batch_size, source="b")',
).replace(
    "real = self.real.next().image", "real = self.real.next().image + self.other.next().image"
)


def test_two_sources(here, small, digits, tmp_path) -> None:
    small.write_text(TWO)
    np.save(tmp_path / "bare.npy", np.zeros((9, 1, 28, 28), np.uint8))
    both = ("--data", "a=bare.npy", "--data", f"b={digits}")
    output, _ = here(*TRAIN, *both, "--out", "run")
    assert "a: bare, 9 images · b: digits, 400 images" in output
    here("train", "--resume", "run", "--steps", 3)
    for data, reason in (
        (both[:2], "learns from the data 'b'; what was given is a"),
        (both[2:], "learns from the data 'a'; what was given is b"),
        ((), "learns from the data 'a'; what was given is data"),
        ((*both, "--data", "c=drawn"), "does not learn from 'c', but from a, b"),
        ((*both, "--data", "a=drawn"), "there are data already for 'a'"),
        (("--data", "a=bare.npy", "--data", "b=bare.npy"), "the column 'label', which bare does"),
        (("--data", "a=bare.npy", "--data", "b=nowhere"), "'nowhere' is no name, no folder"),
    ):
        if not data:
            small.write_text(TWO.replace("    epochs = 1", "    default_data = 'drawn'"))
        _, errors = here(*TRAIN, *data, code=1)
        assert reason in errors
    assert not Path("runs").exists()
    np.save(tmp_path / "bare.npy", np.ones((9, 1, 28, 28), np.uint8))
    assert "name it with --file" in here("train", "--resume", "run", "--steps", 4, code=1)[1]
    _, errors = here("train", "--resume", "run", "--steps", 4, "--file", "small.py", code=1)
    assert "the data are not those that run was trained on" in errors
