#!/usr/bin/env bash
# What `make install` puts below PREFIX works there, with the build folder out of reach.
set -euo pipefail
export SWARM_API_LISTEN=127.0.0.1:0
cmake --install "$SW_BUILD" --prefix "$PWD/prefix" >install.txt
for file in bin/swarm bin/swarmd bin/swarmctl libexec/swarm-agent-host libexec/swarm-compiler \
    include/swarm/agent.h; do
    test -f "prefix/$file" && echo "ok - $file is installed"
done
export PATH="$PWD/prefix/bin:/usr/bin:/bin"
for file in prefix/bin/* prefix/libexec/*; do
    if ldd "$file" | grep -E "not found|$SW_BUILD|$SW_SOURCE"; then
        echo "not ok - $file needs a library of the build folder"
        exit 1
    fi
done
echo "ok - no program needs the build folder"
coproc daemon { exec swarmd --dev 2>swarmd.log; }
pid=$daemon_PID
read -r line <&"${daemon[0]}" || { cat swarmd.log; exit 1; }
echo "ok - the installed daemon serves: $line"
kill -TERM "$pid"
wait "$pid"
echo "ok - it stops cleanly"
