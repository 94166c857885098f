"""How good samples are: distances of distributions, neighbours, likelihood, and a judge's reading.

The first four take features (N, F) of any origin; :class:`Judge` makes some.
"""

from ganengine.metrics.frechet import Gaussian, fit_gaussian, frechet_distance, gaussian_distance
from ganengine.metrics.images import psnr, ssim
from ganengine.metrics.judge import Judge, Opinion, judge_for
from ganengine.metrics.kernel_distance import kernel_distance
from ganengine.metrics.labels import (
    ModesKL,
    class_shares,
    label_accuracy,
    modes_and_kl,
    stacked_labels,
    total_variation,
)
from ganengine.metrics.neighbours import (
    DensityCoverage,
    Nearest,
    Neighbourhood,
    PrecisionRecall,
    copied,
    copy_limit,
    density_coverage,
    nearest,
    neighbourhood,
    precision_recall,
    realism,
)
from ganengine.metrics.parzen import Parzen, parzen_log_likelihood

__all__ = [
    "DensityCoverage",
    "Gaussian",
    "Judge",
    "ModesKL",
    "Nearest",
    "Neighbourhood",
    "Opinion",
    "Parzen",
    "PrecisionRecall",
    "class_shares",
    "copied",
    "copy_limit",
    "density_coverage",
    "fit_gaussian",
    "frechet_distance",
    "gaussian_distance",
    "judge_for",
    "kernel_distance",
    "label_accuracy",
    "modes_and_kl",
    "nearest",
    "neighbourhood",
    "parzen_log_likelihood",
    "precision_recall",
    "psnr",
    "realism",
    "ssim",
    "stacked_labels",
    "total_variation",
]
