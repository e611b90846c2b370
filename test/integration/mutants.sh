#!/usr/bin/env bash
# The bugs that `make sim-mutants` plants still fit the source: each patch applies, and those that
# have to be there are.
set -euo pipefail
cd "$SW_SOURCE"
missed=0
for name in skip-a-sync release-an-effect-before-its-epoch handle-in-an-earlier-epoch \
    drop-a-mark-at-split merge-marks-by-maximum snapshot-without-outbox reuse-a-dirty-page \
    re-decide-an-outcome fire-a-cancelled-timer lose-a-wake-up duplicate-after-sender-restart \
    count-an-unnamed-snapshot; do
    [ -f "test/sim/mutants/$name.patch" ] || { echo "not ok - $name is there"; missed=1; }
done
for patch in test/sim/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    if patch -p1 --dry-run --forward --fuzz=3 -i "$patch" >"$SW_TMP/said"; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        cat "$SW_TMP/said"
        missed=1
    fi
done
exit "$missed"
