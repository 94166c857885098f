"""``mnist`` and ``train``: a request becomes a trained run, told to the user as it goes."""

from __future__ import annotations

import shlex
import time

from rich.console import Console

from ganengine.cli._console import duration, lasting_output, say
from ganengine.cli._device import device_words
from ganengine.cli._display import announce_drawn, display_for
from ganengine.cli._plan import Plan, planned
from ganengine.cli._request import Request
from ganengine.cli._signals import Interrupted, patient
from ganengine.cli._systems import blaming
from ganengine.gan.fit import fit


class DivergedError(RuntimeError):
    """The training has ended, but NaN or infinity is all that it has left."""

    exit_code = 3  # 1 is any other error, 2 a wrong option


def start(request: Request) -> None:
    """Train as asked, and tell where everything is.

    Raises:
        ValueError: As :func:`ganengine.cli._plan.planned`.
        Interrupted: A signal came; a checkpoint was saved.
        DivergedError: The training ended in NaN.
    """
    with planned(request) as plan:
        _train(lasting_output(), plan)


def _train(console: Console, plan: Plan) -> None:
    trainer, folder = plan.trainer, _quoted(plan)
    _announce(console, plan)
    display = display_for(console, trainer, plan.steps)
    first, begun = trainer.step, time.perf_counter()
    with patient() as signalled, display, blaming(trainer.system):
        done = fit(
            trainer,
            plan.run,
            plan.steps,
            every=plan.every,
            watcher=display,
            stop=signalled,
            exam=plan.exam,
        )
    seconds = time.perf_counter() - begun
    if not done and signalled.received is not None:
        console.print(
            f"\n[yellow]Stopped at step {trainer.step:,}; everything is saved.[/] Go on with"
        )
        say(console, f"  ganengine train --resume {folder}")
        raise Interrupted(signalled.received, "")
    rate = (trainer.step - first) / max(seconds, 1e-9)
    if display.verdict is not None and display.verdict.diverged:
        _tell_where(console, plan)
        healthy = plan.run.checkpoints.best_path.is_file()
        raise DivergedError(
            f"step {trainer.step:,} was reached, but the training is lost: "
            f"{display.verdict.problems[-1]}; "
            + (
                f"ganengine train --resume {folder} --checkpoint best goes on from before that"
                if healthy
                else "it was never healthy, so train anew with other settings, such as a lower lr"
            )
        )
    console.print(
        f"\n[bold green]Done[/]: step {trainer.step:,} in {duration(seconds)}, {rate:,.0f} steps/s"
    )
    _tell_where(console, plan)


def _announce(console: Console, plan: Plan) -> None:
    trainer = plan.trainer
    words = [trainer.system.name]
    for source, dataset in (trainer.data or {}).items():
        if dataset.fallback_reason:
            announce_drawn(console, dataset.fallback_reason)
        name = f"{source}: " if source != "data" else ""
        kind = "images" if "image" in dataset.columns else "rows"
        words.append(f"{name}{dataset.name}, {len(dataset):,} {kind}")
    words += [device_words(trainer.device), f"seed {trainer.seed}"]
    say(console, words[0], style="bold", end="")
    say(console, " · " + " · ".join(words[1:]))
    if file := plan.run.config.get("file"):
        say(console, f"from {file}", style="dim")
    went_on = f", going on from step {trainer.step:,}" if trainer.step else ""
    say(console, f"writing to {plan.run.folder}{went_on}\n", style="dim")


def _tell_where(console: Console, plan: Plan) -> None:
    folder = plan.run.folder
    for what, where in (
        ("pictures", folder / "samples"),
        ("the newest", folder / "samples" / f"step-{plan.trainer.step:08d}.png"),
        ("losses", folder / "losses.png"),
        ("draw more", f"ganengine sample {_quoted(plan)} -n 100 --out more.png"),
    ):
        say(console, f"  {what:<12} {where}")


def _quoted(plan: Plan) -> str:
    """The run's folder as a shell takes it."""
    return shlex.quote(str(plan.run.folder))
