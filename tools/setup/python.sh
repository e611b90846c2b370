#!/bin/sh
# Put the Python programs that tests use into .cache/python; nothing happens when they are there.
# Usage: python.sh. They come from requirements.txt beside this file, checked against its hashes.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
wanted=$root/tools/setup/requirements.txt
folder=$root/.cache/python
if cmp -s "$wanted" "$folder/installed.txt"; then
    exit 0
fi
echo "setup: installing the Python programs of the tests into .cache/python"
rm -rf "$folder"
mkdir -p "$root/.cache"
/usr/bin/python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --require-hashes -r "$wanted"
cp "$wanted" "$folder/installed.txt"
