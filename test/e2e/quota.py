#!/usr/bin/python3
"""A namespace has no more than its ResourceQuota allows: not by writes that come together, not by
messages, not after its host was killed; and what is freed can be used again."""
# timeout: 240
# labels: kill
import concurrent.futures
import json
import os
import signal
import time
import unittest

from swarmd import BASE, TMP, Client, Daemon, apply, run
from waiting import wait_for

QUOTAS = BASE + "/namespaces/default/resourcequotas"


class Quota(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("crasher", "keyed: keyed: true, pods: 2")
        cls.module = cls.client.get("/namespaces/default/agents/keyed")["spec"]["module"]

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def put(self, **hard):
        body = {"apiVersion": "swarm/v1", "kind": "ResourceQuota", "metadata": {"name": "team"},
                "spec": {"hard": hard}}
        status, _, text = self.client.request(
            "PATCH", QUOTAS + "/team", json.dumps(body), {"content-type": "application/json"})
        self.assertIn(status, (200, 201), text)

    def tearDown(self):
        self.client.request("DELETE", QUOTAS + "/team")

    def quota(self):
        return self.client.get("/namespaces/default/resourcequotas/team")

    def make_agent(self, name, client=None):
        body = {"apiVersion": "swarm/v1", "kind": "Agent", "metadata": {"name": name},
                "spec": {"module": self.module, "replicas": 1}}
        return (client or self.client).request(
            "POST", BASE + "/namespaces/default/agents", json.dumps(body),
            {"content-type": "application/json"})

    def make_in_parallel(self, number):
        client = Client(self.daemon)
        status, _, text = self.make_agent(f"parallel-{number}", client)
        client.close()
        return status, text.decode()

    def test_writes_do_not_pass_it_together(self):
        self.put(agents=4)
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(self.make_in_parallel, range(12)))
        self.assertEqual(sorted(status for status, _ in answers), [201] * 3 + [429] * 9)
        words = next(text for status, text in answers if status == 429)
        self.assertIn('quota \\"team\\" of namespace \\"default\\": Agents used: 4, '
                      "asked for: 1 more, allowed: 4", words)
        self.assertEqual(self.quota()["status"]["used"]["agents"], 4)
        for number, (status, _) in enumerate(answers):
            if status == 201:
                run("swarm", "delete", f"agent/parallel-{number}")
        wait_for(lambda: self.quota()["status"]["used"]["agents"] == 1, "that they are gone")
        self.assertEqual(self.make_agent("again")[0], 201)
        run("swarm", "delete", "agent/again")

    def test_instances_do_not_pass_it_and_a_kill_changes_nothing(self):
        self.put(instances=3)
        answers = [self.client.send(f"keyed/k{i}", "hi")[0] for i in range(5)]
        self.assertEqual(answers, [200] * 3 + [429] * 2)
        wait_for(lambda: self.quota()["status"]["used"].get("instances") == "3", "the status")
        self.assertIn("3/3", run("swarm", "get", "quota"))
        os.kill(self.daemon.host(), signal.SIGKILL)
        wait_for(lambda: self.send("keyed/k0") == 200, "another host")
        self.assertEqual(self.send("keyed/k4"), 429)
        self.put(instances=2)  # Less than there is: nobody goes, nobody comes.
        wait_for(lambda: self.condition() == ("True", "instances: 3 of 2"), "the condition")
        self.assertEqual([self.send("keyed/k2"), self.send("keyed/k4")], [200, 429])
        self.put(instances=4)
        wait_for(lambda: self.send("keyed/k4") == 200, "room for another one")
        wait_for(lambda: self.condition()[0] == "False", "the condition")

    def send(self, to):
        try:
            return self.client.send(to, "hi")[0]
        except OSError:
            return 0

    def condition(self, kind="Exceeded"):
        for condition in self.quota()["status"].get("conditions", []):
            if condition["type"] == kind:
                return condition["status"], condition.get("message", "")
        return "", ""

    def test_messages_beyond_it_are_pushed_back(self):
        self.client.send("keyed/k0", "hi")
        self.put(messagesPerSecond=5)
        wait_for(lambda: 429 in [self.client.send("keyed/k0", "hi")[0] for _ in range(8)],
                 "that it holds")
        status, text = self.client.send("keyed/k0", "hi")
        self.assertEqual(status, 429)
        self.assertIn(b"messagesPerSecond", text)
        wait_for(lambda: self.send("keyed/k0") == 200, "the next second")

    def throttled(self, agent="keyed"):
        status = self.client.get(f"/namespaces/default/agents/{agent}")["status"]
        for condition in status.get("conditions", []):
            if condition["type"] == "Throttled":
                self.assertEqual(status.get("throttled", ""),
                                 condition["reason"] if condition["status"] == "True" else "")
                return condition["status"], condition["reason"], condition.get("message", "")
        return "", "", ""

    def metric(self, limit):
        line = f'swarm_namespace_throttled_total{{namespace="default",limit="{limit}"}} '
        text = self.client.request("GET", "/metrics")[2].decode()
        return sum(float(each[len(line):]) for each in text.splitlines() if each.startswith(line))

    def push(self):
        """More than the quota allows for as long as that takes to be seen."""
        for _ in range(20):
            self.send("keyed/k0")
        return self.throttled()[1] == "MessageQuota"

    def test_who_is_pushed_back_is_seen_and_until_when(self):
        self.client.send("keyed/k0", "hi")
        self.put(messagesPerSecond=5)
        wait_for(self.push, "that it is seen")
        status, reason, words = self.throttled()
        self.assertEqual((status, reason), ("True", "MessageQuota"))
        self.assertIn("allows 5 messages a second", words)
        self.assertIn("MessageQuota", run("swarm", "get", "agents", "-o", "wide"))
        self.assertIn("Throttled", run("swarm", "describe", "agent/keyed"))
        self.assertGreater(self.metric("quota/messagesPerSecond"), 5)
        events = [line for line in run("swarm", "events").splitlines()
                  if "Throttled" in line and "Agent/keyed" in line]
        self.assertEqual(len(events), 1, events)
        wait_for(lambda: self.condition("Throttled") == ("True", "Agents pushed back: keyed"),
                 "the quota's condition")
        wait_for(lambda: self.throttled()[0] == "False", "that it is over")
        wait_for(lambda: self.condition("Throttled")[0] == "False", "that the quota says so")
        self.put(instances=1)
        self.assertEqual(self.send("keyed/one-more"), 429)
        wait_for(lambda: self.throttled()[:2] == ("True", "InstanceQuota"), "the other limit")

    def test_an_agent_that_its_own_limit_pushes_back_is_seen(self):
        apply("crasher", "narrow: keyed: true, limits: {messagesPerSecond: 3}")
        wait_for(lambda: [self.send("narrow/k") for _ in range(9)].count(429) > 3, "the limit")
        wait_for(lambda: self.throttled("narrow")[:2] == ("True", "MessageLimit"), "that is seen")
        self.assertIn("takes 3 messages a second", self.throttled("narrow")[2])
        run("swarm", "delete", "agent/narrow")

    def reserved(self, agent):
        status = self.client.get(f"/namespaces/default/agents/{agent}")["status"]
        return int(status.get("usage", {}).get("memoryReservedBytes", 0))

    def counts_what_agents_tell(self):
        used = self.quota()["status"]["used"]
        return int(used.get("memoryBytes", 0)) == self.reserved("keyed") + self.reserved("grown")

    def test_memory_is_what_each_may_have_since_its_beginning(self):
        apply("crasher", "grown: keyed: true, limits: {memory: 1MiB}")
        self.addCleanup(run, "swarm", "delete", "agent/grown")
        self.put(memory="1GiB")
        for number in range(4):
            self.assertEqual(self.send(f"grown/k{number}"), 200)
        wait_for(lambda: self.reserved("grown") == 4 << 20, "what four of them may have")
        self.put(memory=str(self.reserved("keyed") + (44 << 20)))
        apply("crasher", "grown: keyed: true, limits: {memory: 32MiB}")
        self.assertEqual([self.send(f"grown/k{number}") for number in range(4)], [200] * 4)
        self.assertEqual(self.send("grown/new"), 200)
        self.assertEqual(self.send("grown/newer"), 429)
        wait_for(lambda: self.reserved("grown") == 36 << 20, "the new one beside the old ones")
        wait_for(self.counts_what_agents_tell, "the same of the quota")
        self.assertEqual(self.condition()[0], "False")

    def stored(self):
        return int(self.quota()["status"]["used"].get("storageBytes", 0))

    def test_a_namespace_takes_no_more_of_the_disk_and_a_snapshot_makes_room(self):
        apply("crasher", "hoard: keyed: true")
        self.addCleanup(run, "swarm", "delete", "agent/hoard")
        body = "x" * 100000  # It stands twice in the record of its turn, since it is answered.
        self.assertEqual(self.client.send("hoard/a", body)[0], 200)
        self.put(storage="1GiB")
        wait_for(lambda: self.stored() > 200000, "that it is told")
        hard = self.stored() + (2 << 20)
        self.put(storage=str(hard))
        answers = []

        def is_refused():
            answers.append(self.client.send("hoard/a", body))
            self.assertLessEqual(self.stored(), hard)
            return answers[-1][0] == 429
        wait_for(is_refused, "the bound")
        self.assertIn(b"the quota of the namespace (storage) is used up", answers[-1][1])
        self.assertGreaterEqual([status for status, _ in answers].count(200), 5)
        wait_for(lambda: self.client.send("hoard/a", body)[0] == 200, "a snapshot")
        self.assertIn(f"/{hard}", run("swarm", "get", "quota", "-o", "wide"))
        # Instances take what no snapshot gives back.
        keys = 0
        end = time.monotonic() + 60
        while keys < 200 and time.monotonic() < end:
            status = self.client.send(f"hoard/k{keys}", "hi")[0]
            if status == 429 and self.throttled("hoard")[1] == "StorageQuota":
                break
            keys += status == 200
            self.assertLessEqual(self.stored(), hard)
        self.assertLess(keys, 40)
        self.assertIn(f"allows {hard} bytes on the disk", self.throttled("hoard")[2])
        self.assertGreater(self.metric("quota/storage"), 0)
        os.kill(self.daemon.host(), signal.SIGKILL)
        wait_for(lambda: self.send("hoard/one-more") == 429, "another host")
        self.assertLessEqual(self.stored(), hard)
        run("swarm", "delete", "agent/hoard")
        apply("crasher", "hoard: keyed: true")
        wait_for(lambda: self.send("hoard/one-more") == 200, "room for another one")

    def spin(self, key):
        """Ends at the deadline of the Agent: 300 ms of the processor."""
        client = Client(self.daemon)
        status = client.send("burner/" + key, "spin")[0]
        client.close()
        return status

    def used_ns(self):
        usage = self.client.get("/namespaces/default/agents/burner")["status"].get("usage", {})
        return int(usage.get("cpuNanoseconds", 0))

    def test_a_namespace_has_no_more_of_the_processor_and_others_what_is_left(self):
        apply("crasher", "burner: keyed: true, limits: {deadline: 300ms}")
        self.addCleanup(run, "swarm", "delete", "agent/burner")
        with open(os.path.join(TMP, "beside.yaml"), "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Namespace\nmetadata: {name: beside}\n")
        folder = os.path.join(TMP, "agents-crasher")
        with open(os.path.join(folder, "agents.yaml"), "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Agent\n"
                       "metadata: {name: quick, namespace: beside}\n"
                       "spec: {module: ./test_crasher.wasm, keyed: true}\n")
        run("swarm", "apply", "-f", os.path.join(TMP, "beside.yaml"))
        run("swarm", "apply", "-f", folder)
        run("swarm", "wait", "agent/quick", "-n", "beside", "--for=condition=Ready")
        self.put(cpu="200ms")
        self.assertEqual(self.spin("first"), 504)  # The quota has come to the host by then.
        begin = time.monotonic()
        before_ns = self.used_ns()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            spins = [pool.submit(self.spin, f"k{i}") for i in range(4)]
            wait_for(lambda: self.throttled("burner")[:2] == ("True", "ProcessorQuota"), "that")
            self.assertIn("200 ms of the processor", self.throttled("burner")[2])
            for i in range(5):
                asked = time.monotonic()
                run("swarm", "send", f"quick/k{i}", "hi", "-n", "beside")
                self.assertLess(time.monotonic() - asked, 3)
            self.assertEqual([spin.result() for spin in spins], [504] * 4)
        passed_s = time.monotonic() - begin
        # Of 1.2 s a tenth of a second's worth may have been there, and a slice for each worker.
        self.assertGreater(passed_s, (1.2 - 0.02 - 0.05) / 0.2)
        wait_for(lambda: self.used_ns() - before_ns > 1.1e9, "that it is metered")
        self.assertGreater(self.metric("quota/cpu"), 10)


if __name__ == "__main__":
    unittest.main()
