"""Systems by the name of a recipe, or in a user's file: found, or refused in plain words."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ganengine import Trainer, recipes
from ganengine.gan import find
from ganengine.gan.find import FindError
from ganengine.gan.system import System

FILE = '''"""A GAN of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from ganengine import Adam, System, nn


@dataclass
class Mine(System):
    """Learns single pixels."""

    lr: float = 1e-3

    def build(self):
        self.network = nn.Dense(1, 1, rng=self.rng())
        self.optimizer = Adam(self.network, lr=self.lr)
        self.real = self.loader("image", batch_size=2)

    def train_step(self):
        loss = (self.network(self.real.next().image.reshape(-1, 1)) ** 2).mean()
        self.optimizer.minimize(loss)
        return {"loss": loss}

    def sample(self, count):
        return self.network(self.normal(count, 1)).reshape(count, 1, 1, 1)

    image_shape = (1, 1, 1)
'''


@pytest.fixture(autouse=True)
def _no_module_is_left() -> object:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("ganengine_file_"):
            del sys.modules[name]


def written(folder: Path, code: str | bytes, name: str = "my_gan.py") -> Path:
    path = folder / name
    path.write_bytes(code if isinstance(code, bytes) else code.encode())
    return path


def found(folder: Path, code: str | bytes, name: str = "my_gan.py") -> type[System]:
    return find.system_in(find.read(written(folder, code, name)))


def test_a_system_in_a_file(tmp_path: Path) -> None:
    kind = found(tmp_path, FILE)
    assert kind.name == "my-gan"
    assert [field.name for field in dataclasses.fields(kind)] == ["lr"]
    trainer = Trainer(kind(lr=0.1), np.arange(4, dtype="uint8").reshape(4, 1, 1, 1))
    assert trainer.train(2)["loss"].shape == (2,)
    assert trainer.sample(3).shape == (3, 1, 1, 1)


def test_what_was_run_is_what_is_hashed(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    source = find.read(path)
    path.write_text("raise SystemExit")
    assert source.code == FILE.encode()
    assert source.sha256 == hashlib.sha256(FILE.encode()).hexdigest()
    assert source.path == path.resolve()
    assert find.system_in(source).__name__ == "Mine"


def test_two_files_are_two_systems(tmp_path: Path) -> None:
    first, second = found(tmp_path, FILE), found(tmp_path, FILE.replace("1e-3", "2e-3"), "b.py")
    assert (first().lr, second().lr) == (1e-3, 2e-3)
    assert (first.name, second.name) == ("my-gan", "b")


def test_a_base_and_imported_systems_do_not_count(tmp_path: Path) -> None:
    more = FILE + "\n\nfrom ganengine import Classic\n\n\nclass Base(Mine):\n    pass\n"
    more += "\n\n@dataclass\nclass Last(Base):\n    more: int = 3\n\nAlias = Last\n"
    assert found(tmp_path, more).__name__ == "Last"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\n", r"my_gan\.py: defines no System; it needs one class X\(System\)"),
        ("", "defines no System"),
        ("from ganengine import System, Classic\n", "defines no System"),
        (
            FILE + "\n\nclass Other(System):\n    pass\n",
            r"defines 2 Systems, Mine and Other; keep one",
        ),
        ("a = 1\nb = = 2\n", r"my_gan\.py, line 2: SyntaxError: invalid syntax"),
        ("a = 1\n\n\n  b = 2\n", "line 4: IndentationError: unexpected indent"),
        ("a = 1\n\nraise SystemExit(3)\n", "line 3: SystemExit: 3"),
        ("import sys\nsys.exit()\n", "line 2: SystemExit"),
        ("def f():\n    return 1 / 0\n\n\nf()\n", "line 2: ZeroDivisionError: division by zero"),
        ("import no_such_module\n", "line 1: ModuleNotFoundError: No module named 'no_such_mod"),
        ("x = 'a\0b'\n", "SyntaxError|ValueError"),
        (b"\xff\xfe", "SyntaxError"),
    ],
)
def test_files_that_hold_no_system(tmp_path: Path, code: str | bytes, message: str) -> None:
    before = set(sys.modules)
    with pytest.raises(FindError, match=message):
        found(tmp_path, code)
    left = {name for name in set(sys.modules) - before if name.startswith("ganengine_file_")}
    assert not left


def test_ctrl_c_in_a_file_is_no_fault_of_the_files(tmp_path: Path) -> None:
    before = set(sys.modules)
    with pytest.raises(KeyboardInterrupt):
        found(tmp_path, "raise KeyboardInterrupt\n")
    assert set(sys.modules) == before


@pytest.mark.parametrize("name", ["my_gan.txt", "my_gan", "my_gan.py.bak"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(FindError, match=r"expected a file whose name ends in \.py"):
        find.read(written(tmp_path, FILE, name))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FindError, match=r"none\.py: cannot be read \(No such file"):
        find.read(tmp_path / "none.py")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(FindError, match="is no regular file"):
        find.read(tmp_path / "folder.py")
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    with pytest.raises(FindError, match="cannot be read"):
        find.read(tmp_path / "loop.py")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    errors: list[BaseException] = []

    def read() -> None:
        try:
            find.read(tmp_path / "pipe.py")
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert not thread.is_alive()
    (error,) = errors
    assert isinstance(error, FindError)
    assert "is no regular file" in str(error)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    comment = b"#" * (1 << 20)
    assert len(find.read(written(tmp_path, comment)).code) == 1 << 20
    with pytest.raises(FindError, match="is larger than 1,048,576 bytes"):
        find.read(written(tmp_path, comment + b"#"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mlp-129", r"there is no recipe 'mlp-129'; did you mean mlp-128\?"),
        ("dcgan", r"did you mean .*dcgan-64"),
        ("mnits", r"did you mean mnist"),
        ("zzz", r"there is no recipe 'zzz'; there are mnist, acgan, cdcgan-mnist, "),
        ("", "there are mnist"),
        ("mlp_128", r"did you mean mlp-128"),  # a name, not a file's
        ("../find", "there is no recipe"),
        ("os", "there is no recipe"),
    ],
)
def test_names_like_those_of_recipes(name: str, message: str) -> None:
    with pytest.raises(FindError, match=message):
        recipes.get(name)


def test_recipes_are_found_by_name() -> None:
    for name in recipes.names():
        kind = recipes.get(name)
        assert kind.name == name
        assert find.recipe_file(name).name == f"{name.replace('-', '_')}.py"
        assert kind is recipes.get(name)


def test_a_recipes_file_is_a_users_file(tmp_path: Path) -> None:
    """Copied and run as a file, each is the system that it was."""
    for name in recipes.names():
        copy = tmp_path / find.recipe_file(name).name
        copy.write_bytes(find.recipe_file(name).read_bytes())
        kind = find.system_in(find.read(copy))
        assert kind.__module__.startswith("ganengine_file_")
        assert kind.name == name
        assert kind().settings() == recipes.get(name)().settings()
