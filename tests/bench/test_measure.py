"""The check, the turns, and what becomes of contestants that fail."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from twins import classic
from twins.contestants import FOLDER

from ganengine.bench import measure
from ganengine.bench.measure import CheckError, Entry, check
from ganengine.bench.problem import make_problem
from ganengine.bench.variant import ENGINE, Variant
from ganengine.bench.worker import Worker, WorkerError
from ganengine.gan.find import read, recipe, system_in

MODULE = """
import os, sys, time
import numpy as np

class Step:
    chunk = 3

    def __init__(self, problem, *, threads, fail=None, factor=1.0):
        self.wanted, self.fail, self.factor = problem.check_losses, fail, factor
        self.runs = 0
        print("frameworks print what they like")
        if fail == "build":
            raise OSError("no compiler\\nand more")

    def losses(self):
        return np.array(self.wanted) * self.factor

    def run(self, steps):
        assert steps % self.chunk == 0
        self.runs += 1
        if self.fail == "run" and self.runs == 4:
            os._exit(3)
        if self.fail == "hang":
            time.sleep(60)
        time.sleep(0.05 if self.fail == "slow" else 1e-3)
"""


@pytest.fixture
def fake(tmp_path):
    """Makes variants of a framework whose step is the module above."""
    (tmp_path / "fake_step.py").write_text(MODULE)

    def make(name="fake", **options):
        return Variant("torch", name, "fake_step", "Step", options, "1.2")

    make.folders = [str(tmp_path), FOLDER]
    return make


@pytest.fixture(scope="module")
def problem():
    return classic.make(recipe("mlp-128")(), images=500)


@pytest.fixture
def measure_against(fake, problem, monkeypatch):
    """Measures with fake variants in PyTorch's place, briefly."""
    monkeypatch.setattr(measure, "_PEAK_SECONDS", 0.002)

    def run(*variants, rounds=3, problem=problem, **options):
        brief = {"rounds": rounds, "seconds": 0.002, "threads": 1, "folders": fake.folders}
        return measure.measure(problem, variants, **brief, **options)

    return run


def entry(losses):
    return Entry(Variant("jax", "way", "", ""), None, losses=np.array(losses, "float64"))


def test_the_same_losses_pass(problem):
    entries = [entry(problem.check_losses), entry(problem.check_losses * (1 + 1e-6))]
    check(problem, entries)
    assert entries[0].differences.max() == 0.0
    assert 3e-7 < entries[1].differences.max() < 2e-6


@pytest.mark.parametrize(("step", "wrong"), [(0, 5e-6), (2, 1e-4), (4, 5e-4), (4, np.nan)])
def test_other_losses_are_refused_with_the_first_step_that_differs(problem, step, wrong):
    losses = problem.check_losses.astype("float64")
    losses[step, 1] += wrong
    with pytest.raises(
        CheckError,
        match=rf"jax \(way\) has d_loss, g_loss = .* in step {step + 1}, this engine has",
    ):
        check(problem, [entry(problem.check_losses), entry(losses)])


def test_losses_may_differ_by_what_rounding_alone_makes_of_them(problem):
    spread = np.linspace(1e-6, 1e-3, len(problem.check_losses))
    sensitive = replace(problem, check_spread=spread)
    losses = problem.check_losses + 5 * spread[:, None]
    with pytest.raises(CheckError):
        check(problem, [entry(problem.check_losses), entry(losses)])
    check(sensitive, [entry(problem.check_losses), entry(losses)])
    with pytest.raises(CheckError):
        check(sensitive, [entry(problem.check_losses), entry(losses + 0.1)])


def test_a_lower_precision_that_was_made_use_of_is_left_out(problem):
    lower = Variant("torch", "oneDNN", "", "", {"precision": "medium"})
    same = Entry(lower, None, losses=np.array(problem.check_losses))
    other = Entry(lower, None, losses=problem.check_losses * 1.001)
    check(problem, [entry(problem.check_losses), same, other])
    assert same.note == ""
    assert other.note == "lower precision here: losses differ by 1e-03 in step 1"


@pytest.mark.parametrize(
    "change",
    [
        {"real_label": 0.91},
        {"lr": 3.03e-3},
        {"beta1": 0.89},
        {"beta2": 0.9},
        {"eps": 1e-4},
        {"minimax": True},
        {"value_range": (0.0, 1.0)},
        {"same_noise": False},
    ],
    ids=str,
)
def test_the_tolerance_is_narrow_enough_to_catch(make_toy, numpy_losses, change):
    """A twin with a slightly different setting would not pass for the same training."""
    differences = np.abs(numpy_losses(make_toy()) - numpy_losses(make_toy(**change))).max(axis=1)
    assert (differences > 2 * measure.TOLERANCE[: len(differences)]).any()


