#!/usr/bin/env bash
# Prove the two commands on a bare Debian 12: `make test-fresh` calls this.
#
# Usage: fresh.sh [STEP ...]    (default: line run again test)
#   line      without root and sudo, `make run` prints the one line to type, and it is right
#   run       `make run` until its answer
#   again     without a network: `make run` rebuilds nothing, is up within two seconds, stops on
#             Ctrl-C as it should, and the run after it finds all data
#   test      `make test`, without a network once all is installed and built
#   wasmtime  `make run` with WASMTIME_DIR naming a folder like the official C API release
#   ci        what decides whether a change lands: .ci/run
#   setup     only the installation, twice
# Makes a minimal root with debootstrap (kept in .cache/fresh), unpacks it into a folder of its own,
# and clones this checkout into it as it is committed. Each step runs inside, with namespaces of its
# own for mounts and processes. The machine's settings for apt, pip, npm, Go and certificates are
# copied in for the run. SWARM_FRESH_ROOT names a folder to unpack to, which is kept, and used as
# it is when it is there. Needs root, debootstrap and the network.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=$root/.cache/fresh
tarball=$cache/bookworm.tar
steps=${*:-line run again test}
fresh=${SWARM_FRESH_ROOT:-}

[ "$(id -u)" = 0 ] || { echo "fresh: needs root, for chroot and mounts" >&2; exit 1; }
command -v debootstrap >/dev/null || {
    echo "fresh: needs debootstrap: apt-get install debootstrap" >&2
    exit 1
}

# Only what a person has who reads the README: git and make, and certificates to clone with.
make_tarball() {
    local folder
    mkdir -p "$cache"
    folder=$(mktemp -d "$cache/make-XXXXXX")
    echo "fresh: making a minimal Debian 12"
    debootstrap --variant=minbase --include=git,make,ca-certificates bookworm "$folder" \
        >"$cache/debootstrap.log" 2>&1 || { tail -n 20 "$cache/debootstrap.log" >&2; exit 1; }
    rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
    tar -C "$folder" -cf "$tarball.new" .
    mv "$tarball.new" "$tarball"
    rm -rf "$folder"
}

# The files that say which servers, certificates and timeouts this machine uses.
settings() {
    local name
    printf '%s\n' /etc/resolv.conf /etc/hosts /etc/apt/sources.list \
        /etc/apt/sources.list.d/debian.sources /etc/apt/apt.conf.d/99* /etc/apt/apt.conf.d/*proxy* \
        /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/*.crt \
        /etc/pip.conf /etc/xdg/pip/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf" \
        /etc/npmrc "$HOME/.npmrc" "$HOME/.config/go/env"
    for name in PIP_CONFIG_FILE NPM_CONFIG_USERCONFIG NPM_CONFIG_GLOBALCONFIG; do
        [ -z "${!name:-}" ] || echo "${!name}"
    done
}

# The same servers, certificates and timeouts as this machine uses; what is absent is left out.
copy_settings() {
    local path target
    settings | while read -r path; do
        [ -f "$path" ] || continue
        target=$fresh${path/#"$HOME"//root}
        mkdir -p "$(dirname "$target")"
        cp -L --remove-destination "$path" "$target"
    done
    [ ! -f /etc/apt/sources.list.d/debian.sources ] || rm -f "$fresh/etc/apt/sources.list"
}

# Environment variables with the same purpose.
kept_variables() {
    env | grep -iE \
        '^((http|https|no|all)_proxy|PIP_(CERT|INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|DEFAULT_TIMEOUT|PROXY)|NPM_CONFIG_[A-Z_]*|GO(PROXY|SUMDB|NOSUMDB|FLAGS)|SSL_CERT_(FILE|DIR)|CI)=' ||
        true
}

# inside COMMAND [UNSHARE-OPTION ...]: run it in the fresh root as a login of root would, with a
# /proc of its own.
inside() {
    local command=$1 kept=()
    shift
    mapfile -t kept < <(kept_variables)
    unshare --mount --pid --fork --kill-child "$@" bash -euc '
        fresh=$1
        shift
        mount --make-rprivate /
        mount --bind "$fresh" "$fresh" # Its root is a mount: tests make namespaces of their own.
        mount -t proc proc "$fresh/proc"
        mount --rbind /sys "$fresh/sys"
        mount --rbind /dev "$fresh/dev"
        mount -t tmpfs -o mode=1777 tmpfs "$fresh/dev/shm"
        mount -t tmpfs -o mode=755 tmpfs "$fresh/run"
        exec chroot "$fresh" /usr/bin/env -i HOME=/root USER=root TERM="${TERM:-dumb}" \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"' \
        fresh "$fresh" "${kept[@]}" bash -c "$command" </dev/null
}

# The same without any network but the loopback device, which a new namespace has down.
inside_offline() {
    inside "python3 /root/swarm/tools/setup/fresh/loopback.py && { $1; }" --net
}

# unpack: a bare Debian with a clone of this checkout, in $fresh.
unpack() {
    mkdir -p "$fresh"
    tar -C "$fresh" -xf "$tarball"
    chmod 755 "$fresh" # mktemp's folders are for their maker alone; a root is for everybody.
    git clone --quiet --no-hardlinks "file://$root" "$fresh/root/swarm"
}

# renew: the clone of an earlier run, brought to this checkout's commit, and built if it was.
renew() {
    git -C "$fresh/root/swarm" fetch --quiet "file://$root" HEAD
    git -C "$fresh/root/swarm" reset --quiet --hard FETCH_HEAD
    [ ! -d "$fresh/root/swarm/build" ] || inside 'make -C ~/swarm'
}

if [ -n "$fresh" ] && [ -d "$fresh/root/swarm" ]; then
    renew
else
    [ -f "$tarball" ] || make_tarball
    if [ -z "$fresh" ]; then
        fresh=$(mktemp -d "$cache/root-XXXXXX")
        trap 'rm -rf --one-file-system "$fresh"' EXIT
    fi
    unpack
fi
copy_settings

for step in $steps; do
    echo "fresh: $step in a bare Debian 12"
    case $step in
    line) inside '~/swarm/tools/setup/fresh/line.sh' ;;
    run) inside 'cd ~/swarm && SWARM_RUN_ONCE=1 make run' ;;
    again) inside_offline 'exec ~/swarm/tools/setup/fresh/again.sh' ;;
    test)
        inside 'cd ~/swarm && make everything'
        inside_offline 'cd ~/swarm && make test TEST_OPTIONS=--exact'
        ;;
    wasmtime) inside '~/swarm/tools/setup/fresh/wasmtime.sh' ;;
    ci) inside 'cd ~/swarm && CI=true .ci/run' ;;
    setup) inside 'cd ~/swarm && make setup-test && make setup-test' ;;
    *) echo "fresh: no such step: $step" >&2; exit 2 ;;
    esac
done
echo "fresh: works on a bare Debian 12: $steps"
