#!/usr/bin/python3
"""Namespaces are walls: Agents of the same name in two of them, on the same subject, hear nothing
of each other, whoever sends or publishes, also after a restart."""
# timeout: 120
import os
import unittest

from swarmd import Daemon, run
from waiting import wait_for

AGENT = """#include <swarm/agent.h>
SWARM_AGENT;
static uint8_t told[2] = "00"; /* Publishes, and messages of instances. */
int32_t SWARM_EXPORT(on_start)(void)
{
    return swarm_subscribe("news.*", 6);
}
int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    int what = m->body_size > 0 ? m->body[0] : 0;

    if (m->flags & SWARM_MESSAGE_PUBLISHED)
        return told[0]++, SWARM_DONE;
    if (m->from_size > 0)
        return told[1]++, SWARM_DONE;
    if (what == 'p' && swarm_publish("news.x", 6, "", 0, "x", 1, SWARM_PRIORITY_NORMAL) != 0)
        return SWARM_E_INTERNAL;
    if (what == 's' && swarm_send("peer/k", 6, "", 0, "x", 1, SWARM_PRIORITY_NORMAL, 0) != 0)
        return SWARM_E_INTERNAL;
    return swarm_reply(m->reply_handle, 0, "text/plain", 10, told, 2);
}
"""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


class Namespaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        os.mkdir("peer")
        write("peer/agent.c", AGENT)
        run("swarm", "agent", "build", "peer")
        for space in "one", "two":
            write(f"{space}.yaml", "apiVersion: swarm/v1\nkind: Namespace\n"
                                   f"metadata: {{name: {space}}}\n")
            write("peer/agent.yaml", "apiVersion: swarm/v1\nkind: Agent\n"
                                     f"metadata: {{name: peer, namespace: {space}}}\n"
                                     "spec: {module: ./agent.wasm, keyed: true}\n")
            run("swarm", "apply", "-f", f"{space}.yaml")
            run("swarm", "apply", "-f", "peer")
            run("swarm", "wait", "agent/peer", "-n", space, "--for=condition=Ready")

    @classmethod
    def tearDownClass(cls):
        cls.daemon.end()

    def ask(self, space, key="k", body="x"):
        return run("swarm", "send", f"peer/{key}", body, "-n", space)

    def both_tell(self, one, two):
        wait_for(lambda: (self.ask("one"), self.ask("two")) == (one, two), f"{one} and {two}")

    def test_1_what_is_in_one_is_not_heard_in_the_other(self):
        self.both_tell("00", "00")
        run("swarm", "publish", "news.x", "x", "-n", "one")
        self.both_tell("10", "00")
        self.ask("one", "other", "p")
        self.both_tell("20", "00")
        self.ask("two", "other", "s")
        self.both_tell("20", "01")

    def test_2_neither_after_a_restart(self):
        self.daemon.end()
        self.daemon.start()
        self.ask("two", "other", "p")
        self.ask("one", "other", "s")
        self.both_tell("21", "11")


if __name__ == "__main__":
    unittest.main()
