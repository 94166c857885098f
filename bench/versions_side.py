"""One side of bench/versions.py: a process with one version of ganengine on its path.

It answers requests, one JSON object a line: ``{"do": "start", "recipe", "data"}`` (an .npz file),
``{"do": "hashes", "steps"}`` and ``{"do": "time", "steps"}``. Only this file knows how versions
differ.
"""

import hashlib
import json
import os
import sys
import time

import numpy as np

import ganengine
from ganengine import data as datasets
from ganengine import recipes
from ganengine.version import __version__

SEED = 3
# What the state calls now what it called otherwise before there were systems.
RENAMED = {
    "position": "real.position",
    "noise": "noise.blocks",
    "g_optimizer.steps_done": "g_optimizer.steps",
    "d_optimizer.steps_done": "d_optimizer.steps",
}


class Side:
    """A recipe in training."""

    def __init__(self, recipe, data):
        columns = dict(np.load(data))
        self.is_new = hasattr(ganengine, "Trainer")
        if self.is_new:
            dataset = datasets.Dataset.of(**columns)
            self.trained = ganengine.Trainer(recipe, dataset, seed=SEED)
        else:
            self.trained = ganengine.GAN(recipes.get(recipe), seed=SEED)
            labels = columns.get("label") if self.trained.recipe.classes else None
            self.trained.attach(columns["image"], labels)

    def train(self, steps):
        return self.trained.train_rows(steps) if self.is_new else self.trained.train(steps)

    def hashes(self, steps):
        """Of every array of the state after so many steps, and of the metrics of all of them."""
        metrics = self.train(steps)
        arrays = {RENAMED.get(name, name): a for name, a in self.trained.state_dict().items()}
        return {name: _hash(array) for name, array in {**arrays, "metrics": metrics}.items()}

    def time(self, steps):
        start = time.perf_counter()
        self.train(steps)
        return (time.perf_counter() - start) / steps


def _hash(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def main():
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    side = None
    for line in sys.stdin:
        request = json.loads(line)
        what = request.pop("do")
        if what == "start":
            side, answer = Side(**request), __version__
        else:
            answer = getattr(side, what)(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
