#!/usr/bin/python3
"""The command lines against a real daemon: a person's first hour with Swarm, in order, and what she
is told when she errs. What odd servers do to the client is test/integration/cli_client.py."""
# timeout: 240
# serial: yes
import gzip
import json
import os
import re
import subprocess
import threading
import time
import unittest

from swarmd import Daemon

TMP = os.environ["SW_TMP"]
KEYED = """apiVersion: swarm/v1
kind: Agent
metadata: {name: keyed, labels: {team: search}}
spec: {module: ./greeter/agent.wasm, keyed: true}
"""

BROKEN = """#include <swarm/agent.h>
SWARM_AGENT;
int32_t SWARM_EXPORT(on_start)(void) { return SWARM_E_INVALID; }
int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m) { return (int32_t)m->flags & 0; }
"""

# "relay" sends "poison" to victim/v, whose handler fails on it; "cure" makes that end.
VICTIM = """#include <swarm/agent.h>
SWARM_AGENT;
static int is_cured;
static int first(const struct swarm_message *m) { return m->body_size ? m->body[0] : 0; }
int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    if (first(m) == 'r')
        return swarm_send("victim/v", 8, "text/plain", 10, "poison", 6, 0, SWARM_PRIORITY_NORMAL);
    if (first(m) == 'c')
        is_cured = 1;
    if (first(m) == 'p' && !is_cured)
        return SWARM_E_INVALID;
    if ((m->flags & SWARM_MESSAGE_WANTS_REPLY) != 0)
        return swarm_reply(m->reply_handle, 0, "text/plain", 10, "ok", 2);
    return SWARM_DONE;
}
"""


