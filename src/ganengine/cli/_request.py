"""What a user asks of ``mnist`` and ``train``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Fit = Literal["crop", "stretch"]
Which = Literal["best", "latest"]


class RequestError(ValueError):
    """A request that contradicts itself, or asks for what is not there."""


@dataclass(frozen=True)
class Request:
    """The options of ``ganengine train``; None is what the user did not say."""

    system: str | None  # a recipe's name, or a file
    settings: tuple[str, ...] = ()
    epochs: int | None = None
    steps: int | None = None
    out: Path | None = None
    seed: int | None = None
    device: str = "auto"
    precision: str | None = None
    data: tuple[str, ...] = ()
    resume: Path | None = None
    checkpoint: Which = "latest"  # to go on from
    file: Path | None = None  # with the system of the run that goes on
    sample_every: int | None = None
    checkpoint_every: int | None = None
    evaluate_every: int | None = None
    keep: int | None = None
    fit: Fit | None = None
    crop: int | None = None
    draw_if_missing: bool = False
