// The official libraries of OpenAI and Anthropic for JavaScript against an address that is said to be
// theirs: the same as sdk_clients.py does. Run by test/e2e/model_clients.py with the Node.js that has
// them; prints a line for each thing that went as the library promises.
//
// Arguments: base address of the gateway, file of the authority, file of certificate and key, folder
// of the packages.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [base, authority, identity, packages] = process.argv.slice(2);
const require = createRequire(join(packages, "package.json"));
const { OpenAI } = require("openai");
const { Anthropic } = require("@anthropic-ai/sdk");
const { Agent, fetch } = require("undici");

const pem = readFileSync(identity);
const dispatcher = new Agent({ connect: { ca: readFileSync(authority), cert: pem, key: pem } });
const options = { apiKey: "none", fetch, fetchOptions: { dispatcher }, timeout: 30000 };
const openai = new OpenAI({ ...options, baseURL: `${base}/openai/v1` });
const claude = new Anthropic({ ...options, baseURL: `${base}/anthropic` });
const hello = [{ role: "user", content: "hello there" }];
const sum = {
  type: "object", required: ["left", "right"],
  properties: { left: { type: "integer" }, right: { type: "integer" } },
};

function good(name, value, wanted) {
  assert.deepEqual(value, wanted, name);
  console.log(name);
}

async function all(stream, take) {
  const taken = [];
  for await (const each of stream) taken.push(take(each));
  return taken;
}

async function openaiChat(model) {
  const whole = await openai.chat.completions.create({ model, messages: hello });
  good(`chat ${model}`, whole.choices[0].message.content, "You said: hello there");
  good(`usage ${model}`, whole.usage.completion_tokens, 4);
  const chunks = await all(await openai.chat.completions.create(
    { model, messages: hello, stream: true, stream_options: { include_usage: true } }), (c) => c);
  good(`chat stream ${model}`, chunks.map((c) => c.choices[0]?.delta.content ?? "").join(""),
       "You said: hello there");
  good(`chat stream usage ${model}`, chunks.at(-1).usage.completion_tokens, 4);
}

async function openaiTools(model) {
  const tools = [{ type: "function", function: { name: "add", description: "adds",
                                                 parameters: sum } }];
  const whole = await openai.chat.completions.create({ model, messages: hello, tools });
  const { message } = whole.choices[0], [call] = message.tool_calls;
  good(`tool ${model}`, [call.function.name, JSON.parse(call.function.arguments)],
       ["add", { left: 1, right: 2 }]);
  const more = [...hello, message, { role: "tool", tool_call_id: call.id, content: "3 it is" }];
  const next = await openai.chat.completions.create({ model, messages: more, tools });
  good(`tool result ${model}`, next.choices[0].message.content, "You said: 3 it is");
  const last = await openai.chat.completions.stream({ model, messages: hello, tools })
    .finalChatCompletion();
  good(`tool stream ${model}`,
       JSON.parse(last.choices[0].message.tool_calls[0].function.arguments), { left: 1, right: 2 });
}

async function openaiResponses(model) {
  const whole = await openai.responses.create({ model, input: "hello there" });
  good(`responses ${model}`, whole.output_text, "You said: hello there");
  const stream = openai.responses.stream({ model, input: "hello there" });
  const deltas = await all(stream, (event) =>
    event.type === "response.output_text.delta" ? event.delta : "");
  good(`responses stream ${model}`, deltas.join(""), "You said: hello there");
  good(`responses final ${model}`, (await stream.finalResponse()).output_text,
       "You said: hello there");
}

async function claudeChat(model) {
  const asked = { model, max_tokens: 50, messages: hello };
  const whole = await claude.messages.create(asked);
  good(`messages ${model}`, whole.content[0].text, "You said: hello there");
  good(`messages usage ${model}`, whole.usage.output_tokens, 4);
  const stream = claude.messages.stream(asked);
  good(`messages stream ${model}`, await stream.finalText(), "You said: hello there");
  good(`messages final ${model}`, (await stream.finalMessage()).stop_reason, "end_turn");
}

async function claudeTools(model) {
  const tools = [{ name: "add", description: "adds", input_schema: sum }];
  const asked = { model, max_tokens: 50, messages: hello, tools };
  const whole = await claude.messages.create(asked);
  good(`messages tool ${model}`, [whole.stop_reason, whole.content[0].input],
       ["tool_use", { left: 1, right: 2 }]);
  const next = await claude.messages.create({ ...asked, messages: [
    ...hello, { role: "assistant", content: whole.content },
    { role: "user", content: [{ type: "tool_result", content: "3 it is",
                                tool_use_id: whole.content[0].id }] }] });
  good(`messages tool result ${model}`, next.content[0].text, "You said: 3 it is");
}

async function refusals() {
  const nothing = { model: "nothing", messages: hello, max_tokens: 5 };
  await assert.rejects(openai.chat.completions.create(nothing), OpenAI.NotFoundError);
  await assert.rejects(claude.messages.create(nothing), Anthropic.NotFoundError);
  await assert.rejects(
    openai.chat.completions.create({ model: "poor", messages: hello }, { maxRetries: 0 }),
    (refused) => refused instanceof OpenAI.RateLimitError && refused.message.includes("$0.5"));
  console.log("refusals");
}

for (const [name, client] of [["openai", openai], ["anthropic", claude]]) {
  const ids = await all(client.models.list(), (item) => item.id);
  good(`${name} models`, ["chatty", "claudy"].every((id) => ids.includes(id)), true);
}
for (const model of ["chatty", "claudy"]) {
  await openaiChat(model);
  await openaiResponses(model);
  await claudeChat(model);
  await openaiTools(`${model}-tools`);
  await claudeTools(`${model}-tools`);
}
const vectors = await openai.embeddings.create(
  { model: "vectors", input: ["abc"], encoding_format: "float" });
good("embeddings", vectors.data[0].embedding, [3, 0.5, -1]);
await refusals();
console.log("all");
