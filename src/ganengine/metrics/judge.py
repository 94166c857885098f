"""An independent judge: a small convolutional classifier that learned from real images.

It reads the class of a sample, and its penultimate layer gives the features between whose
distributions :func:`ganengine.metrics.frechet_distance` measures.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganengine import backend
from ganengine.backend import Array, to_device
from ganengine.data import DataError, Dataset, cache_dir
from ganengine.gan.trainer import Trainer
from ganengine.io import checkpoint
from ganengine.metrics.classifier import FEATURES, RATES, Classifier, network
from ganengine.nn import evaluating
from ganengine.tape import no_grad
from ganengine.tensor import Tensor

_PART = 1000  # images looked at together
_FORMAT = 2  # counts up when other code would make another judge of the same data


class Opinion(NamedTuple):
    """What a judge makes of N images: float32 ``features`` (N, F), ``probabilities`` (N, K)."""

    features: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The likeliest class of each image, (N,)."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of that class, (N,): low for what looks like no class, or like two."""
        return np.asarray(self.probabilities.max(axis=1))


class Judge:
    """A classifier of images: two convolutions, pooled, and two dense layers.

    Args:
        image_shape: (C, H, W), H and W at least 4.
        classes: K.
        seed: Of the initial weights and the order in which it sees the data.
        device: ``"cpu"`` or ``"cuda"``.

    Example:
        >>> from ganengine.data import drawn_digits
        >>> digits = drawn_digits(400)
        >>> judge = Judge()
        >>> judge.learn(digits.images, digits.labels)
        >>> judge.look(drawn_digits(5, seed=1).images).probabilities.shape
        (5, 10)
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 10,
        *,
        seed: int = 0,
        device: str = "cpu",
    ):
        self.image_shape = image_shape
        self.classes = classes
        self.seed = seed
        self.device = backend.use_device(device)
        self.network = network(image_shape, classes, np.random.default_rng(seed))
        self.network.to(device)

    def learn(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Learn from labelled images, three times over: half a minute for MNIST on two cores.

        Args:
            images: uint8 (N, C, H, W), N at least 1.
            labels: Their classes, (N,), from 0 to K - 1.

        Raises:
            ValueError: The images or labels do not fit.
        """
        dataset = Dataset.of(image=images, label=labels)
        if dataset.labels is None or dataset.labels.max() >= self.classes:
            raise DataError(f"labels must be integers from 0 to {self.classes - 1}")
        system = Classifier(self.image_shape, self.classes)
        trainer = Trainer(system, dataset, seed=self.seed, device=self.device)
        trainer.train(len(RATES) * system.epoch)
        self.network = system.network

    def look(self, images: Array) -> Opinion:
        """What it makes of images.

        Args:
            images: (N, C, H, W), uint8, or float in [0, 1].

        Raises:
            ValueError: The images have another shape.
        """
        if images.ndim != 4 or images.shape[1:] != self.image_shape:
            raise ValueError(f"images must have shape (N, *{self.image_shape}), got {images.shape}")
        features = np.empty((len(images), FEATURES), np.float32)
        logits = np.empty((len(images), self.classes), np.float32)
        scale = np.float32(1.0 / 255.0 if images.dtype == np.uint8 else 1.0)
        with no_grad(), evaluating():
            for start in range(0, len(images), _PART):
                part = slice(start, start + _PART)
                x = np.ascontiguousarray(images[part], np.float32) * scale
                seen = self.network.body(Tensor(to_device(x, self.device)))
                features[part] = seen.numpy()
                logits[part] = self.network.layers[-1](seen).numpy()
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Opinion(features, odds / odds.sum(axis=1, keepdims=True))


def judge_for(dataset: Dataset, *, cache: Path | None = None) -> Judge:
    """A judge that has learned from ``dataset``: from the cache, else it learns now.

    Args:
        dataset: Labelled images for training.
        cache: Folder that keeps judges; by default the one that keeps downloads.

    Raises:
        ValueError: The data have no labels.
        OSError: The cache cannot be written.

    Example:
        >>> import tempfile
        >>> from ganengine.data import drawn_digits
        >>> judge_for(drawn_digits(100), cache=Path(tempfile.mkdtemp())).classes
        10
    """
    images, labels = dataset.images, dataset.labels
    if labels is None:
        raise ValueError(f"{dataset.name} has no labels, from which a judge could learn")
    judge = Judge(dataset.image_shape, int(labels.max()) + 1)
    digest = hashlib.sha256(f"judge {_FORMAT}".encode())
    for array in (images, labels):
        digest.update(np.ascontiguousarray(array).data)
    folder = cache_dir() if cache is None else cache
    path = folder / f"judge-{digest.hexdigest()[:16]}.safetensors"
    if path.exists():
        judge.network.load_state_dict(checkpoint.load(path).arrays)
        return judge
    judge.learn(images, labels)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save(path, judge.network.state_dict(), {"data": dataset.source})
    return judge
