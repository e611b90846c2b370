#!/usr/bin/python3
"""swarm against a server that answers as each test tells it to: what is asked, what is said of the
answers, and the exit status. The whole with a real daemon is test/e2e/cli.py."""
# timeout: 120
import gzip
import json
import os
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from fake_hive import Hive, event, make_authority  # noqa: E402

TMP = os.environ["SW_TMP"]
ROOT = "/apis/swarm/v1"
AGENTS = ROOT + "/namespaces/default/agents"
CONFIG = """apiVersion: swarm/v1
kind: Config
current: test
contexts: {test: {cluster: test, user: test}}
clusters: {test: {server: "%s", authority: "%s"}}
users: {test: {certificate: "%s", key: "%s"}}
"""
NOT_FOUND = (404, {"title": "There is no such thing.", "status": 404, "code": "NOT_FOUND",
                   "detail": "there is no Agent \"reader\""})


def agent(name="reader", version=5, phase="Ready", ready="True", **spec):
    return {"apiVersion": "swarm/v1", "kind": "Agent",
            "metadata": {"name": name, "namespace": "default", "generation": "1",
                         "uid": "01932c07-8ba2-7c1e-9a2b-0123456789ab",
                         "resourceVersion": str(version)},
            "spec": {"module": "sha256:" + "0" * 64, **spec},
            "status": {"phase": phase, "observedGeneration": "1", "conditions": [
                {"type": "Ready", "status": ready, "reason": "Why", "message": "because"}]}}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.paths = make_authority(TMP)

    def serve(self, answer):
        hive = Hive(self.paths, answer)
        self.addCleanup(hive.close)
        folder = os.path.join(os.environ["XDG_CONFIG_HOME"], "swarm")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG % (hive.url, self.paths["ca.crt"], self.paths["client.crt"],
                                 self.paths["client.key"]))
        return hive

    def swarm(self, *words, status=0, data=None):
        result = subprocess.run(("swarm", *words), input=data, capture_output=True, timeout=60)
        text = f"{result.stdout!r} {result.stderr!r}"
        self.assertEqual(result.returncode, status, text)
        return result.stdout.decode(), result.stderr.decode()


class Answers(Case):
    def test_the_client_shows_its_certificate(self):
        hive = self.serve(lambda request: (200, agent()))
        self.swarm("get", "agent", "reader")
        subject = dict(pair[0] for pair in hive.requests[0].client["subject"])
        self.assertEqual(subject["commonName"], "test client")
        self.assertEqual(hive.requests[0].path, AGENTS + "/reader")

    def test_each_refusal_has_its_words_and_status(self):
        for http, code, status in ((404, "NOT_FOUND", 3), (409, "ABORTED", 4),
                                   (409, "ALREADY_EXISTS", 4), (403, "PERMISSION_DENIED", 5),
                                   (401, "UNAUTHENTICATED", 5), (503, "UNAVAILABLE", 6),
                                   (504, "DEADLINE_EXCEEDED", 7), (400, "INVALID_ARGUMENT", 1)):
            self.serve(lambda _, http=http, code=code: (http, {
                "title": "t", "status": http, "code": code, "detail": "the words",
                "field": "spec.replicas", "hint": "the hint"}))
            _, told = self.swarm("get", "agent", "reader", status=status)
            self.assertEqual(told, "error: the words\n  field: spec.replicas\n  hint: the hint\n")

    def test_answers_that_are_none_of_ours_are_told_by_their_status(self):
        self.serve(lambda request: (502, "<html>"))
        _, told = self.swarm("get", "agents", status=6)
        self.assertIn("HTTP status 502", told)
        self.serve(lambda request: (200, "<html>"))
        _, told = self.swarm("get", "agents", status=1)
        self.assertIn("the server's answer is not understood", told)
        self.serve(lambda request: (200, {**agent(), "news": 1}))
        _, told = self.swarm("get", "agent", "reader", status=1)
        self.assertIn("is the server of another version?", told)

    def test_a_server_that_has_just_started_has_no_version_to_differ_in(self):
        cluster = {"apiVersion": "swarm/v1", "kind": "Cluster", "metadata": {"name": "default"},
                   "spec": {}}
        self.serve(lambda request: (200, cluster))
        seen, _ = self.swarm("doctor")
        self.assertIn("ok    the server answers; it has not told its version yet\n", seen)
        self.serve(lambda request: (200, {**cluster, "status": {"version": "9.9.9"}}))
        seen, _ = self.swarm("doctor")
        self.assertIn("warn  the server answers; it has version 9.9.9", seen)

    def test_a_server_that_is_somebody_else_is_denied(self):
        hive = self.serve(lambda request: (200, agent()))
        other = os.path.join(TMP, "other")
        os.makedirs(other, exist_ok=True)
        paths = make_authority(other)
        folder = os.path.join(os.environ["XDG_CONFIG_HOME"], "swarm")
        with open(os.path.join(folder, "config.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG % (hive.url, paths["ca.crt"], paths["client.crt"],
                                 paths["client.key"]))
        _, told = self.swarm("get", "agents", status=5)
        self.assertIn("its certificate is not trusted", told)

    def test_a_silent_server_is_a_timeout(self):
        self.serve(lambda request: (time.sleep(4), (200, agent()))[1])
        _, told = self.swarm("get", "agents", "--timeout=3s", status=7)
        self.assertIn("no answer", told)

    def test_nothing_that_a_server_says_steers_the_terminal(self):
        self.serve(lambda request: (404, {"code": "NOT_FOUND", "detail": "a\033[2Jb\007"}))
        _, told = self.swarm("get", "agent", "reader", status=3)
        self.assertEqual(told, "error: a?[2Jb?\n")


