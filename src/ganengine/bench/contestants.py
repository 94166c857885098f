"""Who takes part: every way of writing the step that is timed, by framework."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ganengine.bench.layers import Array
from ganengine.bench.problem import Problem
from ganengine.version import __version__


class Contestant(Protocol):
    """A training step with all its state, ready to run."""

    chunk: int  # steps that one call of the framework makes; ``run`` takes multiples of it

    def losses(self) -> Array:
        """Take the steps of the problem's check; (steps, 2): d_loss, g_loss.

        On a GPU in full float32 precision, for rounded factors hide what else is different.
        """

    def run(self, steps: int) -> None:
        """Take steps with images and noise of its own, and return when they are done.

        On a GPU matrix products may use TF32.
        """


@dataclass(frozen=True)
class Variant:
    """One way of writing the step in one framework."""

    framework: str
    name: str
    module: str
    factory: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> str:
        """Where it computes: ``"cpu"`` or ``"cuda"``."""
        device: str = self.options.get("device", "cpu")
        return device

    @property
    def may_differ(self) -> bool:
        """Whether its framework may compute in lower precision, and is left out where it does."""
        return "precision" in self.options or (self.device != "cpu" and self != engine(self.device))

    def build(self, problem: Problem, threads: int) -> Contestant:
        """Make it; imports the framework."""
        factory = getattr(importlib.import_module(self.module), self.factory)
        contestant: Contestant = factory(problem, threads=threads, **self.options)
        return contestant


FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras on TensorFlow"}
_PACKAGES = {"torch": ("torch",), "jax": ("jax", "jaxlib"), "keras": ("keras", "tensorflow")}

ENGINE = Variant("ganengine", "captured step", "ganengine.bench.engine_step", "EngineStep")


def engine(device: str) -> Variant:
    """This engine's step on ``device``."""
    return ENGINE if device == "cpu" else replace(ENGINE, options={"device": device})


def variants(
    framework: str, problem: Problem, *, device: str = "cpu", quick: bool = False
) -> list[Variant]:
    """Every way of writing the problem's step in ``framework``; the simplest alone if ``quick``.

    Where the discriminator has no batch normalisation, real and generated images can go through it
    as one batch or as two; both are tried. Convolutions have ways of their own, fewer because a
    step takes long.
    """
    if framework not in FRAMEWORKS:
        raise ValueError(f"against is {framework!r}; it can be {', '.join(FRAMEWORKS)}")
    ways = (_CONVOLUTION_WAYS if problem.is_convolutional else _WAYS)[device].get(framework, [])
    found = []
    for concatenate in [False, True] if problem.mixes_batches and not quick else [False]:
        batches = "one batch" if concatenate else "two batches"
        if problem.recipe.separate_updates:
            batches = "two updates"
        for name, factory, options in ways[: 1 if quick else None]:
            found.append(
                Variant(
                    framework,
                    f"{name}; {batches}",
                    f"ganengine.bench.{framework}_step",
                    factory,
                    {**options, "concatenate": concatenate},
                )
            )
    return found


def missing_package(framework: str) -> str | None:
    """A package that ``framework`` needs and that is not installed, or None."""
    for package in _PACKAGES[framework]:
        if package_version(package) is None:
            return package
    return None


def framework_version(framework: str) -> str | None:
    """The version of a framework, or of this engine; None where it is not installed."""
    if framework == ENGINE.framework:
        return __version__
    versions = [package_version(package) for package in _PACKAGES[framework]]
    return None if None in versions else " on ".join(map(str, dict.fromkeys(versions)))


