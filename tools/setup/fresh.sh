#!/usr/bin/env bash
# Prove the two commands on a bare Debian 12: `make test-fresh` calls this.
#
# Usage: fresh.sh [setup|run|test ...]    (default: run, then test)
# Makes a minimal root with debootstrap (kept in .cache/fresh), unpacks it into a folder of its own,
# clones this checkout as it is committed, and runs `make run` (until the answer) and `make test`
# inside, with namespaces of their own for mounts and processes. The machine's settings for apt, pip
# and certificates are copied in for the run. Needs root, debootstrap and the network.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=$root/.cache/fresh
tarball=$cache/bookworm.tar
steps=${*:-run test}

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

# The same servers, certificates and timeouts as this machine uses; what is absent is left out.
copy_settings() {
    local path
    for path in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt \
        /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources /etc/apt/apt.conf.d/99* \
        /etc/apt/apt.conf.d/*proxy*; do
        [ -f "$path" ] || continue
        mkdir -p "$fresh$(dirname "$path")"
        cp -L --remove-destination "$path" "$fresh$path"
    done
    [ -f /etc/apt/sources.list.d/debian.sources ] && rm -f "$fresh/etc/apt/sources.list"
    return 0
}

# inside COMMAND: run it in the fresh root as a login of root would, with a /proc of its own.
inside() {
    local name kept=()
    for name in http_proxy https_proxy no_proxy SSL_CERT_FILE PIP_CERT PIP_DEFAULT_TIMEOUT CI; do
        [ -z "${!name:-}" ] || kept+=("$name=${!name}")
    done
    unshare --mount --pid --fork --kill-child bash -euc '
        fresh=$1
        shift
        mount --make-rprivate /
        mount -t proc proc "$fresh/proc"
        mount --rbind /sys "$fresh/sys"
        mount --rbind /dev "$fresh/dev"
        mount -t tmpfs -o mode=1777 tmpfs "$fresh/dev/shm"
        mount -t tmpfs -o mode=755 tmpfs "$fresh/run"
        exec chroot "$fresh" /usr/bin/env -i HOME=/root USER=root TERM="${TERM:-dumb}" \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"' \
        fresh "$fresh" "${kept[@]}" bash -c "$1" </dev/null
}

[ -f "$tarball" ] || make_tarball
fresh=$(mktemp -d "$cache/root-XXXXXX")
trap 'rm -rf --one-file-system "$fresh"' EXIT
tar -C "$fresh" -xf "$tarball"
copy_settings
git clone --quiet --no-hardlinks "file://$root" "$fresh/root/swarm"

for step in $steps; do
    echo "fresh: make $step in a bare Debian 12"
    case $step in
    run) inside 'cd ~/swarm && SWARM_RUN_ONCE=1 make run' ;;
    test) inside 'cd ~/swarm && CI=true make test' ;;
    setup) inside 'cd ~/swarm && make setup-test && make setup-test' ;;
    *) echo "fresh: no such step: $step" >&2; exit 2 ;;
    esac
done
echo "fresh: works on a bare Debian 12: $steps"
