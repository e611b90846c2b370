#!/usr/bin/env bash
# What `make run` does after building: an answer from a folder of documents; a clean stop on Ctrl-C
# with all data kept; and a second run that is up at once and sends nothing again.
# timeout: 120
# serial: yes
set -uo pipefail
export SWARM_API_LISTEN=127.0.0.1:0
mkdir docs
for n in 1 2 3 4 5 6 7 8; do
    echo "The package number$n keeps the records of garden number$n." >"docs/plain$n.txt"
done
echo "openssl (3.0.1) security: this release mends CVE-2021-4044 in the handling of certificates." \
    >docs/openssl.changelog
gzip docs/plain8.txt
export SWARM_RUN_FOLDER=$PWD/docs
failed=0

check() { # check NAME COMMAND ...
    local name=$1
    shift
    if "$@"; then echo "ok - $name"; else echo "not ok - $name"; failed=1; fi
}

# `make run` builds the target programs and nothing else; the tests build more than that.
ninja -C "$SW_BUILD" -t inputs programs >inputs.txt
for module in reader librarian; do
    check "make run builds $module.wasm" grep -q "example_librarian_$module.wasm" inputs.txt
done

start=$(date +%s%N)
SWARM_RUN_ONCE=1 "$SW_SOURCE/tools/run.sh" "$SW_BUILD" >first.txt 2>&1
check "the first run ends well" test $? = 0
check "the answer names its source" grep -q "openssl.changelog" first.txt
check "it says what to type next" grep -q "swarm send librarian" first.txt
echo "first run: $((($(date +%s%N) - start) / 1000000)) ms"

# The second run stays in front until it is interrupted, as by Ctrl-C.
start=$(date +%s%N)
set -m # Its own process group, to which a terminal would send the signal.
"$SW_SOURCE/tools/run.sh" "$SW_BUILD" >second.txt 2>&1 &
run=$!
set +m
until grep -q "^Ctrl-C stops it" second.txt || ! kill -0 "$run"; do sleep 0.02; done
elapsed_ms=$((($(date +%s%N) - start) / 1000000))
echo "second run: $elapsed_ms ms"
limit_ms=2000
[ "${SW_SANITIZED:-0}" = 1 ] && limit_ms=20000
check "the second run is up in two seconds" test "$elapsed_ms" -le "$limit_ms"
check "its documents are still there" grep -q "with its reader since the last run" second.txt
check "the answer is the same" grep -q "openssl.changelog" second.txt
kill -INT -- "-$run"
wait "$run"
check "Ctrl-C stops it cleanly" test $? = 0
[ "$failed" = 0 ] || { cat first.txt second.txt; cat "$HOME"/.local/state/swarm/*.log; }
exit "$failed"
