#!/usr/bin/env bash
# `WASMTIME_DIR=FOLDER make run` takes the library of that folder, which has the layout of the
# official C API release, and nothing is fetched. The folder is made here from the pinned library,
# and from the headers in the folder $1, or a version line alone, which is all that the build reads.
set -euo pipefail
cd "$(dirname "$0")/../../.."
version=$(sed -n 's/^set(SWARM_WASMTIME_VERSION \(.*\))/\1/p' cmake/wasmtime.cmake)
folder=$(mktemp -d)/wasmtime-v$version-$(uname -m)-linux-c-api
mkdir -p "$folder/lib" "$folder/include"
cp ".cache/wasmtime-$version/lib/libwasmtime.so" "$folder/lib"
if [ -n "${1:-}" ]; then
    cp -r "$1/." "$folder/include"
else
    echo "#define WASMTIME_VERSION \"$version\"" >"$folder/include/wasmtime.h"
fi
mv .cache/wasmtime-"$version" .cache/aside # What must not be used is not there.
trap 'mv .cache/aside .cache/wasmtime-"$version"; rm -rf "${folder%/*}"' EXIT
WASMTIME_DIR=$folder SWARM_RUN_ONCE=1 make run
for program in swarm-agent-host swarm-compiler; do
    ldd "build/libexec/$program" | grep "libwasmtime.so => $folder/lib/libwasmtime.so" || {
        echo "fresh: $program does not use $folder:" >&2
        ldd "build/libexec/$program" >&2
        exit 1
    }
done
echo "fresh: runs with the library that WASMTIME_DIR names"
