"""Weights in and out: a network's state in safetensors files, under PyTorch's names.

Arrays need no change, for layouts are PyTorch's. Names differ in two ways: PyTorch calls the gamma
and beta of a batch normalisation weight and bias, and an activation, which ganengine fuses into the
layer before it, is a layer of its own there, and so counts in the numbers of those behind it. So
does the upsampling before a convolution, which ``UpsampleConv2d`` does itself.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from ganengine import backend
from ganengine.backend import Array
from ganengine.io.atomic import atomic_file
from ganengine.io.checkpoint import CheckpointError, opened
from ganengine.nn import BatchNorm, Module, Sequential, SpectralNorm, UpsampleConv2d

Layout = Literal["torch", "ganengine"]

_RENAMED: dict[type[Module], dict[str, str]] = {
    BatchNorm: {"gamma": "weight", "beta": "bias"},
    SpectralNorm: {  # torch.nn.utils.spectral_norm changes the layer itself
        "layer.weight": "weight_orig",
        "layer.bias": "bias",
        "u": "weight_u",
        "v": "weight_v",
    },
}
_DTYPES = ("F32", "F16", "F64")
_UNUSED = "num_batches_tracked"  # PyTorch counts batches for a kind of average that is not here


def torch_names(network: Module, *, separate_activations: bool = True) -> dict[str, str]:
    """What PyTorch calls the entries of a network's ``state_dict``.

    Args:
        network: The network.
        separate_activations: Count activations as layers, as ``torch.nn.Sequential`` does where
            each is a module; False for models that call them as functions.

    Returns:
        Own name to PyTorch's name, in the order of the layers.

    Example:
        >>> from ganengine import nn
        >>> layers = nn.Dense(2, 3, activation="relu", bias=False), nn.BatchNorm(3), nn.Dense(3, 1)
        >>> torch_names(nn.Sequential(*layers))["1.gamma"]
        '2.weight'
    """
    return dict(_pairs(network, "", "", separate_activations))


def save_state_dict(
    network: Module, path: str | os.PathLike[str], *, layout: Layout = "torch"
) -> None:
    """Write a network's parameters and running statistics as a safetensors file, atomically.

    Args:
        network: The network.
        path: The file; its folder exists.
        layout: ``"torch"`` names the arrays as :func:`torch_names` does, so that a
            ``torch.nn.Sequential`` of the same layers loads what
            ``safetensors.torch.load_file(path)`` gives; ``"ganengine"`` as ``network.state_dict()``
            does.

    Raises:
        ValueError: The layout is unknown.
        OSError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> from ganengine import nn
        >>> path = tempfile.mkdtemp() + "/generator.safetensors"
        >>> save_state_dict(nn.Sequential(nn.Dense(2, 3), nn.BatchNorm(3)), path)
        >>> load_state_dict(nn.Sequential(nn.Dense(2, 3), nn.BatchNorm(3)), path)
    """
    from safetensors.numpy import save as serialize

    if layout not in get_args(Layout):
        raise ValueError(f"layout is {layout!r}; it can be {', '.join(get_args(Layout))}")
    state = network.state_dict()
    if layout == "torch":
        names = torch_names(network)
        state = {names[name]: array for name, array in state.items()}
    # As safetensors.torch writes it; some readers insist on this entry.
    content = serialize(state, {"format": "pt"})
    with atomic_file(path) as file:
        file.write(content)


def load_state_dict(
    network: Module, source: str | os.PathLike[str] | Mapping[str, Any], *, prefix: str = ""
) -> None:
    """Give a network the parameters and running statistics of a file or a dict.

    The names may be those of ``network.state_dict()`` or PyTorch's (see :func:`torch_names`),
    whichever fits; PyTorch's ``num_batches_tracked`` is passed over. Float16 and float64 become
    float32.

    Args:
        network: The network.
        source: A safetensors file, or names to arrays: NumPy's, CuPy's, or of any library that
            speaks DLPack, such as ``module.state_dict()`` of PyTorch.
        prefix: Take only the entries whose names begin so, without that beginning: ``"main."`` of
            a PyTorch model, ``"generator."`` or ``"average."`` of a checkpoint of ganengine.

    Raises:
        CheckpointError: The file is not there, damaged, or of a dtype that NumPy does not have.
        ValueError: A name is missing or unknown, or a shape differs; nothing was changed.
        TypeError: An entry is no array of floating point; nothing was changed.
    """
    found = source if isinstance(source, Mapping) else _read(Path(source), prefix)
    entries = {name.removeprefix(prefix): found[name] for name in found if _is_wanted(name, prefix)}
    names = _fitting_names(network, entries, found)
    network.load_state_dict({own: _floats(name, entries[name]) for own, name in names.items()})


def _pairs(module: Module, own: str, theirs: str, separate: bool) -> Iterator[tuple[str, str]]:
    """Own and PyTorch's name of every entry, which begin so."""
    renamed = _RENAMED.get(type(module), {})
    children = {} if isinstance(module, SpectralNorm) else dict(module.children())
    named = [*module.named_parameters(), *module.named_buffers()]
    for name, _ in named:
        if name.partition(".")[0] not in children:
            yield own + name, theirs + renamed.get(name, name)
    place = 0
    for name, child in children.items():
        place += isinstance(child, UpsampleConv2d)  # there, the upsampling is a layer before it
        called = str(place) if isinstance(module, Sequential) else name
        yield from _pairs(child, f"{own}{name}.", f"{theirs}{called}.", separate)
        place += 1 + (separate and getattr(child, "activation", "linear") != "linear")


def _read(path: Path, prefix: str) -> dict[str, Array]:
    with opened(path) as file:
        names = [name for name in file.keys() if _is_wanted(name, prefix)]  # noqa: SIM118
        for name in names:
            if (dtype := file.get_slice(name).get_dtype()) not in _DTYPES:
                raise CheckpointError(f"{path}: {name} is {dtype}; expected {_DTYPES[0]}")
        return {name: file.get_tensor(name) for name in names}


def _is_wanted(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and not name.endswith(_UNUSED)


def _fitting_names(
    network: Module, entries: Collection[str], found: Collection[str]
) -> dict[str, str]:
    """Own name to the name in ``entries``, by the naming that fits."""
    namings = (
        {name: name for name in network.state_dict()},
        torch_names(network, separate_activations=False),
        torch_names(network),
    )
    for names in namings:
        if set(entries) == set(names.values()):
            return names
    # The naming that fits best is the one that was meant.
    expected = max(
        (set(names.values()) for names in namings), key=lambda names: len(names & set(entries))
    )
    problem = (
        f"state does not fit: missing {_few(expected - set(entries))}, "
        f"unknown {_few(set(entries) - expected)}"
    )
    for names in namings:
        if (beginning := _beginning(names.values(), found)) is not None:
            problem += f"; with prefix={beginning!r} it does"
            break
    raise ValueError(problem)


def _few(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:6]) or "nothing"
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"


def _beginning(expected: Iterable[str], found: Collection[str]) -> str | None:
    """The beginning with which all names that are expected are there, if there is one."""
    first, *others = expected
    for name in found:
        beginning = name.removesuffix(first)
        if beginning != name and all(beginning + other in found for other in others):
            return beginning
    return None


def _floats(name: str, value: Any) -> Array:
    try:
        array = backend.as_array(value)
    except (TypeError, ValueError, BufferError, RuntimeError) as error:
        raise TypeError(f"state[{name!r}] cannot be taken as an array: {error}") from error
    if array.dtype.kind != "f":
        raise TypeError(f"state[{name!r}] must be floating point, got {array.dtype}")
    return array.astype("float32", copy=False)
