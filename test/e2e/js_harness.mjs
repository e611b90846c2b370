// The harness for agents in JavaScript (sdk/js/harness), as their authors' tests use it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const harness = pathToFileURL(`${process.env.SW_SOURCE}/sdk/js/harness/harness.js`);
const { start, script, Refusal } = await import(harness);
const program = (text) => new TextEncoder().encode(text);

test("answers and exceptions", async () => {
  const agent = await start(program(`
    import { log } from "swarm";
    let count = 0;
    export default (message) => {
      log.info("number", ++count);
      if (message.text === "throw") throw new TypeError("not this");
      return { count };
    };`));
  assert.deepEqual((await agent.send("hi")).json(), { count: 1 });
  await assert.rejects(agent.send("throw"), (error) => error instanceof Refusal &&
    error.code === "INTERNAL" && /TypeError: not this\n.*agent.js:6/.test(error.message));
  assert.deepEqual((await agent.send("hi")).json(), { count: 3 });
  assert.deepEqual(agent.logs[0], { level: "info", text: "number 1" });
});

test("waits are answered by the test, on a clock of its own", async () => {
  const agent = await start(program(`
    import { ask, call, publish, receive, self, send, sleep } from "swarm";
    export async function onMessage(message) {
      const begun = Date.now(), codes = [];
      await sleep(5000);
      const answer = await ask("worker/1", { q: 1 });
      for (const run of [() => ask("nobody"), () => receive({ timeout: 10 })])
        try { await run(); } catch (error) { codes.push(error.code); }
      send("other", "one way");
      publish("news.local", { n: 2 });
      const said = (await call("service", "?")).json();
      return { slept: Date.now() - begun, answer: answer.text, codes, said, key: self.key };
    }`), {
    agents: { worker: (message) => `${message.to} ${message.json().q}` },
    services: { service: () => ({ k: 1 }) }, self: { key: "ada" } });
  assert.deepEqual((await agent.send("hi")).json(), {
    slept: 5010, answer: "worker/1 1", codes: ["UNAVAILABLE", "TIMEOUT"], said: { k: 1 },
    key: "ada" });
  assert.equal(agent.sent[0].to, "other");
  assert.deepEqual(agent.published[0].body.json(), { n: 2 });
});

test("a scripted model: the loop, streams, and its end", async () => {
  const model = script({ tool: "add", arguments: { a: 1, b: 2 } }, "It is 3.", "some words here",
                       (request) => `asked ${request.messages.length}`);
  const agent = await start(program(`
    import { agent, model } from "swarm";
    const tools = { add: { parameters: { type: "object", required: ["a", "b"] },
                           run: ({ a, b }) => a + b } };
    export async function onMessage(message) {
      if (message.text !== "stream") return (await agent.run({ tools, input: message.text })).text;
      let text = "";
      for await (const event of await model.chat({ stream: true, messages: [] }))
        text += event.choices[0].delta.content ?? "";
      return text;
    }`), { model });
  assert.equal((await agent.send("1 and 2?")).text, "It is 3.");
  assert.equal(model.requests[1].messages.at(-1).content, "3");
  assert.equal((await agent.send("stream")).text, "some words here");
  assert.equal((await agent.send("how many?")).text, "asked 1");
  await assert.rejects(agent.send("more"), { code: "UNAVAILABLE" });
});

test("timers, receive, and programs that take over", async () => {
  const agent = await start(program(`
    import { receive, state } from "swarm";
    state.n = 0;
    setInterval(() => state.n++, 1000);
    export async function onMessage(message) {
      if (message.text !== "pair") return String(state.n);
      const other = await receive();
      other.reply("yours");
      return other.text;
    }`));
  await agent.advance(3500);
  assert.equal((await agent.send("?")).text, "3");
  const first = agent.send("pair"), second = agent.send("b");
  assert.equal((await second).text, "yours");
  assert.equal((await first).text, "b");
  await agent.upgrade(program(
    'import { state } from "swarm"; export default () => state.n + 100;'));
  assert.equal((await agent.send("?")).text, "103");
  await assert.rejects(
    agent.upgrade(program('export function upgrade() { throw new Error("not me"); }')), /not me/);
  assert.equal((await agent.send("?")).text, "103");
  await assert.rejects(start(program("let x = ;")), /SyntaxError[^]*agent.js:1:9/);
});
