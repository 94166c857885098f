"""``mnist`` and ``train``: a request becomes a trained run, told to the user as it goes."""

from __future__ import annotations

import shlex
import time

from rich.console import Console

from ganengine.cli._console import duration, output
from ganengine.cli._device import device_words
from ganengine.cli._display import LiveDisplay, PlainLog, announce_drawn
from ganengine.cli._plan import Plan, make_plan
from ganengine.cli._request import Request
from ganengine.cli._signals import Interrupted, patient
from ganengine.gan.fit import fit


def start(request: Request) -> None:
    """Train as asked, and tell where everything is.

    Raises:
        ValueError: As :func:`ganengine.cli._plan.make_plan`.
        Interrupted: A signal came; a checkpoint was saved.
    """
    plan = make_plan(request)
    console, gan = output(), plan.gan
    _announce(console, plan)
    display = (LiveDisplay if console.is_terminal else PlainLog)(
        console, plan.steps, gan.recipe.steps_per_epoch(len(plan.dataset))
    )
    first, begun = gan.step, time.perf_counter()
    with patient() as signalled, display:
        done = fit(
            gan,
            plan.dataset.images,
            plan.run,
            plan.steps,
            labels=plan.dataset.labels,
            every=plan.every,
            watcher=display,
            stop=signalled,
        )
    seconds = time.perf_counter() - begun
    if not done and signalled.received is not None:
        console.print(f"\n[yellow]Stopped at step {gan.step:,}; everything is saved.[/] Go on with")
        resume = f"ganengine train --resume {shlex.quote(str(plan.run.folder))}"
        console.print(f"  {resume}", markup=False)
        raise Interrupted(signalled.received, "")
    rate = (gan.step - first) / max(seconds, 1e-9)
    console.print(
        f"\n[bold green]Done[/]: step {gan.step:,} in {duration(seconds)}, {rate:,.0f} steps/s"
    )
    _tell_where(console, plan)


def _announce(console: Console, plan: Plan) -> None:
    gan, dataset = plan.gan, plan.dataset
    if dataset.fallback_reason:
        announce_drawn(console, dataset.fallback_reason)
    console.print(f"{gan.recipe.name}", style="bold", end="")
    images = f"{dataset.name}, {len(dataset):,} images"
    words = f" · {images} · {device_words(gan.device)} · seed {gan.seed}"
    console.print(words, markup=False)
    went_on = f", going on from step {gan.step:,}" if gan.step else ""
    console.print(f"writing to {plan.run.folder}{went_on}\n", style="dim", markup=False)


def _tell_where(console: Console, plan: Plan) -> None:
    folder = plan.run.folder
    for what, where in (
        ("pictures", folder / "samples"),
        ("the newest", folder / "samples" / f"step-{plan.gan.step:08d}.png"),
        ("losses", folder / "losses.png"),
        ("draw more", f"ganengine sample {shlex.quote(str(folder))} -n 100 --out more.png"),
    ):
        console.print(f"  {what:<12} {where}", markup=False)
