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

from ganengine.backend import Array, to_device
from ganengine.capture import capture
from ganengine.data import Dataset, cache_dir
from ganengine.io import checkpoint
from ganengine.kernels import gather_shuffled
from ganengine.nn import (
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    MaxPool2d,
    Sequential,
    functional,
)
from ganengine.optim import Adam
from ganengine.random import Counter, Generator
from ganengine.tape import no_grad
from ganengine.tensor import Tensor

FEATURES = 128

_BATCH = 100
_PART = 1000  # images looked at together
# The learning rate of each epoch. It falls, so that the last epoch settles what the first found.
_RATES = (2e-3, 1e-3, 2e-4)
_FORMAT = 1  # counts up when other code would make another judge of the same data


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
        self.device = device
        self.network = _network(image_shape, classes, np.random.default_rng(seed))
        self.network.to(device)
        self.network.eval()

    def learn(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Learn from labelled images, three times over: half a minute for MNIST on two cores.

        Args:
            images: uint8 (N, C, H, W), N at least 1.
            labels: Their classes, (N,), from 0 to K - 1.

        Raises:
            ValueError: The images or labels do not fit.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape or not len(images):
            raise ValueError(
                f"images must be uint8 (N, {', '.join(map(str, self.image_shape))}), "
                f"got {images.dtype} {images.shape}"
            )
        if labels.shape != images.shape[:1] or not 0 <= labels.min() <= labels.max() < self.classes:
            raise ValueError(f"labels must be {len(images)} integers from 0 to {self.classes - 1}")
        one_hot = np.eye(self.classes, dtype=np.uint8)[labels]
        data = to_device(np.ascontiguousarray(images), self.device)
        targets = to_device(one_hot, self.device)
        optimizer, position = Adam(self.network), Counter(self.device)
        masks = Generator(self.seed, self.device)
        self.network.use_generator(masks)
        self.network.train()

        def step() -> None:
            place = position.take(_BATCH)
            x, y = (
                gather_shuffled(
                    source, _BATCH, seed=self.seed, position=place, scale=scale, shift=0.0
                )
                for source, scale in ((data, 1.0 / 255.0), (targets, 1.0))
            )
            loss = cross_entropy(self.network(Tensor(x)), Tensor(y))
            self.network.zero_grad()
            loss.backward()
            optimizer.step()

        for optimizer.lr in _RATES:
            program = capture(step, [self.network, optimizer, position, masks, data, targets])
            program.run(-(-len(images) // _BATCH))
        self.network.eval()

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
        with no_grad():
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


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of ``log(sum(exp(l))) - l_t`` over a batch, the largest l taken off first.

    Args:
        logits: l, (B, K).
        targets: One-hot, (B, K).
    """
    rows, classes = logits.shape
    as_image = Tensor(logits.data.reshape(rows, 1, 1, classes))
    largest = functional.max_pool2d(as_image, (1, classes)).reshape(rows, 1)
    shifted = logits - largest
    return (shifted.exp().sum(axis=1).log() - (shifted * targets).sum(axis=1)).mean()


def _network(shape: tuple[int, int, int], classes: int, rng: np.random.Generator) -> Sequential:
    channels, height, width = shape
    return Sequential(
        Conv2d(channels, 16, 3, padding=1, bias=False, rng=rng),
        BatchNorm(16, activation="relu"),
        MaxPool2d(2),
        Conv2d(16, 32, 3, padding=1, bias=False, rng=rng),
        BatchNorm(32, activation="relu"),
        MaxPool2d(2),
        Flatten(),
        Dense(32 * (height // 4) * (width // 4), FEATURES, bias=False, rng=rng),
        BatchNorm(FEATURES, activation="relu"),
        Dropout(0.3),
        Dense(FEATURES, classes, rng=rng),
    )
