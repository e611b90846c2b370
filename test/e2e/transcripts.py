#!/usr/bin/python3
"""swarm agent transcript: what an instance said to models is told turn by turn, each message once,
with ids that anybody can make again, over streams, tools, refusals, a kill, and snapshots."""
# timeout: 120
# labels: kill
import hashlib
import json
import signal
import subprocess
import threading
import unittest

import programs
import yaml
from js_agents import WAIT_S, Case, apply
from swarmd import run
from upstream import Upstream
from waiting import wait_for

TALKER = """
    import { model, agent, state } from "swarm";
    const tools = { price: { run: ({ id }) => `${id} costs 12.50` } };
    const ways = {
      async say(text) {
        state.messages ??= [{ role: "system", content: "Be kind." }];
        state.messages.push({ role: "user", content: text });
        const answer = await model.chat({ model: "small", messages: state.messages });
        state.messages.push(answer.choices[0].message);
        return answer.choices[0].message.content;
      },
      async anew(text) {
        state.messages = undefined;
        return await ways.say(text);
      },
      async stream(text) {
        const messages = [...state.messages, { role: "user", content: text }];
        let said = "";
        for await (const event of await model.chat({ model: "small", stream: true, messages }))
          said += event.choices[0]?.delta.content ?? "";
        return said;
      },
      async claude(text) {
        const answer = await model.messages({ model: "small", max_tokens: 50, system: "Be short.",
                                              messages: [{ role: "user", content: text }] });
        return answer.content[0].text;
      },
      async tool(text) {
        const asked = { model: "small", instructions: "Sell.", input: text, tools };
        return (await agent.run(asked)).text;
      },
    };
    export default async (message) => {
      const at = message.text.indexOf(": ");
      return await ways[message.text.slice(0, at)](message.text.slice(at + 2));
    };
    """

PROGRAM = b"""
import json, os, sys, urllib.request
said = []
for text in sys.stdin.read().split():
    asked = json.dumps({"model": "small", "messages": [{"role": "user", "content": text}]})
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions",
                                     asked.encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        said.append(str(answer.status))
print(" ".join(said), end="")
"""


def pages(name, *words):
    text, entries, first = run("swarm", "agent", "transcript", name, *words, "-o", "json"), [], None
    while text:
        page, end = json.JSONDecoder().raw_decode(text)
        first = first or page
        entries += page["entries"]
        text = text[end:].lstrip()
    return first, entries


def calls_of(entries):
    return [entry for entry in entries if entry["kind"] == "call"]


def messages_of(entries):
    return [entry for entry in entries if entry["kind"] == "message"]


def said(entries):
    return [(entry["role"], entry["text"]) for entry in messages_of(entries)]


