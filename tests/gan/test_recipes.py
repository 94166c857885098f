"""Recipes are what their specification says, and train, sample and resume as any system."""

import numpy as np
import pytest
from systems import DIGITS, assert_captured_is_eager, assert_resumed_is_straight, bits

from ganengine import Classic, System, Tensor, Trainer, nn, no_grad, recipes
from ganengine.data import Dataset
from ganengine.gan.find import recipe_file

RNG = np.random.default_rng(0)
CLASSIC = [name for name in recipes.names() if issubclass(recipes.get(name), Classic)]


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        ("mlp-128", 130_576, 117_121),
        ("mlp-500", 513_484, 492_901),
        ("mnist", 551_184, 533_505),
        ("keras-dcgan", 840_705 - 384, 212_865),  # Keras counts the running statistics too
        ("dcgan-mnist", 6_731_328, 6_629_952),
        ("cdcgan-mnist", 6_820_538, 6_688_202),
        ("dcgan-64", 3_576_704, 2_765_568),
        ("infogan-net", 6_642_241, 6_559_169),
        ("cgan", 2_413_984, 1_224_351),
    ],
)
def test_parameter_counts(name: str, generator: int, discriminator: int) -> None:
    recipe = recipes.get(name)()
    assert recipe.make_generator(RNG).parameter_count() == generator
    assert recipe.make_discriminator(RNG).parameter_count() == discriminator


OWN: dict[str, dict[str, int]] = {  # of those with a step of their own, the parts' parameters
    "goodfellow-mnist": {"generator": 2_503_984, "discriminator": 1_231_441},
    "wgan-gp": {"generator": 1_554_177, "critic": 1_030_145},
    "wgan": {"generator": 1_554_177 + 8_576, "critic": 1_030_144 + 768},
    "lsgan": {"generator": 1_988_481, "discriminator": 1_030_913},
    "hinge": {"generator": 973_761, "discriminator": 180_961},
    "dragan": {"generator": 114_064, "discriminator": 100_609},
    "acgan": {"generator": 2_656_745, "trunk": 387_840, "source": 12_545, "digit": 125_450},
    "infogan": {"generator": 6_652_481, "trunk": 6_558_144, "source": 1_025, "reader": 133_262},
}


@pytest.mark.parametrize("name", OWN)
def test_parameter_counts_of_parts(name: str) -> None:
    parts = Trainer(name).system.parts()
    networks = {part: parts[part].parameter_count() for part in OWN[name]}
    assert networks == OWN[name]
    assert {n for n, part in parts.items() if isinstance(part, nn.Module)} == set(OWN[name])


def test_every_recipe_is_here() -> None:
    assert recipes.names()[0] == "mnist"
    assert set(CLASSIC) == set(recipes.names()) - set(OWN)


@pytest.mark.parametrize("name", CLASSIC)
def test_networks_take_and_give_images(name: str) -> None:
    recipe = recipes.get(name)()
    generator, discriminator = recipe.make_generator(RNG), recipe.make_discriminator(RNG)
    labels = Tensor(np.eye(10, dtype="float32")[:3]) if recipe.classes else None
    with no_grad():
        images = generator(Tensor(np.zeros((3, recipe.latent_size), "float32")), labels)
        verdict = discriminator(images, labels)
    shape = (np.prod(recipe.image_shape),) if recipe.flat else recipe.image_shape
    assert images.shape == (3, *shape)
    assert verdict.shape == (3, 1)


def trainer(name: str) -> Trainer:
    """A recipe as it is, but for the batch; on few images."""
    system: System = recipes.get(name)(batch_size=4)
    if system.image_shape == (1, 28, 28):
        return Trainer(system, DIGITS.first(20), seed=1)
    images = np.random.default_rng(0).integers(0, 256, (20, *system.image_shape), "uint8")
    return Trainer(system, Dataset.of(image=images), seed=1)


