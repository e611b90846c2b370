#!/usr/bin/python3
"""Keys of Secrets: a new one is made and all is sealed with it, while the daemon runs or is
stopped, and whatever kills it in between; the ring goes to another machine and opens there what it
sealed. That a value still opens is seen by writing it again: what it is sealed with may be another
key then, and the value's own part of the sealed text stays, which is new whenever it is sealed."""
# timeout: 300
# labels: kill
import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import time
import unittest

from swarmd import BASE, TMP, Client, Daemon, run

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
RING = os.path.join(DATA, "secrets.key")
SECRETS = 300
KILLS = int(os.environ.get("SW_KEYS_KILLS", "8"))


def value(number):
    return f"plain-{number}-" + "v" * (number % 50)


def manifest():
    return "---\n".join(
        f"apiVersion: swarm/v1\nkind: Secret\nmetadata: {{name: s-{number}}}\n"
        f"spec: {{data: {{key: {value(number)}, other: {value(number + 1)}}}}}\n"
        for number in range(SECRETS))


def swarmctl(*words, status=0, data=None):
    """(what it prints, what it says of errors)."""
    done = subprocess.run(("swarmctl", *words), input=data, capture_output=True, timeout=120,
                          text=True, check=False)
    if done.returncode != status:
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def keys(*words):
    """[(key, values)], the newest first."""
    told = swarmctl("secrets", "status", *words)[0]
    return [(key, int(values)) for key, values in
            re.findall(r"^([0-9a-f]{16}) +\S+Z +(\d+) ", told, re.M)]


