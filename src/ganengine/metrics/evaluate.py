"""Everything that can be said of samples against real data, each measure beside its floor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ganengine.backend import Array
from ganengine.data import DataError, Dataset, cache_dir
from ganengine.io import checkpoint
from ganengine.metrics._types import Labels, Singles
from ganengine.metrics.frechet import frechet_distance
from ganengine.metrics.judge import Judge, Opinion, Progress, judge_for
from ganengine.metrics.kernel_distance import kernel_distance
from ganengine.metrics.labels import class_shares, label_accuracy, modes_and_kl, total_variation
from ganengine.metrics.neighbours import copied, copy_limit, neighbourhood
from ganengine.metrics.parzen import parzen_log_likelihood
from ganengine.metrics.stacked import StackedJudge, stacked_judge_for

# Those that distances() gives, and that training can write down; the first says which is best.
DISTANCES = (
    "frechet_distance",
    "kernel_distance",
    "precision",
    "recall",
    "density",
    "coverage",
)

_FORMAT = 1  # counts up when other code would find another floor
_VALIDATION = 1000  # images that choose the Parzen window
_PARZEN_PIXELS = 32 * 32  # grey images up to this size have a published likelihood
_BORDER = 2  # pixels around samples that are cut off: 28 x 28 are often padded to 32 x 32
_MOST_TRAIN = 60_000  # training images that copies are searched among

Measures = dict[str, float]


class Looker(Protocol):
    """What makes features of images: a judge, or a network that the user names."""

    by_rotation: bool
    classes: int

    @property
    def description(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def look(self, images: Array) -> Opinion: ...


@dataclass(frozen=True)
class Evaluation:
    """What was found of ``images`` samples.

    ``measures`` and ``floor`` have the same names, but for ``label_accuracy``, which only samples
    of a conditional GAN have, and ``copies``, whose floor needs more training images than samples.
    ``realism`` is that of each sample, float32 (N,).
    """

    images: int
    measures: Measures
    floor: Measures
    realism: Singles


def looker_for(
    train: Dataset, *, cache: Path | None = None, progress: Progress = lambda done, steps: None
) -> Judge | StackedJudge:
    """The judge that suits a data set, from the cache, or one that learns now.

    Args:
        train: As for :func:`ganengine.metrics.judge_for`; stacked digits are those that are called
            ``stacked-mnist``.
        cache, progress: As there.
    """
    make: Any = stacked_judge_for if train.name == "stacked-mnist" else judge_for
    found: Judge | StackedJudge = make(train, cache=cache, progress=progress)
    return found


class _Floor(NamedTuple):
    """What only depends on real images: measures, training images' features, a copy's distance."""

    measures: Measures
    train: Singles
    copy_limit: float


class Evaluator:
    """Compares samples with real data: with images that the generator has not learned from.

    Args:
        train: What the generator and the judge learn from: of it come the floor, as many images as
            there are samples, and what copies are searched among.
        test: Real images that neither has seen.
        looker: Makes the features.
        count: How many images of each to compare; fewer where there are not so many.
        cache: Folder for what only depends on the real data; by default that of downloads.

    Raises:
        DataError: The two are of different shapes, or there are too few images.

    Example:
        >>> import tempfile
        >>> from ganengine.data import drawn_digits
        >>> train, test = drawn_digits(120), drawn_digits(60, seed=1)
        >>> evaluator = Evaluator(train, test, Judge(), cache=Path(tempfile.mkdtemp()))
        >>> found = evaluator.evaluate(drawn_digits(80, seed=2).images)
        >>> found.images, round(found.measures["copies"], 1)
        (60, 0.0)
    """

    def __init__(
        self,
        train: Dataset,
        test: Dataset,
        looker: Looker,
        *,
        count: int = 10_000,
        cache: Path | None = None,
    ):
        if train.image_shape != test.image_shape:
            raise DataError(
                f"{train.name}: images of {train.image_shape} for training, and of "
                f"{test.image_shape} to compare with; expected the same"
            )
        self.count = min(count, len(train), len(test))
        if self.count < 10:
            raise DataError(f"{self.count} images to compare with are too few; expected 10")
        self.train, self.test, self.looker = train, test, looker
        self._cache = cache_dir() if cache is None else cache
        self._rows = np.sort(_drawn(len(test), self.count))
        self._real = looker.look(test.images[self._rows])
        self._floors: dict[int, _Floor] = {}

    @property
    def accuracy(self) -> float | None:
        """The share of the test images that the judge reads right, if it reads their classes."""
        if not self._reads_classes or self.test.labels is None:
            return None
        return label_accuracy(self._real.labels, self.test.labels[self._rows])

    def asked(self, count: int) -> Labels | None:
        """Labels to ask a conditional generator for: as frequent as those of the real images."""
        return None if self.test.labels is None else self.test.labels[self._rows][:count]

    def distances(self, images: Array) -> Measures:
        """The measures between distributions alone, by the names in ``DISTANCES``; a few seconds.

        Args:
            images: (N, C, H, W), uint8, or float in [0, 1].

        Raises:
            ValueError: The images have another shape.
        """
        images = self._fitted(images)
        return self._distances(self.looker.look(images))[0]

    def evaluate(self, images: Array, asked: Labels | None = None) -> Evaluation:
        """All measures of samples, and their floor.

        Args:
            images: (N, C, H, W), uint8, or float in [0, 1]; a border of up to two pixels that
                the real ones lack is cut off.
            asked: The labels that a conditional generator was given, (N,).

        Raises:
            ValueError: The images have another shape, or there are fewer than 10.
        """
        images = self._fitted(images)
        floor = self._floor(len(images))
        opinion = self.looker.look(images)
        measures, found = self._measures(images, opinion, floor.train, floor.copy_limit)
        beside = {name: floor.measures[name] for name in measures if name in floor.measures}
        if asked is not None and self._reads_classes:
            measures["label_accuracy"] = label_accuracy(opinion.labels, asked[: len(images)])
        return Evaluation(len(images), measures, beside, found)

    @property
    def _reads_classes(self) -> bool:
        return self.looker.classes > 0 and not self.looker.by_rotation

    def _fitted(self, images: Array) -> NDArray[Any]:
        """As many as can be compared, of the size of the real ones."""
        wanted = self.test.image_shape
        if images.ndim != 4 or images.shape[1] != wanted[0]:
            raise ValueError(f"images must have shape (N, *{wanted}), got {images.shape}")
        if min(len(images), self.count) < 10:
            raise ValueError(f"{len(images)} images are too few to compare; expected at least 10")
        (above, rest), (left, more) = (
            divmod(images.shape[axis] - wanted[axis - 1], 2) for axis in (2, 3)
        )
        if rest or more or not (0 <= above <= _BORDER and 0 <= left <= _BORDER):
            raise ValueError(f"images must have shape (N, *{wanted}), got {images.shape}")
        middle = images[:, :, above : above + wanted[1], left : left + wanted[2]]
        return np.ascontiguousarray(middle[: self.count])

    def _distances(self, opinion: Opinion) -> tuple[Measures, Singles]:
        """To as many real images: to more of them, others would come out. And the realism."""
        real = self._real.features[: len(opinion.features)]
        fake = opinion.features
        found = neighbourhood(real, fake)
        measures = {
            "frechet_distance": frechet_distance(real, fake),
            "kernel_distance": kernel_distance(real, fake),
            **found.precision_recall._asdict(),
            **found.density_coverage._asdict(),
        }
        return {name: measures[name] for name in DISTANCES}, found.realism

    def _measures(
        self, images: Array, opinion: Opinion, train: Singles, limit: float
    ) -> tuple[Measures, Singles]:
        """Of samples; copies of what has the features ``train``. And the realism."""
        found, realism = self._distances(opinion)
        real = Opinion(*(each[: len(images)] for each in self._real))
        found["copies"] = copied(opinion.features, train, limit)
        if self._reads_classes:
            shares, expected = (
                class_shares(each.labels, self.looker.classes) for each in (opinion, real)
            )
            found["total_variation"] = total_variation(shares, expected)
            found["rarest_class"] = float(shares.min())
            found["confidence"] = float(opinion.confidence.mean())
        if isinstance(self.looker, StackedJudge):
            found |= {k: float(v) for k, v in modes_and_kl(opinion.labels)._asdict().items()}
        validation = self._spare(len(images))
        channels, height, width = self.test.image_shape
        if len(validation) and channels == 1 and height * width <= _PARZEN_PIXELS:
            flat = [
                _unit(each).reshape(len(each), -1)
                for each in (images, self.test.images[self._rows][: len(images)], validation)
            ]
            found["parzen_log_likelihood"] = parzen_log_likelihood(*flat).log_likelihood
        return found, realism

    def _floor(self, count: int) -> _Floor:
        """That of so many samples: from the cache, or found now."""
        if count not in self._floors:
            key = json.dumps([_FORMAT, count, self.count, self.looker.sha256])
            digest = hashlib.sha256(key.encode())
            for dataset in (self.train, self.test):
                digest.update(dataset.digest().encode())
            path = self._cache / f"floor-{digest.hexdigest()[:16]}.safetensors"
            found = _load_floor(path)
            if found is None:
                found = self._new_floor(count)
                self._cache.mkdir(parents=True, exist_ok=True)
                metadata = {"measures": found.measures, "copy_limit": found.copy_limit}
                checkpoint.save(path, {"train": found.train}, metadata)
            self._floors[count] = found
        return self._floors[count]

    def _new_floor(self, count: int) -> _Floor:
        order = _drawn(len(self.train), len(self.train))
        chosen, others = (
            self.train.images[rows] for rows in (order[:count], order[count:][:_MOST_TRAIN])
        )
        opinion = self.looker.look(chosen)
        real = self._real.features[:count]
        # The chosen are copies of themselves: theirs have to be looked for among the others.
        apart = self.looker.look(others).features if len(others) else opinion.features
        measures, _ = self._measures(chosen, opinion, apart, copy_limit(apart, real))
        if not len(others):
            del measures["copies"]
        train = np.concatenate([opinion.features, apart[: len(others)]])[:_MOST_TRAIN]
        return _Floor(measures, train, copy_limit(train, real))

    def _spare(self, count: int) -> NDArray[np.uint8]:
        """Training images that are not among those of the floor."""
        order = _drawn(len(self.train), len(self.train))
        return self.train.images[order[count : count + _VALIDATION]]


def _load_floor(path: Path) -> _Floor | None:
    """What was kept, or None where there is nothing, or a damaged file: it is found anew then."""
    try:
        kept = checkpoint.load(path) if path.exists() else None
        if kept is None:
            return None
        measures = {name: float(value) for name, value in kept.entry("measures", dict).items()}
        return _Floor(measures, np.asarray(kept.arrays["train"]), kept.entry("copy_limit", float))
    except (checkpoint.CheckpointError, KeyError, TypeError):
        return None


def as_json(evaluation: Evaluation) -> Mapping[str, Any]:
    """Measures and floor as JSON holds them: what is not finite is null.

    Example:
        >>> nothing = np.zeros(0, np.float32)
        >>> as_json(Evaluation(10, {"density": float("inf")}, {}, nothing))["measures"]
        {'density': None}
    """
    return {
        "images": evaluation.images,
        **{
            name: {key: value if np.isfinite(value) else None for key, value in found.items()}
            for name, found in (("measures", evaluation.measures), ("floor", evaluation.floor))
        },
    }


def _unit(images: Array) -> Singles:
    scale = np.float32(1 / 255 if images.dtype == np.uint8 else 1)
    return np.asarray(images, np.float32) * scale


def _drawn(rows: int, count: int) -> Labels:
    """So many rows, always the same ones, in random order."""
    return np.random.default_rng(0).permutation(rows)[:count]