class Transcripts(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.upstream = cls.enterClassContext(Upstream())
        price = {"inputPerMillion": "1000", "outputPerMillion": "1000"}
        models = [{"name": "small", "price": price,
                   "maxOutputTokens": 100, "capabilities": ["chat", "tools"]}]
        provider = {
            "apiVersion": "swarm/v1", "kind": "ModelProvider", "metadata": {"name": "house"},
            "spec": {"protocol": "openai", "baseURL": cls.upstream.url + "/v1", "models": models,
                     "apis": ["chat", "responses", "embeddings"],
                     "retries": {"attempts": 1}}}
        run("swarm", "apply", "-f", "-", data=yaml.safe_dump(provider).encode())
        apply("talker", TALKER, limits={"memory": "16MiB"})
        wait_for(lambda: cls.client.send("talker/ready", b"anew: ready?")[0] == 200,
                 "models are there", WAIT_S)

    def test_each_message_is_told_once(self):
        for text in ("say: one", "say: two", "anew: three"):
            self.ask("talker/a", text)
        _, entries = pages("talker/a")
        calls = calls_of(entries)
        self.assertEqual(said(entries), [
            ("system", "Be kind."), ("user", "one"), ("assistant", "You said: one"),
            ("user", "two"), ("assistant", "You said: two"),
            ("user", "three"), ("assistant", "You said: three")])
        self.assertEqual([(c["messages"], c["shared"]) for c in calls],
                         [("2", "0"), ("4", "3"), ("2", "1")])
        ids = [message["id"] for message in messages_of(entries)]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual([c["continues"] for c in calls[1:]], [ids[2], ids[0]])
        self.assertEqual([c["id"] for c in calls], [ids[1], ids[3], ids[5]])
        parents = [message.get("parent") for message in messages_of(entries)]
        self.assertEqual(parents, [None, ids[0], ids[1], ids[2], ids[3], ids[0], ids[5]])
        for call in calls:
            self.assertEqual((call["provider"], call["model"], call["outcome"], call["service"]),
                             ("house", "small", "answered", "swarm.model.chat"))
            tokens = int(call["inputTokens"]) + int(call["outputTokens"])
            self.assertEqual(int(call["costNano"]), tokens * 1000000)

    def test_ids_can_be_made_again(self):
        self.ask("talker/ids", "say: \"quoted\"\nand \u00fc")
        _, entries = pages("talker/ids")
        last = bytes(32)
        for message in messages_of(entries):
            text = json.dumps(message["text"], ensure_ascii=False)
            canonical = f'{{"role":"{message["role"]}","content":{text}}}'
            last = hashlib.sha256(last + canonical.encode()).digest()
            self.assertEqual(message["id"], last.hex(), canonical)

    def test_streams_tools_and_other_protocols(self):
        self.upstream.script({}, {}, {"tool": "price", "arguments": {"id": 7}}, {"text": "12.50"})
        for text in ("say: hi", "stream: and on", "tool: what is 7?", "claude: bye"):
            self.ask("talker/b", text)
        _, entries = pages("talker/b")
        self.assertEqual(said(entries), [
            ("system", "Be kind."), ("user", "hi"), ("assistant", "You said: hi"),
            ("user", "and on"), ("assistant", "You said: and on"),
            ("system", "Sell."), ("user", "what is 7?"), ("assistant", ""),
            ("tool", "7 costs 12.50"), ("assistant", "12.50"),
            ("system", "Be short."), ("user", "bye"), ("assistant", "You said: bye")])
        tool = messages_of(entries)[7]["toolCalls"]
        self.assertEqual([(t["name"], json.loads(t["arguments"])) for t in tool],
                         [("price", {"id": 7})])
        self.assertEqual([c["shared"] for c in calls_of(entries)], ["0", "3", "0", "3", "0"])
        text = run("swarm", "agent", "transcript", "talker/b")
        self.assertIn('assistant  calls price({"id": 7})', text)
        self.assertIn("(3 messages before)", text)
        self.assertIn("user       and on", text)
        _, only = pages("talker/b", "@2..@3")
        self.assertEqual(said(only), said(entries)[:3])

    def test_programs_whose_requests_are_recorded(self):
        image = programs.push_image("asks", {"main.py": PROGRAM})
        programs.apply("program", {"image": image, "record": True,
                                   "command": ["python3", "-B", "main.py"]})
        self.assertEqual(self.tell("program/a", "one two")[1], "200 200")
        _, entries = pages("program/a")
        self.assertEqual(said(entries), [("user", "one"), ("assistant", "You said: one"),
                                         ("user", "two"), ("assistant", "You said: two")])
        self.assertEqual({call["provider"] for call in calls_of(entries)}, {"house"})

    def test_refusals_and_what_waits_over_a_kill(self):
        self.upstream.script({"status": 400, "body": b'{"error": {"message": "not with me"}}'})
        self.assertEqual(self.tell("talker/c", "say: rude")[0], 400)
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.upstream.script({"gate": gate})
        slow = "anew: " + "slow " * 2000  # Too large for the record of the call.
        with subprocess.Popen(["swarm", "send", "talker/c", slow, "--request-id=c"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as pending:
            wait_for(lambda: "Waiting" in run("swarm", "get", "instances", "talker/c"),
                     "it waits", WAIT_S)
            _, entries = pages("talker/c")
            self.assertEqual([c["outcome"] for c in calls_of(entries)], ["failed", "waits"])
            self.assertIn("not with me", calls_of(entries)[0]["words"])
            pending.kill()
        asked = len(self.upstream.requests)
        self.restart(signal.SIGKILL)
        wait_for(lambda: len(self.upstream.requests) > asked, "it is asked again", WAIT_S)
        self.assertEqual(self.upstream.requests[-1].texts()[-1], slow[6:])
        gate.set()
        run("swarm", "send", "talker/c", slow, "--request-id=c")
        text = run("swarm", "agent", "transcript", "talker/c", "-o", "wide")
        self.assertIn("not with me", text)
        self.assertIn("You said: slow", text)


if __name__ == "__main__":
    unittest.main()
