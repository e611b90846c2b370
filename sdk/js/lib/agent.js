// The loop of an agent that thinks: ask a model, do what it wants done, tell it what came of that,
// until it answers.
import { SwarmError } from "./core.js";
import { formatOf, mend, model, readJson } from "./model.js";
import { validate } from "./schema.js";

const TURNS = 16;
const RESULT_MAX = 65536; // Of what a tool says, in characters.

function toolsOf(tools) {
  const list = Array.isArray(tools)
    ? tools : Object.entries(tools).map(([name, tool]) => ({ name, ...tool }));
  return new Map(list.map((tool) => {
    if (typeof tool.name !== "string" || typeof tool.run !== "function")
      throw new TypeError("a tool is {name, description, parameters, run}");
    return [tool.name, { parameters: { type: "object", properties: {} }, ...tool }];
  }));
}
function describe({ name, description, parameters }) {
  return { type: "function", function: { name, description, parameters } };
}

// What a tool says to a call, in words: a mistake is the model's to hear, not the end.
async function act(tools, { name, arguments: text }) {
  const tool = tools.get(name);
  if (!tool) return `error: there is no tool "${name}"`;
  let input;
  try {
    input = JSON.parse(text || "{}");
  } catch (error) {
    return `error: the arguments are not JSON: ${error.message}`;
  }
  const problems = validate(tool.parameters, input);
  if (problems.length > 0) return `error: ${problems.join("; ")}`;
  try {
    const result = await tool.run(input);
    const said = typeof result === "string" ? result : JSON.stringify(result) ?? "done";
    return said.slice(0, RESULT_MAX);
  } catch (error) {
    if (error?.message === "out of memory") throw error;
    return `error: ${error?.message ?? error}`;
  }
}

function add(usage, more) {
  usage.inputTokens += more?.prompt_tokens ?? 0;
  usage.outputTokens += more?.completion_tokens ?? 0;
}

/** Run until the model answers: {text, value, messages, turns, usage}. */
async function run({ model: name = "auto", instructions, input, messages = [], tools = [], schema,
                     maxTurns = TURNS, onStep, ...rest }) {
  const known = toolsOf(tools);
  const talk = [...messages];
  const usage = { inputTokens: 0, outputTokens: 0 };
  const request = { ...rest, model: name };
  if (known.size > 0) request.tools = [...known.values()].map(describe);
  if (schema) request.response_format = formatOf(schema);
  if (instructions && talk[0]?.role !== "system")
    talk.unshift({ role: "system", content: instructions });
  if (input !== undefined)
    talk.push({ role: "user", content: typeof input === "string" ? input : JSON.stringify(input) });
  for (let turns = 1; turns <= maxTurns; turns++) {
    const answer = await model.chat({ ...request, messages: talk });
    const said = answer.choices[0].message;
    talk.push(said);
    add(usage, answer.usage);
    for (const call of said.tool_calls ?? []) {
      const content = await act(known, call.function);
      talk.push({ role: "tool", tool_call_id: call.id, content });
      await onStep?.({ tool: call.function.name, arguments: call.function.arguments, content });
    }
    if (said.tool_calls?.length > 0) continue;
    const text = said.content ?? "";
    if (!schema) return { text, messages: talk, turns, usage };
    const { value, problems } = readJson(schema, text);
    if (problems.length === 0) return { text, value, messages: talk, turns, usage };
    talk.push({ role: "user", content: mend(problems) });
  }
  throw new SwarmError("EXHAUSTED", `the model has no answer after ${maxTurns} turns`);
}

export const agent = { run };
