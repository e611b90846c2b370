// Models, by the services swarm.model.*: requests and answers are documents of OpenAI's and
// Anthropic's protocols, which the node's gateway speaks (docs/operations/models.md).
import { SwarmError, call } from "./core.js";
import { validate } from "./schema.js";

const STREAM = "application/vnd.swarm.stream";
const LAST = "text/event-stream; last";
const TRIES = 3;

// The events of a stream, as they come: each call brings whole ones.
async function* events(name) {
  let size = 0, type;
  do {
    const piece = await call("swarm.model.next", `${name} ${size}`);
    ({ type } = piece);
    size += piece.bytes.length;
    for (const line of piece.text.split("\n")) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
      const event = JSON.parse(line.slice(6));
      if (event.error) throw new SwarmError("UNAVAILABLE", event.error.message);
      yield event;
    }
  } while (type !== LAST);
}

function service(name) {
  return async (request, options) => {
    const answer = await call(`swarm.model.${name}`, request, options);
    return answer.type === STREAM ? events(answer.text) : answer.json();
  };
}
const chat = service("chat");

function asRequest(request) {
  return typeof request === "string"
    ? { model: "auto", messages: [{ role: "user", content: request }] }
    : { model: "auto", ...request };
}

/** The text that a model answers with. */
async function text(request, options) {
  const answer = await chat(asRequest(request), options);
  return answer.choices[0].message.content ?? "";
}

/** What is wrong with an answer that should be JSON of a schema, in words; or its value. */
export function readJson(schema, content) {
  let value;
  try {
    const fenced = /^\s*```(?:json)?\s*\n([\s\S]*?)\n\s*```\s*$/.exec(content);
    value = JSON.parse(fenced ? fenced[1] : content);
  } catch (error) {
    return { problems: [`this is not JSON: ${error.message}`] };
  }
  return { value, problems: validate(schema, value) };
}
export const mend = (problems) =>
  `That does not fit the schema: ${problems.join("; ")}. Answer again with the JSON alone.`;
export const formatOf = (schema) =>
  ({ type: "json_schema", json_schema: { name: "answer", schema, strict: true } });

/** A value of the schema. An answer that does not fit is sent back with what is wrong with it. */
async function json({ schema, tries = TRIES, ...request }, options) {
  const asked = asRequest(request);
  const messages = [...asked.messages];
  let problems;
  for (let i = 0; i < tries; i++) {
    const answer = await chat({ ...asked, messages, response_format: formatOf(schema) }, options);
    const content = answer.choices[0].message.content ?? "";
    const read = readJson(schema, content);
    if (read.problems.length === 0) return read.value;
    ({ problems } = read);
    messages.push({ role: "assistant", content }, { role: "user", content: mend(problems) });
  }
  throw new SwarmError("INVALID", `no answer of ${tries} fits the schema: ${problems.join("; ")}`);
}

export const model = {
  chat, responses: service("responses"), embeddings: service("embeddings"),
  messages: service("messages"), text, json,
};
