#!/usr/bin/python3
"""Agents in JavaScript that think: models, streams, structured answers and tools, with a provider
that says what a test wants."""
# timeout: 240
# labels: kill
import json
import signal
import subprocess
import threading
import unittest

import yaml
from js_agents import WAIT_S, Case, apply
from swarmd import run
from upstream import Upstream
from waiting import wait_for

THINKER = """
    import { model, agent, state, SwarmError } from "swarm";
    const orders = { 7: { item: "lamp", paid: 12.5 } };
    const tools = {
      order: {
        description: "An order by its number.",
        parameters: { type: "object", properties: { id: { type: "integer" } }, required: ["id"] },
        run: ({ id }) => orders[id] ?? Promise.reject(new Error(`no order ${id}`)),
      },
      count: { run: () => (state.count = (state.count ?? 0) + 1) },
    };
    const schema = {
      type: "object", additionalProperties: false, required: ["city", "people"],
      properties: { city: { type: "string" }, people: { type: "integer", minimum: 1 } },
    };
    const ways = {
      text: (q) => model.text({ model: "small", messages: [{ role: "user", content: q }] }),
      chat: (q) => model.chat({ model: "small", messages: [{ role: "user", content: q }] }),
      messages: (q) => model.messages({ model: "small", max_tokens: 50,
                                        messages: [{ role: "user", content: q }] }),
      responses: (q) => model.responses({ model: "small", input: q }),
      embeddings: (q) => model.embeddings({ model: "vectors", input: [q, q + q] }),
      async stream(q) {
        const pieces = [];
        const messages = [{ role: "user", content: q }];
        for await (const event of await model.chat({ model: "small", stream: true, messages }))
          pieces.push(event.choices[0]?.delta.content ?? "");
        return pieces;
      },
      json: (q) => model.json({ model: "small", schema, messages: [{ role: "user", content: q }] }),
      async run(q) {
        const { text, turns, usage, messages } = await agent.run(
          { model: "small", instructions: "Be kind.", input: q, tools, maxTurns: 4 });
        const said = messages.filter(({ role }) => role === "tool").map(({ content }) => content);
        return { text, turns, said, usage, count: state.count ?? 0 };
      },
      async value(q) {
        return (await agent.run({ model: "small", input: q, schema })).value;
      },
    };
    export default async (message) => {
      const [way, q] = message.text.split(": ");
      return await ways[way](q);
    };
    """


