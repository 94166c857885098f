"""How good the demo's digits are, by an independent judge, and how long the demo takes.

    GANENGINE_DATA=… python bench/digits.py   → bench/results/<machine>/digits.json

The judge is a small convolutional network in PyTorch, trained on the real MNIST once and kept under
build/. Then ``ganengine mnist`` runs with its default settings as its user would run it, and the
judge reads what the run's generator makes. The floor beside it is the judge on real test images.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ganengine import backend, data
from ganengine.bench.environment import environment, results_folder
from ganengine.bench.report import save

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
JUDGE = ROOT / "build" / "digits-judge.pt"
WANTED_ACCURACY = 0.98


def judge_network() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10)),
    )


def read(images: Any) -> torch.Tensor:
    """Images in [0, 1], (N, 1, 28, 28), as the judge takes them."""
    return torch.from_numpy(np.ascontiguousarray(images, "float32"))


def probabilities(judge: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The judge's belief in each digit, (N, 10)."""
    judge.eval()
    with torch.no_grad():
        return torch.cat([judge(part).softmax(1) for part in images.split(1000)])


def accuracy(judge: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    return float((probabilities(judge, images).argmax(1) == labels).float().mean())


def train_judge(epochs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    dataset = data.load("mnist")
    images, labels = read(dataset.images / 255.0), torch.from_numpy(dataset.labels)
    judge = judge_network()
    adam = torch.optim.Adam(judge.parameters(), 1e-3)
    for epoch in range(epochs):
        judge.train()
        for rows in torch.randperm(len(images)).split(128):
            loss = F.cross_entropy(judge(images[rows]), labels[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
        print(f"judge: epoch {epoch + 1} of {epochs}, loss {float(loss):.3f}", flush=True)
    return judge


def get_judge() -> nn.Module:
    if JUDGE.exists():
        judge = judge_network()
        judge.load_state_dict(torch.load(JUDGE, weights_only=True))
        return judge
    judge = train_judge()
    JUDGE.parent.mkdir(exist_ok=True)
    draft = JUDGE.with_suffix(".draft")
    torch.save(judge.state_dict(), draft)
    draft.replace(JUDGE)
    return judge


def ganengine(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "ganengine", *arguments], check=True)


def verdict(beliefs: torch.Tensor) -> dict[str, Any]:
    counts = torch.bincount(beliefs.argmax(1), minlength=10)
    shares = [round(float(share), 4) for share in counts / counts.sum()]
    return {
        "images": len(beliefs),
        "share_of_each_digit": shares,
        "rarest": min(shares),
        "mean_confidence": round(float(beliefs.max(1).values.mean()), 4),
        "share_above_90_percent": round(float((beliefs.max(1).values > 0.9).float().mean()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-n", "--count", type=int, default=10_000, help="digits to judge")
    parser.add_argument("--run", type=Path, help="judge this finished run, train no new one")
    parser.add_argument("--seed", type=int, default=0, help="of the demo's run")
    arguments = parser.parse_args()
    where = environment()
    test = data.load("mnist", split="test")
    test_images = read(test.images / 255.0)
    judge = get_judge()
    judged = accuracy(judge, test_images, torch.from_numpy(test.labels))
    print(f"judge: {judged:.2%} of the test images right")
    if judged < WANTED_ACCURACY:
        JUDGE.unlink()
        sys.exit(f"a judge below {WANTED_ACCURACY:.0%} is none")
    with tempfile.TemporaryDirectory() as folder:
        run, seconds = arguments.run, None
        if run is None:
            run = Path(folder) / "run"
            start = time.perf_counter()
            ganengine("mnist", "--data", "mnist", "--seed", str(arguments.seed), "--out", str(run))
            seconds = round(time.perf_counter() - start, 1)
        samples = Path(folder) / "samples.npy"
        ganengine("sample", str(run), "-n", str(arguments.count), "--out", str(samples))
        generated = verdict(probabilities(judge, read(np.load(samples))))
    result = {
        "kind": "digits",
        "environment": where,
        "threads": backend.native("cpu").thread_count(),
        "seed": arguments.seed,
        "seconds_end_to_end": seconds,
        "judge_test_accuracy": round(judged, 4),
        "generated": generated,
        "real_test_images": verdict(probabilities(judge, test_images)),
    }
    for name in ("generated", "real_test_images"):
        seen = result[name]
        shares = "  ".join(f"{d}: {s:.1%}" for d, s in enumerate(seen["share_of_each_digit"]))
        print(f"{name.replace('_', ' ')}: {shares}")
        print(
            f"  rarest {seen['rarest']:.1%}, mean confidence {seen['mean_confidence']:.3f}, "
            f"{seen['share_above_90_percent']:.1%} read with more than 90 % confidence"
        )
    if seconds is not None:
        print(f"ganengine mnist took {seconds:.1f} s end to end")
    path = results_folder(RESULTS) / "digits.json"
    save(result, path)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
