"""Who takes part: every way of writing the step that is timed, by framework."""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass, field
from typing import Any, Protocol

from ganengine.bench.problem import Array, Problem
from ganengine.version import __version__


class Contestant(Protocol):
    """A training step with all its state, ready to run."""

    chunk: int  # steps that one call of the framework makes; ``run`` takes multiples of it

    def losses(self) -> Array:
        """Take the steps of the problem's check; (steps, 2): d_loss, g_loss."""

    def run(self, steps: int) -> None:
        """Take steps with images and noise of its own, and return when they are done."""


@dataclass(frozen=True)
class Variant:
    """One way of writing the step in one framework."""

    framework: str
    name: str
    module: str
    factory: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def may_differ(self) -> bool:
        """Whether it allows its framework a lower precision, of which no use may be made."""
        return "precision" in self.options

    def build(self, problem: Problem, threads: int) -> Contestant:
        """Make it; imports the framework."""
        factory = getattr(importlib.import_module(self.module), self.factory)
        contestant: Contestant = factory(problem, threads=threads, **self.options)
        return contestant


FRAMEWORKS = {"torch": "PyTorch", "jax": "JAX", "keras": "Keras on TensorFlow"}
_PACKAGES = {"torch": ("torch",), "jax": ("jax", "jaxlib"), "keras": ("keras", "tensorflow")}

ENGINE = Variant("ganengine", "captured step", "ganengine.bench.engine_step", "EngineStep")


def variants(framework: str, problem: Problem, *, quick: bool = False) -> list[Variant]:
    """Every way of writing the problem's step in ``framework``; the simplest alone if ``quick``.

    Where the discriminator has no batch normalisation, real and generated images can go through it
    as one batch or as two; both are tried.
    """
    if framework not in FRAMEWORKS:
        raise ValueError(f"against is {framework!r}; it can be {', '.join(FRAMEWORKS)}")
    found = []
    for concatenate in [False, True] if problem.mixes_batches and not quick else [False]:
        batches = "one batch" if concatenate else "two batches"
        for name, factory, options in _WAYS[framework][: 1 if quick else None]:
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
    for name in (package, f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


_SCAN = 50  # steps per call of lax.scan

_DEFAULT: dict[str, Any] = {}
_TUNED: dict[str, Any] = {"mode": "max-autotune-no-cudagraphs"}
_TUNED_CPP: dict[str, Any] = {"options": {"max_autotune": True, "cpp_wrapper": True}}

# PyTorch multiplies matrices with MKL, which is slow on other makers' processors. Told that it may
# use bfloat16 it takes oneDNN, which computes in float32 all the same where bfloat16 would gain
# nothing. Where it does use bfloat16, the check finds that and the way is left out.
_ONEDNN = {"precision": "medium"}

_WAYS: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
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
