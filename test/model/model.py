#!/usr/bin/python3
"""A real model behind the gateway: programs over the API port, an agent in JavaScript with a tool,
and an unmodified program in a sandbox, whole and streamed; what they use is counted and settled."""
import json
import os
import subprocess
import unittest

import programs
import yaml
from js_agents import apply as apply_js
from swarmd import BASE, Client, Daemon, run
from waiting import wait_for

SOURCE = os.environ["SW_SOURCE"]
PYTHON = os.path.join(SOURCE, ".cache", "model", "bin", "python")
PACKAGES = os.path.join(os.environ["SW_VENV"], "lib", "python3.11", "site-packages")
OPENAI = """annotated_types anyio certifi charset_normalizer distro h11 httpcore httpcore2 httpx
    httpx2 idna jiter openai pydantic pydantic_core sniffio truststore typing_extensions
    typing_inspection""".split()
PATH = BASE + "/namespaces/default/openai/v1"
DEADLINE_S, WORDS_MAX = 60, 48
# Dollars for a million tokens, so that a token in costs 1,000 billionths and one out 2,000.
PRICE = {"inputPerMillion": "1", "outputPerMillion": "2"}
AGENT = """
    import { model, validate } from "swarm";
    const orders = { 7: "a lamp", 8: "a chair" };
    const tool = {
      schema: { type: "object", additionalProperties: false, required: ["id"],
                properties: { id: { type: "integer", enum: [7, 8] } } },
      run: ({ id }) => orders[id],
    };
    const request = (content) => ({
      model: "smol", temperature: 0, max_tokens: 40, messages: [{ role: "user", content }] });
    export default async ({ text }) => {
      const input = await model.json({ ...request(`Which order? ${text}`), schema: tool.schema });
      const found = tool.run(input);
      const whole = await model.chat(request(`The order is ${found}. Say what was ordered.`));
      const pieces = [];
      let usage;
      const options = { stream: true, stream_options: { include_usage: true } };
      for await (const event of await model.chat({ ...request(text), ...options })) {
        pieces.push(event.choices[0]?.delta.content ?? "");
        usage = event.usage ?? usage;
      }
      return { input, problems: validate(tool.schema, input), found, pieces,
               said: whole.choices[0].message.content, usages: [whole.usage, usage] };
    };
    """


