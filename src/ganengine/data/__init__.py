"""Images to learn from: MNIST and its relatives, folders, arrays, and digits drawn on the spot.

dataset = data.load("mnist")          # a name, a folder of IDX or image files, a .npy or .npz file
dataset.images, dataset.labels        # (N, C, H, W) uint8, (N,) int64 or None
"""

from ganengine.data._dataset import DataError, DataNotFoundError, Dataset, Split
from ganengine.data._load import load, load_or_draw, names
from ganengine.data.download import cache_dir
from ganengine.data.drawn import drawn_digits

__all__ = [
    "DataError",
    "DataNotFoundError",
    "Dataset",
    "Split",
    "cache_dir",
    "drawn_digits",
    "load",
    "load_or_draw",
    "names",
]
