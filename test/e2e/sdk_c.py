#!/usr/bin/python3
"""Agents in C that think: models, streams, structured answers, tools, requests and people, by the
headers of the SDK; with a provider that says what a test wants."""
# timeout: 120
import http.server
import json
import os
import subprocess
import threading
import unittest

import yaml
from js_agents import WAIT_S, Case, write
from swarmd import BUILD, run
from upstream import Upstream
from waiting import wait_for

GOOD = json.dumps({"city": "Bern", "people": 140000})


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        said = body or f"{self.command} {self.path} {self.headers.get('x-of')}".encode()
        self.send_response(404 if self.path == "/v1/none" else 200)
        self.send_header("content-type", "text/x-echo")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = do

    def log_message(self, *_words):
        pass


class Sdk(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.upstream = cls.enterClassContext(Upstream())
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        cls.host = f"127.0.0.1:{cls.server.server_address[1]}"
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)
        model = {"name": "small", "price": {"inputPerMillion": "1", "outputPerMillion": "10"},
                 "maxOutputTokens": 5000, "capabilities": ["chat", "tools", "jsonSchema"]}
        provider = {"apiVersion": "swarm/v1", "kind": "ModelProvider",
                    "metadata": {"name": "house"},
                    "spec": {"protocol": "openai", "baseURL": cls.upstream.url + "/v1",
                             "models": [model], "retries": {"attempts": 1}}}
        agent = {"apiVersion": "swarm/v1", "kind": "Agent", "metadata": {"name": "sdk"},
                 "spec": {"module": os.path.join(BUILD, "guests", "test_sdk.wasm"), "keyed": True,
                          "egress": [{"hosts": [cls.host], "paths": ["/v1/*"], "plain": True,
                                      "private": True, "methods": ["GET", "POST", "PUT"]}]}}
        manifest = yaml.safe_dump_all([provider, agent]).encode()
        run("swarm", "apply", "-f", write("sdk.yaml", manifest))
        run("swarm", "wait", "agent/sdk", "--for=condition=Ready", "--timeout=60s")

    def setUp(self):
        wait_for(lambda: self.tell("sdk/ready", "text: ready?")[0] == 200, "models are there",
                 WAIT_S)

    def last(self):
        return self.upstream.requests[-1].json

    def test_an_answer_and_a_failure(self):
        self.assertEqual(self.ask("sdk/a", 'text: "grüße"\n\x01'), 'You said: "grüße"\n\x01')
        self.assertEqual(self.last()["messages"], [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": '"grüße"\n\x01'}])
        self.upstream.script({"status": 400, "body": b'{"error": {"message": "not with me"}}'})
        status, words = self.tell("sdk/a", "text: hi")
        self.assertEqual(status, 400, words)
        self.assertIn("not with me", words)
        self.assertEqual(self.ask("sdk/a", "text: again"), "You said: again")
        self.upstream.script({"words": 20000})
        status, words = self.tell("sdk/a", "text: " + "long " * 20000)
        self.assertEqual(status, 429, words)
        self.assertIn("the room is too small for", words)

    def test_a_conversation_goes_on_over_messages_and_a_kill(self):
        self.assertEqual(self.ask("sdk/talk", "talk: one"), "You said: one")
        self.restart()
        self.assertEqual(self.ask("sdk/talk", "talk: two"), "You said: two")
        self.assertEqual([(each["role"], each["content"]) for each in self.last()["messages"]],
                         [("user", "one"), ("assistant", "You said: one"), ("user", "two")])
        self.assertEqual(self.last()["temperature"], 0)
        for words in ("x" * 15000, "y" * 5000):
            status, words = self.tell("sdk/talk", "talk: " + words)
        self.assertEqual(status, 429, words)
        self.assertIn("the room is too small for the conversation", words)

    def test_a_stream_in_pieces(self):
        self.assertEqual(self.ask("sdk/s", 'stream: all "of" it'),
                         'You |said: |all |"of" |it| = You said: all "of" it')
        gate = threading.Event()
        self.upstream.script({"gate": gate, "words": 3})
        pending = subprocess.Popen(["swarm", "send", "sdk/k", "stream: x", "--request-id=k"],
                                   stdout=subprocess.PIPE)
        wait_for(lambda: "Waiting" in run("swarm", "get", "instances", "sdk/k"), "it waits", WAIT_S)
        pending.kill()
        pending.communicate()
        self.restart()
        gate.set()
        self.assertEqual(run("swarm", "send", "sdk/k", "stream: x", "--request-id=k"),
                         "You |said: |x| = You said: x")

    def test_a_stream_that_ends_early(self):
        self.upstream.script({"cut": 3, "words": 9})
        self.assertEqual(self.client.send("sdk/s", b"stream: x")[0], 503)
        self.upstream.script({"words": 3000})
        status, words = self.tell("sdk/s", "stream: x")
        self.assertEqual(status, 429, words)
        self.assertIn("too small", words)
        self.upstream.script({"text": "go Stop go"}, {"text": "Stop"})
        self.assertEqual(self.tell("sdk/s", "stream: x")[0], 200)
        status, words = self.tell("sdk/s", "stream: x")
        self.assertEqual(status, 403, words)
        self.assertIn("the stream was ended by who read it", words)
        self.assertEqual(self.ask("sdk/s", "text: and now"), "You said: and now")

    def test_structured_answers_are_mended_in_bounded_tries(self):
        for way in ("json", "value"):
            self.upstream.script({"text": "Bern!"}, {"text": '{"city": "Bern"}'}, {"text": GOOD})
            self.assertEqual(json.loads(self.ask("sdk/j", way + ": where?")), json.loads(GOOD))
            texts = self.upstream.requests[-1].texts()
            self.assertTrue(any('lacks "people"' in text for text in texts), texts)
            self.assertTrue(any("not JSON" in text for text in texts), texts)
        self.assertEqual(self.last()["response_format"]["json_schema"]["name"], "answer")
        self.upstream.script(*[{"text": "{}"}] * 3)
        status, words = self.tell("sdk/j", "json: where?")
        self.assertEqual(status, 400, words)
        self.assertIn("no answer of 3 fits the schema", words)
        self.upstream.script({"text": f"```json\n{GOOD}\n```\n"})
        self.assertEqual(json.loads(self.ask("sdk/j", "json: where?")), json.loads(GOOD))

    def test_the_loop_runs_tools_until_there_is_an_answer(self):
        self.upstream.script({"tool": "order", "arguments": {"id": 7}},
                             {"tool": "order", "arguments": {"id": "seven"}},
                             {"tool": "nothing"}, {"text": "It was a lamp."})
        answer = json.loads(self.ask("sdk/t", "think: what was order 7?"))
        self.assertEqual((answer["text"], answer["turns"]), ("It was a lamp.", 4))
        self.assertGreater(answer["output"], 0)
        said = [each["content"] for each in self.last()["messages"] if each["role"] == "tool"]
        self.assertEqual(json.loads(said[0]), {"item": "lamp", "paid": 12.5})
        self.assertEqual(said[1], "error: id is string, not integer")
        self.assertEqual(said[2], 'error: there is no tool "nothing"')
        self.assertEqual(self.last()["tools"][0]["function"]["name"], "order")
        self.upstream.script({"tool": "order", "arguments": {"id": 8}}, {"text": "None."})
        self.ask("sdk/t", "think: 8?")
        self.assertEqual(self.last()["messages"][-1]["content"], "error: no order 8")
        self.upstream.script(*[{"tool": "count"}] * 4)
        status, words = self.tell("sdk/t", "think: for ever")
        self.assertEqual(status, 429, words)
        self.assertIn("the model has no answer after 4 turns", words)
        self.assertEqual(self.last()["messages"][-1]["content"], "done")
        self.upstream.script({"text": "done"})
        self.assertEqual(json.loads(self.ask("sdk/t", "think: again"))["counted"], 4)

    def fetch(self, path, **more):
        return self.tell("sdk/f", "fetch: " + json.dumps(
            {"url": f"http://{self.host}{path}"} | more))

    def test_requests_outside(self):
        self.assertEqual(self.fetch("/v1/x?y=1"), (200, "200 text/x-echo GET /v1/x?y=1 me"))
        self.assertEqual(self.fetch("/v1/none"), (200, "404 text/x-echo GET /v1/none me"))
        self.assertEqual(self.fetch("/v1/x", method="POST", body="grüße"),
                         (200, "200 text/x-echo grüße"))
        for base64 in ("/wD+", "/wD+AQ==", "/wD+AQI="):  # Bytes that are no text.
            answer = self.client.send("sdk/f", b"fetch: " + json.dumps(
                {"url": f"http://{self.host}/v1/x", "method": "PUT", "body": base64,
                 "bytes": True}).encode())[1]
            self.assertEqual(answer[:20], b"200 text/x-echo \xff\x00\xfe" + answer[19:20])
        status, words = self.fetch("/admin")
        self.assertEqual(status, 403, words)

    def test_people(self):
        for verdict, wanted in (("approve", 0), ("deny", 4)):
            pending = subprocess.Popen(["swarm", "send", "sdk/" + verdict, "approve: 12.00"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            found = []

            def asked(found=found):
                lines = run("swarm", "get", "approvals", "-o", "json")
                found[:] = [item["metadata"]["name"] for item in json.loads(lines)["items"]
                            if item.get("status", {}).get("phase", "Pending") == "Pending"]
                return found
            wait_for(asked, "people are asked", WAIT_S)
            run("swarm", "approvals", verdict, found[0], "--reason", "as I say")
            out, err = pending.communicate(timeout=WAIT_S)
            self.assertEqual(pending.returncode != 0, wanted != 0, err)
            self.assertIn("as I say", out + err)
            if wanted == 0:
                self.assertEqual(out, "12.00, as it was said: as I say")


if __name__ == "__main__":
    unittest.main()
