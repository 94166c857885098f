"""The trainer: capture equals eager, resume equals going on, and it learns."""

from dataclasses import replace

import numpy as np
import pytest

from ganengine import GAN, _cpu, backend, nn, recipes
from ganengine.data import drawn_digits
from ganengine.recipes import Recipe

DIGITS = drawn_digits(600, seed=5).images


def small(**changes: object) -> Recipe:
    """A recipe with every moving part (noise, dropout, batch norm, averaging), small and quick."""

    def generator(rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            nn.Dense(8, 24, bias=False, rng=rng),
            nn.BatchNorm(24, activation="relu"),
            nn.Dense(24, 784, activation="tanh", rng=rng),
        )

    def discriminator(rng: np.random.Generator) -> nn.Sequential:
        return nn.Sequential(
            nn.Dense(784, 24, activation="leaky_relu", rng=rng),
            nn.Dropout(0.3),
            nn.Dense(24, 1, rng=rng),
        )

    settings = {"flat": True, "batch_size": 16, "ema_decay": 0.9, "epochs": 1, "latent_size": 8}
    return Recipe(
        name="small",
        summary="for tests",
        generator=generator,
        discriminator=discriminator,
        **{**settings, **changes},
    )


def gan(recipe: Recipe | None = None, seed: int = 3, device: str = "cpu") -> GAN:
    result = GAN(recipe or small(), seed=seed, device=device)
    result.attach(DIGITS)
    return result


def bits(trained: GAN) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in trained.state_dict().items()}


