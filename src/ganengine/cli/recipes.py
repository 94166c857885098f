"""``ganengine recipes [NAME]``: what can be trained, and what can be set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ganengine.text import printable

if TYPE_CHECKING:
    from ganengine.gan import System, Trainer


def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="RECIPE|FILE.py", help="One of them, in full.")
    ] = None,
) -> None:
    """List the recipes; with a name, show what it is, its settings, parameters and data."""
    from rich.table import Table
    from rich.text import Text

    from ganengine.cli._console import output
    from ganengine.gan import find

    if name is not None:
        _show(name)
        return
    table = Table.grid(padding=(0, 2))
    for known in find.names():
        table.add_row(Text(known, "bold"), Text(_summary(find.recipe(known))))
    output().print(table)
    output().print("\nganengine recipes NAME shows one with its settings", style="dim")


def _show(name: str) -> None:
    from ganengine.cli._plan import make_trainer
    from ganengine.cli._systems import blaming, choose

    chosen = choose(name)
    with blaming(chosen.system):
        _describe(make_trainer(chosen, None, seed=0, device="cpu"))


def _describe(trainer: Trainer) -> None:
    from rich.table import Table
    from rich.text import Text

    from ganengine.cli._console import output, say
    from ganengine.gan.networks import networks
    from ganengine.gan.settings import type_words
    from ganengine.gan.system import settings_of

    system, console = trainer.system, output()
    say(console, system.name, style="bold")
    say(console, _documentation(system))
    table = Table.grid(padding=(0, 2))
    for field in settings_of(type(system)):
        value = getattr(system, field)
        words = type_words(type(system), field)
        table.add_row(Text(f"  {field}"), Text(_text(value), "bold"), Text(words, "dim"))
    if table.row_count:
        say(console, "\nsettings, each with --set NAME=VALUE", style="dim")
        console.print(table)
    say(console, "\nparameters", style="dim")
    for path, network in networks(system).items():
        say(console, f"  {path:<16} {network.parameter_count():,}")
    say(console, "\ndata", style="dim")
    shape = " x ".join(map(str, system.image_shape))
    usual = f"{system.default_data}, unless --data says otherwise" if system.default_data else ""
    say(console, f"  {usual or 'give them with --data'}")
    for source, columns in trainer.needs.items():
        named = f"{source}: " if source != "data" else ""
        say(console, f"  {named}{', '.join(columns)} (images of {shape})")
    say(console, f"  {system.epochs:,} epochs, unless --epochs says otherwise")


def _text(value: object) -> str:
    """A setting as --set takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return printable("none" if value is None else str(value))


def _summary(kind: type[System]) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _documentation(system: System) -> str:
    """What the file says of itself, or the class where that is silent."""
    import sys

    module = sys.modules[type(system).__module__]
    return (module.__doc__ or type(system).__doc__ or "").strip()
