#!/usr/bin/python3
"""Secrets: what was written as plain text is found nowhere again, in no file, answer, log or
backup; who reads has sealed texts, and those open only where they were sealed. Budgets are raised
by people, and that is written down."""
# timeout: 240
import json
import os
import re
import ssl
import subprocess
import unittest

from swarmd import BASE, TMP, Client, Daemon, apply, run

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
CANARY = "CANARY-5ea1ed-7f3b"  # The beginning of each value; found nowhere afterwards.
SECRETS = BASE + "/namespaces/default/secrets"
JSON = {"content-type": "application/json"}
SECRET = """apiVersion: swarm/v1
kind: Secret
metadata: {{name: {name}}}
spec:
  data:
{data}"""
PROVIDER = """apiVersion: swarm/v1
kind: ModelProvider
metadata: {name: local}
spec:
  protocol: openai
  baseURL: http://127.0.0.1:8080/v1
  apiKey: {namespace: default, secret: openai, key: api-key}
  models:
  - {name: small, capabilities: [chat, tools], price: {inputPerMillion: "0.15"}}
  - {name: large}
"""
BUDGET = """apiVersion: swarm/v1
kind: Budget
metadata: {name: team}
spec:
  limits: {money: "%s", calls: 100}
  period: day
"""


def manifest(name, **values):
    lines = "".join(f"    {key.replace('_', '-')}: {json.dumps(value)}\n"
                    for key, value in values.items())
    return SECRET.format(name=name, data=lines)


def swarm(*words, data=None, status=0):
    """(what it prints, what it says of errors)."""
    done = subprocess.run(("swarm", *words), input=data, capture_output=True, timeout=60, text=True,
                          check=False)
    if done.returncode != status:
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def files_with(needle, *tops):
    """Whatever holds it, below these folders, by its name or its bytes."""
    found = []
    for top in tops:
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    with open(path, "rb") as file:
                        if needle in name.encode() + b"\0" + file.read():
                            found.append(path)
                except (FileNotFoundError, OSError):
                    pass  # It went meanwhile, or is a socket.
    return found


