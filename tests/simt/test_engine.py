"""The whole engine on the CUDA kernels, thread by thread: a captured step equals the CPU's."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import parity
import pytest
from devices import OnCuda
from systems import Small, assert_captured_is_eager, assert_resumed_is_straight, everything

from ganengine import Generator, Trainer, capture, kernels, nn, recipes, reference, set_precision
from ganengine.data import drawn_digits
from ganengine.gan.fit import fit, restore
from ganengine.io import Run

pytestmark = pytest.mark.usefixtures("on_cuda")

IMAGES = drawn_digits(300).images


def trainer(name: str, device: str = "cuda", **settings: object) -> Trainer:
    return Trainer(recipes.get(name)(**settings), IMAGES, seed=4, device=device)


def assert_same_training(name: str, steps: int, **settings: object) -> None:
    ours, theirs = (trainer(name, device, **settings) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(
        ours.train_rows(steps), theirs.train_rows(steps), rtol=2e-5, atol=1e-6
    )
    lr = ours.system.settings()["lr"]
    for (key, actual), expected in zip(
        ours.state_dict().items(), theirs.state_dict().values(), strict=True
    ):
        assert actual.dtype == expected.dtype, key
        # Adam divides by the root of a second moment near 0, which makes rounding errors of
        # gradients visible, at most as large as the step of lr.
        tolerance = 0.1 * lr * steps if actual.dtype == "float32" else 0.0
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=tolerance, err_msg=key)


def test_five_steps_of_mlp_128() -> None:
    set_precision("fp32")
    assert_same_training("mlp-128", 5)


def test_two_steps_of_mnist() -> None:
    """Batch norm, dropout, separate noise, an averaged generator."""
    set_precision("fp32")
    assert_same_training("mnist", 2, batch_size=20)


def test_a_step_is_few_launches(on_cuda: ModuleType) -> None:
    assert len(trainer("mlp-128").program) <= 24


def test_a_replay_equals_eager_bit_for_bit() -> None:
    assert_captured_is_eager(lambda: trainer("mlp-128", batch_size=10), 2)


def test_a_system_with_every_kind_of_part() -> None:
    """Shared networks, a pool, phases, rates that fall: as on the CPU, and bit for bit resumed."""
    assert_captured_is_eager(lambda: everything("cuda"), 4)
    assert_resumed_is_straight(lambda: everything("cuda"), 5, (2,))
    set_precision("fp32")
    # At a small rate: Adam makes steps of lr of gradients that are 0 but for rounding.
    ours, theirs = everything("cuda", lr=1e-5), everything("cpu", lr=1e-5)
    np.testing.assert_allclose(ours.train_rows(4), theirs.train_rows(4), rtol=1e-3, atol=1e-4)
    for name, array in theirs.state_dict().items():
        if array.dtype != "float32":
            np.testing.assert_array_equal(ours.state_dict()[name], array, err_msg=name)


def test_the_same_noise_and_batches_on_both_targets() -> None:
    ours, theirs = (trainer("mlp-128", device).system for device in ("cuda", "cpu"))
    for _ in range(2):
        np.testing.assert_array_equal(
            ours.real.next().image.numpy(), theirs.real.next().image.numpy()
        )
        np.testing.assert_array_equal(ours.latent(100).numpy(), theirs.latent(100).numpy())


def test_samples_equal_those_of_the_cpu() -> None:
    set_precision("fp32")
    ours, theirs = (trainer("mlp-128", device).sample(5) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_what_a_capture_refuses(on_cuda: ModuleType) -> None:
    x, unknown = (Generator(1, "cuda").normal((3, 3)) for _ in range(2))
    with pytest.raises(ValueError, match="neither in state nor"):
        capture(lambda: kernels.matmul(x, unknown), [x])
    with pytest.raises(ValueError, match="device is 'cpu'; this program is captured on 'cuda'"):
        capture(lambda: kernels.uniform((3,), 0.0, 1.0, seed=1, offset=0), [x])


def test_every_kernel_takes_cupy_arrays(on_cuda: ModuleType) -> None:
    for precision in ("fp32", "tf32"):
        set_precision(precision)
        parity.compare(OnCuda(), 33, 70, precision=precision)


def test_where_threads_warps_and_blocks_end(on_cuda: ModuleType) -> None:
    parity.compare(OnCuda(), edges=True)


def test_the_reference_takes_cupy_arrays(on_cuda: ModuleType) -> None:
    parity.compare(OnCuda(reference), 33, 70)


class Tiny(Small):
    def make_generator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(nn.Dense(3, 784, activation="tanh", rng=rng))

    def make_discriminator(self, rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(nn.Dropout(0.5), nn.Dense(784, 1, rng=rng))


def test_a_run_with_checkpoints_goes_on(tmp_path: Path) -> None:
    def tiny() -> Trainer:
        return Trainer(Tiny(batch_size=4, latent_size=3), IMAGES, seed=4, device="cuda")

    whole, first, second = tiny(), tiny(), tiny()
    runs = [Run.create(tmp_path / name, {"seed": 4}) for name in ("whole", "parts")]
    assert fit(whole, runs[0], 4)
    assert fit(first, runs[1], 2)
    assert restore(second, runs[1]) is not None
    assert fit(second, runs[1], 4)
    for (key, ours), theirs in zip(
        second.state_dict().items(), whole.state_dict().values(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs, err_msg=key)
