#!/usr/bin/env python3
"""Put the native modules of a build folder where this Python imports them from.

That is src/ganengine, and where an editable install keeps its own: without the second, an edited
kernel would be tested in its old build.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "ganengine"


def places(file_name: str) -> set[Path]:
    """Where a native module of this name has to lie; nothing is imported to find out."""
    module = f"ganengine.{file_name.partition('.')[0]}"
    found = {PACKAGE / file_name}
    for finder in sys.meta_path:
        spec = finder.find_spec(module, [str(PACKAGE)], None)
        if spec is not None and spec.origin is not None and Path(spec.origin).name == file_name:
            found.add(Path(spec.origin))
    return found


def main() -> None:
    """Copy every module; one that a process has loaded is replaced and not overwritten."""
    for built in sorted(Path(sys.argv[1]).rglob("_c*.so")):
        for place in sorted(places(built.name)):
            fresh = place.with_name(f".{place.name}.new")
            shutil.copy(built, fresh)
            fresh.replace(place)
            print(place)


if __name__ == "__main__":
    main()
