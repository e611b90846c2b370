#!/usr/bin/python3
"""Control groups of agent hosts: each host is in one of its own with the limits of the settings;
one that needs more memory is ended and started again, and no other notices. Where there are no
groups to be had, an Event says so, and all goes on."""
# labels: kill
# timeout: 120
import os
import unittest

from swarmd import Client, Daemon, apply, run
from waiting import wait_for

MIB = 1 << 20
LIMIT_MIB = 96


class Groups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_AGENTS_HOST_MEMORY"] = f"{LIMIT_MIB}MiB"
        os.environ["SWARM_AGENTS_HOST_CPU_WEIGHT"] = "50"
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("crier", "near: keyed: true, limits: {memory: 256MiB}",
              "lone: keyed: true, isolation: agent, limits: {memory: 256MiB}, retry: {attempts: 1}")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def hosts(self):
        status = self.client.get("/nodes")["items"][0]["status"]
        return {host["name"]: host for host in status["hosts"]}

    def say(self, name, body):
        status, answer = self.client.send(f"{name}/a", body)
        return answer if status == 200 else status

    def group(self, name):
        """The folder of its memory controller; without one this machine cannot be tested."""
        host = wait_for(lambda: self.hosts().get(name), f"host {name}")
        folder = host.get("cgroup", "")
        if not folder:
            self.assertIn("NoControlGroups", run("swarm", "events", "-A"))
            self.skipTest("no memory controller is ours here; an Event says so")
        return folder

    def test_1_each_host_is_in_its_group_with_its_limits(self):
        pids = {folder.split("/hosts/")[-1]: pid for folder, pid in self.daemon.hosts().items()}
        self.assertEqual(len(pids), 2)
        for name in "shared", "agent/default/lone":
            folder = self.group(name)
            with open(f"{folder}/cgroup.procs", encoding="ascii") as file:
                inside = [int(line) for line in file]
            self.assertEqual(len(inside), 1)
            self.assertIn(inside[0], pids.values())
            limits = [file for file in ("memory.max", "memory.limit_in_bytes")
                      if os.path.exists(f"{folder}/{file}")]
            with open(f"{folder}/{limits[0]}", encoding="ascii") as file:
                self.assertEqual(int(file.read()), LIMIT_MIB * MIB)

    def test_2_one_that_needs_more_is_ended_and_no_other(self):
        self.group("agent/default/lone")
        near = self.daemon.host()
        self.assertEqual(self.say("lone", "eat 8"), b"")
        self.assertNotEqual(self.say("lone", f"eat {LIMIT_MIB + 16}"), b"")
        wait_for(lambda: "needed more memory than agents.host-memory allows" in
                 run("swarm", "events", "-A"), "an Event says why")
        wait_for(lambda: self.say("lone", "told") == b"0 0 0 ", "it is up again")
        self.assertEqual(self.daemon.host(), near)
        self.assertEqual(self.say("near", "told"), b"0 0 0 ")

    def test_3_groups_go_with_their_hosts(self):
        folder = self.group("agent/default/lone")
        outer = os.path.dirname(folder)
        run("swarm", "delete", "agent/lone")
        wait_for(lambda: not os.path.exists(folder), "the group of a host that went")
        self.daemon.end()
        self.assertFalse(os.path.exists(f"{outer}/shared"))
        self.daemon.start()
        wait_for(lambda: self.hosts().get("shared", {}).get("phase") == "Up", "it is up")
        self.assertEqual(self.group("shared"), f"{outer}/shared")


if __name__ == "__main__":
    unittest.main(failfast=True)
