"""What the labels that a judge reads off samples say: are all classes there, and the right ones?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ganengine.backend import Array
from ganengine.metrics._types import Floats, Labels


class ModesKL(NamedTuple):
    """How many classes there are in a sample, and how far their shares are from equal ones."""

    modes: int
    kl: float


def class_shares(labels: Labels, classes: int) -> Floats:
    """How much of a sample each class is: its histogram, with sum 1.

    Args:
        labels: (N,), integers from 0 to ``classes`` - 1, N at least 1.
        classes: K.

    Returns:
        Shares, float64 (K,).

    Raises:
        ValueError: There are no labels, or one is of no class.

    Example:
        >>> class_shares(np.array([0, 2, 2, 2]), 3)
        array([0.25, 0.  , 0.75])
    """
    if labels.ndim != 1 or labels.size == 0 or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must be a row of integers from 0 to {classes - 1}, at least one")
    return np.bincount(labels, minlength=classes) / len(labels)


def total_variation(shares: Array, expected: Array) -> float:
    """How much of a sample would have to change class for the shares to be as expected.

    ``sum(|p - q|) / 2``: 0 for equal histograms, 1 for such as have no class in common.

    Args:
        shares, expected: Two histograms with sum 1, (K,).

    Raises:
        ValueError: They are of different numbers of classes.

    Example:
        >>> total_variation(np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25]))
        0.25
    """
    if np.shape(shares) != np.shape(expected):
        raise ValueError(f"shares of {np.shape(shares)} and {np.shape(expected)} classes")
    return float(np.abs(np.asarray(shares) - expected).sum() / 2.0)


def label_accuracy(seen: Labels, asked: Labels) -> float:
    """The share of samples whose class is the one that was asked for, ``mean(seen = asked)``.

    Args:
        seen: What a judge reads, (N,), N at least 1.
        asked: What a conditional generator was given, (N,).

    Raises:
        ValueError: The counts differ, or there are none.

    Example:
        >>> label_accuracy(np.array([1, 2, 3, 3]), np.array([1, 2, 3, 4]))
        0.75
    """
    if seen.shape != asked.shape or seen.size == 0:
        raise ValueError(f"seen and asked must be as many, got {seen.shape} and {asked.shape}")
    return float(np.mean(seen == asked))


def modes_and_kl(labels: Labels, classes: int = 1000) -> ModesKL:
    """How many classes a sample has, and the divergence of their shares from equal ones.

    ``KL(q || uniform) = sum q ln(K q)`` over the classes found (Lin et al. 2018, PacGAN, 4.1). For
    stacked digits K is 1,000, the labels those of :func:`stacked_labels`, and 26,000 samples are
    usual.

    Args:
        labels: (N,), integers from 0 to ``classes`` - 1, N at least 1.
        classes: K.

    Returns:
        Modes, and KL in nats.

    Raises:
        ValueError: There are no labels, or one is of no class.

    Example:
        >>> modes_and_kl(np.array([0, 1, 1, 0]), 4)
        ModesKL(modes=2, kl=0.6931471805599453)
    """
    shares = class_shares(labels, classes)
    found = shares[shares > 0]
    return ModesKL(len(found), float(np.sum(found * np.log(classes * found))))


def stacked_labels(digits: Labels) -> Labels:
    """The classes of stacked digits, ``100 r + 10 g + b``, from what is read off their channels.

    Args:
        digits: (N, 3), integers from 0 to 9.

    Returns:
        (N,), from 0 to 999.

    Raises:
        ValueError: The shape does not fit, or something is no digit.

    Example:
        >>> stacked_labels(np.array([[1, 2, 3]]))
        array([123])
    """
    if digits.ndim != 2 or digits.shape[1] != 3:
        raise ValueError(f"digits must have shape (N, 3), got {digits.shape}")
    if digits.size and (digits.min() < 0 or digits.max() > 9):
        raise ValueError("digits must be from 0 to 9")
    return np.asarray(digits @ np.array([100, 10, 1]))