@pytest.mark.parametrize("name", recipes.names())
def test_captured_equals_eager_and_resumed_straight_bit_for_bit(name: str) -> None:
    trained = assert_captured_is_eager(lambda: trainer(name), 3)
    samples = trained.sample(3, seed=1)
    assert samples.shape == (3, *trained.system.image_shape)
    assert 0 <= samples.min() < samples.max() <= 1
    assert_resumed_is_straight(lambda: trainer(name), 5, (2,))


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_samples_without_data(name: str) -> None:
    idle = Trainer(name)
    before = bits(idle)
    assert idle.sample(2).shape == (2, *idle.system.image_shape)
    assert bits(idle) == before
    assert idle.system.name == name


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_is_written_as_a_user_would(name: str) -> None:
    """A class with a docstring of one line, from ``ganengine`` itself, in a short file."""
    text = recipe_file(name).read_text()
    imports = [line for line in text.splitlines() if line.startswith(("from", "import"))]
    rooms = {line.split()[1] for line in imports}
    assert rooms <= {
        *("dataclasses", "numpy", "ganengine", "ganengine.nn", "ganengine.recipes.dcgan_mnist"),
    }
    summary = recipes.get(name).__doc__
    assert summary.endswith(".")
    assert "\n" not in summary


def test_keras_dcgan_is_the_tutorial() -> None:
    recipe = recipes.get("keras-dcgan")()
    assert (recipe.batch_size, recipe.g_batch_size, recipe.separate_updates) == (128, 256, True)
    assert (recipe.lr, recipe.beta1, recipe.real_label, recipe.epochs) == (2e-4, 0.5, 0.9, 50)
    generator = recipe.make_generator(RNG)
    running = sum(array.size for _, array in generator.named_buffers())
    assert generator.parameter_count() + running == 840_705
    names = [type(layer).__name__ for layer in generator]
    assert names[0:3] == ["Dense", "Reshape", "BatchNorm"]  # leaky ReLU, then batch norm
    assert generator.layers[0].activation == "leaky_relu"
    assert steps_per_epoch("keras-dcgan") == 468


def steps_per_epoch(name: str, count: int = 60_000) -> int:
    """Of as many images as MNIST has."""
    images = np.broadcast_to(np.uint8(0), (count, 1, 28, 28))
    return Trainer(name, images).steps_per_epoch


def test_the_rate_of_dcgan_falls_over_the_last_hundred_epochs() -> None:
    for name in ("dcgan-mnist", "cdcgan-mnist"):
        system = trainer(name).system  # 5 steps an epoch
        rates = [system.rate(5 * epoch) for epoch in (0, 99, 100, 150, 199, 200, 300)]
        np.testing.assert_allclose(rates, [2e-4, 2e-4, 2e-4, 1e-4, 2e-6, 0.0, 0.0], atol=1e-12)
        assert system.rate(5 * 150 + 4) == system.rate(5 * 150)
        for optimizer in (system.g_optimizer, system.d_optimizer):
            assert optimizer.lr.schedule == system.rate


def test_the_rates_of_cgan() -> None:
    system = trainer("cgan").system
    assert (system.rate(4), system.momentum(4)) == (0.1, 0.5)
    assert system.rate(625 + 3) == pytest.approx(0.1 / 1.00004**625)
    assert system.momentum(625) == pytest.approx(0.6)
    assert system.rate(10**6) == 1e-6
    assert system.momentum(10**6) == pytest.approx(0.7)
    for optimizer in (system.g_optimizer, system.d_optimizer):
        assert optimizer.lr.schedule == system.rate
        assert optimizer.momentum.schedule == system.momentum


def activations(network: nn.Sequential) -> list[str]:
    return [layer.activation for layer in network]


def assert_uniform_noise(name: str, low: float) -> None:
    noise = trainer(name).system.latent(1000).numpy()
    assert noise.shape == (1000, 100)
    assert low <= noise.min() < low + 0.01
    assert 0.99 < noise.max() < 1
    assert noise.mean() == pytest.approx((low + 1) / 2, abs=0.01)


def test_mlp_128_is_the_tutorial() -> None:
    recipe = recipes.get("mlp-128")()
    assert activations(recipe.make_generator(RNG)) == ["leaky_relu", "leaky_relu", "tanh"]
    assert activations(recipe.make_discriminator(RNG)) == ["leaky_relu", "leaky_relu", "linear"]
    assert_uniform_noise("mlp-128", -1.0)
    assert recipe.value_range == (-1.0, 1.0)
    assert (recipe.batch_size, recipe.epochs, recipe.train_images) == (100, 500, 55_000)
    assert (recipe.lr, recipe.beta1, recipe.beta2) == (1e-3, 0.9, 0.999)
    assert (recipe.real_label, recipe.same_noise, recipe.ema_decay) == (0.9, True, None)
    assert steps_per_epoch("mlp-128") == 550


