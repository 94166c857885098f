"""The table, the file and the picture of a result, from a result made up here."""

import io
import json

import pytest
from rich.console import Console

from ganengine.bench.plot import bars_of, plot
from ganengine.bench.report import load, render, save, verdicts


def spread(value):
    return {"median": value, "q1": value * 0.99, "q3": value * 1.01, "rounds": [value]}


def score(framework, variant, milliseconds):
    return {
        "framework": framework,
        "variant": variant,
        "version": "1.2",
        "step_ms": spread(milliseconds),
        "gflops": 100.0,
        "times_the_engine": spread(milliseconds / 2.0),
    }


@pytest.fixture
def result():
    return {
        "recipe": "mlp-128",
        "environment": {
            "cpu": "A Processor",
            "instruction_set": "avx2",
            "versions": {"ganengine": "0.1.0", "torch": "2.9", "jax": "0.8"},
            "date": "2026-01-02T03:04:05+00:00",
        },
        "settings": {"rounds": 1, "seconds_per_turn": 0.25, "threads": 2, "batch_size": 100},
        "load_average": {"before": 0.1},
        "flops_per_step": 222_003_200,
        "peak_gflops": {"median": 200.0, "max": 250.0},
        "fraction_of_peak": {"of_median": 0.5, "of_highest": 0.4},
        "memory_bytes": {"data": 2**21, "state": 2**20, "step": 2**19},
        "left_out": {"keras": "tensorflow is not installed"},
        "contestants": [
            score("ganengine", "captured step", 2.0),
            score("jax", "jit", 3.0),
            score("torch", "eager", 5.0),
            score("jax", "scan", 7.0),
            {"framework": "torch", "variant": "compiled", "version": "1.2", "left_out": "no g++"},
        ],
        "best": {"ganengine": "captured step", "jax": "jit", "torch": "eager"},
    }


def text_of(result, width=120):
    console = Console(width=width, file=io.StringIO())
    console.print(render(result))
    return console.file.getvalue()


def test_the_table_shows_everyone(result):
    text = text_of(result)
    for part in (
        "mlp-128: one training step, batch 100",
        "3.000 (2.970-3.030)",
        "1.50 times as fast as JAX at its best (jit)",
        "2.50 times as fast as PyTorch at its best (eager)",
        "no g++",
        "tensorflow is not installed",
        "100 GFLOP/s, 50% of the measured peak of 200 (40% of its highest, 250)",
        "2.0 MiB of data, 1.0 MiB of state and 0.5 MiB for what a step makes",
    ):
        assert part in text
    assert "other work was running" not in text


def test_this_engine_alone(result):
    result["contestants"] = result["contestants"][:1]
    result["flops_per_step"] = result["fraction_of_peak"] = result["settings"]["batch_size"] = None
    text = text_of(result)
    assert "engine = 1" not in text
    assert "batch" not in text
    assert "the step needs is not known" in text


def test_a_busy_machine_is_said_to_be_so(result):
    result["load_average"]["before"] = 1.7
    assert "other work was running (load average 1.7 at the start)" in text_of(result)


def test_wide_rounds_are_said_to_be_so(result):
    result["contestants"][0]["step_ms"]["q3"] = 3.0
    assert "rounds differ widely (1.98 to 3.00 ms" in text_of(result)


def test_verdicts_name_the_best_way_only(result):
    assert not any("scan" in line for line in verdicts(result))


def test_a_file_comes_back_as_it_was(result, tmp_path):
    path = tmp_path / "result.json"
    save(result, path)
    assert load(path) == result == json.loads(path.read_text())
    assert list(tmp_path.iterdir()) == [path]
    # Lists of numbers take one line each: people read the changes of these files.
    assert '"rounds": [2.0]' in path.read_text()


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "is not JSON"), ("[1]", "is no result"), ("{}", "is no result")]
)
def test_another_file_is_refused(tmp_path, text, reason):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=reason):
        load(path)


def test_bars_are_each_frameworks_best(result):
    assert bars_of(result) == [
        ("ganengine", 2.0, 1.0),
        ("JAX", 3.0, 1.5),
        ("PyTorch", 5.0, 2.5),
    ]


def test_a_gpu_is_named(result):
    result["environment"]["gpu"] = {"name": "NVIDIA H200"}
    result["settings"]["precision"] = "tf32, compared in float32"
    assert "NVIDIA H200, tf32, compared in float32; ganengine" in text_of(result)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_picture(result, tmp_path, suffix):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    plot([result, result], first)
    plot([result, result], second)
    assert first.read_bytes().startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    assert len(first.read_bytes()) > 5000
    assert first.read_bytes() == second.read_bytes()


def test_no_results_make_no_picture(tmp_path):
    with pytest.raises(ValueError, match="no results"):
        plot([], tmp_path / "a.png")