class Objects(Case):
    def test_a_list_is_read_page_by_page(self):
        def answer(request):
            if request.query.get("continue") == "more+/=":
                return 200, {"metadata": {"resourceVersion": "9"}, "items": [agent("b")]}
            return 200, {"metadata": {"resourceVersion": "9", "continue": "more+/="},
                         "items": [agent("a")]}
        hive = self.serve(answer)
        seen, _ = self.swarm("get", "agents", "-l", "team=a b", "-o", "name")
        self.assertEqual(seen, "agents/a\nagents/b\n")
        self.assertEqual(hive.requests[0].query["labelSelector"], "team=a b")
        self.swarm("get", "agents", "-A")
        self.assertEqual(hive.requests[-1].path, ROOT + "/agents")

    def test_several_names_are_asked_one_by_one_and_all_that_are_there_shown(self):
        def answer(request):
            return (200, agent("a")) if request.path.endswith("/a") else NOT_FOUND
        self.serve(answer)
        seen, told = self.swarm("get", "agents", "x", "a", "y", "-o", "name", status=3)
        self.assertEqual(seen, "agents/a\n")
        self.assertEqual(told.count("error:"), 2)

    def test_apply_says_what_became_of_each(self):
        there = {"old": agent("old", 5), "same": agent("same", 6)}

        def answer(request):
            name = request.path.rsplit("/", 1)[1]
            if request.method == "GET":
                return (200, there[name]) if name in there else NOT_FOUND
            replicas = request.json()["spec"].get("replicas")
            body = agent(name, 7) if replicas is None else agent(name, 7, replicas=replicas)
            return 200, body
        hive = self.serve(answer)
        manifest = "\n---\n".join(json.dumps({
            "apiVersion": "swarm/v1", "kind": "Agent", "metadata": {"name": name},
            "spec": {"module": "sha256:" + "0" * 64, **spec}})
            for name, spec in (("new", {}), ("old", {"replicas": 3}), ("same", {})))
        seen, _ = self.swarm("apply", "-f", "-", data=manifest.encode())
        self.assertEqual(seen, "agents/new created\nagents/old configured\nagents/same unchanged\n")
        patches = [r for r in hive.requests if r.method == "PATCH"]
        # All are checked before the first is changed.
        self.assertEqual([r.query for r in patches], 3 * [{"dryRun": "true"}] + 3 * [{}])
        patch = patches[3]
        self.assertEqual(patch.path, AGENTS + "/new")
        self.assertEqual(patch.headers["Content-Type"], "application/apply-patch+json")
        self.assertEqual(patch.json()["metadata"], {"name": "new", "namespace": "default"})
        seen, _ = self.swarm("apply", "-f", "-", "--dry-run", data=manifest.encode())
        self.assertIn("agents/new created (dry run)", seen)
        self.assertTrue(all(r.query == {"dryRun": "true"} for r in hive.requests[9:]
                            if r.method == "PATCH"))

    def test_apply_pushes_modules_that_the_server_lacks(self):
        pushed = {}

        def answer(request):
            if "/modules/" in request.path and request.method == "HEAD":
                return (200 if request.path in pushed else 404), ""
            if "/modules/" in request.path:
                pushed[request.path] = request.body
                return 201, {"digest": request.path.rsplit("/", 1)[1]}
            return NOT_FOUND if request.method == "GET" else (200, agent())
        hive = self.serve(answer)
        os.makedirs("app", exist_ok=True)
        with open("app/reader.wasm", "wb") as file:
            file.write(b"\0asm\1\0\0\0")
        with open("app/agent.yaml", "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: reader}\n"
                       "spec: {module: ./reader.wasm}\n")
        digest = "sha256:93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476"
        _, told = self.swarm("apply", "-f", "app")
        self.assertIn("pushed app/reader.wasm", told)
        path = ROOT + "/namespaces/default/modules/" + digest
        self.assertEqual(pushed, {path: b"\0asm\1\0\0\0"})
        patch = [r for r in hive.requests if r.method == "PATCH"][0]
        self.assertEqual(patch.json()["spec"]["module"], digest)
        _, told = self.swarm("apply", "-f", "app")
        self.assertNotIn("pushed", told)

    def test_what_the_server_refuses_is_told_with_its_place_in_the_manifest(self):
        def answer(request):
            return NOT_FOUND if request.method == "GET" else (400, {
                "code": "INVALID_ARGUMENT", "detail": "too many", "field": "spec.replicas"})
        self.serve(answer)
        with open("a.yaml", "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: reader}\nspec:\n"
                       "  module: sha256:%s\n  replicas: 7\n" % ("0" * 64))
        _, told = self.swarm("apply", "-f", "a.yaml", status=1)
        self.assertEqual(told, "error: a.yaml:6:13: spec.replicas: too many\n")

    def test_diff_shows_what_apply_would_change(self):
        def answer(request):
            return 200, agent() if request.method == "GET" else agent(replicas=4)
        self.serve(answer)
        manifest = json.dumps({**agent(replicas=4), "status": None}).encode()
        seen, _ = self.swarm("diff", "-f", "-", data=manifest)
        self.assertIn("\n+  replicas: 4\n", seen)
        self.swarm("diff", "-f", "-", "--exit-code", data=manifest, status=1)

    def test_describe_shows_conditions_and_events(self):
        happened = {"apiVersion": "swarm/v1", "kind": "Event", "metadata": {"name": "e"},
                    "involvedObject": {"kind": "Agent", "name": "reader", "instance": "reader/a",
                                       "uid": agent()["metadata"]["uid"]},
                    "type": "Warning", "reason": "HostDied", "message": "it ended", "count": 3}
        other = {**happened, "involvedObject": {"kind": "Agent", "name": "x", "uid": "y"},
                 "reason": "Elsewhere"}
        self.serve(lambda request: (200, {"items": [happened, other]})
                   if request.path.endswith("events") else (200, agent()))
        seen, _ = self.swarm("describe", "agent/reader")
        self.assertIn("Ready   True     Why      -     because", seen)
        self.assertIn("Warning   HostDied   reader/a   it ended", seen)
        self.assertIn("(x3)", seen)
        self.assertNotIn("Elsewhere", seen)

    def test_delete_waits_until_the_object_is_gone(self):
        def answer(request):
            if request.query.get("watch"):
                return 200, iter([event("MODIFIED", agent(version=6), 6),
                                  event("DELETED", agent(version=7), 7)])
            return 200, agent()
        hive = self.serve(answer)
        seen, _ = self.swarm("delete", "agent", "reader")
        self.assertEqual(seen, "agents/reader deleted\n")
        self.assertEqual([r.method for r in hive.requests], ["DELETE", "GET", "GET"])
        self.swarm("delete", "agent", "reader", "--wait=false")
        self.assertEqual(hive.requests[-1].method, "DELETE")
        self.serve(lambda request: NOT_FOUND)
        self.swarm("delete", "agent", "reader", status=3)
        self.swarm("delete", "agent", "reader", "--ignore-not-found")


