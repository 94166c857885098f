"""A network and its Adam as a graph of ``torch.compile`` takes them: tensors by name, functions."""

from __future__ import annotations

from typing import Any

from twins.problem import Rates
from twins.torch_twin import torch

Tensors = dict[str, Any]


class Trained:
    """A network whose parameters are given to each call, and updated in place."""

    def __init__(self, module: Any, rates: Rates):
        self.rates = rates
        self.parameters: Tensors = {name: p.detach() for name, p in module.named_parameters()}
        self._module = module
        self._buffers: Tensors = dict(module.named_buffers())
        self._m = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self._v = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        # One element, not none: Dynamo takes a 0-d float64 for a Python number and loses add_.
        device = next(iter(self.parameters.values())).device
        self._updates = torch.zeros(1, dtype=torch.float64, device=device)

    def __call__(self, parameters: Tensors, x: Any) -> Any:
        return torch.func.functional_call(self._module, (parameters, self._buffers), (x,))

    def update(self, gradients: Tensors) -> None:
        """One step of Adam."""
        rates = self.rates
        self._updates.add_(1)
        rate = (rates.lr / (1.0 - rates.beta1**self._updates)).float()
        root = torch.rsqrt(1.0 - rates.beta2**self._updates).float()
        for name, gradient in gradients.items():
            m, v, parameter = self._m[name], self._v[name], self.parameters[name]
            if rates.weight_decay:
                gradient = gradient.add(parameter, alpha=rates.weight_decay)
            m.lerp_(gradient, 1.0 - rates.beta1)
            v.mul_(rates.beta2).addcmul_(gradient, gradient, value=1.0 - rates.beta2)
            parameter.sub_(rate * m / (v.sqrt() * root + rates.eps))

    def pin_addresses(self) -> None:
        """Promise that the state never moves: only then may a CUDA graph change it in place."""
        for tensors in (self.parameters, self._buffers, self._m, self._v):
            for tensor in tensors.values():
                torch._dynamo.mark_static_address(tensor)
        torch._dynamo.mark_static_address(self._updates)
