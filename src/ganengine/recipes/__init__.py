"""The systems that ganengine trains, one file each."""

from ganengine.recipes import (
    cdcgan_mnist,
    cgan,
    dcgan_64,
    dcgan_mnist,
    infogan_net,
    keras_dcgan,
    mlp_128,
    mlp_500,
    mnist,
)
from ganengine.recipes._recipe import Recipe

_MODULES = (
    mnist,
    mlp_128,
    mlp_500,
    keras_dcgan,
    dcgan_mnist,
    dcgan_64,
    infogan_net,
    cgan,
    cdcgan_mnist,
)
_RECIPES: dict[str, Recipe] = {module.RECIPE.name: module.RECIPE for module in _MODULES}


def names() -> list[str]:
    """The names of all recipes."""
    return list(_RECIPES)


def get(name: str) -> Recipe:
    """The recipe of that name; ValueError if there is none."""
    if name not in _RECIPES:
        raise ValueError(f"recipe is {name!r}; it can be {', '.join(_RECIPES)}")
    return _RECIPES[name]


__all__ = ["Recipe", "get", "names"]
