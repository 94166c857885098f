"""``ganengine profile RECIPE|FILE``: where the time of a training step goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganengine.cli import _options as options

if TYPE_CHECKING:
    from ganengine.bench.profile import Profile


def profile(
    system: Annotated[
        str, typer.Argument(metavar="RECIPE|FILE.py", help="Whose training step, such as wgan-gp.")
    ],
    settings: options.Set = None,
    data: options.Data = None,
    device: options.DeviceOption = "cpu",
    steps: Annotated[
        int, typer.Option(min=1, help="Timed, each call in each of them; medians are shown.")
    ] = 50,
    top: Annotated[int, typer.Option(min=1, help="How many calls to show, slowest first.")] = 20,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all calls, in their order.")
    ] = None,
) -> None:
    """Time every kernel call of one training step: shapes, speed, share of the machine's limits."""
    from ganengine.bench.profile import measure_profile
    from ganengine.bench.report import save
    from ganengine.cli._console import output
    from ganengine.cli._data import load_new
    from ganengine.cli._device import pick_device
    from ganengine.cli._plan import make_trainer
    from ganengine.cli._request import RequestError
    from ganengine.cli._systems import choose

    if json is not None and not json.parent.is_dir():
        raise RequestError(f"--json {json}: there is no folder {json.parent}")
    chosen = choose(system, tuple(settings or ()))
    usual = tuple(data or ()) or (("drawn",) if chosen.system.default_data == "mnist" else ())
    sources, _ = load_new(chosen.system, usual, None, None, draw_if_missing=False)
    trainer = make_trainer(chosen, sources, seed=0, device=pick_device(device))
    found = measure_profile(trainer, steps)
    for table in _tables(found, top):
        output().print(table)
    if json is not None:
        save(found.as_json(), json)


def _tables(found: Profile, top: int) -> list[object]:
    from rich.table import Table

    calls = Table("", "call", "time", "share", "speed", "of limit", box=None, pad_edge=False)
    slowest = sorted(found.calls, key=lambda call: -call.seconds)[:top]
    for call in slowest:
        calls.add_row(
            str(call.number),
            call.words,
            f"{call.seconds * 1e6:,.1f} µs",
            f"{call.seconds / found.seconds:.1%}",
            call.speed,
            "" if call.of_limit is None else f"{call.of_limit:.0%}",
        )
    sums = []
    for title, totals in (("kernel", found.by_kernel()), ("part", found.by_part())):
        table = Table(title, "calls", "time", "share", box=None, pad_edge=False)
        for name, (count, seconds) in totals.items():
            table.add_row(
                name, str(count), f"{seconds * 1e6:,.1f} µs", f"{seconds / found.seconds:.1%}"
            )
        sums.append(table)
    return [calls, "", *sums, "", found.words()]
