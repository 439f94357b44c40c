#!/usr/bin/env bash
# Runs of sub3 by a worker against runs of their own, on one GPU and on two, in one call of at most
# six minutes:
#
#     benchmarks/gpu/worker.sh OUT
#
# Says whether their losses are equal, and how long a run takes in all and timed: cold, warm, by
# the worker. Tokens are synthetic and made here in $DATA (default: a new folder under /tmp);
# $STEPS (12) and $GPUS ("1 2", as far as they are here) may be set.
set -euo pipefail
mkdir -p "${1:?folder for the results}"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
data=${DATA:-/tmp/sub3-worker}
steps=${STEPS:-12}
[ -e "$data/manifest.json" ] || python3 -m trainer.data.fineweb synth --data-dir "$data" \
    --shards 1 --tokens $((524288 * (steps + 2))) --val-tokens 11000000
# shellcheck disable=SC2086 # one word a number
python3 -m benchmarks.gpu.worker --data-dir "$data" --steps "$steps" --gpus ${GPUS:-1 2} \
    --json "$out/worker.json" | tee "$out/worker.txt"
