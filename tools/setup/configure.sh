#!/bin/sh
# Make the build files of BUILD with the command given, unless they were made with this very command:
# a setting that changes takes effect in a folder that is there already, and without one nothing is
# done. Ninja itself repeats the command when a CMake file changes.
# Usage: configure.sh BUILD COMMAND ...
set -eu
build=$1
shift
command=$*
if [ -f "$build/build.ninja" ] && [ "$(cat "$build/configured.txt" 2>/dev/null)" = "$command" ]; then
    exit 0
fi
mkdir -p "$build"
"$@"
echo "$command" >"$build/configured.txt"