class Cli(unittest.TestCase):
    """Tests run in the order of their numbers: each begins where the one before ended."""

    @classmethod
    def setUpClass(cls):
        os.chdir(TMP)
        cls.daemon = Daemon()
        cls.daemon.start()

    @classmethod
    def tearDownClass(cls):
        if cls.daemon.process.poll() is None:
            cls.daemon.end()

    def run_program(self, *words, status=0, data=None):
        result = subprocess.run(words, input=data, capture_output=True, timeout=90, check=False)
        seen, told = result.stdout.decode(errors="replace"), result.stderr.decode()
        if status is not None:
            self.assertEqual(result.returncode, status, f"{words}: {seen}{told}")
        return seen, told

    greeted = 3  # By tests before the one that counts on it.

    def swarm(self, *words, **options):
        return self.run_program("swarm", *words, **options)

    def answer_after_start(self, *words):
        """A daemon serves before its agent host is up: until then whoever sends is told to wait."""
        end = time.monotonic() + 30
        while True:
            result = subprocess.run(("swarm", "send") + words, capture_output=True, timeout=90,
                                    check=False)
            if result.returncode == 0 or time.monotonic() > end:
                self.assertEqual(result.returncode, 0, result.stderr.decode())
                return result.stdout.decode()
            self.assertIn(result.returncode, (3, 6), result.stderr.decode())

    def ctl(self, *words, **options):
        return self.run_program("swarmctl", *words, **options)

    def the_node_tells_the_port_that_is_bound(self):
        """Port 0 was asked for; the contexts show what came of it."""
        seen, _ = self.swarm("config", "contexts")
        port = re.search(r"https://127\.0\.0\.1:(\d+)", seen).group(1)
        self.assertNotEqual(port, "0")
        # A daemon that just started serves a moment before its Node is written.
        self.swarm("wait", "nodes", "--all", "--timeout=5s",
                   f"--for=jsonpath={{.status.address}}=127.0.0.1:{port}")
        seen, _ = self.swarm("get", "nodes", "-o", "wide")
        self.assertRegex(seen, rf"ADDRESS .*\n.* 127\.0\.0\.1:{port} ")

    def test_01_the_daemon_is_there_and_the_context_is_current(self):
        self.swarm("wait", "--for=server", "--timeout=10s")
        seen, _ = self.swarm("config", "contexts")
        self.assertRegex(seen, r"\* +dev +https://127\.0\.0\.1:\d+")
        folder = os.path.join(os.environ["XDG_CONFIG_HOME"], "swarm", "contexts")
        self.assertEqual(os.stat(os.path.join(folder, "dev.yaml")).st_mode & 0o777, 0o600)
        # The version stands in the Cluster's status, which comes a little after readiness.
        self.swarm("wait", "cluster/default", "--for=condition=Ready", "--timeout=10s")
        seen, _ = self.swarm("version")
        self.assertRegex(seen, r"swarm \d+\.\d+\.\d+ .*\nserver \d+\.\d+\.\d+ at https://")
        seen, _ = self.swarm("get", "namespaces", "-o", "name")
        self.assertIn("namespaces/default\n", seen)

    def test_02_an_agent_of_ones_own_from_nothing_to_an_answer(self):
        self.swarm("agent", "init", "greeter")
        self.swarm("agent", "build", "greeter")
        seen, told = self.swarm("apply", "-f", "greeter")
        self.assertEqual(seen, "agents/greeter created\n")
        self.assertIn("pushed greeter/agent.wasm", told)
        self.assertEqual(self.swarm("apply", "-f", "greeter"), ("agents/greeter unchanged\n", ""))
        seen, _ = self.swarm("wait", "agent/greeter", "--for=condition=Ready")
        self.assertEqual(seen, "agents/greeter condition met\n")
        self.assertEqual(self.swarm("send", "greeter", "Ada")[0],
                         "Hello, Ada! You are number 1.\n")
        self.assertEqual(self.swarm("send", "greeter", "-f", "-", data=b"Bo")[0],
                         "Hello, Bo! You are number 2.\n")
        self.assertEqual(self.swarm("send", "greeter/0", "Cy", "--no-reply")[0], "")

    def test_03_it_is_shown_in_every_format(self):
        seen, _ = self.swarm("get", "agents")
        self.assertRegex(seen, r"NAME +PHASE .*\ngreeter +Ready ")
        self.assertIn("DURABILITY", self.swarm("get", "ag", "-o", "wide")[0])
        body = json.loads(self.swarm("get", "agent", "greeter", "-o", "json")[0])
        self.assertEqual(body["status"]["phase"], "Ready")
        items = json.loads(self.swarm("get", "agents", "-A", "-o", "json")[0])["items"]
        self.assertEqual([item["metadata"]["name"] for item in items], ["greeter"])
        seen, _ = self.swarm("get", "agent/greeter", "-o", "jsonpath={.status.phase}")
        self.assertEqual(seen, "Ready\n")
        seen, _ = self.swarm("get", "agent/greeter", "-o", "yaml")
        self.assertIn("\n  name: greeter\n", seen)
        self.swarm("apply", "-f", "-", "--dry-run", data=seen.encode())
        seen, _ = self.swarm("get", "instances", "greeter")
        self.assertRegex(seen, r"NAME +STATE .*\ngreeter/0 +Idle .* greeter-\w+")
        items = json.loads(self.swarm("get", "instances", "greeter", "-o", "json")[0])["items"]
        self.assertEqual([item["name"] for item in items], ["greeter/0"])
        self.assertIn("pods/" + items[0]["pod"], self.swarm("get", "pods", "-o", "name")[0].split())
        self.assertRegex(self.swarm("get", "pods", "-o", "name")[0], r"pods/greeter-")

    def test_04_what_happened_is_told(self):
        seen, _ = self.swarm("describe", "agent/greeter")
        self.assertRegex(seen, r"Conditions:\n.*\n +Ready +True")
        seen, _ = self.swarm("events", "--for", "agent/greeter")
        self.assertIn("agent/greeter", seen.lower())
        self.swarm("logs", "greeter")
        seen, _ = self.swarm("top", "--interval=100ms")
        self.assertRegex(seen, r"AGENT +INSTANCES +MESSAGES/S +CPU +MEMORY\ngreeter +1 ")

    def test_04_top_shows_who_is_busy(self):
        with subprocess.Popen(("swarm", "top", "--watch", "--interval=500ms"),
                              stdout=subprocess.PIPE, text=True) as top:
            try:
                seen, end = "", time.monotonic() + 60
                while not re.search(r"^greeter +1 +[1-9][0-9.]* +0\.\d\d +0\.1 MiB$", seen, re.M):
                    self.assertLess(time.monotonic(), end, seen)
                    self.swarm("send", "greeter/0", "busy", "--no-reply")
                    Cli.greeted += 1
                    seen += top.stdout.readline()
            finally:
                top.kill()

    def test_04_an_instance_that_cannot_start_says_so(self):
        os.makedirs("broken", exist_ok=True)
        with open("broken/agent.c", "w", encoding="utf-8") as file:
            file.write(BROKEN)
        with open("broken/agent.yaml", "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: broken}\n"
                       "spec: {module: ./agent.wasm}\n")
        self.swarm("agent", "build", "broken")
        self.swarm("apply", "-f", "broken")
        deadline = time.monotonic() + 20
        while "Failing" not in self.run_program("swarm", "get", "instances", "broken",
                                                status=None)[0]:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        seen, _ = self.swarm("get", "instances", "broken")
        self.assertRegex(seen, r"broken/0 +Failing .* broken-\w+ +sha256:\w{12} +it cannot be "
                               r"started; the Events of its Agent tell why")
        # An Event is written a moment after what it tells of.
        while not re.search(r"\bFailed\b", self.swarm("events", "--for", "agent/broken")[0]):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.swarm("delete", "agent", "broken")

    def letters(self, *words):
        return json.loads(self.swarm("agent", "deadletters", "victim", "-o", "json",
                                     *words)[0])["items"]

    def test_04_dead_letters_are_shown_delivered_again_and_dropped(self):
        os.makedirs("victim", exist_ok=True)
        with open("victim/agent.c", "w", encoding="utf-8") as file:
            file.write(VICTIM)
        with open("victim/agent.yaml", "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: victim}\n"
                       "spec: {module: ./agent.wasm, keyed: true, "
                       "retry: {attempts: 2, initialBackoff: 10ms}}\n")
        self.swarm("agent", "build", "victim")
        self.swarm("apply", "-f", "victim")
        # What one instance sends to another before the Pod of that one is there comes back to it.
        self.swarm("wait", "agent/victim", "--for=condition=Ready")
        self.swarm("send", "victim/a", "relay", "--no-reply")
        self.swarm("send", "victim/b", "relay", "--no-reply")
        deadline = time.monotonic() + 20
        while len(self.letters()) < 2:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        first, second = self.letters("--key", "v")
        self.assertEqual(self.letters("--key", "nobody"), [])
        self.assertEqual((first["instance"], first["kind"], first["reason"], first["attempts"]),
                         ("victim/v", "Message", "Failed", 2))
        self.assertEqual({first["from"], second["from"]}, {"victim/a", "victim/b"})
        seen, _ = self.swarm("agent", "deadletters", "victim")
        self.assertRegex(seen, r"ID +TIME +INSTANCE +FROM .*\n\d+ .* victim/v +victim/[ab] ")
        seen, _ = self.swarm("agent", "deadletters", "victim", "--show", first["id"])
        self.assertRegex(seen, r"Reason +Failed\n(.*\n)*\npoison\n$")
        while not re.search(r"MessageParked +Agent/victim +victim/",
                            self.swarm("events", "--for", "agent/victim")[0]):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        seen, _ = self.swarm("agent", "deadletters", "victim", "--drop", first["id"])
        self.assertEqual(seen, "dropped 1 dead letter\n")
        self.swarm("agent", "deadletters", "victim", "--drop", first["id"], status=3)
        self.swarm("agent", "deadletters", "victim", "--drop", "x", status=2)
        self.assertEqual([item["id"] for item in self.letters()], [second["id"]])
        self.swarm("send", "victim/v", "cure")
        seen, _ = self.swarm("agent", "deadletters", "victim", "--redeliver", "all")
        self.assertEqual(seen, "delivered again 1 dead letter\n")
        self.assertEqual(self.swarm("send", "victim/v", "x")[0], "ok")
        self.assertEqual(self.letters(), [])
        self.swarm("agent", "deadletters", "nobody", status=3)
        self.swarm("delete", "agent", "victim")

    def test_05_a_changed_agent_is_built_and_deployed_again(self):
        with open("greeter/agent.c", encoding="utf-8") as file:
            source = file.read()
        with open("greeter/agent.c", "w", encoding="utf-8") as file:
            file.write(source.replace('"Hello, "', '"Good morning, "'))
        self.swarm("agent", "build", "greeter")
        seen, _ = self.swarm("diff", "-f", "greeter")
        self.assertRegex(seen, r"\n-  module: sha256:.*\n\+  module: sha256:")
        self.assertEqual(self.swarm("apply", "-f", "greeter")[0], "agents/greeter configured\n")
        self.assertEqual(self.swarm("diff", "-f", "greeter", "--exit-code")[0], "")
        self.swarm("wait", "agent/greeter", "--for=condition=Ready")
        self.assertEqual(self.swarm("send", "greeter", "Ada")[0],
                         f"Good morning, Ada! You are number {Cli.greeted + 1}.\n")

    def test_06_a_folder_is_given_to_instances_file_by_file(self):
        with open("keyed.yaml", "w", encoding="utf-8") as file:
            file.write(KEYED)
        os.makedirs("docs/deep")
        for number in range(200):
            with open(f"docs/deep/{number}.txt", "w", encoding="utf-8") as file:
                file.write(f"document {number}\n")
        with open("docs/packed.gz", "wb") as file:
            file.write(gzip.compress(b"packed"))
        with open("docs/binary", "wb") as file:
            file.write(b"\0\1\2")
        self.swarm("apply", "-f", "keyed.yaml")
        self.swarm("wait", "agent/keyed", "--for=condition=Ready")
        seen, _ = self.swarm("send", "keyed", "--each", "docs")
        self.assertRegex(seen, r"^sent 201 messages .* from 201 files in .*; 1 skipped")
        names = self.swarm("get", "instances", "keyed", "-o", "name")[0].split()
        self.assertEqual(len(names), 201)
        self.assertIn("keyed/packed.gz", names)
        self.assertEqual(self.swarm("send", "keyed/deep/7.txt", "Di")[0],
                         "Good morning, Di! You are number 2.\n")
        self.assertEqual(self.swarm("get", "agents", "-l", "team=search", "-o", "name")[0],
                         "agents/keyed\n")

    def test_07_changes_are_followed_as_they_happen(self):
        watch = subprocess.Popen(("swarm", "watch", "agents"), stdout=subprocess.PIPE)
        lines, first = [], threading.Event()

        def read():
            for line in watch.stdout:
                lines.append(line.decode().split()[:2])
                first.set()
        reader = threading.Thread(target=read)
        reader.start()
        self.assertTrue(first.wait(10))
        seen, _ = self.swarm("delete", "agent", "keyed")
        self.assertEqual(seen, "agents/keyed deleted\n")
        self.swarm("get", "agent", "keyed", status=3)
        deadline = time.monotonic() + 10
        while ["DELETED", "agents/keyed"] not in lines and time.monotonic() < deadline:
            time.sleep(0.02)
        watch.terminate()
        watch.wait()
        reader.join()
        watch.stdout.close()
        self.assertIn(["ADDED", "agents/greeter"], lines)
        self.assertIn(["DELETED", "agents/keyed"], lines)

    def test_08_subjects_are_published_to(self):
        self.assertEqual(self.swarm("publish", "news.today", "hello")[0],
                         "published to 0 subscribers\n")
        self.swarm("publish", "news.*", "hello", status=1)

    def test_09_errors_have_their_words_and_status(self):
        _, told = self.swarm("get", "agent", "gretter", status=3)
        self.assertIn("gretter", told)
        self.swarm("send", "nobody", "x", status=3)
        self.swarm("send", "greeter/77", "x", status=3)
        self.swarm("get", "pods", "-n", "nowhere")
        stale = json.loads(self.swarm("get", "agent", "greeter", "-o", "json")[0])
        stale["metadata"]["resourceVersion"] = "1"
        stale["spec"]["replicas"] = 2
        _, told = self.swarm("apply", "-f", "-", data=json.dumps(stale).encode(), status=4)
        self.assertRegex(told, r"\b1\b")
        with open("no.wasm", "wb") as file:
            file.write(b"\0asm\1\0\0\0")
        _, told = self.swarm("agent", "push", "no.wasm", status=1)
        self.assertRegex(told, r"memory|swarm_alloc|on_message")
        self.swarm("get", "agents", "--server=https://127.0.0.1:1", status=6)
        _, told = self.swarm("wait", "agent/greeter", "--for=jsonpath={.status.phase}=Gone",
                             "--timeout=300ms", status=7)
        self.assertIn("swarm describe agents/greeter", told)
        # A server is asked for an identity; who has none may ask for health only.
        with open(os.path.join(TMP, "nobody.yaml"), "w", encoding="utf-8") as file:
            server = re.search(r"https://\S+", self.swarm("config", "contexts")[0]).group()
            with open(os.path.join(os.environ["XDG_CONFIG_HOME"], "swarm", "contexts", "dev.yaml"),
                      encoding="utf-8") as dev:
                authority = re.search(r"authority: \|\n((?:      .*\n)+)", dev.read()).group(1)
            file.write("apiVersion: swarm/v1\nkind: Config\ncurrent: x\n"
                       "contexts: {x: {cluster: x}}\nclusters:\n  x:\n"
                       f"    server: \"{server}\"\n    authority: |\n{authority}")
        os.makedirs("nobody")
        os.rename("nobody.yaml", "nobody/config.yaml")
        os.environ["SWARM_CONFIG_HOME"] = os.path.join(TMP, "nobody")
        try:
            self.swarm("get", "agents", status=5)
            self.swarm("wait", "--for=server", "--timeout=5s")
        finally:
            del os.environ["SWARM_CONFIG_HOME"]

    def test_09_nothing_is_applied_unless_the_server_takes_all_of_it(self):
        space = "---\napiVersion: swarm/v1\nkind: Namespace\nmetadata: {name: %s}\n"
        agent = ("---\napiVersion: swarm/v1\nkind: Agent\nmetadata: {name: %s, namespace: %s}\n"
                 "spec: {module: ./greeter/agent.wasm, %s}\n")
        with open("many.yaml", "w", encoding="utf-8") as file:
            file.write(space % "fresh" + agent % ("one", "nowhere", "replicas: 1") +
                       agent % ("greeter", "default", "keyed: true") +
                       agent % ("two", "fresh", "template: nothing"))
        _, told = self.swarm("apply", "-f", "many.yaml", status=3)
        self.assertIn('many.yaml: Namespace "nowhere" does not exist', told)
        self.assertRegex(told, r"many\.yaml:14:\d+: spec\.keyed: it never changes")
        self.assertIn("3 mistakes found; nothing was changed", told)
        self.swarm("get", "namespace", "fresh", status=3)
        # What one of them needs may be another of them.
        template = ("---\napiVersion: swarm/v1\nkind: AgentTemplate\n"
                    "metadata: {name: nothing, namespace: fresh}\n"
                    "spec: {agent: {durability: none}}\n")
        with open("many.yaml", "w", encoding="utf-8") as file:
            file.write(agent % ("two", "fresh", "template: nothing") + space % "fresh" + template)
        self.swarm("apply", "-f", "many.yaml")
        self.swarm("delete", "namespace", "fresh")

    def test_10_the_shell_is_offered_names(self):
        self.assertEqual(self.swarm("__complete", "--", "send", "gr")[0], "greeter\n")
        self.assertEqual(self.swarm("__complete", "--", "get", "agents", "g")[0], "greeter\n")
        self.assertEqual(self.swarm("__complete", "--", "get", "agents/g")[0], "agents/greeter\n")
        self.assertEqual(self.swarm("__complete", "--", "get", "-n", "def")[0], "default\n")

    def test_11_the_doctor_finds_nothing_in_the_way(self):
        seen, _ = self.swarm("doctor")
        self.assertIn("ok    the server answers", seen)
        self.assertNotIn("FAIL", seen)

    def test_12_the_operator_looks_saves_and_checks_while_it_runs(self):
        seen, _ = self.ctl("status")
        self.assertRegex(seen, r"daemon   ready at https://")
        self.assertRegex(seen, r"Node\nNAME .*\n\S+ +Ready")
        self.the_node_tells_the_port_that_is_bound()
        self.assertRegex(self.ctl("store", "backup", "saved.db")[0], "^saved and verified saved.db")
        self.assertRegex(self.ctl("store", "verify")[0], "^sound ")
        self.assertRegex(self.ctl("store", "verify", "saved.db")[0], "^sound saved.db")
        seen, _ = self.ctl("journal", "dump", "--agent=greeter", "--key=0")
        self.assertGreaterEqual(len(seen.splitlines()), 2)
        self.assertTrue(all("\tgreeter/0\t" in line for line in seen.splitlines()))
        self.ctl("journal", "verify")
        _, told = self.ctl("store", "restore", "saved.db", "--yes", status=1)
        self.assertIn("stop the daemon first", told)

    def test_13_a_backup_brings_back_what_was(self):
        self.swarm("delete", "agent", "greeter")
        self.assertEqual(self.daemon.end(), 0)
        self.assertRegex(self.ctl("check")[0], "^sound .*\nsound ")
        self.assertRegex(self.ctl("store", "restore", "saved.db", "--yes")[0], "^restored ")
        self.daemon.start()
        self.the_node_tells_the_port_that_is_bound()
        self.assertIn("Good morning, Flo!", self.answer_after_start("greeter", "Flo"))


if __name__ == "__main__":
    unittest.main()
