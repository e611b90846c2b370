"""Instances in C and in JavaScript that all wait in a handler for a call of a model, which answers
when it is told to: the second half of the workload `wait`."""
import concurrent.futures
import hashlib
import os
import struct
import time

import figures
import gateway
from daemon import Failure

HELD_S = 600  # Until all wait.
WIRE = 10000  # Calls that are at the model at once, each on a connection of its own.
SOURCE = """import { model, self, send, sleep } from "swarm";
export default async () => {
  const number = Number(self.key), locals = [number + 1];
  for (let i = 2; i < 4; i++) {
    await sleep(1);
    locals.push(number * i);
  }
  const content = `${number} waits`;
  const messages = [{ role: "user", content }];
  const answer = await model.chat({ model: "bench", max_tokens: 64, messages });
  const good = answer.choices[0].message.content === content &&
    locals.join() === [number + 1, number * 2, number * 3].join();
  send("wait/sum", new Uint8Array([good ? 0 : 1, 0, 0, 0]));
};
"""
LIMITS = {"mailbox": 1000000, "instances": 10000000}


def bundle(daemon, name, source):
    """The path of an Agent's program in JavaScript (pkg/agent/modules/bundle.h)."""
    with open(os.path.join(daemon.build, "guests", "swarm_js.wasm"), "rb") as runtime:
        digest = hashlib.sha256(runtime.read()).digest()
    path, program = os.path.join(daemon.folder, f"{name}.bundle"), source.encode()
    with open(path, "wb") as file:
        file.write(b"\0swb" + struct.pack("<I", 1) + digest + struct.pack("<I", len(program)) +
                   program)
    return path


def sizes(daemon):
    """Bytes of swarmd, and of the agent host."""
    whole = daemon.memory_bytes()
    own = daemon.memory_bytes([daemon.process.pid])
    return own, whole - own


def wait_until(words, seconds, is_so):
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise Failure(f"{words} did not come in {seconds} s")
        time.sleep(0.1)


def rest(daemon):
    """What it needs once that does not get less: who waits goes to sleep meanwhile."""
    best, since = sizes(daemon), time.monotonic()
    while time.monotonic() - since < 2:
        time.sleep(0.1)
        now = sizes(daemon)
        if sum(now) < 0.995 * sum(best):
            best, since = now, time.monotonic()
    return best


def cpu_s(daemon):
    """Processor time of all its processes so far."""
    total = 0
    for pid in daemon.processes():
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            total += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def apply(daemon, keys, language):
    hibernation = {"after": "0s"}
    if language == "js":
        daemon.apply_keyed("waitjs", bundle(daemon, "waitjs", SOURCE), durability="none", pods=4,
                           hibernation=hibernation, idle={"after": "1s"}, limits=LIMITS)
    daemon.apply_keyed("wait", "wait", durability="none", pods=4, idle={"after": "10m"},
                       hibernation=hibernation, limits=LIMITS,
                       config=f"{keys} 0 0" + (" waitjs" if language == "js" else ""))


def cycle(daemon, model, keys, wire):
    """Have all wait, look at what that needs, let the model answer, and look at each. Of the times
    one is until all wait, `cycle_us` and the processor's from then until all have told that their
    answer was right, each for one instance."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        before = sizes(daemon)
        collected = pool.submit(daemon.swarm, "send", "wait/sum", "s", "--timeout=900s")
        begun = time.monotonic()
        daemon.swarm("send", "wait/a", "go")
        wait_until(f"{keys} calls of a model that wait", HELD_S, lambda: daemon.metric(
            "swarm_agent_host_open_service_calls") >= keys
            and model.ask("/held")["held"] >= min(keys, wire))
        entered = time.monotonic() - begun
        rested = rest(daemon)
        packed = daemon.metric("swarm_agent_host_packed_bytes") / keys
        held = model.ask("/held")["held"]
        before_cpu, begun = cpu_s(daemon), time.monotonic()
        model.ask("/release", b"")
        collected.result()
        seconds = time.monotonic() - begun
        used = cpu_s(daemon) - before_cpu
    daemon.swarm("send", "wait/sum", "c")
    seen = model.ask("/held")
    if seen != {"held": 0, "asked": keys, "distinct": keys, "wrong": 0}:
        raise Failure(f"the model was asked {seen} by {keys} instances")
    return {"value": (sum(rested) - sum(before)) / keys, "state": packed, "held": held,
            "swarmd": (rested[0] - before[0]) / keys, "entered_us": 1e6 * entered / keys,
            "cycle_us": 1e6 * seconds / keys, "cpu_us": 1e6 * used / keys}


GOALS = {
    "c": {"words": "<= 8 KiB beyond its own state, the gateway's part included",
          "reached": lambda found: found["value"] - found["state"] <= 8192},
    "js": {"words": "<= 64 KiB, and a cycle <= 1 ms",
           "reached": lambda found: found["value"] <= 65536 and found["cycle_us"] <= 1000}}


def wait_for_model(run, keys, language):
    """Calls beyond `wire` wait for their turn in the gateway."""
    wire = run.many(WIRE)
    with run.daemon(f"wait-{language}", SWARM_MODELS_CONCURRENCY=str(2 * wire)) as daemon:
        model = gateway.Model(daemon, hold=keys)
        try:
            gateway.provide(daemon, model, timeout="20m", firstByteTimeout="20m",
                            limits={"concurrency": wire})
            apply(daemon, keys, language)
            found = cycle(daemon, model, keys, wire)
        finally:
            model.stop()
    head = {"bench": "wait", "unit": "bytes", "durability": "none", "tls": True,
            "isolation": "an instance of WebAssembly each, in a sandboxed host",
            "fs": run.filesystem, "config": run.config, "rounds": 1}
    figures.emit(**head, case=f"n={keys} mode=model language={language}",
                 **{name: figures.rounded(value) for name, value in found.items()},
                 goal=GOALS[language]["words"], reached=GOALS[language]["reached"](found))
