"""Samples against real data: what each measure must notice, floors, and what is kept on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ganengine.data import DataError, Dataset, drawn_digits
from ganengine.metrics import Judge, evaluate, frechet_distance
from ganengine.metrics.evaluate import DISTANCES, Evaluator, as_json, looker_for
from ganengine.metrics.stacked import StackedJudge

TRAIN, TEST = drawn_digits(900), drawn_digits(300, seed=1)
GOOD = drawn_digits(300, seed=2).images
NOISE = np.random.default_rng(0).integers(0, 256, GOOD.shape, "uint8")


@pytest.fixture(scope="module")
def judge() -> Judge:
    learned = Judge()
    learned.learn(TRAIN.images, TRAIN.labels, steps=90)
    return learned


@pytest.fixture(scope="module")
def evaluator(judge, tmp_path_factory) -> Evaluator:
    return Evaluator(TRAIN, TEST, judge, cache=tmp_path_factory.mktemp("cache"))


def test_real_images_get_what_their_floor_is(evaluator) -> None:
    found = evaluator.evaluate(GOOD)
    assert found.images == evaluator.count == 300
    assert list(found.measures)[: len(DISTANCES)] == list(DISTANCES)
    assert found.measures.keys() == found.floor.keys()
    for name, tolerance in {
        "precision": 0.15,
        "recall": 0.15,
        "coverage": 0.15,
        "copies": 0.05,
    }.items():
        assert found.measures[name] == pytest.approx(found.floor[name], abs=tolerance), name
    assert found.measures["frechet_distance"] < 4 * found.floor["frechet_distance"]
    assert found.measures["confidence"] > 0.7
    assert evaluator.accuracy > 0.9


def test_noise_is_far_from_it(evaluator) -> None:
    found = evaluator.evaluate(NOISE)
    assert found.measures["frechet_distance"] > 10 * found.floor["frechet_distance"]
    assert found.measures["kernel_distance"] > 10 * abs(found.floor["kernel_distance"])
    assert found.measures["coverage"] < 0.2
    assert found.measures["total_variation"] > 0.3
    assert found.measures["rarest_class"] == 0
    assert found.measures["parzen_log_likelihood"] < found.floor["parzen_log_likelihood"]
    assert np.median(found.realism) < np.median(evaluator.evaluate(GOOD).realism)


def test_training_images_are_copies(evaluator) -> None:
    found = evaluator.evaluate(TRAIN.images[:300])
    assert found.measures["copies"] > 0.9
    assert found.floor["copies"] < 0.1


def test_copies_have_no_floor_without_further_training_images(judge, tmp_path) -> None:
    found = Evaluator(TRAIN.first(100), TEST.first(100), judge, cache=tmp_path).evaluate(GOOD)
    assert found.images == 100
    assert found.measures.keys() - found.floor.keys() == {"copies"}
    assert found.measures["copies"] < 0.1


def test_the_distances_alone(evaluator, judge) -> None:
    found = evaluator.distances(GOOD)
    assert tuple(found) == DISTANCES
    all_measures = evaluator.evaluate(GOOD).measures
    assert found == {name: all_measures[name] for name in DISTANCES}
    features = judge.look(TEST.images).features, judge.look(GOOD).features
    assert found["frechet_distance"] == pytest.approx(frechet_distance(*features))


def test_fewer_samples_are_compared_with_fewer_real_images(evaluator, judge) -> None:
    found = evaluator.evaluate(GOOD[:100])
    assert found.images == 100
    features = judge.look(TEST.images[:100]).features, judge.look(GOOD[:100]).features
    assert found.measures["frechet_distance"] == pytest.approx(frechet_distance(*features))
    assert found.floor["frechet_distance"] > evaluator.evaluate(GOOD).floor["frechet_distance"]


def test_labels_that_were_asked_for(evaluator) -> None:
    labels = drawn_digits(300, seed=2).labels
    assert evaluator.evaluate(GOOD, labels).measures["label_accuracy"] > 0.9
    assert evaluator.evaluate(GOOD, (labels + 1) % 10).measures["label_accuracy"] < 0.1
    np.testing.assert_array_equal(evaluator.asked(20), TEST.labels[:20])


def test_the_floor_is_kept(judge, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = Evaluator(TRAIN, TEST, judge, cache=tmp_path)
    expected = evaluator.evaluate(GOOD)
    again = Evaluator(TRAIN, TEST, judge, cache=tmp_path)
    seen: list[int] = []
    look = judge.look
    monkeypatch.setattr(judge, "look", lambda images: seen.append(len(images)) or look(images))
    found = again.evaluate(GOOD)
    assert seen == [300]  # the samples, and no training images
    assert found.floor == expected.floor
    assert found.measures == expected.measures
    (path,) = evaluator._cache.glob("floor-*")
    path.write_bytes(b"damaged")
    assert Evaluator(TRAIN, TEST, judge, cache=evaluator._cache).evaluate(GOOD) is not None
    assert path.stat().st_size > 1000  # found anew
    other = Evaluator(TRAIN.first(800), TEST, judge, cache=evaluator._cache)
    assert other.evaluate(GOOD).floor != expected.floor


def test_larger_samples_are_cut_to_their_middle(evaluator) -> None:
    padded = np.pad(GOOD, ((0, 0), (0, 0), (2, 2), (2, 2)))
    assert evaluator.distances(padded) == evaluator.distances(GOOD)


@pytest.mark.parametrize(
    "shape", [(50, 1, 26, 28), (50, 3, 28, 28), (50, 1, 29, 28), (50, 1, 34, 34), (50, 28, 28)]
)
def test_images_of_another_shape(evaluator, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="images must have shape"):
        evaluator.distances(np.zeros(shape, "float32"))


def test_too_few_images(evaluator, judge) -> None:
    with pytest.raises(ValueError, match="9 images are too few"):
        evaluator.evaluate(GOOD[:9])
    with pytest.raises(DataError, match="9 images to compare with are too few"):
        Evaluator(TRAIN, TEST.first(9), judge)
    with pytest.raises(DataError, match="expected the same"):
        Evaluator(Dataset.of(image=TRAIN.images[:, :, :20].copy()), TEST, judge)


def test_without_labels_nothing_is_said_of_classes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("ganengine.metrics.judge.steps_for", lambda *_: 5)
    train, test = (Dataset.of(image=each.images) for each in (TRAIN, TEST))
    found = Evaluator(train, test, looker_for(train, cache=tmp_path), cache=tmp_path)
    assert found.accuracy is None
    assert found.asked(5) is None
    measures = found.evaluate(GOOD).measures
    assert "total_variation" not in measures
    assert "coverage" in measures


def test_stacked_digits(judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).integers(0, 900, (300, 3))
    labels = TRAIN.labels[rows] @ np.array([100, 10, 1])
    stacked = replace(Dataset.of(image=TRAIN.images[rows, 0], label=labels), name="stacked-mnist")
    monkeypatch.setattr("ganengine.metrics.judge.steps_for", lambda *_: 2)
    made = looker_for(stacked, cache=tmp_path)
    assert isinstance(made, StackedJudge)
    assert made.sha256 == made.digits.sha256
    assert made.digits.classes == 10
    looker = StackedJudge(judge)
    assert np.mean(looker.look(stacked.images[:100]).labels == labels[:100]) > 0.7
    assert looker.look(stacked.images[:5]).features.shape == (5, 3 * 128)
    found = Evaluator(stacked.first(200), stacked.first(100), looker, cache=tmp_path)
    measures = found.evaluate(stacked.images[200:]).measures
    assert 50 < measures["modes"] <= 100
    assert measures["kl"] > 1
    assert found.evaluate(np.tile(stacked.images[:1], (100, 1, 1, 1))).measures["modes"] == 1


def test_as_json() -> None:
    found = evaluate.Evaluation(10, {"density": 1.0, "kl": np.nan}, {"kl": np.inf}, np.zeros(1))
    assert as_json(found) == {
        "images": 10,
        "measures": {"density": 1.0, "kl": None},
        "floor": {"kl": None},
    }
