#!/usr/bin/python3
"""Isolation classes: Agents that ask for it run in an agent host of their namespace or their own.
What becomes of one host reaches no other; messages, publications, lists and dead letters of clients
find the right one; a host comes with its first Pod, and goes with its last one, data and all."""
# labels: kill
# timeout: 240
import glob
import os
import shutil
import signal
import time
import unittest

from swarmd import Client, Daemon, run
from waiting import wait_for

DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
ISOLATIONS = {"plain": "shared", "walled": "namespace", "lone": "agent", "other": "agent"}
NAMES = {"plain": "shared", "walled": "namespace/default", "lone": "agent/default/lone",
         "other": "agent/default/other"}
AGENT = """#include <swarm/agent.h>
SWARM_AGENT;
static uint8_t told[2] = "00"; /* Publications, and messages of clients. */
int32_t SWARM_EXPORT(on_start)(void)
{
    return swarm_subscribe("news.*", 6);
}
int32_t SWARM_EXPORT(on_message)(const struct swarm_message *m)
{
    int what = m->body_size > 0 ? m->body[0] : 0;

    if (m->flags & SWARM_MESSAGE_PUBLISHED)
        return told[0]++, SWARM_DONE;
    if (what == 'x')
        __builtin_trap();
    if (what == '+')
        told[1]++;
    return swarm_reply(m->reply_handle, 0, "text/plain", 10, told, 2);
}
"""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def manifest(*names):
    write("ward/agents.yaml", "".join(
        "---\napiVersion: swarm/v1\nkind: Agent\n"
        f"metadata: {{name: {name}}}\n"
        "spec: {module: ./agent.wasm, keyed: true, pods: 2, retry: {attempts: 1}, "
        f"isolation: {ISOLATIONS[name]}}}\n" for name in names))


def make(*names):
    manifest(*names)
    run("swarm", "apply", "-f", "ward")
    for name in names:
        run("swarm", "wait", f"agent/{name}", "--for=condition=Ready", "--timeout=60s")


def folders():
    """Of hosts, besides the shared one: their names, as they say it themselves."""
    found = {}
    for path in glob.glob(os.path.join(DATA, "hosts", "*-*")):
        try:
            with open(os.path.join(path, "host"), encoding="ascii") as file:
                found[file.read().strip()] = path
        except FileNotFoundError:
            pass  # It went meanwhile.
    return found


def used(folder):
    """What the namespace default used, as a folder says it."""
    with open(os.path.join(folder, "usage"), encoding="ascii") as file:
        [line] = [line for line in file if line.startswith("space default ")]
    return [int(figure) for figure in line.split()[2:]]


