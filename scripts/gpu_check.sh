#!/usr/bin/env bash
# Everything that needs a real GPU, in one go and in eight minutes, without a network:
#   scripts/gpu_check.sh --out DIR          writes DIR/report.json and DIR/log.txt; see docs/with-a-gpu.md
set -eu
exec "${PYTHON:-python3}" "$(dirname "$0")/gpu_check.py" "$@"