class Models(Case):
    def setUp(self):
        self.upstream = self.enterContext(Upstream())
        models = [{"name": "small", "price": {"inputPerMillion": "1", "outputPerMillion": "10"},
                   "maxOutputTokens": 100, "capabilities": ["chat", "tools", "jsonSchema"]},
                  {"name": "vectors", "price": {"inputPerMillion": "1", "outputPerMillion": "0"},
                   "capabilities": ["embeddings"]}]
        self.provider = {
            "apiVersion": "swarm/v1", "kind": "ModelProvider", "metadata": {"name": "house"},
            "spec": {"protocol": "openai", "baseURL": self.upstream.url + "/v1", "models": models,
                     "apis": ["chat", "responses", "embeddings"],
                     "retries": {"attempts": 2, "backoff": "20ms"}}}
        run("swarm", "apply", "-f", "-", data=yaml.safe_dump(self.provider).encode())
        self.addCleanup(run, "swarm", "delete", "modelprovider", "house")
        apply("thinker", THINKER, limits={"memory": "16MiB"})
        wait_for(lambda: self.tell("thinker/ready", "text: ready?")[0] == 200, "models are there",
                 20)

    def answer(self, text):
        return json.loads(self.ask("thinker/a", text))

    def test_each_protocol(self):
        self.assertEqual(self.ask("thinker/a", "text: hi"), "You said: hi")
        self.assertEqual(self.answer("chat: hi")["choices"][0]["message"]["content"],
                         "You said: hi")
        self.assertEqual(self.answer("messages: hi")["content"][0]["text"], "You said: hi")
        self.assertEqual(self.answer("responses: hi")["output"][0]["content"][0]["text"],
                         "You said: hi")
        self.assertEqual(len(self.answer("embeddings: hi")["data"]), 2)

    def test_what_a_provider_refuses_is_told(self):
        self.upstream.script({"status": 400, "body": b'{"error": {"message": "not with me"}}'})
        status, words = self.tell("thinker/a", "text: hi")
        self.assertEqual(status, 400, words)
        self.assertIn("not with me", words)

    def test_streams_come_in_pieces_over_a_kill(self):
        self.assertEqual("".join(self.answer("stream: all of it")), "You said: all of it")
        gate = threading.Event()
        self.upstream.script({"gate": gate, "words": 4})
        pending = subprocess.Popen(["swarm", "send", "thinker/k", "stream: x", "--request-id=k"],
                                   stdout=subprocess.PIPE)
        wait_for(lambda: "Waiting" in run("swarm", "get", "instances", "thinker/k"), "it waits",
                 WAIT_S)
        pending.kill()
        pending.communicate()
        self.restart(signal.SIGKILL)
        gate.set()
        answer = run("swarm", "send", "thinker/k", "stream: x", "--request-id=k")
        self.assertEqual("".join(json.loads(answer)), "You said: x")

    def test_structured_answers_are_mended_in_bounded_tries(self):
        good = json.dumps({"city": "Bern", "people": 140000})
        for way in ("json", "value"):
            self.upstream.script({"text": "Bern!"}, {"text": '{"city": "Bern"}'}, {"text": good})
            self.assertEqual(self.answer(way + ": where?"), json.loads(good))
            texts = self.upstream.requests[-1].texts()
            self.assertTrue(any('lacks "people"' in text for text in texts), texts)
            self.assertTrue(any("not JSON" in text for text in texts), texts)
        self.assertEqual(
            self.upstream.requests[-1].json["response_format"]["json_schema"]["name"], "answer")
        self.upstream.script(*[{"text": "{}"}] * 3)
        status, words = self.tell("thinker/a", "json: where?")
        self.assertEqual(status, 400, words)
        self.assertIn("no answer of 3 fits the schema", words)
        self.upstream.script({"text": f"```json\n{good}\n```"})
        self.assertEqual(self.answer("json: where?"), json.loads(good))

    def test_the_loop_runs_tools_until_there_is_an_answer(self):
        self.upstream.script({"tool": "order", "arguments": {"id": 7}},
                             {"tool": "order", "arguments": {"id": "seven"}},
                             {"tool": "nothing"}, {"text": "It was a lamp."})
        said = self.answer("run: what was order 7?")
        self.assertEqual((said["text"], said["turns"]), ("It was a lamp.", 4))
        self.assertEqual(json.loads(said["said"][0]), {"item": "lamp", "paid": 12.5})
        self.assertIn("id is string, not integer", said["said"][1])
        self.assertIn('no tool "nothing"', said["said"][2])
        self.assertGreater(said["usage"]["outputTokens"], 0)
        asked = self.upstream.requests[-1].json
        self.assertEqual(asked["tools"][0]["function"]["name"], "order")
        self.assertEqual(asked["messages"][0], {"role": "system", "content": "Be kind."})
        self.upstream.script({"tool": "order", "arguments": {"id": 8}}, {"text": "None."})
        self.assertEqual(self.answer("run: 8?")["said"], ["error: no order 8"])
        self.upstream.script(*[{"tool": "count"}] * 4)
        status, words = self.tell("thinker/loop", "run: for ever")
        self.assertEqual(status, 429, words)
        self.assertIn("no answer after 4 turns", words)
        self.upstream.script({"text": "done"})
        self.assertEqual(json.loads(self.ask("thinker/loop", "run: again"))["count"], 4)


if __name__ == "__main__":
    unittest.main()
