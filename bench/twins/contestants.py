"""Who takes part: every way of writing a system's step, by family of steps and by framework.

A family is a kind of step with a problem (what others build theirs from) and a twin per framework.
A system of no family is timed alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganengine import Classic
from ganengine.bench.environment import package_version
from ganengine.bench.problem import Problem
from ganengine.bench.variant import Variant
from ganengine.gan import System
from twins import classic, wgan_gp
from twins.classic import ClassicProblem
from twins.problem import TwinProblem
from twins.wgan_gp import WganGpProblem

# Where a process of its own finds these modules.
FOLDER = str(Path(__file__).resolve().parents[1])

FRAMEWORKS = ("torch", "jax", "keras")
_PACKAGES = {"torch": ("torch",), "jax": ("jax", "jaxlib"), "keras": ("keras", "tensorflow")}
_FAMILIES: dict[type[Problem], str] = {ClassicProblem: "classic", WganGpProblem: "wgan_gp"}


def make_twins_problem(
    system: System, *, images: int | None = None, seed: int = 0
) -> TwinProblem | None:
    """A system's step for its twins; None where it is of no family.

    Raises:
        ValueError: it is of a family, but does something that the twins do not.
    """
    if isinstance(system, Classic):
        return classic.make(system, images=images, seed=seed)
    if wgan_gp.fits(system):
        return wgan_gp.make(system, images=images, seed=seed)
    return None


def variants(
    framework: str, problem: TwinProblem, *, device: str = "cpu", quick: bool = False
) -> list[Variant]:
    """Every way of writing the problem's step in ``framework``; the simplest alone if ``quick``.

    Where the discriminator has no batch normalisation, real and generated images can go through it
    as one batch or as two; both are tried. Convolutions have ways of their own, fewer because a
    step takes long.

    Raises:
        ValueError: there is no such framework.
    """
    if framework not in FRAMEWORKS:
        raise ValueError(f"against is {framework!r}; it can be {', '.join(FRAMEWORKS)}")
    family = _FAMILIES[type(problem)]
    ways = _WAYS[family, problem.is_convolutional][device].get(framework, [])
    found = []
    for concatenate, words in _batches(problem)[: 1 if quick else None]:
        for name, factory, options in ways[: 1 if quick else None]:
            found.append(
                Variant(
                    framework,
                    f"{name}; {words}",
                    f"twins.{family}_{framework}",
                    factory,
                    {**options, "concatenate": concatenate},
                    framework_version(framework),
                )
            )
    return found


def why_not(framework: str, ways: list[Variant], device: str) -> str | None:
    """Why a framework does not take part, or None."""
    for package in _PACKAGES[framework]:
        if package_version(package) is None:
            return f"{package} is not installed"
    return None if ways else f"there is no such step in it for {device}"


def framework_version(framework: str) -> str | None:
    """The version of a framework; None where it is not installed."""
    versions = [package_version(package) for package in _PACKAGES[framework]]
    return None if None in versions else " on ".join(map(str, dict.fromkeys(versions)))


def _batches(problem: TwinProblem) -> list[tuple[bool, str]]:
    """How real and generated images may go through the discriminator: in one batch, and words."""
    if isinstance(problem, ClassicProblem):
        if problem.separate_updates:
            return [(False, "two updates")]
        if not problem.mixes_batches:
            return [(False, "two batches")]
    return [(False, "two batches"), (True, "one batch")]


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
        ("eager, foreach", "EagerStep", {"optimizer": "foreach"}),
        ("eager, fused", "EagerStep", {"optimizer": "fused"}),
        ("eager, fused, oneDNN", "EagerStep", {"optimizer": "fused", **_ONEDNN}),
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
        ("eager, fused", "EagerStep", {"optimizer": "fused", **_CUDA}),
        ("CUDA graph of the step, fused", "GraphStep", {"optimizer": "capturable", **_CUDA}),
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
        ("eager, fused, NCHW", "EagerStep", {"optimizer": "fused"}),
        ("eager, fused, channels last", "EagerStep", {"optimizer": "fused", **_LAST}),
        (
            "eager, fused, channels last, oneDNN",
            "EagerStep",
            {"optimizer": "fused", **_LAST, **_ONEDNN},
        ),
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
            ("eager, fused", "EagerStep", {"optimizer": "fused"}),
            ("CUDA graph of the step, fused", "GraphStep", {"optimizer": "capturable"}),
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

# A step of WGAN-GP is some ten times as long as a classic one of the same networks.
_CPU_WGAN_WAYS: _Ways = {
    "torch": _CPU_WAYS["torch"],
    "jax": [
        ("jit", "JaxStep", {"scan": 1, "random": "threefry2x32"}),
        ("jit, rbg noise", "JaxStep", {"scan": 1, "random": "rbg"}),
        ("scan of 20, rbg noise", "JaxStep", {"scan": 20, "random": "rbg"}),
        (f"scan of {_SCAN}, rbg noise", "JaxStep", {"scan": _SCAN, "random": "rbg"}),
    ],
}
_WAYS: dict[tuple[str, bool], dict[str, _Ways]] = {  # by family, and whether it is convolutional
    ("classic", False): {"cpu": _CPU_WAYS, "cuda": _CUDA_WAYS},
    ("classic", True): {"cpu": _CPU_CONVOLUTION_WAYS, "cuda": _CUDA_CONVOLUTION_WAYS},
    ("wgan_gp", False): {"cpu": _CPU_WGAN_WAYS, "cuda": _CUDA_WAYS},
    ("wgan_gp", True): {
        "cpu": {name: _CPU_CONVOLUTION_WAYS[name] for name in ("torch", "jax")},
        "cuda": _CUDA_CONVOLUTION_WAYS,
    },
}
