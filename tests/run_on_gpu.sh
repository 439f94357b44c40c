#!/usr/bin/env bash
# Every test that a GPU machine can run and CI cannot: the kernels compiled for the card instead of
# interpreted, and the tests marked `gpu`. Takes minutes. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} OMP_NUM_THREADS=1
exec python3 -m pytest -p no:cacheprovider -p no:benchmark -m "gpu or not slow" \
    tests/trainer/kernels tests/trainer/operations tests/trainer/optim tests/trainer/runtime \
    tests/trainer/test_worker.py tests/trainer/test_gpu.py "$@"