def ring():
    with open(RING, encoding="ascii") as file:
        return re.findall(r"^([0-9a-f]{16}) \d+ [0-9a-f]{64}$", file.read(), re.M)


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.random = random.Random(7)
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        run("swarm", "apply", "-f", "-", data=manifest().encode())
        cls.sealed = cls.read_values()

    @classmethod
    def read_values(cls):
        """{name: the part of its sealed texts that is the value's own}"""
        items = cls.client.get("/namespaces/default/secrets")["items"]
        return {item["metadata"]["name"]: {key: text.split(":")[3][56:]
                                           for key, text in item["spec"]["data"].items()}
                for item in items}

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def check_values(self):
        """Each of them opens, to what was written."""
        run("swarm", "apply", "-f", "-", data=manifest().encode())
        self.assertEqual(self.read_values(), self.sealed)

    def events(self, reason):
        return sorted(event["message"] for event in self.client.events(reason))

    def test_1_all_is_sealed_with_a_new_key_and_the_old_one_goes(self):
        before = keys()
        self.assertEqual(before, [(ring()[0], 2 * SECRETS)])
        sealed = self.client.get("/namespaces/default/secrets/s-1")
        told = swarmctl("secrets", "rotate")[0]
        self.assertIn(f"sealed {SECRETS} of {SECRETS} Secrets again\ndropped {before[0][0]}\n",
                      told)
        after = keys()
        self.assertEqual(after, [(ring()[0], 2 * SECRETS)])
        self.assertNotEqual(after[0][0], before[0][0])
        now = self.client.get("/namespaces/default/secrets/s-1")
        self.assertEqual(now["status"]["sealedWith"], after[0][0])
        # Only the wrap is another: 40 bytes of it, and then the value as it was sealed.
        old, new = (text["spec"]["data"]["key"].split(":")[3] for text in (sealed, now))
        self.assertNotEqual(old[:52], new[:52])
        self.assertEqual(old[56:], new[56:])
        self.check_values()
        self.assertEqual(self.events("SecretsKeyMade"),
                         [f"spiffe://swarm/user/admin made the key {after[0][0]}, with which "
                          "Secrets are sealed"])
        self.assertEqual(self.events("SecretsResealed"),
                         [f"spiffe://swarm/user/admin: sealed {SECRETS} of {SECRETS} Secrets "
                          f"again, with the key {after[0][0]}; dropped {before[0][0]}"])

    def test_2_only_who_operates_the_system_may(self):
        path = os.path.join(DATA, "identity", "node")
        for words in ((), ("-X", "POST")):
            done = subprocess.run(
                ["curl", "-s", "--cacert", os.path.join(DATA, "identity", "authority.crt"),
                 "--cert", path + ".crt", "--key", path + ".key", *words,
                 f"https://127.0.0.1:{self.daemon.port}/keys"],
                capture_output=True, timeout=30, check=True)
            self.assertEqual(json.loads(done.stdout)["status"], 403, done.stdout)
        for method, words, status in (("POST", "?resume=maybe", 400), ("GET", "?resume=1", 400),
                                      ("DELETE", "", 405)):
            self.assertEqual(self.client.request(method, "/keys" + words)[0], status)
        self.assertEqual(self.client.request("POST", "/keys", "{}")[0], 400)

    def test_3_older_keys_may_be_kept_and_go_later(self):
        first = ring()[0]
        self.assertNotIn("dropped", swarmctl("secrets", "rotate", "--keep-unused")[0])
        found = keys()
        self.assertEqual([count for _, count in found], [2 * SECRETS, 0])
        self.assertEqual(found[1][0], first)
        told = swarmctl("secrets", "rotate", "--resume")[0]
        self.assertIn(f"sealed 0 of {SECRETS} Secrets again\ndropped {first}\n", told)
        self.assertEqual(keys(), [found[0]])

    def test_4_the_ring_is_bounded(self):
        for _ in range(15):
            swarmctl("secrets", "rotate", "--keep-unused")
        self.assertEqual(len(ring()), 16)
        told = swarmctl("secrets", "rotate", status=1)[1]
        self.assertIn("more than 16 keys", told)
        swarmctl("secrets", "rotate", "--resume")
        self.assertEqual(len(ring()), 1)
        self.check_values()

    def test_5_a_kill_at_any_moment_leaves_all_readable(self):
        unfinished = 0
        for turn in range(KILLS):
            with subprocess.Popen(["swarmctl", "secrets", "rotate"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as rotating:
                while turn % 4 != 3 and len(ring()) == 1 and rotating.poll() is None:
                    pass  # Until the new key is there.
                time.sleep(self.random.uniform(0, 0.01) if turn % 2 == 1 else 0)
                self.client.close()
                self.daemon.end(signal.SIGKILL)
                rotating.wait(timeout=60)
            self.daemon.start()
            self.assertEqual([key for key, _ in keys()], ring())
            unfinished += len(ring()) > 1
            self.check_values()
            if turn % 2 == 0:
                swarmctl("secrets", "rotate", "--resume")
                self.assertEqual(keys(), [(ring()[0], 2 * SECRETS)])
        self.assertGreater(unfinished, 0, "no kill came between the first step and the last")
        swarmctl("secrets", "rotate", "--resume")
        self.assertEqual(keys(), [(ring()[0], 2 * SECRETS)])

    def test_6_a_daemon_that_is_stopped_need_not_be_asked(self):
        told = swarmctl("secrets", "rotate", "--stopped", status=1)[1]
        self.assertIn("in use by another process", told)
        self.assertIn("without --stopped", told)
        self.client.close()
        self.assertEqual(self.daemon.end(), 0)
        self.assertIn("say so with --stopped", swarmctl("secrets", "rotate", status=6)[1])
        before = ring()[0]
        told = swarmctl("secrets", "rotate", "--stopped")[0]
        self.assertIn(f"sealed {SECRETS} of {SECRETS} Secrets again\ndropped {before}\n", told)
        self.assertEqual(keys("--stopped"), [(ring()[0], 2 * SECRETS)])
        for _ in range(3):  # And broken off in the middle.
            with subprocess.Popen(["swarmctl", "secrets", "rotate", "--stopped"],
                                  stdout=subprocess.DEVNULL) as rotating:
                time.sleep(self.random.uniform(0, 0.1))
                rotating.kill()
                rotating.wait()
        swarmctl("secrets", "rotate", "--resume", "--stopped")
        self.daemon.start()
        self.assertEqual(keys(), [(ring()[0], 2 * SECRETS)])
        self.check_values()
        self.assertTrue(any("swarmctl, while the daemon was stopped" in words
                            for words in self.events("SecretsResealed")))

    def test_7_the_ring_goes_to_another_machine(self):
        secret = os.path.join(TMP, "passphrase")
        with open(secret, "w", encoding="ascii") as file:
            file.write("correct horse battery\n")
        sealed, plain = os.path.join(TMP, "ring.sealed"), os.path.join(TMP, "ring.plain")
        self.assertIn("say --passphrase-file FILE, or --plain",
                      swarmctl("secrets", "export", sealed, status=2)[1])
        told = swarmctl("secrets", "export", sealed, "--passphrase-file", secret)[0]
        self.assertIn("under the passphrase", told)
        told = swarmctl("secrets", "export", plain, "--plain")[0]
        self.assertIn("whoever reads it can open all Secrets", told)
        for path in (sealed, plain):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(RING, "rb") as file:
            whole = file.read()
        with open(plain, "rb") as file:
            self.assertEqual(file.read(), whole)
        with open(sealed, "rb") as file:
            self.assertNotIn(re.findall(rb"[0-9a-f]{64}", whole)[0], file.read())
        self.assertIn("is there already",
                      swarmctl("secrets", "export", plain, "--plain", status=4)[1])
        swarmctl("secrets", "rotate")  # What was exported is needed from here on.
        self.client.close()
        self.assertEqual(self.daemon.end(), 0)
        other = os.path.join(TMP, "other")
        shutil.copytree(DATA, other)
        self.assertIn("say --passphrase-file", swarmctl("secrets", "import", sealed, "--data",
                                                        other, status=2)[1])
        self.assertIn("the passphrase is not the one of this file",
                      swarmctl("secrets", "import", sealed, "--data", other, "--passphrase-file",
                               "-", data="another passphrase\n", status=5)[1])
        told = swarmctl("secrets", "import", sealed, "--data", other, "--passphrase-file", "-",
                        data="correct horse battery\n")[0]
        self.assertEqual(told, "took 1 keys as older ones, had 0 of them; the ring has 2\n")
        told = swarmctl("secrets", "import", plain, "--data", other)[0]
        self.assertEqual(told, "took 0 keys as older ones, had 1 of them; the ring has 2\n")
        self.assertIn("name the daemon's folder",
                      swarmctl("secrets", "import", plain, "--data", other + "-none", status=3)[1])
        self.daemon.start()
        self.assertIn("in use by another process",
                      swarmctl("secrets", "import", plain, status=1)[1])

    def test_8_values_without_a_key_are_told(self):
        """As after a restore without the ring: they stay as they are, and can be written anew."""
        self.client.close()
        self.assertEqual(self.daemon.end(), 0)
        kept = os.path.join(TMP, "kept.key")
        os.rename(RING, kept)
        self.daemon.start()
        told = swarmctl("secrets", "status")[0]
        self.assertIn(f"{2 * SECRETS} values have no key here", told)
        run("swarm", "apply", "-f", "-", data=manifest().split("---\n", maxsplit=1)[0].encode())
        told = swarmctl("secrets", "rotate")[0]
        self.assertIn(f"{2 * SECRETS - 2} values have no key here", told)
        self.sealed["s-0"] = self.read_values()["s-0"]  # It was written anew.
        self.client.close()
        self.assertEqual(self.daemon.end(), 0)
        swarmctl("secrets", "import", kept)
        self.daemon.start()
        swarmctl("secrets", "rotate", "--resume")
        self.assertEqual(keys(), [(ring()[0], 2 * SECRETS)])
        self.check_values()


if __name__ == "__main__":
    unittest.main(verbosity=2)
