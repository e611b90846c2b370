#!/usr/bin/python3
"""Where there are no control groups all goes on without: an Event says which limits are not
enforced and why, a warning if somebody had set them, and swarm doctor says so, too."""
# timeout: 120
import os
import unittest

from mounts import enter_private_mounts, mount
from swarmd import Client, Daemon, apply, run
from waiting import wait_for


class NoGroups(unittest.TestCase):
    def serves(self, warns):
        daemon = Daemon()
        daemon.start()
        self.addCleanup(daemon.end)
        client = Client(daemon)
        self.addCleanup(client.close)
        apply("crier", "near: keyed: true", "lone: keyed: true, isolation: agent")
        for name in "near", "lone":
            self.assertEqual(client.send(f"{name}/a", "told")[1], b"0 0 0 ")
        events = wait_for(lambda: [line for line in run("swarm", "events", "-A").splitlines()
                                   if "NoControlGroups" in line], "an Event says so")
        self.assertEqual(len(events), 1)
        self.assertIn("limits of whole hosts are not enforced there", events[0])
        self.assertIn(" Warning " if warns else " Normal ", events[0])
        for host in client.get("/nodes")["items"][0]["status"]["hosts"]:
            self.assertEqual(host.get("cgroup", ""), "")
        self.assertIn("warn  no cgroups are mounted", run("swarm", "doctor"))

    def test_1_without_limits_it_is_news(self):
        self.serves(False)

    def test_2_with_limits_it_is_a_warning(self):
        os.environ["SWARM_AGENTS_HOST_MEMORY"] = "96MiB"
        run("rm", "-rf", os.path.join(os.environ["XDG_DATA_HOME"], "swarm"))
        self.serves(True)


enter_private_mounts()
mount("-t", "tmpfs", "none", "/sys/fs/cgroup")
unittest.main(verbosity=0)
