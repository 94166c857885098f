"""``ganengine new FILE --from RECIPE``: a GAN of one's own to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

_HEAD = """# A GAN of your own, begun as a copy of the recipe {recipe}: change what you like.
#
#   ganengine train {file}                         trains it
#   ganengine train {file} --set lr=1e-4           with another setting: a field of the class
#   ganengine train {file} --data FOLDER           on your own pictures (see image_shape)
#   ganengine recipes {file}                       shows its settings and parameters
#
# build() makes the networks, the optimisers and the loader; train_step() is one step, which is
# captured once and replayed without Python; sample() makes images. A recipe on Classic has these
# from there, and makes two networks only.

"""


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="The file to write.")],
    recipe: Annotated[
        str, typer.Option("--from", metavar="RECIPE", help="Which recipe to start from.")
    ] = "wgan-gp",
) -> None:
    """Write a file with a GAN that trains at once, for you to change."""
    from ganengine.cli._console import output, say
    from ganengine.cli._request import RequestError
    from ganengine.gan.find import recipe_file

    if file.suffix != ".py":
        raise RequestError(f"{file}: its name must end in .py")
    if not file.parent.is_dir():
        raise RequestError(f"{file}: there is no folder {file.parent}")
    text = _HEAD.format(recipe=recipe, file=file) + recipe_file(recipe).read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as error:
        raise RequestError(f"{file}: is there already; choose another name") from error
    say(output(), f"{file} is a copy of {recipe}. Train it with")
    say(output(), f"  ganengine train {shlex.quote(str(file))}")
