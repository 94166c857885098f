"""Features of a network that the user names, in an ONNX file: an Inception network, for example."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ganengine.backend import Array
from ganengine.metrics.judge import Opinion

_PART = 100  # images looked at together, unless the network says how many


class FeaturesError(ValueError):
    """A network that cannot be used; the message says why."""


class OnnxFeatures:
    """The first output of a network, flat, as features of images.

    It is given float32 images (N, C, H, W) in [0, 1]; grey ones three times over where it takes
    three channels. What else it needs, such as other ranges or sizes, belongs into the file.

    Args:
        path: The ONNX file.
        image_shape: (C, H, W) of the images that it will look at.

    Raises:
        FeaturesError: onnxruntime is not installed, the file is no network, or it takes no such
            images.
    """

    by_rotation = False
    classes = 0

    def __init__(self, path: Path, image_shape: tuple[int, int, int]):
        try:
            import onnxruntime
        except ImportError as error:
            raise FeaturesError(
                f"{path}: to run it, onnxruntime is needed: pip install onnxruntime"
            ) from error
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FeaturesError(f"{path}: cannot be read: {error.strerror or error}") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what is wrong is raised
        try:
            self._session: Any = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a class for each reason, all its own
            reason = str(error).partition("\n")[0]
            raise FeaturesError(f"{path}: no network that can run: {reason}") from error
        self.image_shape = image_shape
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.description = f"the network in {path}"
        taken = self._session.get_inputs()
        shape = list(taken[0].shape) if len(taken) == 1 else []
        self._copies = 3 if shape[1:2] == [3] and image_shape[0] == 1 else 1
        given = (self._copies * image_shape[0], *image_shape[1:])
        fits = len(shape) == 4 and all(
            size == mine
            for size, mine in zip(shape[1:], given, strict=True)
            if isinstance(size, int)
        )
        if not fits or taken[0].type != "tensor(float)":
            found = ", ".join(f"{each.type} {each.shape}" for each in taken)
            raise FeaturesError(
                f"{path}: takes {found}; expected one float input that images (N, "
                f"{', '.join(map(str, image_shape))}) fit"
            )
        self._batch = shape[0] if isinstance(shape[0], int) else None

    def look(self, images: Array) -> Opinion:
        """Its features of images, float32 (N, F), and probabilities of no classes, (N, 0).

        Args:
            images: (N, C, H, W), uint8, or float in [0, 1].

        Raises:
            FeaturesError: What it gives are no features of N images.
        """
        name = self._session.get_inputs()[0].name
        scale = np.float32(1.0 / 255.0 if images.dtype == np.uint8 else 1.0)
        size = self._batch or _PART
        found = []
        for start in range(0, len(images), size):
            x = np.asarray(images[start : start + size], np.float32) * scale
            count = len(x)
            x = np.tile(x, (1, self._copies, 1, 1))
            if self._batch:
                x = np.concatenate([x, np.zeros((size - count, *x.shape[1:]), np.float32)])
            y = np.asarray(self._session.run(None, {name: x})[0], np.float32)
            if y.ndim < 2 or len(y) != len(x):
                raise FeaturesError(
                    f"{self.description} gives {y.shape} for {len(x)} images; expected (N, F)"
                )
            found.append(y[:count].reshape(count, -1))
        return Opinion(np.concatenate(found), np.zeros((len(images), 0), np.float32))