VARIANTS = {
    "separate noise": small(),
    "same noise": small(same_noise=True),
    "two discriminator steps": small(d_steps=2),
    "minimax": small(loss="minimax", ema_decay=None),
    "uniform": small(latent="uniform", real_label=0.9),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_captured_steps_equal_eager_steps_bit_for_bit(variant: str, device: str) -> None:
    captured, eager = (gan(VARIANTS[variant], device=device) for _ in range(2))
    history = captured.train(4)
    for _ in range(4):
        eager._step()
    assert bits(captured) == bits(eager)
    np.testing.assert_array_equal(history, backend.to_device(eager.history, "cpu")[:4])


@pytest.mark.cuda_only
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_device_trains_as_the_cpu_does(variant: str, device: str) -> None:
    """The same noise, dropout and batches in each bit, and so the same losses but for rounding."""
    there, here = gan(VARIANTS[variant], device=device), gan(VARIANTS[variant])
    for ours, theirs in zip(there.step_inputs(), here.step_inputs(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(there.train(5), here.train(5), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_resume_equals_going_on_bit_for_bit(variant: str, device: str) -> None:
    whole, first = (gan(VARIANTS[variant], device=device) for _ in range(2))
    expected = whole.train(9)
    first.train(4)
    second = gan(VARIANTS[variant], seed=3, device=device)
    second.load_state_dict(first.state_dict())
    assert second.step == 4
    np.testing.assert_array_equal(second.train(5), expected[4:])
    assert bits(second) == bits(whole)


def test_the_number_of_threads_changes_no_bit() -> None:
    before = _cpu.thread_count()
    results = []
    try:
        for threads in (1, 2, 3):
            _cpu.set_thread_count(threads)
            trained = gan(recipes.get("mnist"))
            trained.train(3)
            results.append(bits(trained))
    finally:
        _cpu.set_thread_count(before)
    assert results[0] == results[1] == results[2]


def test_seeds_matter() -> None:
    first, same, other = gan(seed=1), gan(seed=1), gan(seed=2)
    for trained in (first, same, other):
        trained.train(2)
    assert bits(first) == bits(same)
    assert bits(first) != bits(other)


def test_a_shared_noise_batch_saves_one_generator_pass() -> None:
    shared, separate = gan(small(same_noise=True)).program, gan(small()).program
    assert len(shared) == len(separate) - 4  # noise, dense, norm, dense


def test_a_step_is_few_kernels() -> None:
    assert len(gan(recipes.get("mlp-128")).program) == 24


def test_history_reaches_past_the_device_buffer(device: str) -> None:
    trained = gan(small(batch_size=2), device=device)
    history = trained.train(1100)
    again = gan(small(batch_size=2), device=device)
    pieces = np.concatenate([again.train(n) for n in (500, 600)])
    np.testing.assert_array_equal(history, pieces)
    assert np.isfinite(history).all()


def test_step_inputs_are_what_the_step_draws() -> None:
    trained = gan(replace(small(same_noise=True), ema_decay=None))
    images, noise = trained.step_inputs()
    again, _ = trained.step_inputs()
    np.testing.assert_array_equal(images, again)  # looking changes nothing
    trained.train(1)
    np.testing.assert_array_equal(trained._batch[:16], images)
    assert noise.shape == (16, 8)
    next_images, next_noise = trained.step_inputs()
    assert not np.array_equal(next_images, images)
    assert not np.array_equal(next_noise, noise)


def test_each_epoch_visits_each_image_once() -> None:
    count = 48
    ramp = np.zeros((count, 1, 28, 28), "uint8")
    ramp[:, 0, 0, 0] = np.arange(count)
    trained = GAN(small(), seed=0)
    trained.attach(ramp)
    for _ in range(2):
        seen = []
        for _ in range(count // 16):
            trained.train(1)
            pixel = (trained._batch[:16, 0] + 1) * 127.5
            seen.extend(np.rint(pixel).astype(int))
        assert sorted(seen) == list(range(count))


def test_sampling_is_reproducible_and_leaves_training_alone(device: str) -> None:
    trained, undisturbed = gan(device=device), gan(device=device)
    trained.train(2)
    samples = trained.sample(5, seed=9)
    np.testing.assert_array_equal(samples, trained.sample(5, seed=9))
    assert not np.array_equal(samples, trained.sample(5, seed=10))
    assert not np.array_equal(samples, trained.sample(5, seed=9, averaged=False))
    assert samples.shape == (5, 1, 28, 28)
    assert samples.min() >= 0 <= samples.max() <= 1
    trained.train(2)
    undisturbed.train(4)
    assert bits(trained) == bits(undisturbed)


def test_the_average_follows_the_generator() -> None:
    trained = gan(small(ema_decay=0.5))
    start = trained.generator.flat()[0].flat.copy()
    trained.train(1)
    # The decay is min(0.5, (1 + n) / (10 + n)) after n steps: the average is young and runs along.
    expected = start + 0.9 * (trained.generator.flat()[0].flat - start)
    np.testing.assert_allclose(trained.average.flat()[0].flat, expected, atol=1e-6)


def frechet(samples: np.ndarray, data: np.ndarray) -> float:
    """Fréchet distance of two sets of images in the data's 16 main directions."""
    data = data.reshape(len(data), -1)
    _, _, axes = np.linalg.svd(data - data.mean(axis=0), full_matrices=False)
    sets = [(x.reshape(len(x), -1) - data.mean(axis=0)) @ axes[:16].T for x in (samples, data)]
    (m1, c1), (m2, c2) = ((s.mean(axis=0), np.cov(s.T)) for s in sets)
    root = np.sqrt(np.maximum(np.linalg.eigvals(c1 @ c2).real, 0)).sum()
    return float(((m1 - m2) ** 2).sum() + np.trace(c1 + c2) - 2 * root)


def test_training_brings_the_samples_closer_to_the_data(device: str) -> None:
    trained = GAN(recipes.get("mnist"), seed=0, device=device)
    trained.attach(drawn_digits(2000, seed=1).images)
    data = drawn_digits(500, seed=2).images / 255.0
    before = frechet(trained.sample(500, averaged=False), data)
    trained.train(250)
    after = frechet(trained.sample(500, averaged=False), data)
    assert after < 0.5 * before


def test_bad_data_and_states_are_refused() -> None:
    trained = GAN(small())
    with pytest.raises(RuntimeError, match="attach"):
        trained.train(1)
    with pytest.raises(TypeError, match="uint8, got float64"):
        trained.attach(DIGITS / 255.0)
    with pytest.raises(ValueError, match=r"\(N, 1, 28, 28\)"):
        trained.attach(DIGITS[:, :, :14])
    state = trained.state_dict()
    with pytest.raises(ValueError, match=r"missing \['noise'\]"):
        trained.load_state_dict({k: v for k, v in state.items() if k != "noise"})
    with pytest.raises(ValueError, match="noise"):
        trained.load_state_dict({**state, "noise": np.zeros(2, "int64")})
