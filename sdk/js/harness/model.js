// A model that says what a test wants, as the services swarm.model.* of a node answer.
import { Message, Refusal } from "./words.js";

const STREAM = "application/vnd.swarm.stream", LAST = "text/event-stream; last";

function messageOf(step, number) {
  if (typeof step === "string") return { role: "assistant", content: step };
  if (!step.tool) return { role: "assistant", ...step };
  const call = { name: step.tool, arguments: JSON.stringify(step.arguments ?? {}) };
  return { role: "assistant", content: null,
           tool_calls: [{ id: `call_${number}`, type: "function", function: call }] };
}

/** Answers in their order, each a text, {tool, arguments}, a message, an Error, or a function of
 * the request that returns one of these. `requests` of what is returned are those that came. */
export function script(...steps) {
  const requests = [], streams = new Map();
  const take = (request) => {
    requests.push(request);
    if (steps.length === 0) throw new Refusal("UNAVAILABLE", "the script has no further answer");
    const step = steps.shift();
    const said = typeof step === "function" ? step(request) : step;
    if (said instanceof Error) throw said;
    return messageOf(said, requests.length);
  };
  const chat = (asked) => {
    const request = asked.json();
    const message = take(request);
    const finish = message.tool_calls ? "tool_calls" : "stop";
    const usage = { prompt_tokens: Math.ceil(asked.bytes.length / 4),
                    completion_tokens: Math.ceil((message.content ?? "").length / 4) };
    if (!request.stream)
      return { object: "chat.completion", model: request.model, usage,
               choices: [{ index: 0, message, finish_reason: finish }] };
    const name = `stream-${requests.length}`;
    const pieces = (message.content ?? "").split(/(?<= )/).map((content) => ({ content }));
    streams.set(name, [...pieces, { tool_calls: message.tool_calls }].map((delta) =>
      `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`)
      .join("") + "data: [DONE]\n\n");
    return new Message({ type: STREAM, bytes: new TextEncoder().encode(name) });
  };
  const next = (asked) => {
    const [name, after] = asked.text.split(" ");
    const bytes = new TextEncoder().encode(streams.get(name) ?? "");
    return new Message({ type: LAST, bytes: bytes.subarray(Number(after)) });
  };
  const services = { "swarm.model.chat": chat, "swarm.model.next": next };
  return Object.defineProperty(services, "requests", { value: requests, enumerable: false });
}