class Following(Case):
    def test_a_watch_that_breaks_goes_on_from_its_last_revision(self):
        streams = [[event("ADDED", agent("a", 5), 5), ": alive\n\n"],
                   [event("BOOKMARK", None, 8)], [event("DELETED", agent("a", 9), 9)]]

        def answer(request):
            if streams:
                return 200, iter(streams.pop(0))
            return 403, {"code": "PERMISSION_DENIED", "detail": "enough"}
        hive = self.serve(answer)
        seen, told = self.swarm("watch", "agents", status=5)
        self.assertEqual([line.split()[:2] for line in seen.splitlines()],
                         [["ADDED", "agents/a"], ["DELETED", "agents/a"]])
        self.assertEqual([r.query["resourceVersion"] for r in hive.requests],
                         ["0", "5", "8", "9"])
        self.assertIn("enough", told)

    def test_a_watch_that_came_too_late_begins_anew(self):
        streams = [[event("ADDED", agent("a", 5), 5), 'event: error\ndata: {"code":"OUT_OF_RANGE"}'
                    '\n\n'], [event("ADDED", agent("a", 9), 9), 'event: error\ndata: '
                    '{"code":"PERMISSION_DENIED","detail":"enough"}\n\n']]
        hive = self.serve(lambda request: (200, iter(streams.pop(0))))
        seen, told = self.swarm("watch", "agents", status=5)
        self.assertEqual(seen.count("agents/a"), 2)
        self.assertIn("changes were missed", told)
        self.assertIn("error: enough", told)
        self.assertEqual([r.query["resourceVersion"] for r in hive.requests], ["0", "0"])

    def test_get_with_watch_ends_with_its_timeout(self):
        def stream():
            yield event("ADDED", agent("a"), 5)
            time.sleep(1)
        self.serve(lambda request: (200, stream()))
        seen, _ = self.swarm("get", "agents", "-w", "--timeout=300ms")
        self.assertEqual(seen.splitlines()[0].split()[0], "NAME")
        self.assertEqual(len(seen.splitlines()), 2)

    def test_wait_ends_when_the_condition_comes(self):
        def answer(request):
            if request.query.get("watch"):
                return 200, iter([event("MODIFIED", agent("other", 6), 6),
                                  event("MODIFIED", agent(version=7), 7)])
            return 200, agent(ready="False")
        hive = self.serve(answer)
        seen, _ = self.swarm("wait", "agent/reader", "--for=condition=Ready")
        self.assertEqual(seen, "agents/reader condition met\n")
        self.assertEqual([r.query["name"] for r in hive.requests if r.query], ["reader"])
        self.swarm("wait", "agent/reader", "--for=jsonpath={.status.phase}=Ready")

    def test_a_condition_of_an_older_spec_does_not_count(self):
        old = agent()
        old["metadata"]["generation"] = "2"

        def stream():
            time.sleep(4)
            yield from ()
        self.serve(lambda request: (200, stream()) if request.query.get("watch") else (200, old))
        _, told = self.swarm("wait", "agent/reader", "--for=condition=Ready", "--timeout=3s",
                             status=7)  # All of it is for the first answer, if the machine is busy.
        self.assertIn("waited 3000 ms for condition Ready to be True; because", told)
        self.assertIn("swarm describe agents/reader", told)

    def test_the_end_of_logs_may_be_an_error(self):
        self.serve(lambda request: (200, iter(['event: error\ndata: {"code":"NOT_FOUND",'
                                               '"detail":"it is gone"}\n\n'])))
        self.assertIn("it is gone", self.swarm("logs", "reader", "-f", status=3)[1])

    def test_logs_are_followed(self):
        lines = ["event: log\ndata: %s\n\n" % json.dumps(
            {"time": "2026-01-01T00:00:00Z", "instance": "reader/a", "level": "info",
             "text": text}) for text in ("one", "two\033[2J")]
        hive = self.serve(lambda request: (200, iter(lines)))
        seen, _ = self.swarm("logs", "reader/a", "--tail=5")
        self.assertEqual(seen, "2026-01-01T00:00:00Z info  one\n"
                               "2026-01-01T00:00:00Z info  two?[2J\n")
        self.assertEqual(hive.requests[0].query, {"tail": "5", "key": "a"})


    def test_following_ends_when_nobody_reads_any_more(self):
        begun, over = threading.Event(), threading.Event()

        def stream():
            yield ":\n\n"
            begun.set()
            over.wait(30)
        self.serve(lambda request: (200, stream()))
        self.addCleanup(over.set)
        for words in (("logs", "reader", "-f"), ("watch", "agents")):
            begun.clear()
            with subprocess.Popen(("swarm", *words), stdout=subprocess.PIPE) as follower:
                self.assertTrue(begun.wait(20))
                follower.stdout.close()
                self.assertEqual(follower.wait(timeout=20), 0)