def test_mlp_500_is_the_tutorial() -> None:
    recipe = recipes.get("mlp-500")()
    network = recipe.make_generator(RNG)
    assert activations(network) == ["relu", "relu", "sigmoid"]
    assert activations(recipe.make_discriminator(RNG)) == ["relu", "relu", "linear"]
    for layer in network:
        spread = (2 / layer.in_features) ** 0.5
        assert layer.weight.numpy().std() == pytest.approx(spread, rel=0.05)
        assert not layer.bias.numpy().any()
    assert_uniform_noise("mlp-500", -1.0)
    assert (recipe.value_range, recipe.batch_size) == ((0.0, 1.0), 128)
    assert (recipe.lr, recipe.beta1, recipe.real_label) == (1e-3, 0.9, 1.0)
    assert recipe.epochs * steps_per_epoch("mlp-500") == pytest.approx(500_000, rel=0.01)


def test_wgan_gp_is_the_paper() -> None:
    """Algorithm 1: lambda = 10, five critic steps, Adam(1e-4, 0.5, 0.9), batches of 50."""
    trained = trainer("wgan-gp")
    recipe = recipes.get("wgan-gp")()
    assert (recipe.penalty, recipe.critic_steps, recipe.lr, recipe.batch_size) == (10, 5, 1e-4, 50)
    for optimizer in (trained.system.g_optimizer, trained.system.c_optimizer):
        assert (optimizer.beta1, optimizer.beta2) == (0.5, 0.9)
    trained.train(2)
    assert trained.state_dict()["c_optimizer.steps"].tolist() == [10]
    assert trained.state_dict()["g_optimizer.steps"].tolist() == [2]
    assert trained.state_dict()["real.position"].tolist() == [2 * 5 * 4]
    values = trained.train(1)
    penalty = values["critic_loss"] + values["distance"]
    assert penalty > 0


def test_goodfellow_mnist_is_the_paper() -> None:
    """Plain momentum, rates that change, pixels that begin with their means, both step at once."""
    system = trainer("goodfellow-mnist").system
    assert (system.rate(0), system.rate(1), system.rate(10**8)) == (0.1, 0.1 / 1.000004, 1e-6)
    assert system.momentum(0) == 0.5
    assert system.momentum(5 * 125) == pytest.approx(0.6)  # 5 batches an epoch
    assert system.momentum(10**6) == pytest.approx(0.7)
    noise = system.noise(100).numpy()
    assert 1.7 < noise.max() < 3**0.5
    assert -(3**0.5) <= noise.min() < -1.7
    means = DIGITS.first(20).images.mean(axis=0).reshape(-1) / 255
    biases = system.generator.layers[2].bias.numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-biases)), means, atol=2e-7)


def test_wgan_stays_in_its_box() -> None:
    trained = trainer("wgan")
    trained.train(2)
    weights = [p.numpy() for p in trained.system.critic.parameters()]
    assert max(abs(w).max() for w in weights) == np.float32(0.01)
    assert trained.state_dict()["real.position"].tolist() == [2 * 5 * 4]


def test_hinge_keeps_its_vectors_and_falls_to_0() -> None:
    trained = trainer("hinge")
    before = trained.state_dict()
    trained.train(1)
    after = trained.state_dict()
    vectors = [name for name in after if name.endswith(".u")]
    assert len(vectors) == 6
    assert all(np.abs(after[name] - before[name]).max() > 0 for name in vectors[:5])
    for optimizer in (trained.system.g_optimizer, trained.system.d_optimizer):
        assert [optimizer.lr.schedule(n) for n in (0, 2_000, 4_000)] == [2e-4, 1e-4, 0.0]


def test_random_labels() -> None:
    rows = trainer("infogan").system.random_labels(5_000, 10).numpy()
    assert set(np.unique(rows)) == {0.0, 1.0}
    np.testing.assert_array_equal(rows.sum(axis=1), 1)
    np.testing.assert_allclose(rows.mean(axis=0), 0.1, atol=0.02)


@pytest.mark.parametrize("name", ["acgan", "infogan"])
def test_a_label_that_is_asked_for(name: str) -> None:
    trained = trainer(name)
    one, other = (trained.sample(2, seed=1, label=label) for label in (3, 7))
    assert np.abs(one - other).max() > 0
    with pytest.raises(ValueError, match="label is 10"):
        trained.sample(2, label=10)


def test_settings_are_plain_data() -> None:
    for name in recipes.names():
        settings = recipes.get(name)().settings()
        assert settings["batch_size"] > 0
        assert all(isinstance(value, str | int | float | None) for value in settings.values())