def package_version(package: str) -> str | None:
    """The installed version of a package, without importing it; None where it is not installed."""
    for name in (package, f"{package}-cpu", f"{package}-cuda13x", f"{package}-cuda12x"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


# Steps per call of lax.scan: enough for Python's part of a call not to count.
_SCAN = 50
_SCAN_CUDA = 200

_DEFAULT: dict[str, Any] = {}
_TUNED: dict[str, Any] = {"mode": "max-autotune-no-cudagraphs"}
_TUNED_CPP: dict[str, Any] = {"options": {"max_autotune": True, "cpp_wrapper": True}}

# PyTorch multiplies matrices with MKL, which is slow on other makers' processors. Told that it may
# use bfloat16 it takes oneDNN, which computes in float32 all the same where bfloat16 would gain
# nothing. Where it does use bfloat16, the check finds that and the way is left out.
_ONEDNN = {"precision": "medium"}

# The GPU's counterpart: TF32 for matrix products, as this engine and JAX have it by default.
_CUDA = {"device": "cuda", "precision": "high"}

_LAST = {"channels_last": True}

_Ways = dict[str, list[tuple[str, str, dict[str, Any]]]]

_CPU_WAYS: _Ways = {
    "torch": [
        ("eager, foreach", "EagerStep", {"adam": "foreach"}),
        ("eager, fused", "EagerStep", {"adam": "fused"}),
        ("eager, fused, oneDNN", "EagerStep", {"adam": "fused", **_ONEDNN}),
        ("compiled", "CompiledStep", {"compiler": _DEFAULT}),
        ("compiled, max-autotune", "CompiledStep", {"compiler": _TUNED}),
        ("compiled, max-autotune, C++", "CompiledStep", {"compiler": _TUNED_CPP}),
        ("compiled, oneDNN", "CompiledStep", {"compiler": _DEFAULT, **_ONEDNN}),
        (
            "compiled, max-autotune, C++, oneDNN",
            "CompiledStep",
            {"compiler": _TUNED_CPP, **_ONEDNN},
        ),
    ],
    "jax": [
        ("jit", "JaxStep", {"scan": 1, "random": "threefry2x32"}),
        ("jit, rbg noise", "JaxStep", {"scan": 1, "random": "rbg"}),
        (f"scan of {_SCAN}", "JaxStep", {"scan": _SCAN, "random": "threefry2x32"}),
        (f"scan of {_SCAN}, rbg noise", "JaxStep", {"scan": _SCAN, "random": "rbg"}),
    ],
    "keras": [
        ("tf.function", "KerasStep", {"xla": False}),
        ("tf.function, XLA", "KerasStep", {"xla": True}),
    ],
}

_CUDA_WAYS: _Ways = {
    "torch": [
        ("eager, fused", "EagerStep", {"adam": "fused", **_CUDA}),
        ("CUDA graph of the step, fused", "GraphStep", {"adam": "capturable", **_CUDA}),
        ("compiled", "CompiledStep", {"compiler": _DEFAULT, **_CUDA}),
        (
            "compiled, CUDA graphs",
            "CompiledStep",
            {"compiler": {"mode": "reduce-overhead"}, **_CUDA},
        ),
        (
            "compiled, max-autotune, CUDA graphs",
            "CompiledStep",
            {"compiler": {"mode": "max-autotune"}, **_CUDA},
        ),
    ],
    "jax": [
        ("jit", "JaxStep", {"scan": 1, "random": "threefry2x32", "device": "cuda"}),
        ("jit, rbg noise", "JaxStep", {"scan": 1, "random": "rbg", "device": "cuda"}),
        (
            f"scan of {_SCAN_CUDA}, rbg noise",
            "JaxStep",
            {"scan": _SCAN_CUDA, "random": "rbg", "device": "cuda"},
        ),
    ],
}

# PyTorch's convolutions are oneDNN's in any case; what may use bfloat16 are the dense layers.
_CPU_CONVOLUTION_WAYS: _Ways = {
    "torch": [
        ("eager, fused, NCHW", "EagerStep", {"adam": "fused"}),
        ("eager, fused, channels last", "EagerStep", {"adam": "fused", **_LAST}),
        ("eager, fused, channels last, oneDNN", "EagerStep", {"adam": "fused", **_LAST, **_ONEDNN}),
        ("compiled, NCHW", "CompiledStep", {"compiler": _DEFAULT}),
        ("compiled, channels last", "CompiledStep", {"compiler": _DEFAULT, **_LAST}),
        (
            "compiled, channels last, oneDNN",
            "CompiledStep",
            {"compiler": _DEFAULT, **_LAST, **_ONEDNN},
        ),
    ],
    "jax": [
        ("jit, NHWC", "JaxStep", {"scan": 1, "random": "rbg", "layout": "NHWC"}),
        ("jit, NCHW", "JaxStep", {"scan": 1, "random": "rbg", "layout": "NCHW"}),
        ("scan of 2, NHWC", "JaxStep", {"scan": 2, "random": "rbg", "layout": "NHWC"}),
    ],
    "keras": _CPU_WAYS["keras"],
}

_GRAPHS: dict[str, Any] = {"mode": "max-autotune"}

_CUDA_CONVOLUTION_WAYS: _Ways = {
    "torch": [
        (f"{name}, {layout}", factory, {**options, **memory, **_CUDA})
        for layout, memory in (("NCHW", {}), ("channels last", _LAST))
        for name, factory, options in (
            ("eager, fused", "EagerStep", {"adam": "fused"}),
            ("CUDA graph of the step, fused", "GraphStep", {"adam": "capturable"}),
            ("compiled, max-autotune, CUDA graphs", "CompiledStep", {"compiler": _GRAPHS}),
        )
    ],
    "jax": [
        (
            f"{name}, {layout}",
            "JaxStep",
            {"scan": scan, "random": "rbg", "layout": layout, "device": "cuda"},
        )
        for layout in ("NHWC", "NCHW")
        for name, scan in (("jit", 1), ("scan of 20", 20))
    ],
}

_WAYS = {"cpu": _CPU_WAYS, "cuda": _CUDA_WAYS}
_CONVOLUTION_WAYS = {"cpu": _CPU_CONVOLUTION_WAYS, "cuda": _CUDA_CONVOLUTION_WAYS}
