"""Which modules may import which."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ganengine

SOURCES = Path(ganengine.__file__).parent


def dotted(path: Path) -> str:
    """The name of a module or package."""
    parts = path.relative_to(SOURCES.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(path): path for path in SOURCES.rglob("*.py")}


def imported(path: Path, *, inside_functions: bool) -> list[str]:
    """The dotted names that a file imports, those for type checkers too."""
    names: list[str] = []
    nodes: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif inside_functions or not isinstance(node, ast.FunctionDef):
            nodes.extend(ast.iter_child_nodes(node))
    return names


@pytest.mark.parametrize("module", sorted(MODULES))
def test_private_modules_stay_in_their_package(module: str) -> None:
    home = MODULES[module].parent
    package = ["ganengine", *home.relative_to(SOURCES).parts]
    for name in imported(MODULES[module], inside_functions=True):
        *parents, last = name.split(".")
        if parents[:1] != ["ganengine"] or last == "__version__":
            continue
        private = [i for i, part in enumerate([*parents, last]) if part.startswith("_")]
        if private:
            assert parents[: private[0]] == package[: private[0]], f"{module} imports {name}"


def test_imports_make_no_circle() -> None:
    graph = {}
    for module, path in MODULES.items():
        names = imported(path, inside_functions=False)
        found = {name if name in MODULES else name.rpartition(".")[0] for name in names}
        graph[module] = (found & set(MODULES)) - {module, "ganengine"}
    list(TopologicalSorter(graph).static_order())  # raises CycleError
