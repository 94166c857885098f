"""The whole engine on the CUDA kernels, thread by thread: a captured step equals the CPU's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import parity
import pytest
from devices import OnCuda

from ganengine import GAN, Generator, capture, kernels, nn, recipes, reference
from ganengine.data import drawn_digits
from ganengine.gan.fit import fit, restore
from ganengine.io import Run

pytestmark = pytest.mark.usefixtures("on_cuda")

IMAGES = drawn_digits(300).images


def trained(name: str, steps: int, device: str, **changes: object) -> tuple[GAN, np.ndarray]:
    gan = GAN(replace(recipes.get(name), **changes), seed=4, device=device)  # type: ignore[arg-type]
    gan.attach(IMAGES)
    return gan, gan.train(steps)


def assert_same_training(name: str, steps: int, cuda: ModuleType, **changes: object) -> None:
    ours, our_history = trained(name, steps, "cuda", **changes)
    theirs, their_history = trained(name, steps, "cpu", **changes)
    np.testing.assert_allclose(our_history, their_history, rtol=2e-5, atol=1e-6)
    for (key, actual), expected in zip(
        ours.state_dict().items(), theirs.state_dict().values(), strict=True
    ):
        assert actual.dtype == expected.dtype, key
        # Adam divides by the root of a second moment near 0, which makes rounding errors of
        # gradients visible, at most as large as the step of lr.
        tolerance = 0.1 * ours.recipe.lr * steps if actual.dtype == "float32" else 0.0
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=tolerance, err_msg=key)


def test_five_steps_of_mlp_128(cuda: ModuleType) -> None:
    cuda.set_precision("fp32")
    assert_same_training("mlp-128", 5, cuda)


def test_two_steps_of_mnist(cuda: ModuleType) -> None:
    """Batch norm, dropout, separate noise, an averaged generator."""
    cuda.set_precision("fp32")
    assert_same_training("mnist", 2, cuda, batch_size=20)


def test_a_step_is_few_launches(on_cuda: ModuleType) -> None:
    gan, _ = trained("mlp-128", 0, "cuda")
    assert len(gan.program) <= 24


def test_a_replay_equals_eager_bit_for_bit(cuda: ModuleType) -> None:
    captured, history = trained("mlp-128", 2, "cuda", batch_size=10)
    eager, _ = trained("mlp-128", 0, "cuda", batch_size=10)
    for _ in range(2):
        eager._step()
    for (key, actual), expected in zip(
        captured.state_dict().items(), eager.state_dict().values(), strict=True
    ):
        np.testing.assert_array_equal(actual, expected, err_msg=key)
    np.testing.assert_array_equal(eager.history.get()[:2], history)


def test_the_same_noise_and_batches_on_both_targets() -> None:
    gans = [trained("mlp-128", 0, device)[0] for device in ("cuda", "cpu")]
    for ours, theirs in zip(*(gan.step_inputs() for gan in gans), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_samples_equal_those_of_the_cpu(cuda: ModuleType) -> None:
    cuda.set_precision("fp32")
    gans = [trained("mlp-128", 0, device)[0] for device in ("cuda", "cpu")]
    ours, theirs = (gan.sample(5) for gan in gans)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_what_a_capture_refuses(on_cuda: ModuleType) -> None:
    x, unknown = (Generator(1, "cuda").normal((3, 3)) for _ in range(2))
    with pytest.raises(ValueError, match="neither in state nor"):
        capture(lambda: kernels.matmul(x, unknown), [x])
    with pytest.raises(ValueError, match="device is 'cpu'; this program is captured on 'cuda'"):
        capture(lambda: kernels.uniform((3,), 0.0, 1.0, seed=1, offset=0), [x])


def test_every_kernel_takes_cupy_arrays(on_cuda: ModuleType, cuda: ModuleType) -> None:
    for precision in ("fp32", "tf32"):
        cuda.set_precision(precision)
        parity.compare(OnCuda(), 33, 70, precision=precision)
    cuda.set_precision("fp32")
    parity.compare(OnCuda(), 33, 70, which=parity.image_calls)


def test_the_reference_takes_cupy_arrays(on_cuda: ModuleType) -> None:
    parity.compare(OnCuda(reference), 33, 70)


def test_a_run_with_checkpoints_goes_on(cuda: ModuleType, tmp_path: Path) -> None:
    def gan() -> GAN:
        recipe = replace(
            recipes.get("mnist"),
            batch_size=4,
            latent_size=3,
            generator=lambda rng: nn.Sequential(nn.Dense(3, 784, activation="tanh", rng=rng)),
            discriminator=lambda rng: nn.Sequential(nn.Dropout(0.5), nn.Dense(784, 1, rng=rng)),
        )
        return GAN(recipe, seed=4, device="cuda")

    whole, first, second = gan(), gan(), gan()
    runs = [Run.create(tmp_path / name, {"seed": 4}) for name in ("whole", "parts")]
    assert fit(whole, IMAGES, runs[0], 4)
    assert fit(first, IMAGES, runs[1], 2)
    assert restore(second, runs[1]) is not None
    assert fit(second, IMAGES, runs[1], 4)
    for (key, ours), theirs in zip(
        second.state_dict().items(), whole.state_dict().values(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs, err_msg=key)
