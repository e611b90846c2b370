#!/usr/bin/python3
"""What instances, Agents and namespaces used is what the journal says, and a kill of the agent host
in the middle of the work changes nothing of that."""
# timeout: 240
# labels: kill
import os
import re
import signal
import threading
import unittest

from swarmd import TMP, Client, Daemon, apply, run
from waiting import wait_for

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
KEYS = [f"k{i}" for i in range(6)]


def total(items, field):
    return sum(int(item["usage"][field]) for item in items)


def handled_in(client):
    """Messages of the namespace default, in all that there was."""
    line = 'swarm_namespace_messages_total{namespace="default"} '
    text = client.request("GET", "/metrics")[2].decode()
    return sum(int(each[len(line):]) for each in text.splitlines() if each.startswith(line))


class Alone(unittest.TestCase):
    """The only Agent there is, in a host of its own: no bridge, no other Pod is in that."""

    def setUp(self):
        os.environ["SWARM_DATA"] = os.path.join(TMP, "alone")
        self.addCleanup(os.environ.pop, "SWARM_DATA")

    def test_what_it_used_is_told_by_its_journal(self):
        daemon = Daemon()
        daemon.start()
        self.addCleanup(daemon.end)
        client = Client(daemon)
        apply("crasher", "lone: keyed: true, isolation: agent")
        for number in range(10):
            self.assertEqual(client.send(f"lone/k{number}", "hi")[0], 200)
        wait_for(lambda: handled_in(client) == 10, "what it used")
        run("swarm", "delete", "agent", "lone")
        client.close()
        daemon.end(signal.SIGKILL)
        daemon.start()
        wait_for(lambda: os.listdir(os.path.join(TMP, "alone", "hosts")) == ["usage"],
                 "that its host goes", 60)
        self.assertEqual(handled_in(client), 10)
        client.close()


class Usage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("crasher", "metered: keyed: true, pods: 2", "fleeting: keyed: true, durability: none")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def handled(self):
        return handled_in(self.client)

    def test_what_was_used_outlives_agents_and_their_hosts(self):
        wait_for(lambda: self.daemon.host() != 0, "the host")
        before, lives = self.handled(), 0

        def is_counted():
            return self.handled() == before + 10 * lives

        for kills in (False, True, False):
            apply("crasher", "own: keyed: true, isolation: agent")
            for number in range(10):
                self.assertEqual(self.client.send(f"own/k{number}", "hi")[0], 200)
            lives += 1
            wait_for(is_counted, "what it used")
            run("swarm", "delete", "agent", "own")
            if kills:  # Before its host has ended in order, and said what it used.
                self.client.close()
                self.daemon.end(signal.SIGKILL)
                self.daemon.start()
                type(self).client = Client(self.daemon)
                wait_for(lambda: self.daemon.host() != 0, "the host")
            wait_for(lambda: len(self.daemon.hosts()) == 1, "that its host goes", 60)
            wait_for(is_counted, "the same without it")
        self.client.close()
        self.daemon.end()
        self.daemon.start()
        type(self).client = Client(self.daemon)
        wait_for(is_counted, "the same after a restart")
        self.client.close()
        self.daemon.end()
        self.check_notices()
        self.daemon.start()
        type(self).client = Client(self.daemon)
        wait_for(is_counted, "the same when the file is as it was")

    def check_notices(self):
        """What keeps swarmd from starting is found without it."""
        path = os.path.join(DATA, "hosts", "usage")
        self.assertIn("hosts/usage, 1 namespaces\n", run("swarmctl", "check"))
        with open(path, "rb") as file:
            whole = file.read()
        with open(path, "wb") as file:
            file.write(whole[:-9])
        told = run("sh", "-c", "swarmctl check 2>&1", status=1)
        self.assertIn("hosts/usage does not say what namespaces used", told)
        with open(path, "wb") as file:
            file.write(whole)

    def journal(self):
        """By instance: what the records of the journal sum up to."""
        dump = run("swarmctl", "journal", "dump")
        sums = {}
        for line in dump.splitlines():
            _, _, name, text = line.split("\t", 3)
            if not text.startswith("segment ") or "entry=image" in text:
                continue
            used = sums.setdefault(name, [0, 0, 0])
            used[0] += int(re.search(r" cpu=(\d+)ns", text).group(1))
            used[1] += "entry=message" in text
            used[2] += " woken" in text
        return sums

    def instances(self, agent):
        try:
            return self.client.get(f"/namespaces/default/agents/{agent}/instances")["items"]
        except (AssertionError, OSError):  # The host is not up yet.
            return []

    def send_all(self, count):
        """From a thread of its own; what a kill breaks off is not sent again."""
        client = Client(self.daemon)
        for i in range(count):
            for key in KEYS:
                client.send("metered/" + key, f"message {i}", reply=False)
                client.send("fleeting/" + key, f"message {i}", reply=False)
        client.close()

    def status(self, agent):
        return self.client.get(f"/namespaces/default/agents/{agent}")["status"].get("usage", {})

    def test_it_is_what_the_journal_says(self):
        worker = threading.Thread(target=self.send_all, args=(30,))
        worker.start()
        wait_for(lambda: len(self.instances("metered")) == len(KEYS), "all instances")
        os.kill(self.daemon.host(), signal.SIGKILL)
        worker.join()
        wait_for(lambda: self.client.send("metered/k0", "again", reply=False)[0] == 200, "a host")
        self.send_all(5)
        items = wait_for(lambda: self.instances("metered"), "the instances")
        said = self.journal()
        self.assertEqual(len(items), len(KEYS))
        for item in items:
            usage = item["usage"]
            self.assertEqual([int(usage["cpuNanoseconds"]), int(usage["messages"]),
                              int(usage["wakeups"])], said[item["name"]])
            self.assertGreater(int(usage["cpuNanoseconds"]), 0)
            self.assertGreater(int(usage["memoryByteSeconds"]), 0)
            self.assertGreater(int(usage["memoryBytes"]), 0)
        # The Agent is the sum of its instances, and the namespace that of its Agents.
        want = str(total(items, "messages"))
        wait_for(lambda: self.status("metered").get("messages") == want, "the Agent's status")
        self.assertEqual(self.status("metered")["cpuNanoseconds"],
                         str(total(items, "cpuNanoseconds")))
        self.assertNotIn("usage", self.instances("fleeting")[0])
        wait_for(self.is_namespace_sum, "the namespace's figure")

    def is_namespace_sum(self):
        """Figures are a second old, the status of Agents five."""
        _, _, text = self.client.request("GET", "/metrics")
        said = re.search(r'swarm_namespace_messages_total\{namespace="default"\} (\d+)',
                         text.decode())
        agents = sum(int(self.status(name).get("messages", 0)) for name in ("metered", "fleeting"))
        return said is not None and int(said.group(1)) == agents

    def test_a_clean_stop_loses_nothing(self):
        for i in range(20):
            self.client.send("fleeting/x", f"message {i}", reply=False)
        before = int(wait_for(lambda: self.status("fleeting").get("messages"), "a status"))
        self.daemon.end()
        self.daemon.start()
        self.client.send("fleeting/x", "one more", reply=False)
        wait_for(lambda: int(self.status("fleeting")["messages"]) >= max(before, 20) + 1,
                 "all of it, and one more")


if __name__ == "__main__":
    unittest.main()
