#!/usr/bin/python3
"""Agents in JavaScript outside: requests over HTTP as far as their rules go, and people."""
# timeout: 120
import http.server
import json
import subprocess
import threading
import unittest

from js_agents import WAIT_S, Case, apply
from swarmd import run
from waiting import wait_for

BUYER = """
    import { approve, fetch } from "swarm";
    export default async (message) => {
      const { url, ask, bytes, ...options } = message.json();
      if (ask) {
        const { text, decisions } = await approve(ask);
        return { text, by: decisions.map(({ verdict, reason }) => [verdict, reason]) };
      }
      if (bytes) options.body = new Uint8Array(bytes);
      const answer = await fetch(url, options);
      return { status: answer.status, ok: answer.ok, type: answer.headers.get("Content-Type"),
               bytes: [...(await answer.bytes())].slice(0, 8), text: await answer.text() };
    };
    """


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        said = body or f"{self.command} {self.path} {self.headers.get('x-of', '')}".encode()
        self.send_response(404 if self.path == "/v1/none" else 200)
        self.send_header("content-type", "text/x-echo")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = do

    def log_message(self, *_words):
        pass


class Outside(Case):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        apply("buyer", BUYER, limits={"memory": "8MiB"}, egress=[
            {"hosts": [self.url[len("http://"):]], "paths": ["/v1/*"], "plain": True,
             "private": True, "methods": ["GET", "POST", "PUT"]}])

    def fetch(self, path, **options):
        return json.loads(self.ask("buyer/a", json.dumps({"url": self.url + path} | options)))

    def test_fetch(self):
        said = self.fetch("/v1/x?y=1", headers={"X-Of": "me"})
        self.assertEqual((said["status"], said["ok"], said["type"], said["text"]),
                         (200, True, "text/x-echo", "GET /v1/x?y=1 me"))
        self.assertEqual(self.fetch("/v1/none")["ok"], False)
        self.assertEqual(self.fetch("/v1/x", method="post", body="grüße")["text"], "grüße")
        for bytes_ in ([255, 0, 254], [255, 0, 254, 1], [255, 0, 254, 1, 2]):
            self.assertEqual(self.fetch("/v1/x", method="PUT", bytes=bytes_)["bytes"], bytes_)
        status, words = self.tell("buyer/a", json.dumps({"url": self.url + "/admin"}))
        self.assertEqual(status, 403, words)

    def test_people(self):
        question = {"title": "Refund 42?", "text": "12.00", "editable": True, "timeout": 60000}
        for verdict, wanted in (("approve", 0), ("deny", 1)):
            pending = subprocess.Popen(["swarm", "send", "buyer/" + verdict,
                                        json.dumps({"ask": question})], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            found = []

            def asked(found=found):
                lines = run("swarm", "get", "approvals", "-o", "json")
                found[:] = [item["metadata"]["name"] for item in json.loads(lines)["items"]
                            if item.get("status", {}).get("phase", "Pending") == "Pending"]
                return found
            wait_for(asked, "people are asked", WAIT_S)
            run("swarm", "approvals", verdict, found[0], "--reason", "as I say")
            out, err = pending.communicate(timeout=WAIT_S)
            self.assertEqual(pending.returncode != 0, bool(wanted), err)
            if wanted:
                self.assertIn("as I say", err)
            else:
                self.assertEqual(json.loads(out), {"text": "12.00",
                                                   "by": [["approve", "as I say"]]})


if __name__ == "__main__":
    unittest.main()
