#!/usr/bin/env bash
# Every test that a GPU machine can run and CI cannot: the kernels compiled for the card instead of
# interpreted, and the tests marked `gpu`. Takes minutes. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD OMP_NUM_THREADS=1
exec python3 -m pytest -p no:cacheprovider -p no:benchmark -m "gpu or not slow" \
    tests/trainer/kernels tests/trainer/test_flex.py tests/trainer/test_head.py \
    tests/trainer/test_fused.py tests/trainer/test_clock.py tests/trainer/test_muon.py \
    tests/trainer/test_optim.py tests/trainer/test_warmup.py tests/trainer/test_distributed.py \
    tests/trainer/test_failures.py tests/trainer/test_gpu.py "$@"
