#!/usr/bin/env bash
# sub3 on all GPUs of a node, in two calls meant for ten minutes at most on eight GPUs:
#
#     benchmarks/gpu/node.sh bench OUT   # five windows, kernel table, a trace of one step
#     benchmarks/gpu/node.sh run OUT     # two whole runs: ledger, certificate, headers, last lines
#
# Tokens are synthetic and made here in $DATA (default: a new folder under /tmp), so that losses say
# nothing and the record cannot hold: the run is for its times. $SEEDS (2), $GPUS (all) and $STEPS
# (the recipe's) may be set: with four GPUs a run takes twice as long, with one eight times.
set -euo pipefail
what=${1:?bench or run} out=${2:?folder for the results}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/../.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
gpus=${GPUS:-$(python3 -c 'import torch; print(torch.cuda.device_count())')}
data=${DATA:-/tmp/sub3-$what}
nvidia-smi --query-gpu=name,driver_version,power.limit --format=csv,noheader > "$out/gpus.txt"
# How warm the cards are, what they draw, and how fast that lets them be, while they work.
nvidia-smi --query-gpu=timestamp,index,power.draw,clocks.sm,temperature.gpu --format=csv \
    --loop=10 > "$out/power.csv" &
sampler=$!
trap 'kill $sampler' EXIT

make_data() { # shards, tokens of each, validation tokens
    [ -e "$data/manifest.json" ] || python3 -m trainer.data.fineweb synth --data-dir "$data" \
        --shards "$1" --tokens "$2" --val-tokens "$3"
}

case $what in
bench)
    # 40 steps are read over and over.
    make_data 1 25000000 11000000
    torchrun --standalone --nproc-per-node="$gpus" -m trainer bench --data-dir "$data" \
        --json "$out/bench-$gpus.json" --trace "$out/trace-$gpus.json.gz" --kernels 40 |
        tee "$out/bench-$gpus.txt"
    ;;
run)
    steps=()
    if [ -n "${STEPS:-}" ]; then
        steps=(--steps "$STEPS")
        make_data 1 $((524288 * (STEPS + 2))) 11000000
    else
        make_data 8 100000000 100000000
    fi
    # Ends with another status than 0 where the record does not hold.
    python3 -m speedcheck run --recipe sub3 --seeds "${SEEDS:-2}" "${steps[@]}" \
        --data-dir "$data" --out "$out/record" || echo "speedcheck run ended with status $?"
    for log in "$out"/record/logs/*; do
        {
            # The environment stands between the first and the second separator.
            awk 'length == 100 && !/[^=]/ { parts++ } parts == 1' "$log"
            tail -n 3 "$log"
        } > "$out/$(basename "$log" .txt)-ends.txt"
        tail -n 2 "$log"
    done
    ;;
*)
    echo "bench or run, not $what" >&2
    exit 2
    ;;
esac