class Model(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = subprocess.Popen(
            [PYTHON, os.path.join(SOURCE, "test", "model", "server.py")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        cls.addClassCleanup(cls.stop_model)
        url = cls.model.stdout.readline().strip()
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.addClassCleanup(cls.daemon.end)
        cls.client = Client(cls.daemon)
        cls.addClassCleanup(cls.client.close)
        run("swarm", "apply", "-f", "-", data=yaml.safe_dump_all([
            {"apiVersion": "swarm/v1", "kind": "ModelProvider", "metadata": {"name": "local"},
             "spec": {"protocol": "openai", "baseURL": url + "/v1", "timeout": "2m",
                      "models": [{"name": "smol", "upstream": "smollm2", "price": PRICE,
                                  "capabilities": ["chat", "jsonSchema"],
                                  "contextTokens": 2048, "maxOutputTokens": WORDS_MAX}]}},
            {"apiVersion": "swarm/v1", "kind": "Budget", "metadata": {"name": "all"},
             "spec": {"limits": {"money": "1.00", "tokens": 1000000}}}]).encode())
        wait_for(lambda: b"smol" in cls.client.request("GET", PATH + "/models")[2],
                 "the model is there", DEADLINE_S)

    @classmethod
    def stop_model(cls):
        cls.model.stdin.close()
        cls.model.wait()
        cls.model.stdout.close()

    def spent(self):
        status = self.client.get("/namespaces/default/budgets/all").get("status", {})
        spent = status.get("spent", {})
        return {name: int(spent.get(name, 0)) for name in ("calls", "tokens")} | {
            "nano": round(float(str(spent.get("money", 0)).lstrip("$")) * 1e9)}

    def settled(self, before, usages, unseen=0):
        """The budget has these calls, and their tokens at their price; unseen: so many more calls,
        whose tokens nobody told."""
        calls = before["calls"] + len(usages) + unseen
        wait_for(lambda: self.spent()["calls"] == calls, "all calls are settled", DEADLINE_S)
        after = self.spent()
        for usage in usages:
            self.assertGreater(usage["prompt_tokens"], 5)
            self.assertTrue(0 < usage["completion_tokens"] <= WORDS_MAX, usage)
        tokens = sum(usage["prompt_tokens"] + usage["completion_tokens"] for usage in usages)
        nano = sum(1000 * usage["prompt_tokens"] + 2000 * usage["completion_tokens"]
                   for usage in usages)
        if unseen == 0:
            self.assertEqual(after["tokens"] - before["tokens"], tokens)
            self.assertEqual(after["nano"] - before["nano"], nano)
        else:
            self.assertGreater(after["tokens"] - before["tokens"], tokens)
            self.assertGreater(after["nano"] - before["nano"], nano)

    def ask(self, **more):
        body = {"model": "smol", "max_tokens": 24, "temperature": 0,
                "messages": [{"role": "user", "content": "Tell me about the sea."}]} | more
        status, _, answer = self.client.request("POST", PATH + "/chat/completions",
                                                json.dumps(body),
                                                {"content-type": "application/json"})
        self.assertEqual(status, 200, answer)
        return answer.decode()

    def test_a_chat(self):
        before = self.spent()
        answer = json.loads(self.ask())
        self.assertEqual(answer["model"], "smol")
        self.assertTrue(answer["choices"][0]["message"]["content"].strip())
        self.settled(before, [answer["usage"]])

    def test_a_stream(self):
        before = self.spent()
        lines = self.ask(stream=True, stream_options={"include_usage": True}).split("\n")
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        words = [choice["delta"].get("content") or "" for event in events
                 for choice in event["choices"]]
        self.assertGreater(len([word for word in words if word]), 5)  # It comes piece by piece.
        self.assertIn("data: [DONE]", lines)
        self.settled(before, [event["usage"] for event in events if event.get("usage")])

    def test_an_agent_in_javascript(self):
        apply_js("clerk", AGENT, limits={"memory": "16MiB"})
        before = self.spent()
        status, body, *_ = self.client.send("clerk/one", b"I ask about order 8.")
        said = json.loads(body)
        self.assertEqual((status, said["problems"]), (200, []), body)
        self.assertEqual(said["found"], {7: "a lamp", 8: "a chair"}[said["input"]["id"]])
        self.assertTrue(said["said"].strip())
        self.assertGreater(len([piece for piece in said["pieces"] if piece]), 5)
        self.settled(before, said["usages"], unseen=1)
        kept = run("swarm", "agent", "transcript", "clerk/one")
        self.assertIn("I ask about order 8.", kept)
        self.assertIn(said["said"].strip().split("\n")[0][:40], kept)

    def test_an_unmodified_program(self):
        image = programs.push_image("asks", {"main.py": self.program()},
                                    programs.installed(PACKAGES, *OPENAI))
        programs.apply("asks", {"image": image, "packages": [], "tasks": 128,
                                "command": ["python3", "main.py"]})
        before = self.spent()
        status, body, *_ = self.client.send("asks/one", b"What is the sea made of?")
        self.assertEqual(status, 200, body.decode() + run("swarm", "logs", "asks"))
        said = json.loads(body)
        self.assertTrue(said["whole"].strip())
        self.assertGreater(len([piece for piece in said["pieces"] if piece]), 5)
        self.settled(before, said["usages"])

    @staticmethod
    def program():
        with open(os.path.join(SOURCE, "test", "model", "asks.py"), "rb") as file:
            return file.read()


if __name__ == "__main__":
    unittest.main()
