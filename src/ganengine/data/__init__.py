"""Data to learn from: MNIST and its relatives, folders, arrays, and digits drawn on the spot.

dataset = data.load("mnist")          # a name, a folder of IDX or image files, a .npy or .npz file
dataset = data.Dataset.of(image=x)    # or arrays in memory
dataset.columns                       # {"image": (N, C, H, W) uint8, "label": (N,) int64, …}
dataset.images, dataset.labels        # the two that most have; None where there are no labels
"""

from ganengine.data._cache import cache_dir, cache_note
from ganengine.data._dataset import DataError, DataNotFoundError, Dataset, Split
from ganengine.data._load import load, load_or_draw, names
from ganengine.data.drawn import drawn_digits
from ganengine.data.stacked import stacked_digits

__all__ = [
    "DataError",
    "DataNotFoundError",
    "Dataset",
    "Split",
    "cache_dir",
    "cache_note",
    "drawn_digits",
    "load",
    "load_or_draw",
    "names",
    "stacked_digits",
]
