#!/usr/bin/python3
"""The engine classes of Agents: each runs the same modules, the state of instances goes over from
one to another, also when all is killed meanwhile, and what is refused is refused with a reason.
Which class ran is seen by what 0 / 0 is: the processor's own, or the one that replay computes."""
# timeout: 240
# labels: kill
import os
import platform
import signal
import subprocess
import unittest

from swarmd import BUILD, TMP, Client, Daemon, apply, run
from waiting import wait_for

CLASSES = ("compact", "compute", "replay")
REPLAYED = 0x7fc00000
OWN = 0xffc00000 if platform.machine() == "x86_64" else REPLAYED
SPEC = ("keyed: true, pods: 2, engine: {}, limits: {{memory: 1MiB, deadline: 1s}}, "
        "hibernation: {{after: {}}}")


class Classes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def restart(self, number):
        self.client.close()
        self.daemon.end(number)
        self.daemon.start()

    def ask(self, to, body):
        """The number that is answered, once the Pods are open."""
        def answered():
            status, answer = self.client.send(to, body)
            if status != 503:
                self.assertEqual(status, 200, f"{to} {body}: {answer}")
            return (int(answer),) if status == 200 else None
        return wait_for(answered, f"{to} answers")[0]

    def not_a_number(self, engine):
        return REPLAYED if engine == "replay" else OWN

    def test_each_class_runs_and_is_shown(self):
        apply("hostile", *(f"{engine}: {SPEC.format(engine, '1h')}" for engine in CLASSES))
        for engine in CLASSES:
            self.assertEqual([self.ask(engine + "/k", "c") for _ in range(3)], [1, 2, 3])
            self.assertEqual(self.ask(engine + "/k", "n"), self.not_a_number(engine))
            self.assertIn(engine, run("swarm", "get", "agent", engine, "-o", "wide").split()[2:])
            self.assertRegex(run("swarm", "describe", "agent", engine), rf"(?i)engine: +{engine}")

    def test_state_goes_over_from_class_to_class(self):
        """Of instances that are awake, that took all the memory that they may, and that sleep."""
        counts = {}
        for round_, engine in enumerate(CLASSES + CLASSES[::-1] + CLASSES):
            apply("hostile", f"awake: {SPEC.format(engine, '1h')}",
                  f"asleep: {SPEC.format(engine, '0s')}")
            for to in ("awake/small", "awake/grown", "asleep/small", "asleep/grown"):
                counts[to] = counts.get(to, 0) + 1
                self.assertEqual(self.ask(to, "c"), counts[to], f"{to} in {engine}")
                self.assertEqual(self.ask(to, "n"), self.not_a_number(engine), f"{to}, {engine}")
                if to.endswith("grown"):
                    taken = self.ask(to, "h")
                    self.assertEqual(taken > 0, round_ == 0, "what was taken is taken")
            if round_ % 3 == 1:
                self.restart(signal.SIGKILL if round_ % 2 == 0 else signal.SIGTERM)
        self.assertEqual(self.client.events("UpgradeFailed"), [])
        self.assertEqual(self.client.events("UpgradeUnsupported"), [])

    def test_a_kill_while_they_go_over_changes_nothing(self):
        apply("hostile", f"killed: {SPEC.format('compact', '1h')}")
        manifest = os.path.join(TMP, "agents-hostile", "killed.yaml")
        for count, engine in enumerate(("compute", "replay", "compact", "replay", "compute")):
            for key in range(32):
                self.assertEqual(self.ask(f"killed/{key}", "c"), count + 1)
            with open(manifest, "w", encoding="utf-8") as file:
                file.write("apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: killed}\nspec: "
                           f"{{module: ./test_hostile.wasm, {SPEC.format(engine, '1h')}}}\n")
            run("swarm", "apply", "-f", manifest)
            os.kill(self.daemon.host(), signal.SIGKILL)
            run("swarm", "wait", "agent/killed", "--for=condition=Ready", "--timeout=60s")
            wait_for(lambda e=engine: self.ask("killed/0", "n") == self.not_a_number(e),
                     "the Pods have changed")

    def test_more_than_a_host_can_have_is_refused(self):
        path = os.path.join(TMP, "many.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: many}\nspec: {module: "
                       f"{BUILD}/guests/test_hostile.wasm, replicas: 16385, engine: compute}}\n")
        done = subprocess.run(["swarm", "apply", "-f", path], capture_output=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"16384", done.stderr)


if __name__ == "__main__":
    unittest.main()
