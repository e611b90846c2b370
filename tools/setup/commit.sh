#!/bin/sh
# Write the commit of this source into BUILD/generated/commit.h, if it says something else.
# Usage: commit.sh BUILD. The file is left alone otherwise, so that nothing is built anew.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
header=$1/generated/commit.h
commit=$(git -C "$root" rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
line="#define SW_VERSION_COMMIT \"$commit\""
if [ "$(cat "$header" 2>/dev/null)" != "$line" ]; then
    mkdir -p "$1/generated"
    echo "$line" >"$header"
fi
