"""How good samples are, by an independent judge and by the distance of distributions."""

from ganengine.metrics.frechet import Gaussian, fit_gaussian, frechet_distance
from ganengine.metrics.judge import Judge, Opinion, judge_for
from ganengine.metrics.labels import class_shares, label_accuracy, total_variation

__all__ = [
    "Gaussian",
    "Judge",
    "Opinion",
    "class_shares",
    "fit_gaussian",
    "frechet_distance",
    "judge_for",
    "label_accuracy",
    "total_variation",
]
