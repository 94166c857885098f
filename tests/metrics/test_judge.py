"""The judge, on digits that need no download."""

from pathlib import Path

import numpy as np
import pytest

from ganengine import Tensor, Trainer, grad
from ganengine.data import Dataset, drawn_digits
from ganengine.metrics import (
    Judge,
    classifier,
    frechet_distance,
    judge,
    judge_for,
)

TRAIN = drawn_digits(2000)
TEST = drawn_digits(500, seed=1)


@pytest.fixture(scope="module")
def trained() -> Judge:
    learned = Judge()
    learned.learn(TRAIN.images, TRAIN.labels, steps=60)
    return learned


def test_it_reads_digits(trained: Judge) -> None:
    opinion = trained.look(TEST.images)
    assert opinion.features.shape == (500, judge.FEATURES)
    assert np.mean(opinion.labels == TEST.labels) > 0.97
    np.testing.assert_allclose(opinion.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(opinion.confidence, opinion.probabilities.max(axis=1))


def test_bytes_and_floats_look_the_same(trained: Judge) -> None:
    expected = trained.look(TEST.images).probabilities
    floats = (TEST.images / 255.0).astype("float32")
    np.testing.assert_allclose(trained.look(floats).probabilities, expected, atol=1e-5)


def test_an_opinion_does_not_depend_on_the_other_images(
    trained: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = trained.look(TEST.images)
    monkeypatch.setattr(judge, "_PART", 7)
    apart = trained.look(TEST.images)
    np.testing.assert_allclose(apart.features, expected.features, atol=1e-4)
    np.testing.assert_array_equal(apart.labels, expected.labels)


def test_it_is_less_sure_of_noise(trained: Judge) -> None:
    noise = np.random.default_rng(0).integers(0, 256, TEST.images.shape, "uint8")
    assert trained.look(noise).confidence.mean() < trained.look(TEST.images).confidence.mean()


def test_its_features_tell_a_missing_digit_from_chance(trained: Judge) -> None:
    """A sample without one digit is further from the rest than another full sample is."""
    real = trained.look(TRAIN.images[:500]).features
    other = trained.look(TEST.images).features
    incomplete = trained.look(drawn_digits(550, seed=2).images).features[
        drawn_digits(550, seed=2).labels != 4
    ]
    floor = frechet_distance(real, other)
    assert frechet_distance(real, incomplete) > 2 * floor


def test_the_same_seed_makes_the_same_judge() -> None:
    few = drawn_digits(100)
    first, second, third = Judge(seed=1), Judge(seed=1), Judge(seed=2)
    for each in (first, second, third):
        each.learn(few.images, few.labels, steps=3)
    states = [each.network.state_dict() for each in (first, second, third)]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert not np.array_equal(states[0]["0.weight"], states[2]["0.weight"])


def test_cross_entropy_and_its_gradient() -> None:
    """Against the definition in float64, also where e^l is beyond float32."""
    logits = np.array([[1.0, -2.0, 0.5], [300.0, 299.0, -300.0], [0.0, 0.0, 0.0]], "float32")
    targets = np.eye(3, dtype="float32")[[2, 1, 0]]
    wide = logits.astype("f8")
    log_sum = np.log(np.exp(wide - wide.max(1, keepdims=True)).sum(1)) + wide.max(1)
    probability = np.exp(wide - log_sum[:, None])
    given = Tensor(logits, requires_grad=True)
    loss = classifier.cross_entropy(given, Tensor(targets))
    assert loss.item() == pytest.approx((log_sum - wide[targets == 1]).mean(), rel=1e-5)
    np.testing.assert_allclose(
        grad(loss, [given])[0].numpy(), (probability - targets) / 3, atol=1e-6
    )


def test_colour_images_of_other_sizes_and_more_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 12
    images = rng.integers(0, 99, (60, 3, 9, 13), "uint8")
    images += (labels * 10).astype("uint8")[:, None, None, None]
    found = judge_for(Dataset.of("tiny", image=images, label=labels), cache=tmp_path, steps=3)
    assert found.classes == 12
    assert found.look(images).probabilities.shape == (60, 12)


def test_a_judge_is_kept_for_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = drawn_digits(100)
    first = judge_for(few, cache=tmp_path / "new", steps=3)
    monkeypatch.setattr(Judge, "learn", None)  # to learn again would fail
    again = judge_for(few, cache=tmp_path / "new", steps=3)
    np.testing.assert_array_equal(again.look(few.images).features, first.look(few.images).features)
    with pytest.raises(TypeError):
        judge_for(drawn_digits(101), cache=tmp_path / "new", steps=3)


@pytest.mark.parametrize(("width", "turns"), [(28, 4), (24, 2)])
def test_without_labels_it_learns_how_images_are_turned(width: int, turns: int, tmp_path) -> None:
    images = TRAIN.images[..., :width].copy()
    found = judge_for(Dataset.of("tiny", image=images), cache=tmp_path, steps=60)
    assert found.by_rotation
    assert found.classes == turns
    assert "quarter turns" in found.description
    upside_down = np.ascontiguousarray(np.rot90(images[:200], 2, axes=(2, 3)))
    assert np.mean(found.look(upside_down).labels == turns // 2) > 0.7


def test_its_hash_is_that_of_its_weights() -> None:
    first, again, other = Judge(seed=1), Judge(seed=1), Judge(seed=2)
    assert first.sha256 == again.sha256 != other.sha256


def test_how_long_it_learns() -> None:
    heard: list[tuple[int, int]] = []
    Judge().learn(TEST.images, TEST.labels, steps=25, progress=lambda *each: heard.append(each))
    assert heard == [(20, 25), (25, 25)]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (TEST.images.astype("float32"), TEST.labels, "column 'image' is float32"),
        (TEST.images[:, :, :20], TEST.labels, r"images of shape \(1, 28, 28\)"),
        (TEST.images[:0], TEST.labels[:0], "at least one row"),
        (TEST.images, TEST.labels[:5], "column 'label' has 5 rows, and 'image' has 500"),
        (TEST.images, TEST.labels / 2.0, "column 'label' is float64"),
        (TEST.images, TEST.labels - 1, "column 'label' holds -1"),
        (TEST.images, TEST.labels + 1, "labels must be integers from 0 to 9"),
    ],
)
def test_bad_data(images: np.ndarray, labels: np.ndarray, message: str) -> None:
    untaught = Judge()
    before = untaught.network.state_dict()
    with pytest.raises(ValueError, match=message):
        untaught.learn(images, labels)
    for name, array in untaught.network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_judge_learns_as_a_system() -> None:
    """Three thirds whose rates fall, captured as any other: equal to operation by operation."""
    few = drawn_digits(250)
    captured, eager = (Trainer(classifier.Classifier(steps=9), few, seed=1) for _ in range(2))
    captured.train(9)
    eager.run_eagerly(9)
    for name, array in eager.state_dict().items():
        assert array.tobytes() == captured.state_dict()[name].tobytes(), name
    rates = [captured.system.rate(step) for step in (0, 2, 3, 6, 8, 9)]
    assert rates == [2e-3, 2e-3, 1e-3, 2e-4, 2e-4, 2e-4]
    learned = Judge(seed=1)
    learned.learn(few.images, few.labels, steps=9)
    for name, array in learned.network.state_dict().items():
        np.testing.assert_array_equal(array, captured.system.network.state_dict()[name])


def test_images_of_another_shape() -> None:
    with pytest.raises(ValueError, match="images must have shape"):
        Judge().look(np.zeros((2, 1, 32, 32), "float32"))
