#!/usr/bin/env bash
# A swarm on this machine, from nothing to an answer: what `make run` does once all is built.
#
# Usage: run.sh BUILD-FOLDER
# Starts swarmd --dev, deploys examples/librarian, gives each file of a folder to an instance of its
# own, asks a question, and stays until Ctrl-C; then stops swarmd cleanly. All data is kept, so the
# next run finds it there and sends the folder again only if something in it is newer.
#   SWARM_RUN_FOLDER    the documents (default /usr/share/doc)
#   SWARM_RUN_QUESTION  what to ask
#   SWARM_RUN_ONCE=1    stop after the answer instead of waiting for Ctrl-C
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
export PATH="$build/bin:$PATH"
folder=${SWARM_RUN_FOLDER:-/usr/share/doc}
question=${SWARM_RUN_QUESTION:-which packages fixed a CVE in OpenSSL?}
state=${XDG_STATE_HOME:-$HOME/.local/state}/swarm
log=$state/swarmd-dev.log
sent=$state/librarian-sent # Folder and uid of the Agent that has read it; as old as the sending.
daemon=

say() {
    if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
        printf '\n\033[1m%s\033[0m\n' "$*"
    else
        printf '\n%s\n' "$*"
    fi
}

# stop: end swarmd as a service manager would, and wait until its data is safe.
stop() {
    trap '' INT TERM
    if [ -n "$daemon" ] && kill -TERM "$daemon" 2>/dev/null; then
        say "Stopping; all data is kept in ${XDG_DATA_HOME:-$HOME/.local/share}/swarm"
        wait "$daemon" || true
    fi
    daemon=
}

# start: swarmd prints one line on its standard output when it serves; its log is standard error.
# A session of its own keeps Ctrl-C from reaching it before this script stops it in order.
start() {
    local fifo line
    mkdir -p "$state"
    fifo=$(mktemp -u "$state/ready-XXXXXX")
    mkfifo -m 600 "$fifo"
    setsid "$build/bin/swarmd" --dev >"$fifo" 2>"$log" </dev/null &
    daemon=$!
    # The descriptor stays open: swarmd may print more, and must not meet a closed pipe.
    exec 8<"$fifo"
    rm "$fifo"
    if ! read -r line <&8; then
        wait "$daemon" || true
        daemon=
        say "swarmd did not start; the end of its log ($log):"
        tail -n 20 "$log"
        exit 1
    fi
    echo "$line"
}

# Whether the readers of this very deployment have this very folder already.
is_sent() {
    [ -f "$sent" ] && [ "$(cat "$sent")" = "$folder $1" ] &&
        [ -z "$(find "$folder" -newer "$sent" -print -quit)" ]
}

deploy() {
    local uid
    swarm apply -f "$root/examples/librarian"
    swarm wait agent/reader agent/librarian --for=condition=Ready --timeout=60s
    uid=$(swarm get agent reader -o 'jsonpath={.metadata.uid}')
    if is_sent "$uid"; then
        say "Every document of $folder is with its reader since the last run"
        return
    fi
    say "Giving each document of $folder to a reader of its own"
    touch "$sent.new"
    swarm send reader --each "$folder"
    echo "$folder $uid" >"$sent.new.content"
    touch -r "$sent.new" "$sent.new.content"
    mv "$sent.new.content" "$sent"
    rm "$sent.new"
}

trap 'stop; exit 0' INT TERM
trap stop EXIT
say "Starting swarmd --dev (its log: $log)"
start
say "Deploying examples/librarian"
deploy
say "Asking: $question"
swarm send librarian "$question"

say "What to type next, in a second terminal:"
cat <<END
    export PATH="$build/bin:\$PATH"
    swarm send librarian "how do I report a bug?"
    swarm get agents
    swarm top
    swarm events
    swarm agent init hello && swarm agent build hello && swarm apply -f hello && swarm send hello Ada
END
if [ "${SWARM_RUN_ONCE:-}" = 1 ]; then
    exit 0
fi
say "Ctrl-C stops it with all data kept."
wait "$daemon" || true
daemon=
say "swarmd ended by itself; the end of its log ($log):"
tail -n 20 "$log"
exit 1
