#!/usr/bin/env bash
# Builds the native modules into src/ganengine, for work on the project without an install:
#   scripts/dev_build.sh [cmake options]     then     PYTHONPATH=src pytest
# An editable install (pip install -e .) imports modules of its own, from site-packages: they are
# replaced as well, or an edited kernel would be tested in its old build.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
cmake -S . -B build/dev -G Ninja -DGE_CUDA="${GE_CUDA:-OFF}" -DGE_WERROR=ON \
    -DPython_EXECUTABLE="$(command -v "$python")" \
    -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" "$@"
cmake --build build/dev
"$python" scripts/place_modules.py build/dev
