"""An independent judge: a small convolutional classifier that learned from real images.

It reads the class of a sample, and its penultimate layer gives the features between whose
distributions :func:`ganengine.metrics.frechet_distance` measures. Where images have no labels, it
learns by how many quarter turns each was turned: its features then still tell what is in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganengine import backend
from ganengine.backend import Array, to_device
from ganengine.data import DataError, Dataset, cache_dir
from ganengine.gan.trainer import Trainer
from ganengine.io import checkpoint
from ganengine.metrics.classifier import FEATURES, Classifier, network, steps_for
from ganengine.nn import evaluating
from ganengine.tape import no_grad
from ganengine.tensor import Tensor

_PART = 1000  # images looked at together
_CHUNK = 20  # steps between two words of how far it has come
_FORMAT = 3  # counts up when other code would make another judge of the same data

Progress = Callable[[int, int], None]  # steps done, and all


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
        >>> judge.learn(digits.images, digits.labels, steps=12)
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
        self.by_rotation = False  # its classes are quarter turns
        self.network = network(image_shape, classes, np.random.default_rng(seed))
        self.network.to(device)

    @property
    def sha256(self) -> str:
        """Of its weights and running statistics: results of two judges cannot be compared."""
        digest = hashlib.sha256()
        for name, array in sorted(self.network.state_dict().items()):
            digest.update(f"{name} {array.shape}".encode())
            digest.update(np.ascontiguousarray(to_device(array, "cpu")).data)
        return digest.hexdigest()

    @property
    def description(self) -> str:
        """What it has learned, in a few words."""
        if self.by_rotation:
            return "a classifier of quarter turns, for there are no labels"
        return f"a classifier of {self.classes} classes"

    def learn(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        *,
        steps: int | None = None,
        progress: Progress = lambda done, steps: None,
    ) -> None:
        """Learn from labelled images, three times over: half a minute for MNIST on two cores.

        Args:
            images: uint8 (N, C, H, W), N at least 1.
            labels: Their classes, (N,), from 0 to K - 1.
            steps: Of 100 images each; by default three epochs, more for few images, less for large
                ones.
            progress: Hears how far it is.

        Raises:
            ValueError: The images or labels do not fit.
        """
        dataset = Dataset.of(image=images, label=labels)
        if dataset.labels is None or dataset.labels.max() >= self.classes:
            raise DataError(f"labels must be integers from 0 to {self.classes - 1}")
        steps = steps or steps_for(len(dataset), self.image_shape)
        system = Classifier(self.image_shape, self.classes, steps=steps)
        trainer = Trainer(system, dataset, seed=self.seed, device=self.device)
        while trainer.step < steps:
            trainer.train(min(_CHUNK, steps - trainer.step))
            progress(trainer.step, steps)
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


def judge_for(
    dataset: Dataset,
    *,
    cache: Path | None = None,
    steps: int | None = None,
    progress: Progress = lambda done, steps: None,
) -> Judge:
    """A judge that has learned from ``dataset``: from the cache, else it learns now.

    Args:
        dataset: Images for training; without labels, it learns from turned ones.
        cache: Folder that keeps judges; by default the one that keeps downloads.
        steps, progress: As for :meth:`Judge.learn`.

    Raises:
        OSError: The cache cannot be written.

    Example:
        >>> import tempfile
        >>> from ganengine.data import drawn_digits
        >>> judge_for(drawn_digits(100), cache=Path(tempfile.mkdtemp()), steps=3).classes
        10
    """
    images, labels = dataset.images, dataset.labels
    digest = hashlib.sha256(f"judge {_FORMAT} {steps} {labels is None}".encode())
    for array in (images, labels):
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    turns = _turns(dataset.image_shape)
    judge = Judge(dataset.image_shape, len(turns) if labels is None else int(labels.max()) + 1)
    judge.by_rotation = labels is None
    folder = cache_dir() if cache is None else cache
    path = folder / f"judge-{digest.hexdigest()[:16]}.safetensors"
    if path.exists():
        judge.network.load_state_dict(checkpoint.load(path).arrays)
        return judge
    if labels is None:
        labels = np.repeat(np.arange(len(turns)), len(images))
        images = np.concatenate([np.rot90(images, turn, axes=(2, 3)) for turn in turns])
    judge.learn(images, labels, steps=steps, progress=progress)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save(path, judge.network.state_dict(), {"data": dataset.source})
    return judge


def _turns(shape: tuple[int, int, int]) -> tuple[int, ...]:
    """The numbers of quarter turns that leave an image its shape."""
    return (0, 1, 2, 3) if shape[1] == shape[2] else (0, 2)