class As(Client):
    """A client with another identity than the admin's."""

    def __init__(self, daemon, name):
        super().__init__(daemon)
        folder = os.path.join(DATA, "identity")
        tls = ssl.create_default_context(cafile=os.path.join(folder, "authority.crt"))
        tls.load_cert_chain(os.path.join(folder, name + ".crt"),
                            os.path.join(folder, name + ".key"))
        self.daemon = type("Other", (), {"port": daemon.port, "tls": tls})


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["SWARM_LOG_LEVEL"] = "debug"
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def secret(self, name):
        return self.client.get(f"/namespaces/default/secrets/{name}")

    def test_what_is_applied_is_read_back_sealed(self):
        swarm("apply", "-f", "-", data=manifest("openai", api_key=CANARY + "-1", other=CANARY))
        told = swarm("get", "secret", "openai", "-o", "yaml")[0]
        self.assertEqual(len(re.findall(r"sealed:1:[0-9a-f]{16}:[A-Za-z0-9+/=]+", told)), 2, told)
        self.assertRegex(swarm("get", "secrets")[0], r"NAME +KEYS +AGE\n(.*\n)*openai +2 ")
        self.assertIn("sealed:1:", swarm("describe", "secret", "openai")[0])
        self.assertEqual(self.secret("openai")["status"]["keys"], 2)
        for name in ("list", "get"):
            path = SECRETS + ("" if name == "list" else "/openai")
            _, _, body = self.client.request("GET", path, headers={
                "accept": "application/x-protobuf"})
            self.assertIn(b"sealed:1:", body)
            self.assertNotIn(CANARY.encode(), body)

    def test_the_same_again_changes_nothing_and_shows_no_difference(self):
        text = manifest("again", key=CANARY + "-2")
        swarm("apply", "-f", "-", data=text)
        before = self.secret("again")
        self.assertIn("unchanged", swarm("apply", "-f", "-", data=text)[0])
        self.assertEqual(swarm("diff", "-f", "-", data=text)[0], "")
        self.assertEqual(self.secret("again"), before)
        told, _ = swarm("diff", "-f", "-", data=manifest("again", key=CANARY + "-3"))
        self.assertIn("sealed:1:", told)
        self.assertNotIn(CANARY, told)
        # What was read is applied again as it is, and after a deletion.
        read = swarm("get", "secret", "again", "-o", "yaml")[0]
        self.assertIn("unchanged", swarm("apply", "-f", "-", data=read)[0])

    def test_a_sealed_text_belongs_where_it_was_sealed(self):
        swarm("apply", "-f", "-", data=manifest("mine", key=CANARY + "-4"))
        sealed = self.secret("mine")["spec"]["data"]["key"]
        for name, key in (("other", "key"), ("mine", "moved")):
            told = swarm("apply", "-f", "-", data=manifest(name, **{key: sealed}), status=1)[1]
            self.assertIn(f"spec.data['{key}']", told)
            self.assertIn("sealed for another value or object", told)
        status, _, body = self.client.request(
            "POST", BASE + "/namespaces/default/secrets",
            json.dumps({"metadata": {"name": "third"}, "spec": {"data": {"key": sealed[:-8]}}}),
            JSON)
        self.assertEqual(status, 400, body)

    def test_mistakes_quote_nothing(self):
        bodies = ['{"spec":{"data":{"key":"%s" "%s"}}}', '{"spec":{"data":"%s"}}',
                  '{"spec":{"data":{"key":"%s"', '{"spec":{"data":{"a":{"b":"%s"}}}}',
                  '{"spec":{"data":{"a":"sealed:%s"}}}', '{"metadata":{"generation":"%s"}}']
        for body in bodies:
            for method, path in (("PATCH", "/wrong"), ("PUT", "/wrong"), ("POST", "")):
                status, _, answer = self.client.request(
                    method, SECRETS + path, body.replace("%s", CANARY + "-5"), JSON)
                self.assertIn(status, (400, 404), answer)
                self.assertNotIn(CANARY.encode(), answer)
        told = swarm("apply", "-f", "-", data=manifest("wrong", key="sealed:" + CANARY), status=1)
        self.assertNotIn(CANARY, told[0] + told[1])

    def test_plain_values_are_in_no_file_answer_or_log(self):
        apply("crasher", "witness: keyed: true")
        swarm("apply", "-f", "-", data=manifest("openai", api_key=CANARY + "-6"))
        swarm("apply", "-f", "-", "--dry-run", data=manifest("dry", key=CANARY + "-7"))
        for number in range(20):
            swarm("apply", "-f", "-", data=manifest("often", key=f"{CANARY}-{number}"))
        swarm("delete", "secret", "often")
        self.client.send("witness/k", "hello")
        target = os.path.join(TMP, "backup.tar")
        run("swarmctl", "backup", target)
        run("swarmctl", "store", "backup", os.path.join(TMP, "store.saved"))
        _, _, events = self.client.request("GET", BASE + "/events?limit=500")
        self.assertNotIn(CANARY.encode(), events)
        self.daemon.end()
        self.assertIn(os.path.join(DATA, "store.db"), files_with(b"sealed:1:", DATA))
        self.assertEqual(files_with(CANARY.encode(), TMP, DATA), [])
        # The ring is in no backup, and for its owner alone.
        self.assertEqual(os.stat(os.path.join(DATA, "secrets.key")).st_mode & 0o777, 0o600)
        self.assertNotIn("secrets.key", run("tar", "-tf", target))
        with open(os.path.join(DATA, "secrets.key"), "rb") as file:
            keys = re.findall(rb"[0-9a-f]{64}", file.read())
        self.assertEqual(len(keys), 1)
        for needle in (keys[0], bytes.fromhex(keys[0].decode())):
            self.assertEqual([path for path in files_with(needle, TMP, DATA)
                              if os.path.basename(path) != "secrets.key"], [])
        self.daemon.start()
        self.assertEqual(self.secret("openai")["status"]["keys"], 1)

    def test_who_reads_and_who_writes(self):
        swarm("apply", "-f", "-", data=manifest("openai", api_key=CANARY + "-8"))
        swarm("apply", "-f", "-", data=BUDGET % "1.00")
        node = As(self.daemon, "node")
        self.addCleanup(node.close)
        budget = BASE + "/namespaces/default/budgets/team"
        for method, path, status in (("GET", SECRETS, 403), ("GET", SECRETS + "/openai", 403),
                                     ("GET", SECRETS + "?watch=1", 403),
                                     ("GET", budget, 200), ("DELETE", budget, 403)):
            self.assertEqual(node.request(method, path)[0], status, (method, path))
        body = json.dumps({"spec": {"limits": {"money": "1000.00"}}})
        for method, path in (("PATCH", budget), ("PUT", budget), ("PUT", budget + "/status")):
            status, _, words = node.request(method, path, body, JSON)
            self.assertEqual(status, 403, words)
        self.assertEqual(self.client.get("/namespaces/default/budgets/team")["spec"]["limits"],
                         {"money": "1.00", "calls": "100"})

    def test_providers_and_budgets_are_objects_like_others(self):
        swarm("apply", "-f", "-", data=PROVIDER)
        self.assertRegex(swarm("get", "mp")[0], r"local +openai +Pending +small large ")
        provider = self.client.get("/modelproviders/local")
        self.assertEqual(provider["spec"]["retries"],
                         {"attempts": 2, "backoff": "500ms", "maxBackoff": "30s"})
        self.assertEqual(provider["spec"]["models"][0]["capabilities"], ["chat", "tools"])
        told = swarm("apply", "-f", "-", data=PROVIDER.replace("http:", "gopher:"), status=1)[1]
        self.assertIn("spec.baseURL", told)
        swarm("apply", "-f", "-", data=BUDGET % "1.00")
        self.assertRegex(swarm("get", "budgets")[0], r"team +- +[0-9.]*-?/1\.00 +0/- +0/100 ")
        told = swarm("apply", "-f", "-", data=BUDGET % "a dollar", status=1)[1]
        self.assertIn("an amount of dollars", told)
        swarm("delete", "mp", "local")

    def test_a_raise_is_an_event_with_who_did_it(self):
        swarm("apply", "-f", "-", data=BUDGET % "1.00")
        before = len(self.client.events("BudgetRaised"))
        swarm("apply", "-f", "-", data=BUDGET % "0.50")
        self.assertEqual(len(self.client.events("BudgetRaised")), before)
        swarm("apply", "-f", "-", data=BUDGET % "2.50")
        events = self.client.events("BudgetRaised")
        self.assertEqual(len(events), before + 1)
        words = {event["message"] for event in events}
        self.assertIn("spiffe://swarm/user/admin raised it: limits.money from 0.50 to 2.50", words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