class Instances(Case):
    def test_all_pages_are_in_one_list(self):
        pages = [{"items": [{"name": "a/1", "pod": "a-x", "state": "Idle", "turns": "7"}],
                  "continue": "a/1"}, {"items": [{"name": "a/2"}], "continue": ""}]
        hive = self.serve(lambda request: (200, pages[1 if request.query.get("continue") else 0]))
        items = json.loads(self.swarm("get", "instances", "a", "-o", "json")[0])["items"]
        self.assertEqual([item["name"] for item in items], ["a/1", "a/2"])
        self.assertEqual((items[0]["pod"], items[0]["turns"]), ("a-x", "7"))
        self.assertEqual(hive.requests[1].query["continue"], "a/1")
        self.assertEqual(self.swarm("get", "instances", "a", "-o", "name")[0], "a/1\na/2\n")

    def page(self, request):
        """Of a server that has a million, and now and then finds nothing."""
        at = int(request.query.get("continue") or "0", 16)
        limit = int(request.query["limit"])
        items = [] if at // 10 % 3 == 1 else [
            {"name": f"a/{(number * 7919) % 1000003:07}", "state": "Asleep", "turns": str(number),
             "diskBytes": "2048", "usage": {"memoryBytes": "131072", "cpuNanoseconds": "5"}}
            for number in range(at, at + min(limit, 10))]
        return 200, {"items": items, "continue": f"{at + 10:010x}" if at < 70 else ""}

    def test_a_limit_ends_with_the_token_to_go_on_with(self):
        hive = self.serve(self.page)
        seen, said = self.swarm("get", "instances", "a", "--limit=15", "-o", "wide")
        self.assertEqual(len(seen.splitlines()), 1 + 15)
        self.assertRegex(seen, r"NAME +STATE +TURNS +WAITING +MEMORY +DISK .*\n"
                               r"a/0000000 +Asleep +0 +0 +128 KiB +2.0 KiB ")
        self.assertEqual(said, "there are more: --continue 000000001e\n")
        self.assertEqual([request.query["limit"] for request in hive.requests], ["15", "5", "5"])
        seen, said = self.swarm("get", "instances", "a", "--continue=000000001e", "-o", "name")
        self.assertEqual(len(seen.splitlines()), 30)
        self.assertEqual(said, "")
        page = json.loads(self.swarm("get", "instances", "a", "--limit=3", "-o", "json")[0])
        self.assertEqual((len(page["items"]), page["continue"]), (3, "000000000a"))

    def test_rows_of_all_pages_line_up_and_can_be_sorted(self):
        self.serve(self.page)
        lines = self.swarm("get", "instances", "a")[0].splitlines()
        self.assertEqual(len(lines), 1 + 50)
        self.assertEqual({line.index("Asleep") for line in lines[1:]}, {lines[0].index("STATE")})
        lines = self.swarm("get", "instances", "a", "--sort-by=turns", "--no-headers")[0]
        turns = [int(line.split()[2]) for line in lines.splitlines()]
        self.assertEqual(turns, sorted(turns, reverse=True))
        names = self.swarm("get", "instances", "a", "--sort-by=name", "-o", "name")[0].split()
        self.assertEqual(names, sorted(names, key=lambda name: int(name[2:])))
        self.swarm("get", "instances", "a", "--sort-by=colour", status=2)

    def test_yaml_is_that_of_json(self):
        name = 'a/z"x": {y}'
        self.serve(lambda request: (200, {"items": [
            {"name": name, "state": "Idle"}, {"name": "a/2", "usage": {"sent": "3"}}]}))
        seen = self.swarm("get", "instances", "a", "-o", "yaml")[0]
        self.assertTrue(seen.startswith('items:\n- name: "a/2"\n  pod: ""\n'))
        self.assertIn('\n  usage:\n    cpuNanoseconds: "0"\n', seen)
        self.assertIn(f"\n- name: {json.dumps(name)}\n", seen)
        self.assertTrue(seen.endswith('\ncontinue: ""\n'))
        self.serve(lambda request: (200, {"items": [], "continue": ""}))
        self.assertEqual(self.swarm("get", "instances", "a", "-o", "yaml")[0],
                         'items: []\ncontinue: ""\n')

    def test_what_is_chosen_is_chosen_by_the_server(self):
        hive = self.serve(lambda request: (200, {"items": []}))
        self.swarm("get", "instances", "agents/a/{t} 1", "--state=asleep,parked")
        self.assertEqual(hive.requests[0].query, {"limit": "1000", "prefix": "{t} 1",
                                                  "state": "asleep,parked"})
        self.swarm("get", "instances", "a", "--key-prefix=b&c")
        self.assertEqual(hive.requests[1].query["prefix"], "b&c")
        for words in (("instances", "a/b", "--key-prefix=b"), ("instances", "a", "--limit=0"),
                      ("instances", "a", "--count", "--limit=5"), ("agents", "--limit=5"),
                      ("instances", "a", "-o", "jsonpath={.items}"), ("agents", "--count")):
            self.swarm("get", *words, status=2)

    def test_counts_of_all_pages_are_added(self):
        self.serve(lambda request: (200, {
            "counts": {"Idle": "2", "Asleep": "999000", "Parked": "0"},
            "continue": "" if request.query.get("continue") else "0000000001"}))
        self.assertEqual(self.swarm("get", "instances", "a", "--count")[0],
                         "STATE    INSTANCES\nIdle     4\nAsleep   1998000\nTotal    1998004\n")
        counts = json.loads(self.swarm("get", "instances", "a", "--count", "-o", "json")[0])
        self.assertEqual(counts, {"counts": {"Idle": "4", "Asleep": "1998000", "Parked": "0"},
                                  "total": "1998004"})
        self.assertEqual(self.swarm("get", "instances", "a", "--count", "-o", "yaml")[0],
                         'counts:\n  Idle: "4"\n  Asleep: "1998000"\n  Parked: "0"\n'
                         'total: "1998004"\n')


