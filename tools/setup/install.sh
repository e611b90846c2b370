#!/bin/sh
# Install what is missing: packages of the distribution, by the list in packages.txt beside this.
#
# Usage: install.sh [run|test]    run: to build and run Swarm (default); test: the tests' needs too
# With nothing missing it is quick and silent. As root, or with sudo that asks for no password, it
# installs; otherwise it prints the command to type and fails. It uses the distribution's own
# packages only, and Debian 12 is where it is proved.
set -eu
need=${1:-run}
here=$(dirname "$0")

if [ "${SWARM_SETUP:-}" = skip ]; then
    exit 0
fi

# wanted ID VERSION: this system's names of the packages needed.
wanted() {
    awk -v need="$need" -v id="$1" -v version="$2" '
        /^#/ || NF < 3 { next }
        $2 == "run" || need == "test" {
            name = $1
            count = split($3, others, ",")
            for (i = 1; i <= count; i++) {
                split(others[i], pair, "=")
                if (pair[1] == id || pair[1] == id "-" version) name = pair[2]
            }
            print name
        }' "$here/packages.txt"
}

# missing PACKAGE ...: those that dpkg does not have installed.
missing() {
    installed=$(dpkg-query -W -f='${db:Status-Abbrev}${Package} ' "$@" 2>/dev/null || true)
    for name in "$@"; do
        case " $installed" in
        *"ii $name "*) ;;
        *) printf '%s ' "$name" ;;
        esac
    done
}

ID=unknown VERSION_ID=unknown
if [ -r /etc/os-release ]; then
    . /etc/os-release
fi
packages=$(wanted "$ID" "$VERSION_ID")

if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is not a Debian or Ubuntu system, so nothing was checked or installed." >&2
    echo "setup: install the equivalents of these, then set SWARM_SETUP=skip:" >&2
    echo "$packages" | tr '\n' ' ' >&2
    echo >&2
    exit 1
fi

# shellcheck disable=SC2086 # A list of words.
lacking=$(missing $packages)
if [ -z "$lacking" ]; then
    exit 0
fi
if [ "$ID-$VERSION_ID" != debian-12 ]; then
    echo "setup: $ID $VERSION_ID is not proved (Debian 12 is); trying its packages" >&2
fi

if [ "$(id -u)" = 0 ]; then
    become=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    become="sudo -n"
else
    echo "setup: these packages are missing; install them and repeat your command:" >&2
    echo "    sudo apt-get update && sudo apt-get install --no-install-recommends $lacking" >&2
    exit 1
fi
echo "setup: installing $lacking"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { $become apt-get update && $become apt-get install -y --no-install-recommends $lacking; } \
    >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "setup: apt-get failed; its words are above" >&2
    exit 1
fi
# shellcheck disable=SC2086
lacking=$(missing $packages)
if [ -n "$lacking" ]; then
    echo "setup: still missing after the installation: $lacking" >&2
    exit 1
fi
