#!/usr/bin/env bash
# Builds the CPU kernels with the address and undefined-behaviour sanitizers in a copy of the source
# tree and runs tests on them: all of the kernels', or
#   scripts/sanitize.sh [tests, as pytest names them]
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r src "$work/src"
cmake=$(command -v cmake || python3 -c 'import cmake, os; print(os.path.join(cmake.CMAKE_BIN_DIR, "cmake"))')
python3 -m pip show --quiet pybind11 || python3 -m pip install --quiet pybind11
"$cmake" -S . -B "$work/build" -DGE_CUDA=OFF -DGE_SANITIZE=ON \
    -DPython_EXECUTABLE="$(command -v python3)" -Dpybind11_DIR="$(python3 -m pybind11 --cmakedir)" \
    >"$work/log" || { cat "$work/log"; exit 1; }
"$cmake" --build "$work/build" -j "$(nproc)" >"$work/log" || { tail -50 "$work/log"; exit 1; }
find "$work/build" -name '_cpu*.so' -exec cp {} "$work/src/ganengine/" \;
# The interpreter itself leaks by design, and Python must be preloaded with the sanitizer's runtime.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)" \
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
    PYTHONPATH="$work/src" python3 -P -m pytest "${@:-tests/kernels}" \
    -m "not subprocess" -p no:cacheprovider
