#!/usr/bin/python3
"""A message that takes the agent host down whenever it is handled is set aside: what runs when the
host is ended by a fault of its own, three times, is parked as a dead letter with the reason
HostCrashed, and everything else goes on. One that is killed by others accuses nobody."""
# timeout: 240
# serial: yes
# labels: kill
import os
import signal
import unittest

from swarmd import BASE, TMP, Client, Daemon, apply
from waiting import wait_for

NOTES = slice(64, 64 + 256 * 64)  # Of the file: what each worker runs.
LETTERS = "/namespaces/default/agents/crasher/deadletters"


class Crash(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_AGENTS_WORKERS"] = "2"
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("crasher", "crasher: keyed: true, pods: 2, limits: {deadline: 10m}")
        (cls.notes,) = [os.path.join(folder, "running") for folder, _, files in os.walk(TMP)
                        if "running" in files]

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def is_spinning(self):
        with open(self.notes, "rb") as file:
            return any(file.read()[NOTES])

    def neighbour(self, key):
        """A key whose instance another worker runs: the Pods of two workers are theirs in turn."""
        for name in [key] + [f"relay-{i}" for i in range(16)]:
            self.assertEqual(self.client.send("crasher/" + name, "hi"), (200, b"hi"))
        items = self.client.get("/namespaces/default/agents/crasher/instances")["items"]
        pods = {item["name"].partition("/")[2]: item["pod"] for item in items}
        return next(name for name, pod in pods.items() if pod != pods[key])

    def end_host(self, number):
        """While the poison runs; returns once the next host is there."""
        wait_for(self.is_spinning, "that the poison is handled")
        host, ups = wait_for(self.daemon.host, "a host"), self.ups()
        os.kill(host, number)
        wait_for(lambda: self.ups() > ups, "another host")

    def ups(self):
        """Hosts that have recovered so far; what the last of them notes is its own."""
        with open(self.daemon.log, encoding="utf-8") as file:
            return file.read().count("the agent host shared is up")

    def letters(self):
        try:
            return self.client.get(LETTERS)["items"]
        except (AssertionError, OSError):  # The host is not up yet.
            return []

    def test_what_crashes_the_host_is_parked(self):
        relay = self.neighbour("victim")
        status, _ = self.client.send("crasher/" + relay, "relay victim", reply=False)
        self.assertEqual(status, 200)  # The send is durable.
        for number in (signal.SIGKILL, signal.SIGABRT, signal.SIGKILL, signal.SIGABRT,
                       signal.SIGABRT):
            self.end_host(number)
        # A crash while it is set aside between two slices does not accuse it: it runs once more.
        while wait_for(lambda: self.is_spinning() or self.letters(), "a dead letter") is True:
            self.end_host(signal.SIGABRT)
        (letter,) = self.letters()
        self.assertEqual((letter["instance"], letter["from"], letter["reason"], letter["attempts"]),
                         ("crasher/victim", "crasher/" + relay, "HostCrashed", 1))
        for name in ("victim", relay, "other"):
            self.assertEqual(self.client.send("crasher/" + name, "hello"), (200, b"hello"))
        status, _, _ = self.client.request("DELETE", f"{BASE}{LETTERS}?id=all")
        self.assertEqual(status, 200)
        self.assertEqual(self.letters(), [])
        self.assertTrue(wait_for(lambda: self.client.events("MessageParked"), "an Event"))


if __name__ == "__main__":
    unittest.main()
