"""The application: its commands, and what becomes of errors and interruptions."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Annotated, Any

import typer

from ganengine.cli import (
    bench,
    doctor,
    evaluate,
    export,
    mnist,
    new,
    profile,
    recipes,
    sample,
    train,
)
from ganengine.cli._console import errors, say, silence
from ganengine.cli._systems import CodeError
from ganengine.version import __version__

app = typer.Typer(
    name="ganengine",
    help="Train generative adversarial networks on fused C++ and CUDA kernels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("mnist")(mnist.mnist)
app.command("train")(train.train)
app.command("recipes")(recipes.recipes)
app.command("new")(new.new)
app.command("sample")(sample.sample)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("bench")(bench.bench)
app.command("profile")(profile.profile)
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ganengine {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command line. What a user can mend is one red line and exit code 1, no traceback."""
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without these letters is no error
    try:
        app()
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("GANENGINE_TRACEBACK"):
            raise
        say(errors(), f"error: {str(error) or type(error).__name__}", style="bold red")
        # The first two are from anywhere: perhaps a fault of ours.
        if type(error) in (ValueError, RuntimeError, CodeError):
            say(errors(), "GANENGINE_TRACEBACK=1 shows where it comes from", style="dim")
        _end_output()
        sys.exit(getattr(error, "exit_code", 1))


def _end_output() -> None:
    """Write what is left; where that fails, the error was told, and Python's end need not again."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):  # or closed, or never there
        silence(sys.stdout)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(errors(), f"warning: {message}", style="yellow")
