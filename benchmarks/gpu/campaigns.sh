#!/usr/bin/env bash
# Campaigns of speedcheck on the GPUs of this machine, two at least, in about eight minutes:
#
#     benchmarks/gpu/campaigns.sh OUT [side-by-side] [script] [race] [kill]
#
# side-by-side  runs of sub3 on a GPU each, all at once, against the same seeds one at a time
# script        a foreign script under torchrun on all GPUs (train_ddp.py beside this file)
# race          the same script with two settings, in turns
# kill          the launcher of a campaign is killed (SIGKILL), and the campaign is resumed
#
# All four unless some are named. Tokens are synthetic and made here in $DATA (default: a new folder
# under /tmp); $STEPS (6), $SEEDS (4) and $PAIRS (4) may be set. Exits with 1 where losses differ, a
# process is left, or a run is lost.
set -euo pipefail
mkdir -p "${1:?folder for the results}"
out=$(cd "$1" && pwd)
shift
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
gpus=$(nvidia-smi -L | wc -l)
data=${DATA:-/tmp/sub3-campaigns} steps=${STEPS:-6} seeds=${SEEDS:-4} pairs=${PAIRS:-4}
failures=0

make_data() { # folder, training tokens, validation tokens
    [ -e "$1/manifest.json" ] || python3 -m trainer.data.fineweb synth --data-dir "$1" \
        --shards 1 --tokens "$2" --val-tokens "$3"
}

campaign() { # name, further words of `speedcheck run`; 1 is the status of a record that does not hold
    local name=$1 began=$SECONDS status=0
    shift
    python3 -m speedcheck run --out "$out/$name" "$@" > "$out/$name.txt" 2>&1 || status=$?
    grep -E '^seed|^note|CERTIFIED|side by side' "$out/$name.txt" || true
    echo "$name: status $status after $((SECONDS - began)) s"
    [ "$status" -le 1 ] || failures=1
}

losses() { # a log; its step lines without their times
    grep -oE '^step:[^ ]+ (train|val)_loss:[^ ]+' "$1"
}

side_by_side() {
    local log
    for way in together alone; do
        local jobs=$gpus
        [ $way = together ] || jobs=1
        campaign $way --recipe sub3 --steps "$steps" --seeds "$seeds" --data-dir "$data" \
            --gpus-per-run 1 --jobs "$jobs"
    done
    for log in "$out"/alone/logs/*.txt; do
        if diff <(losses "$log") <(losses "$out/together/logs/$(basename "$log")") > /dev/null; then
            echo "$(basename "$log"): equal to the last digit"
        else
            echo "$(basename "$log"): DIFFERENT"
            failures=1
        fi
    done
    grep -h '^side_by_side' "$out"/together/logs/*.txt
}

foreign() { # prints the folder of the script, with its data beside it
    local folder=/tmp/ddp-script
    mkdir -p $folder/data
    cp "$here/train_ddp.py" $folder
    make_data $folder/data 2000000 500000 >&2
    echo $folder
}

script() {
    campaign script --script "$(foreign)/train_ddp.py" --gpus "$gpus" --seed-env SEED --seeds 3
    grep -m 1 '"started"' "$out/script/ledger.jsonl"
}

race() {
    local program status=0 began=$SECONDS
    program=$(foreign)/train_ddp.py
    python3 -m speedcheck race "$program --width 512" "$program --width 576" --gpus "$gpus" \
        --seed-env SEED --pairs "$pairs" --out "$out/race" > "$out/race.txt" 2>&1 || status=$?
    tail -n 25 "$out/race.txt"
    echo "race: status $status after $((SECONDS - began)) s"
    [ $status != 2 ] || failures=1
    python3 -m speedcheck verify "$out/race" || failures=1
}

left() { # processes of a trainer, by id
    pgrep -f "trainer worker .*$data" || true
}

kill_launcher() {
    local launcher waited=0
    make_data "$data" $((524288 * (steps + 2))) 11000000
    python3 -m speedcheck run --recipe sub3 --steps "$steps" --seeds 2 --data-dir "$data" \
        --out "$out/killed" > "$out/killed-first.txt" 2>&1 &
    launcher=$!
    until grep -q 'seed 1: step 0' "$out/killed-first.txt" || [ $waited = 120 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    kill -9 $launcher
    wait $launcher || true
    sleep 3
    echo "processes left 3 s after the launcher was killed: $(left | wc -l)"
    [ -z "$(left)" ] || failures=1
    campaign killed --resume --data-dir "$data"
    grep -c '"finished"' "$out/killed/ledger.jsonl"
}

make_data "$data" $((524288 * (steps + 2))) 11000000
if [ $# = 0 ]; then set -- side-by-side script race kill; fi
for what in "$@"; do
    case $what in
    side-by-side) side_by_side ;;
    script) script ;;
    race) race ;;
    kill) kill_launcher ;;
    *) echo "side-by-side, script, race or kill, not $what" >&2 && exit 2 ;;
    esac
done
exit $failures
