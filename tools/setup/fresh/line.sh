#!/usr/bin/env bash
# Without root and sudo, `make run` installs nothing: it prints the one line to type, and fails.
# Run as root of a bare machine, in a checkout. That apt takes the line is tried with --simulate.
set -euo pipefail
cd "$(dirname "$0")/../../.."
id ada >/dev/null 2>&1 || useradd --create-home ada
rm -rf ~ada/swarm
cp -r . ~ada/swarm
chown -R ada: ~ada/swarm

fail() {
    echo "fresh: $1; it printed:" >&2
    cat ~ada/printed >&2
    exit 1
}

status=0
setpriv --reuid=ada --regid=ada --clear-groups env -i HOME=/home/ada USER=ada PATH="$PATH" \
    make -C /home/ada/swarm run >~ada/printed 2>&1 || status=$?
[ "$status" != 0 ] || fail "make run went on without its packages"
line=$(grep -E '^ +sudo apt-get update && sudo apt-get install ' ~ada/printed) ||
    fail "make run does not print what to type"
for name in $(awk '!/^#/ && $2 == "run" { print $1 }' tools/setup/packages.txt); do
    dpkg-query -W -f='${db:Status-Abbrev}' "$name" 2>/dev/null | grep -q '^ii' && continue
    case " $line " in
    *" $name "*) ;;
    *) fail "the line lacks $name" ;;
    esac
done
line=${line//sudo /}
eval "${line/apt-get install/apt-get install --simulate}" >~ada/apt 2>&1 ||
    { cat ~ada/apt; fail "apt refuses the line"; }
echo "fresh: without root:$line"