class Isolation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        os.mkdir("ward")
        write("ward/agent.c", AGENT)
        manifest("plain")
        run("swarm", "agent", "build", "ward")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.end()

    def hosts(self):
        """Name to process, of the hosts that run."""
        names = {path + "/agents": name for name, path in folders().items()}
        names[DATA + "/agents"] = "shared"
        return {names[folder]: pid for folder, pid in self.daemon.hosts().items()}

    def ask(self, name, body="?"):
        status, answer = self.client.send(f"{name}/k", body)
        return answer.decode() if status == 200 else status

    def until_answer(self, name, wanted, body="?"):
        wait_for(lambda: self.ask(name, body) == wanted, f"{name}: {wanted}")

    def node(self):
        items = self.client.get("/nodes")["items"]
        return {host["name"]: host for host in items[0]["status"].get("hosts", [])}

    def test_1_each_has_the_host_that_it_asks_for(self):
        make(*ISOLATIONS)
        self.assertEqual(sorted(self.hosts()), sorted(NAMES.values()))
        for count, name in enumerate(ISOLATIONS):
            for _ in range(count + 1):
                self.ask(name, "+")
            self.assertEqual(self.ask(name), f"0{count + 1}")
        wait_for(lambda: all(self.node().get(name, {}).get("phase") == "Up"
                             for name in NAMES.values()), "the Node tells of its hosts")
        self.assertEqual(self.node()["shared"]["starts"], 1)
        _, _, figures = self.client.request("GET", "/metrics")
        for name in NAMES.values():
            self.assertIn(f'swarm_host_up{{host="{name}"}} 1', figures.decode())

    def test_2_a_publication_of_a_client_reaches_all_of_them(self):
        self.assertIn(str(len(NAMES)), run("swarm", "publish", "news.x", "x"))
        for count, name in enumerate(ISOLATIONS):
            self.until_answer(name, f"1{count + 1}")

    def test_3_lists_and_dead_letters_are_those_of_the_right_host(self):
        for name in ISOLATIONS:
            self.assertEqual(self.ask(name, "x"), 500)
            page = self.client.get(f"/namespaces/default/agents/{name}/instances")
            self.assertEqual([item["name"] for item in page["items"]], [f"{name}/k"])

    def test_4_the_end_of_one_host_reaches_no_other(self):
        before = self.hosts()
        for round_ in range(5):
            os.kill(self.hosts()["agent/default/lone"], signal.SIGKILL)
            self.assertEqual(self.ask("plain"), "11")
            self.assertEqual(self.ask("walled"), "12")
            self.assertEqual(self.ask("other"), "14")
            self.until_answer("lone", "13")
            wait_for(lambda starts=round_ + 2:
                     self.node()["agent/default/lone"]["starts"] == starts,
                     "the Node tells of the start")
        after = self.hosts()
        self.assertNotEqual(before.pop("agent/default/lone"), after.pop("agent/default/lone"))
        self.assertEqual(before, after)
        self.assertEqual(self.node()["shared"]["starts"], 1)
        self.assertIn("agent host agent/default/lone: ", run("swarm", "events", "-A"))

    def test_5_all_keep_what_they_know_over_restarts(self):
        for number in signal.SIGTERM, signal.SIGKILL:
            self.daemon.end(number)
            self.daemon.start()
            for count, name in enumerate(ISOLATIONS):
                self.until_answer(name, f"1{count + 1}")
        told = run("swarmctl", "journal", "verify", "--data", DATA)
        for name in sorted(NAMES.values())[:-1]:
            self.assertIn(f" of {name}: ", told)

    def test_6_isolation_is_for_life(self):
        write("ward/agents.yaml", "apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: lone}\n"
                                  "spec: {module: ./agent.wasm, keyed: true, isolation: shared}\n")
        self.assertIn("isolation", run("sh", "-c", "swarm apply -f ward --dry-run 2>&1", status=1))

    def test_7_a_host_goes_with_its_last_pod_and_takes_its_data_along(self):
        self.assertIn("agent/default/lone", folders())
        run("swarm", "delete", "agent/lone")
        wait_for(lambda: "agent/default/lone" not in folders(), "its folder goes")
        self.assertNotIn("agent/default/lone", self.hosts())
        wait_for(lambda: "agent/default/lone" not in self.node(), "the Node forgets it")
        make("lone")
        self.assertEqual(self.ask("lone"), "00")

    def test_8_also_when_the_daemon_dies_before_it_is_gone(self):
        run("swarm", "delete", "agent/other")
        self.daemon.end(signal.SIGKILL)
        self.daemon.start()
        wait_for(lambda: "agent/default/other" not in folders(), "its folder goes")
        self.until_answer("lone", "00")
        self.assertEqual(sorted(folders()), ["agent/default/lone", "namespace/default"])

    def test_8b_the_host_of_a_namespace_goes_with_the_last_agent_that_asks_for_it(self):
        make("plain", "walled")
        self.assertIn("namespace/default", folders())
        run("swarm", "delete", "agent/plain")  # It is not one of those.
        self.assertEqual(self.ask("walled"), "12")
        self.daemon.end()
        self.daemon.start()
        self.until_answer("walled", "12")
        run("swarm", "delete", "agent/walled")
        wait_for(lambda: "namespace/default" not in folders(), "its folder goes")
        self.assertNotIn("namespace/default", self.hosts())

    def damage_other(self, forgets):
        """Its host ended in order, and says what was used in it unless it forgets that."""
        make("other")
        self.assertEqual(self.ask("other", "+"), "01")
        folder = folders()["agent/default/other"]
        self.daemon.end()
        if forgets:
            os.remove(os.path.join(folder, "usage"))
        for path in glob.glob(os.path.join(folder, "agents", "journal-*.seg")):
            with open(path, "r+b") as file:
                file.write(b"no journal")
        self.daemon.start()
        return folder

    def delete_other(self):
        self.until_answer("lone", "00")
        wait_for(lambda: "its journal cannot be read: swarmctl journal verify tells" in
                 run("swarm", "get", "agent/other", "-o", "yaml"),
                 "the Agent says why it does not run")
        run("swarm", "delete", "agent/other")
        wait_for(lambda: "agent/other" not in run("swarm", "get", "agents", "-o", "name"),
                 "the Agent to go")

    def test_8c_an_agent_whose_journal_cannot_be_read_says_so_and_can_be_deleted(self):
        folder = self.damage_other(False)
        before, its = used(os.path.join(DATA, "hosts")), used(folder)
        self.assertTrue(any(its), its)
        self.delete_other()
        wait_for(lambda: "agent/default/other" not in folders(), "its folder goes")
        self.assertEqual(used(os.path.join(DATA, "hosts")), [a + b for a, b in zip(before, its)])

    def test_8d_where_nobody_can_say_what_was_used_its_folder_stays(self):
        folder = self.damage_other(True)
        self.delete_other()
        wait_for(lambda: "nobody needs its journal any more" in run("swarm", "events", "-A"),
                 "what became of its folder")
        wait_for(lambda: "agent/default/other" not in self.hosts(), "its host is not tried again")
        self.assertIn("agent/default/other", folders())
        write("ward/quota.yaml", "apiVersion: swarm/v1\nkind: ResourceQuota\n"
                                 "metadata: {name: few}\nspec: {hard: {instances: 10}}\n")
        run("swarm", "apply", "-f", "ward/quota.yaml")
        self.assertEqual(self.client.send("lone/another", "+")[0], 200)
        run("swarm", "delete", "quota/few")
        os.remove("ward/quota.yaml")
        self.daemon.end()
        shutil.rmtree(folder)
        self.daemon.start()
        self.until_answer("lone", "00")

    def test_9_there_are_as_many_as_the_settings_allow(self):
        self.daemon.end()
        os.environ["SWARM_AGENTS_HOSTS"] = "2"
        self.daemon.start()
        manifest("other")
        run("swarm", "apply", "-f", "ward")
        wait_for(lambda: "runs 2 agent hosts, the most it may" in
                 run("swarm", "get", "agent/other", "-o", "yaml"), "the Agent tells why it waits")
        run("swarm", "delete", "agent/lone")
        run("swarm", "wait", "agent/other", "--for=condition=Ready", "--timeout=60s")
        self.assertEqual(self.ask("other", "+"), "01")


if __name__ == "__main__":
    unittest.main(failfast=True)
