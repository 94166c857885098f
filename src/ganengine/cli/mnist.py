"""``ganengine mnist``: the demo. One command, and digits appear."""

from __future__ import annotations

from ganengine.cli import _options as options


def mnist(
    settings: options.Set = None,
    epochs: options.Epochs = None,
    steps: options.Steps = None,
    out: options.Out = None,
    seed: options.Seed = None,
    device: options.DeviceOption = "auto",
    precision: options.Precision = None,
    data: options.Data = None,
    resume: options.Resume = None,
) -> None:
    """Train a GAN on MNIST and watch digits appear.

    Downloads MNIST at the first run; where that is not possible, draws digits to learn from.
    """
    from ganengine.cli._request import Request
    from ganengine.cli._training import start

    start(
        Request(
            "mnist",
            settings=tuple(settings or ()),
            epochs=epochs,
            steps=steps,
            out=out,
            seed=seed,
            device=device,
            precision=precision,
            data=tuple(data or ()),
            resume=resume,
            draw_if_missing=True,
        )
    )
