"""Weights that come from other libraries and go to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ganengine import Tensor, nn, no_grad
from ganengine.io import CheckpointError, checkpoint, load_state_dict, save_state_dict, torch_names

RNG = np.random.default_rng(0)


def network(seed: int = 0) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Dense(5, 8, bias=False, rng=rng),
        nn.BatchNorm(8, activation="relu"),
        nn.Dense(8, 8, activation="leaky_relu", rng=rng),
        nn.Dropout(0.5),
        nn.BatchNorm(8, affine=False),
        nn.Activation("tanh"),
        nn.Dense(8, 3, activation="sigmoid", rng=rng),
    )


def shaken(one: nn.Module) -> nn.Module:
    """The network, with every entry of its state different from what it begins with."""
    state = {name: array + RNG.uniform(0.1, 0.9, array.shape) for name, array in one_state(one)}
    one.load_state_dict({name: array.astype("float32") for name, array in state.items()})
    return one


def one_state(one: nn.Module) -> Any:
    return one.state_dict().items()


def torch_twin() -> Any:
    torch = pytest.importorskip("torch")
    return torch.nn.Sequential(
        torch.nn.Linear(5, 8, bias=False),
        torch.nn.BatchNorm1d(8),
        torch.nn.ReLU(),
        torch.nn.Linear(8, 8),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Dropout(0.5),
        torch.nn.BatchNorm1d(8, affine=False),
        torch.nn.Tanh(),
        torch.nn.Linear(8, 3),
        torch.nn.Sigmoid(),
    ).eval()


def assert_same_output(one: nn.Module, twin: Any, *shape: int) -> None:
    import torch

    x = RNG.standard_normal(shape).astype("float32")
    one.eval()
    with no_grad(), torch.no_grad():
        expected = twin(torch.from_numpy(x)).numpy()
        found = one(Tensor(x)).numpy()
    assert np.abs(expected - expected.mean()).max() > 0.05  # else anything would be the same
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def assert_same_state(one: nn.Module, other: nn.Module) -> None:
    expected = other.state_dict()
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_names_count_activations_as_layers() -> None:
    assert torch_names(network()) == {
        "0.weight": "0.weight",
        "1.gamma": "1.weight",
        "1.beta": "1.bias",
        "1.running_mean": "1.running_mean",
        "1.running_var": "1.running_var",
        "2.weight": "3.weight",
        "2.bias": "3.bias",
        "4.running_mean": "6.running_mean",
        "4.running_var": "6.running_var",
        "6.weight": "8.weight",
        "6.bias": "8.bias",
    }
    assert torch_names(network(), separate_activations=False)["6.weight"] == "6.weight"


def test_names_of_networks_inside_networks() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            self.head = nn.BatchNorm(2)
            self.body = nn.Sequential(nn.Dense(1, 1, activation="relu"), nn.BatchNorm(1))
            self.scale = Tensor(np.ones(1, "float32"), requires_grad=True)

    names = torch_names(nn.Sequential(nn.Sequential(nn.Dense(1, 1, activation="tanh")), Pair()))
    assert names["0.0.weight"] == "0.0.weight"
    assert names["1.scale"] == "1.scale"
    assert names["1.head.gamma"] == "1.head.weight"
    assert names["1.body.0.weight"] == "1.body.0.weight"
    assert names["1.body.1.running_var"] == "1.body.2.running_var"
    assert len(names) == 13


def conv_network(seed: int = 0) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2, padding=1, activation="leaky_relu", rng=rng),
        nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1, bias=False, rng=rng),
        nn.BatchNorm(6, activation="relu"),
        nn.UpsampleConv2d(6, 5, 3, padding=1, activation="tanh", rng=rng),
        nn.MaxPool2d(2),
        nn.UpsampleConv2d(5, 4, 3, padding=1, rng=rng),
        nn.PixelShuffle(2),
        nn.Flatten(),
        nn.Dense(24 * 24, 2, rng=rng),
    )


def torch_conv_twin() -> Any:
    torch = pytest.importorskip("torch")
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 5, stride=2, padding=1),
        torch.nn.LeakyReLU(0.2),
        torch.nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1, bias=False),
        torch.nn.BatchNorm2d(6),
        torch.nn.ReLU(),
        torch.nn.Upsample(scale_factor=2),
        torch.nn.Conv2d(6, 5, 3, padding=1),
        torch.nn.Tanh(),
        torch.nn.MaxPool2d(2),
        torch.nn.Upsample(scale_factor=2),
        torch.nn.Conv2d(5, 4, 3, padding=1),
        torch.nn.PixelShuffle(2),
        torch.nn.Flatten(),
        torch.nn.Linear(24 * 24, 2),
    ).eval()


def test_convolutions_to_torch_and_back(tmp_path: Path) -> None:
    twin = torch_conv_twin()
    from safetensors.torch import load_file as torch_load_file

    one, other = shaken(conv_network()), conv_network(seed=1)
    save_state_dict(one, tmp_path / "a.safetensors")
    twin.load_state_dict(torch_load_file(tmp_path / "a.safetensors"), strict=True)
    assert_same_output(one, twin, 2, 3, 8, 8)
    load_state_dict(other, twin.state_dict())
    assert_same_state(other, one)


def test_to_torch(tmp_path: Path) -> None:
    twin = torch_twin()
    from safetensors.torch import load_file as torch_load_file

    one = shaken(network())
    save_state_dict(one, tmp_path / "a.safetensors")
    twin.load_state_dict(torch_load_file(tmp_path / "a.safetensors"), strict=True)
    assert_same_output(one, twin, 4, 5)


@pytest.mark.parametrize("way", ["file", "tensors", "prefix"])
def test_from_torch(tmp_path: Path, way: str) -> None:
    twin = torch_twin()
    from safetensors.torch import save_file as torch_save_file

    for parameter in twin.state_dict().values():
        parameter.add_(0.25 if parameter.is_floating_point() else 1)  # running statistics too
    one = network(seed=1)
    state = twin.state_dict()
    assert any(name.endswith("num_batches_tracked") for name in state)
    if way == "file":
        torch_save_file(state, tmp_path / "a.safetensors")
        load_state_dict(one, tmp_path / "a.safetensors")
    elif way == "tensors":
        load_state_dict(one, state)
    else:
        named = {f"module.main.{name}": tensor for name, tensor in state.items()}
        other = {"module.head.weight": state["0.weight"]}
        load_state_dict(one, {**named, **other}, prefix="module.main.")
    assert_same_output(one, twin, 4, 5)


def test_tensors_of_torch_that_cannot_be_shared() -> None:
    torch = pytest.importorskip("torch")
    one = nn.Sequential(nn.Dense(2, 3, bias=False))
    for tensor in (torch.zeros(3, 2, requires_grad=True), torch.zeros(3, 2, dtype=torch.bfloat16)):
        with pytest.raises(TypeError, match=r"state\['0\.weight'\] cannot be taken as an array"):
            load_state_dict(one, {"0.weight": tensor})


def test_strided_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    one = nn.Sequential(nn.Dense(2, 3, bias=False))
    weight = torch.arange(12.0).reshape(4, 3)[::2].T
    load_state_dict(one, {"0.weight": weight})
    np.testing.assert_array_equal(one.layers[0].weight.numpy(), weight.numpy())


@pytest.mark.parametrize("layout", ["torch", "ganengine"])
def test_out_and_in_again(tmp_path: Path, layout: str) -> None:
    one, other = shaken(network()), network(seed=1)
    save_state_dict(one, tmp_path / "a.safetensors", layout=layout)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    load_state_dict(other, tmp_path / "a.safetensors")
    assert_same_state(other, one)
    save_state_dict(other, tmp_path / "b.safetensors", layout=layout)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    names = torch_names(one).values() if layout == "torch" else one.state_dict()
    assert load_file(tmp_path / "a.safetensors").keys() == set(names)


def test_numbers_that_do_not_count_activations() -> None:
    one, other = shaken(network()), network(seed=1)
    names = torch_names(one, separate_activations=False)
    load_state_dict(other, {names[name]: array for name, array in one_state(one)})
    assert_same_state(other, one)


def test_a_network_out_of_a_checkpoint(tmp_path: Path) -> None:
    one, other = shaken(network()), network(seed=1)
    arrays = {f"average.{name}": array for name, array in one_state(one)}
    arrays["steps_done"] = np.zeros(1, "int64")
    checkpoint.save(tmp_path / "a.safetensors", arrays, {})
    load_state_dict(other, tmp_path / "a.safetensors", prefix="average.")
    assert_same_state(other, one)


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
def test_other_floats_become_float32(dtype: str) -> None:
    one, other = shaken(network()), network(seed=1)
    load_state_dict(other, {name: array.astype(dtype) for name, array in one_state(one)})
    for name, array in one_state(one):
        found = other.state_dict()[name]
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, array, rtol=1e-3)


def changed(state: dict[str, Any], **changes: Any) -> dict[str, Any]:
    state = {**state, **{name.replace("_", "."): value for name, value in changes.items()}}
    return {name: value for name, value in state.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"2_bias": None}, ValueError, r"missing 2\.bias, unknown nothing"),
        ({"9_bias": np.zeros(2)}, ValueError, r"missing nothing, unknown 9\.bias"),
        ({"6_bias": np.zeros(2)}, ValueError, r"state\['6\.bias'\] must have shape \(3,\), got"),
        ({"6_bias": np.zeros(3, int)}, TypeError, r"\['6\.bias'\] must be floating point, got int"),
        ({"6_bias": [None] * 3}, TypeError, r"\['6\.bias'\] must be floating point, got object"),
        ({"6_bias": [[1], 1, 1]}, TypeError, r"\['6\.bias'\] cannot be taken as an array"),
    ],
)
def test_what_does_not_fit_changes_nothing(changes, error, message) -> None:
    one, other = network(), shaken(network())
    with pytest.raises(error, match=message):
        load_state_dict(one, changed(other.state_dict(), **changes))
    assert_same_state(one, network())


def test_the_error_tells_which_prefix_would_fit(tmp_path: Path) -> None:
    one = network()
    for names in (torch_names(one), torch_names(one, separate_activations=False)):
        state = {f"main.{names[name]}": array for name, array in one_state(one)}
        with pytest.raises(
            ValueError, match=r"unknown main\..* more; with prefix='main\.' it does"
        ):
            load_state_dict(one, state)
        load_state_dict(one, state, prefix="main.")


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    one, path = network(), tmp_path / "a.safetensors"
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_state_dict(one, path)
    path.write_bytes(b"x" * 99)
    with pytest.raises(CheckpointError, match="damaged, or no safetensors file"):
        load_state_dict(one, path)
    save_file({"0.weight": np.zeros((8, 5), "int32")}, path)
    with pytest.raises(CheckpointError, match=r"a\.safetensors: 0\.weight is I32; expected F32"):
        load_state_dict(one, path)


def test_bfloat16_in_a_file(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as torch_save_file

    path = tmp_path / "a.safetensors"
    torch_save_file({"0.weight": torch.zeros(3, 2, dtype=torch.bfloat16)}, path)
    with pytest.raises(CheckpointError, match=r"0\.weight is BF16; expected F32"):
        load_state_dict(nn.Sequential(nn.Dense(2, 3, bias=False)), path)


def test_an_unknown_layout(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="layout is 'keras'; it can be torch, ganengine"):
        save_state_dict(network(), tmp_path / "a.safetensors", layout="keras")
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_torch() -> None:
    torch = pytest.importorskip("torch")
    one, twin = nn.Sequential(nn.Embedding(5, 3)), torch.nn.Sequential(torch.nn.Embedding(5, 3))
    load_state_dict(one, twin.state_dict())
    labels = np.array([4, 0, 4], "int32")
    expected = twin(torch.from_numpy(labels)).detach().numpy()
    np.testing.assert_array_equal(one.layers[0](labels).numpy(), expected)