class Messages(Case):
    def test_send_prints_the_reply_as_it_is(self):
        hive = self.serve(lambda request: (200, b"\0raw\xff", {
            "Content-Type": "x/y", "swarm-status": "0", "swarm-from": "support/a b"}))
        result = subprocess.run(("swarm", "send", "support/a b", "hello", "-v", "--priority=high",
                                 "--request-id=r1"), capture_output=True, check=True)
        self.assertEqual(result.stdout, b"\0raw\xff")
        self.assertIn(b"from support/a b, x/y", result.stderr)
        request = hive.requests[0]
        self.assertEqual((request.method, request.path), ("POST", AGENTS + "/support/send"))
        self.assertEqual(request.query, {"key": "a b", "reply": "true", "timeout": "30000ms",
                                         "priority": "high", "requestId": "r1"})
        self.assertEqual((request.body, request.headers["Content-Type"]), (b"hello", "text/plain"))

    def test_publish_tells_how_many_heard_it(self):
        hive = self.serve(lambda request: (200, {"subscribers": "3"}))
        seen, _ = self.swarm("publish", "news", "-f", "-", "--request-id=r2", data=b"\xff\xfe")
        self.assertEqual(seen, "published to 3 subscribers\n")
        self.assertEqual(hive.requests[0].query, {"subject": "news", "requestId": "r2"})
        self.assertEqual(hive.requests[0].headers["Content-Type"], "application/octet-stream")

    def make_folder(self):
        os.makedirs("docs/deep", exist_ok=True)
        files = {"a.txt": b"alpha", "deep/b.gz": gzip.compress(b"beta"), "c.bin": b"\0\1",
                 "latin": "gr\xfc\xdf".encode("latin-1"), "empty": b"", ".hidden": b"x",
                 "long": b"".join(b"%05d %s\n" % (i, b"x" * 58) for i in range(3000))}
        for name, content in files.items():
            with open(os.path.join("docs", name), "wb") as file:
                file.write(content)
        if not os.path.islink("docs/link"):
            os.symlink("a.txt", "docs/link")
        return files["long"]

    def test_each_file_becomes_a_message_to_an_instance_of_its_own(self):
        long_text = self.make_folder()
        hive = self.serve(lambda request: (200, ""))
        seen, _ = self.swarm("send", "reader", "--each", "docs/", "--parallel=4")
        bodies = {r.query["key"]: r.body for r in hive.requests}
        parts = [bodies.pop("long#1"), bodies.pop("long#2")]
        self.assertEqual(bodies, {"a.txt": b"alpha", "deep/b.gz": b"beta",
                                  "latin": "gr\xfc\xdf".encode()})
        self.assertEqual(b"".join(parts), long_text)
        self.assertTrue(all(part.endswith(b"\n") and len(part) <= 131072 for part in parts))
        self.assertRegex(seen, r"sent 5 messages \(0\.2 MiB\) from 4 files in .*; "
                               r"2 skipped \(no text\)\n")
        self.assertEqual({r.query["reply"] for r in hive.requests}, {"false"})
        # A new try of one of them is no new message; a second run is.
        self.assertRegex(hive.requests[0].query["requestId"], "^each-[0-9a-f]{16}$")
        self.assertEqual(len({r.query["requestId"] for r in hive.requests}), 1)
        self.swarm("send", "reader", "--each", "docs/")
        self.assertEqual(len({r.query["requestId"] for r in hive.requests}), 2)

    def test_each_tries_again_while_the_server_is_busy(self):
        self.make_folder()
        lock, refused = threading.Lock(), set()

        def answer(request):
            with lock:
                if request.query["key"] in refused:
                    return 200, ""
                refused.add(request.query["key"])
            return (429 if len(refused) % 2 else 503), {"code": "RESOURCE_EXHAUSTED"
                                                        if len(refused) % 2 else "UNAVAILABLE"}
        self.serve(answer)
        seen, told = self.swarm("send", "reader", "--each", "docs", "--parallel=4")
        self.assertIn("sent 5 messages", seen)
        self.assertIn("5 tried again", seen)
        self.assertEqual(told, "")

    def test_each_stops_when_the_agent_is_not_there(self):
        self.make_folder()
        self.serve(lambda request: NOT_FOUND)
        _, told = self.swarm("send", "reader", "--each", "docs", "--parallel=1", status=3)
        self.assertIn("there is no Agent", told)

    def test_each_tells_what_failed_and_goes_on(self):
        self.make_folder()
        self.serve(lambda request: (400, {"code": "INVALID_ARGUMENT", "detail": "too odd"})
                   if request.query["key"] == "a.txt" else (200, ""))
        seen, told = self.swarm("send", "reader", "--each", "docs", status=1)
        self.assertIn("warning: reader/a.txt: too odd\n", told)
        self.assertIn("sent 4 messages", seen)
        self.assertIn("; 1 failed", seen)


if __name__ == "__main__":
    unittest.main()
