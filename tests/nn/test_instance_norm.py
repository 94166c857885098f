"""``nn.InstanceNorm2d``: its gradients, its names and values in PyTorch, its ONNX form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from devices import tensor
from helpers import draw

from ganengine import Tensor, grad, nn
from ganengine.io import load_state_dict, torch_names
from ganengine.nn import functional


@pytest.mark.parametrize("parts", [("weight", "bias"), ("weight",), ("bias",), ()])
@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_gradients_first_and_second_order(
    activation: str, parts: tuple[str, ...], device: str
) -> None:
    arrays = {"x": draw(2, 3, 3, 4), **{name: draw(3) for name in parts}}
    weights, direction = draw(2, 3, 3, 4, seed=1), draw(2, 3, 3, 4, seed=2)

    def run(
        values: dict[str, np.ndarray], create_graph: bool = False
    ) -> tuple[Any, list[Any], Any]:
        tensors = {n: tensor(value, device, requires_grad=True) for n, value in values.items()}
        y = functional.instance_norm(**tensors, activation=activation)
        loss = (y * tensor(weights, device)).sum()
        gradients = grad(loss, list(tensors.values()), create_graph=create_graph)
        return loss, gradients, tensors

    def slope(function: Callable[[np.ndarray], float]) -> float:
        """Along the direction, by differences."""
        ends = [function((arrays["x"] + sign * direction).astype("f4")) for sign in (0.05, -0.05)]
        return (ends[0] - ends[1]) / 0.1

    _, fused, _ = run(arrays)
    _, graph, tensors = run(arrays, create_graph=True)
    for one, other in zip(fused, graph, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)
    expected = slope(lambda x: run({**arrays, "x": x})[0].item())
    assert np.sum(fused[0].numpy() * direction) == pytest.approx(expected, rel=2e-2, abs=2e-2)

    def norm(x: np.ndarray) -> float:
        return float((run({**arrays, "x": x})[1][0].numpy().astype("f8") ** 2).sum())

    (second,) = grad((graph[0] * graph[0]).sum(), [tensors["x"]])
    expected = slope(norm)
    assert np.sum(second.numpy() * direction) == pytest.approx(expected, rel=2e-2, abs=2e-2)


def test_the_layer_trains_into_its_gradient_buffers(device: str) -> None:
    layer = nn.InstanceNorm2d(3, affine=True, activation="relu").to(device)
    x = tensor(draw(2, 3, 4, 4), device)
    (layer(x) * 2.0).sum().backward()
    expected = grad((layer(x) * 2.0).sum(), layer.parameters())
    for parameter, gradient in zip(layer.parameters(), expected, strict=True):
        np.testing.assert_array_equal(parameter.grad.numpy(), gradient.numpy())
    assert nn.InstanceNorm2d(3).parameters() == []


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"^eps is 0"):
        nn.InstanceNorm2d(3, eps=0.0)
    with pytest.raises(TypeError, match=r"^affine must be True or False"):
        nn.InstanceNorm2d(3, affine=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^x must have shape \(N, 3, H, W\), got \(1, 2, 4, 4\)"):
        nn.InstanceNorm2d(3)(Tensor(draw(1, 2, 4, 4)))


@pytest.mark.cpu_only
def test_names_and_values_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    one = nn.Sequential(nn.InstanceNorm2d(3, affine=True, activation="relu"))
    twin = torch.nn.Sequential(torch.nn.InstanceNorm2d(3, affine=True), torch.nn.ReLU())
    assert list(torch_names(one).values()) == list(twin.state_dict())
    state = {name: torch.from_numpy(draw(3, seed=len(name))) for name in twin.state_dict()}
    twin.load_state_dict(state)
    load_state_dict(one, state)
    x = draw(2, 3, 4, 5)
    expected = twin(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(one(Tensor(x)).numpy(), expected, atol=1e-5)


@pytest.mark.cpu_only
@pytest.mark.parametrize("affine", [True, False])
def test_onnx_form(tmp_path: Path, affine: bool) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from onnx_check import assert_same, ops

    layer = nn.InstanceNorm2d(6, affine=affine, activation="leaky_relu", eps=0.1)
    assert_same(nn.Sequential(layer), tmp_path / "a.onnx", 6, 3, 2)
    assert ops(tmp_path / "a.onnx") == ["InstanceNormalization", "LeakyRelu"]
