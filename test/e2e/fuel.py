#!/usr/bin/python3
"""limits.fuel: a segment may burn so much and not a unit more, in every engine, whether its
instance was awake, asleep, killed or waits in the middle; what it burnt stands in its history, and
a replay burns the same."""
# timeout: 180
# labels: kill
import json
import os
import signal
import subprocess
import unittest

from swarmd import Client, Daemon, apply, run
from waiting import wait_for

ENGINES = ("compact", "compute", "replay")
ROUNDS = "5000"


def turns_of(name):
    return json.loads(run("swarm", "agent", "history", name, "-o", "json"))["turns"]


def fuel_of(name):
    """Of its last turn."""
    return int(turns_of(name)[-1]["fuel"])


class Fuel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        for engine in ENGINES:
            cls.limit(engine, 1000000)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    @staticmethod
    def limit(engine, fuel):
        for module in ("burner", "burner_unwind"):
            name = f"{module}-{engine}".replace("_", "-")
            apply(module, f"{name}: keyed: true, engine: {engine}, limits: {{fuel: {fuel}}}, "
                          "hibernation: {after: 100ms}")

    def burn(self, name, rounds=ROUNDS, status=200):
        got, answer = self.client.send(name, rounds)
        self.assertEqual(got, status, answer)
        return answer.decode()

    def test_1_the_same_rounds_burn_the_same_everywhere(self):
        found = set()
        for engine in ENGINES:
            for key in "ab":
                self.burn(f"burner-{engine}/{key}")
                found.add(fuel_of(f"burner-{engine}/{key}"))
        fuel, = found
        self.assertGreater(fuel, int(ROUNDS))
        # Two of the same length in one life, the second one of a memory that was made again.
        wait_for(lambda: "Asleep" in run("swarm", "get", "instances", "burner-compact"), "sleep")
        first = turns_of("burner-compact/a")[-1]
        self.burn("burner-compact/a")
        again = turns_of("burner-compact/a")[-1]
        self.assertNotEqual(first["turn"], again["turn"])
        self.burn("burner-compact/a")
        self.assertEqual(fuel_of("burner-compact/a"), int(again["fuel"]))

    def test_2_enough_is_enough_and_one_less_is_not(self):
        for engine in ENGINES:
            self.limit(engine, 1000000)
            for module in ("burner", "burner-unwind"):
                name = f"{module}-{engine}/exact"
                self.burn(name)
                self.burn(name)
        fuel = fuel_of("burner-compact/exact")
        for engine in ENGINES:
            for module in ("burner", "burner-unwind"):
                self.assertEqual(fuel_of(f"{module}-{engine}/exact") > int(ROUNDS), True)
            name = f"burner-{engine}/exact"
            self.assertEqual(fuel_of(name), fuel)
            for limit, status in ((fuel, 200), (fuel - 1, 429), (fuel, 200), (fuel - 1, 429)):
                self.limit(engine, limit)
                before = turns_of(name)
                answer = self.burn(name, status=status)
                if status != 200:
                    self.assertIn(f"out of fuel: stopped after {limit} units", answer)
                    turn = turns_of(name)[-1]
                    self.assertEqual((turn["outcome"], turn["fuel"]), ("out-of-fuel", str(limit)))
                    self.assertEqual(len(turns_of(name)), len(before) + 1)
            self.assertIn("came to what is recorded, 2 had failed",
                          run("swarm", "agent", "replay", name))
        self.assertIn("OutOfFuel", run("swarm", "get", "events"))

    def test_3_parts_of_a_turn_have_it_each(self):
        """A handler that waits begins with all of it again, and one that lives through its
        beginning again has that in it."""
        for module, times in (("burner-unwind", 1), ("burner", 2)):
            name = f"{module}-compact/waits"
            self.limit("compact", 1000000)
            self.burn(name, f"{ROUNDS},{ROUNDS}")
            one, other = (int(turn["fuel"]) for turn in turns_of(name)[-2:])
            self.assertGreater(one, int(ROUNDS))
            self.assertAlmostEqual(other / one, times, delta=0.1)
            self.limit("compact", max(one, other))
            self.burn(name, f"{ROUNDS},{ROUNDS}")
            self.limit("compact", max(one, other) - 1)
            self.burn(name, f"{ROUNDS},{ROUNDS}", 429)

    def test_4_kills_and_sums(self):
        self.limit("compact", 1000000)
        self.burn("burner-compact/sum")
        apply("small", "small: keyed: true")
        self.assertEqual(self.client.send("small/a", "hi")[0], 200)
        self.assertNotIn("fuel", turns_of("small/a")[-1])
        before = [turn.get("fuel", "0") for turn in turns_of("burner-compact/sum")]
        self.client.close()
        self.assertEqual(self.daemon.end(signal.SIGKILL), -signal.SIGKILL)
        self.daemon.start()
        self.assertEqual([turn.get("fuel", "0") for turn in turns_of("burner-compact/sum")], before)
        self.assertIn("came to what is recorded", run("swarm", "agent", "replay",
                                                      "burner-compact/sum"))
        listed = json.loads(run("swarm", "get", "instances", "burner-compact", "-o", "json"))
        row, = [item for item in listed["items"] if item["name"] == "burner-compact/sum"]
        self.assertEqual(int(row["usage"]["fuel"]), sum(map(int, before)))
        wait_for(lambda: int(json.loads(run("swarm", "get", "agent/burner-compact", "-o", "json"))
                             ["status"]["usage"].get("fuel", 0)) >= sum(map(int, before)),
                 "the sum of the Agent")

    def test_5_a_manifest_with_too_much_is_refused(self):
        done = subprocess.run(["swarm", "apply", "-f", "-"], input=(
            "apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: much}\n"
            f"spec: {{module: {os.environ['SW_BUILD']}/guests/test_small.wasm, "
            "limits: {fuel: 1000000000000001}}\n").encode(), capture_output=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"spec.limits.fuel", done.stderr)


if __name__ == "__main__":
    unittest.main()
