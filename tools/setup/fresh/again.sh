#!/usr/bin/env bash
# The `make run` after the first: nothing is built anew, it serves within two seconds, Ctrl-C ends
# it and everything that it started, and the run after it finds its documents where they were.
# Run in a checkout where `make run` has been, on a machine that need not have a network.
set -euo pipefail
cd "$(dirname "$0")/../../.."
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT

fail() {
    echo "fresh: $1; it printed:" >&2
    cat "$printed" >&2
    exit 1
}

# built: what is in the build folder, with its times.
built() {
    find build -type f -not -name '.ninja_*' -printf '%p %T@ %s\n' | sort
}

# start: `make run` as a terminal would run it: in a process group of its own, and not deaf to Ctrl-C
# as whatever was started in the background is.
start() {
    set -m
    env --default-signal=INT,QUIT make run >"$printed" 2>&1 &
    run=$!
    set +m
}

# wait_for LINE: until `make run` prints it.
wait_for() {
    local begin=$SECONDS
    until grep -q "$1" "$printed"; do
        kill -0 "$run" 2>/dev/null || fail "make run ended by itself"
        [ $((SECONDS - begin)) -lt 60 ] || fail "make run does not print \"$1\""
        sleep 0.01
    done
}

# interrupt: what a terminal does at Ctrl-C, and nothing of it may be left.
interrupt() {
    kill -INT -- "-$run"
    wait "$run" || true
    grep -q "^Stopping; all data is kept" "$printed" || fail "Ctrl-C does not stop it in order"
    for process in /proc/[0-9]*; do
        case $(readlink "$process/exe" || true) in
        */build/*) fail "${process#/proc/} outlives Ctrl-C: $(tr '\0' ' ' <"$process/cmdline")" ;;
        esac
    done
}

before=$(built)
begin=$(date +%s%N)
start
wait_for "^swarmd .* serves https://"
up_ms=$((($(date +%s%N) - begin) / 1000000))
wait_for "^Ctrl-C stops it"
answered_ms=$((($(date +%s%N) - begin) / 1000000))
after=$(built)
[ "$before" = "$after" ] || {
    diff <(echo "$before") <(echo "$after") >&2 || true
    fail "make run built something anew"
}
[ "$up_ms" -le 2000 ] || fail "it served only after $up_ms ms"
grep -q "with its reader since the last run" "$printed" || fail "the documents are gone"
interrupt
start
wait_for "^Ctrl-C stops it"
grep -q "with its reader since the last run" "$printed" || fail "Ctrl-C lost the documents"
interrupt
echo "fresh: a second make run serves after $up_ms ms and has answered after $answered_ms ms"
