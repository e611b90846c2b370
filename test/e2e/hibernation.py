#!/usr/bin/python3
"""Who does nothing sleeps: after the time that its Agent says; sooner, when those who are awake
have more memory than they may; and sooner, when the kernel says that others wait for memory. Who
is asked again is what it was."""
# timeout: 240
import os
import shutil
import unittest

from mounts import enter_private_mounts, mount
from swarmd import TMP, Client, Daemon, run
from waiting import wait_for

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
OURS = os.path.join(TMP, "pressure")
COUNT = 200
SLOTS = (2 << 20) // 64
AGENT = """#include <swarm/agent.h>
SWARM_AGENT;
static uint8_t room[2 << 20];
static uint32_t told;
int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; m->body[0] == '+' && i < sizeof room; i += 64)
        room[i] += m->body[1];
    told += m->body[0] == '+';
    for (uint32_t i = 0; i < sizeof room; i += 64)
        sum += room[i];
    sum = sum * 16 + told;
    return swarm_reply(m->reply_handle, 0, "text/plain", 10, &sum, sizeof sum);
}
"""


def tell_pressure(percent):
    """In the place of the kernel, to whom opened it before."""
    with open(OURS, "r+", encoding="ascii") as file:
        file.write(f"some avg10={percent:05.2f} avg60=0.00 avg300=0.00 total=0\n")


class Hibernation(unittest.TestCase):
    def begin(self, memory, after):
        os.environ["SWARM_AGENTS_MEMORY_SIZE"] = memory
        shutil.rmtree(DATA, ignore_errors=True)
        self.daemon = Daemon()
        self.daemon.start()
        self.addCleanup(self.daemon.end)
        self.client = Client(self.daemon)
        self.addCleanup(self.client.close)
        os.makedirs("box", exist_ok=True)
        for name, text in (("agent.c", AGENT), ("agents.yaml", f"""
apiVersion: swarm/v1
kind: Agent
metadata: {{name: box}}
spec:
  module: ./agent.wasm
  keyed: true
  limits: {{memory: 4MiB}}
  hibernation: {{after: {after}}}
""")):
            with open(f"box/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        run("swarm", "agent", "build", "box")
        run("swarm", "apply", "-f", "box")
        run("swarm", "wait", "agent/box", "--for=condition=Ready", "--timeout=60s")

    def asleep(self):
        line = next(line for line in run("swarm", "get", "instances", "box", "--count").splitlines()
                    + ["Asleep 0"] if line.startswith("Asleep"))
        return int(line.split()[1])

    def ask(self, number, body):
        status, answer = self.client.send(f"box/{number}", body)
        self.assertEqual(status, 200)
        return int.from_bytes(answer, "little")

    def fill(self):
        """Each of them has 2 MiB that are its own."""
        for i in range(COUNT):
            self.assertEqual(self.ask(i, b"+" + bytes([i])), SLOTS * i * 16 + 1)

    def all_remember(self):
        for i in range(COUNT):
            self.assertEqual(self.ask(i, b"?"), SLOTS * i * 16 + 1)

    def test_who_does_nothing_sleeps_after_its_time(self):
        self.begin("1GiB", "500ms")
        self.fill()
        wait_for(lambda: self.asleep() == COUNT, "that all sleep")
        self.all_remember()
        wait_for(lambda: self.asleep() == COUNT, "that all sleep again")

    def test_who_is_awake_has_no_more_memory_than_they_may(self):
        self.begin("128MiB", "1h")
        self.fill()
        wait_for(lambda: self.asleep() > COUNT // 2, "that most of them sleep")
        self.all_remember()
        with open(f"/proc/{self.daemon.host()}/status", encoding="ascii") as file:
            most = next(line for line in file if line.startswith("VmHWM:"))
        self.assertLess(int(most.split()[1]), 256 << 10)  # Of 400 MiB.

    def test_a_control_group_bounds_who_is_awake_before_the_kernel_ends_the_host(self):
        os.environ["SWARM_AGENTS_HOST_MEMORY"] = "160MiB"
        self.addCleanup(os.environ.pop, "SWARM_AGENTS_HOST_MEMORY")
        self.begin("0", "1h")
        host = self.daemon.host()
        if "NoControlGroups" in run("swarm", "events", "-A"):
            self.skipTest("no memory controller is ours here; an Event says so")
        self.fill()
        self.all_remember()
        self.assertGreater(self.asleep(), COUNT // 2)
        self.assertEqual(self.daemon.host(), host)

    def test_they_sleep_sooner_while_others_wait_for_memory(self):
        tell_pressure(0)
        self.begin("1GiB", "1h")
        self.fill()
        self.assertEqual(self.asleep(), 0)
        tell_pressure(40)
        wait_for(lambda: self.asleep() > COUNT * 3 // 4, "that most of them sleep")
        tell_pressure(0)
        self.all_remember()


enter_private_mounts()
with open(OURS, "w", encoding="ascii"):
    pass
tell_pressure(0)
mount("--bind", OURS, "/proc/pressure/memory")
unittest.main(verbosity=0)