def test_a_result_says_who_was_measured_how_and_where(measure_against, fake):
    result = measure_against(fake("slow"), fake("other"))
    assert json.loads(json.dumps(result)) == result
    assert result["recipe"] == "mlp-128"
    assert result["flops_per_step"] == 222_003_200
    assert set(result["environment"]) == {
        *("cpu", "processors", "instruction_set", "os", "python", "versions", "commit", "date"),
        "load_average",
    }
    settings = result["settings"]
    assert (settings["rounds"], settings["threads"], settings["images"]) == (3, 1, 500)
    assert result["check"]["steps"] == 5
    names = [(c["framework"], c["variant"]) for c in result["contestants"]]
    assert sorted(names) == [
        ("ganengine", "captured step"),
        ("torch", "other"),
        ("torch", "slow"),
    ]
    medians = [c["step_ms"]["median"] for c in result["contestants"]]
    assert medians == sorted(medians)
    engine = next(c for c in result["contestants"] if c["framework"] == "ganengine")
    assert engine["times_the_engine"]["rounds"] == [1.0, 1.0, 1.0]
    for contestant in result["contestants"]:
        ms = contestant["step_ms"]
        assert len(ms["rounds"]) == 3
        assert ms["min"] <= ms["q1"] <= ms["median"] <= ms["q3"] <= ms["max"]
        ratios = np.array(ms["rounds"]) / engine["step_ms"]["rounds"]
        np.testing.assert_allclose(contestant["times_the_engine"]["rounds"], ratios, rtol=1e-3)
        assert contestant["gflops"] == pytest.approx(222.0032 / ms["median"], rel=1e-3)
    first_torch = next(c["variant"] for c in result["contestants"] if c["framework"] == "torch")
    assert result["best"] == {"ganengine": "captured step", "torch": first_torch}
    fraction = engine["gflops"] / result["peak_gflops"]["median"]
    assert result["fraction_of_peak"]["of_median"] == pytest.approx(fraction, rel=1e-3)


def test_who_fails_is_left_out_with_the_reason(measure_against, fake):
    result = measure_against(fake("a"), fake("b", fail="build"), fake("c", fail="run"))
    left_out = {c["variant"]: c.get("left_out") for c in result["contestants"]}
    assert left_out["a"] is None
    assert left_out["b"] == "OSError: no compiler"
    assert left_out["c"].startswith("stopped in round 2: the process ended")
    assert result["best"]["torch"] == "a"


def test_no_time_is_given_where_the_losses_differ(measure_against, fake):
    with pytest.raises(CheckError, match="nothing to compare"):
        measure_against(fake(factor=1.01))


def test_who_does_not_take_part_is_in_the_result(measure_against):
    result = measure_against(rounds=1, left_out={"keras": "keras is not installed"})
    assert result["left_out"] == {"keras": "keras is not installed"}
    assert [c["framework"] for c in result["contestants"]] == ["ganengine"]


ODD = """
from dataclasses import dataclass
from ganengine import Adam, System, every, nn

@dataclass
class Odd(System):
    lr: float = 1e-3

    def build(self):
        self.network = nn.Sequential(nn.Dense(3, 3, rng=self.rng()))
        self.optimizer = Adam(self.network, lr=self.lr)

    def train_step(self):
        loss = (self.network(self.normal(4, 3)) ** 2).mean()
        self.optimizer.minimize(loss)
        return {"loss": loss}
"""
LAZY = """
    @every(3)
    def now_and_then(self):
        self.optimizer.minimize((self.network(self.normal(4, 3)) ** 2).mean())
"""


@pytest.mark.parametrize(("more", "flops"), [("", 2 * 4 * 9 * 2), (LAZY, None)])
def test_any_system_is_timed_alone(measure_against, tmp_path, more, flops):
    (tmp_path / "odd.py").write_text(ODD + more)
    system = system_in(read(tmp_path / "odd.py"))(lr=0.5)
    result = measure_against(problem=make_problem(system))
    assert result["recipe"] == "odd"
    assert result["settings_of_system"] == {"lr": 0.5}
    assert result["settings"]["batch_size"] is None
    assert result["check"] is None
    assert result["flops_per_step"] == flops
    assert (result["fraction_of_peak"] is None) == (flops is None)
    (own,) = result["contestants"]
    assert ("gflops" in own) == (flops is not None)
    assert own["step_ms"]["median"] > 0
    assert set(result["memory_bytes"]) == {"data", "state", "step"}
    assert result["memory_bytes"]["data"] == 0
    assert 4 * 4 * 12 <= result["memory_bytes"]["state"] < 1000


def test_bad_requests(problem):
    with pytest.raises(ValueError, match="threads is 9999"):
        measure.measure(problem, threads=9999)


def test_a_silent_contestant_is_given_up(fake, problem):
    worker = Worker(fake(fail="hang"), problem, [0], folders=fake.folders, timeout=60.0)
    worker.timeout = 0.2
    with pytest.raises(WorkerError, match="no answer within"):
        worker.run(3)
    worker.close()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process")
def test_a_contestant_is_bound_to_its_processors(problem):
    one = min(os.sched_getaffinity(0))
    worker = Worker(ENGINE, problem, [one], folders=[FOLDER])
    try:
        assert os.sched_getaffinity(worker.process_id) == {one}
        assert worker.peak(0.01) > 1e8
    finally:
        worker.close()


def test_who_is_hopelessly_behind_takes_no_turn(measure_against, fake, monkeypatch):
    found = measure_against(fake("quick"), fake("slow", fail="slow"))
    assert all(score["step_ms"] for score in found["contestants"])  # nobody needs seconds
    monkeypatch.setattr(measure, "_HOPELESS_SECONDS", 0.01)
    found = measure_against(fake("quick"), fake("slow", fail="slow"))
    (slow,) = (score for score in found["contestants"] if score["variant"] == "slow")
    assert slow["left_out"].endswith("s per step, far from this framework's best")
