// What an agent in JavaScript is made of: messages, effects, waits and timers, on top of the
// functions of guest ABI swarm/1, the global `host`, which is taken away here.
//
// A handler is a function that may be asynchronous. Of its waits (ask, call, receive, sleep) the
// host knows one at a time; the others queue here. Its turn ends when its promise is settled and no
// wait is left. What a turn left behind that failed in the middle is forgotten by the next one.

const host = globalThis.host;
delete globalThis.host;

const DONE = 0, WAITING = 1, AGAIN = 2;
const ASK = 0, SERVICE = 1, RECEIVE = 2, SLEEP = 3;
const PUBLISHED = 4;
const CODES = {
  INVALID: -3, TIMEOUT: -4, NOT_FOUND: -5, DENIED: -7, EXHAUSTED: -8, PRECONDITION: -9,
  DEADLOCK: -10, INTERNAL: -13, UNAVAILABLE: -14,
};
const NAMES = Object.fromEntries(Object.entries(CODES).map(([name, code]) => [code, name]));
const PRIORITIES = { low: 0, normal: 1, high: 2, urgent: 3 };
const WORDS_MAX = 4096;

/** A refusal: `code` is its name, such as "TIMEOUT". A handler that throws one refuses with it. */
export class SwarmError extends Error {
  constructor(code, words) {
    super(words || code);
    this.name = "SwarmError";
    this.code = code in CODES ? code : "INTERNAL";
  }
}

function check(status, what) {
  if (status < 0) throw new SwarmError(NAMES[status] ?? "INTERNAL", `${what}: ${NAMES[status]}`);
}

// --- Bodies -----------------------------------------------------------------------------------

function encode(body, type) {
  if (body === undefined || body === null) return [type ?? "", ""];
  if (typeof body === "string") return [type ?? "text/plain", body];
  if (body instanceof Uint8Array) return [type ?? "application/octet-stream", body];
  if (body instanceof ArrayBuffer) return encode(new Uint8Array(body), type);
  const text = JSON.stringify(body);
  if (text === undefined) throw new TypeError("a body is text, bytes, or what JSON can say");
  return [type ?? "application/json", text];
}

/** What came: a message, an answer, or the result of a service. */
export class Message {
  #handle;
  constructor([flags, time, handle, status, priority, from, subject, type, bytes]) {
    this.#handle = handle;
    this.from = from;
    this.type = type;
    this.bytes = bytes;
    this.time = time;
    this.priority = Object.keys(PRIORITIES)[priority];
    if (flags & PUBLISHED) this.subject = subject;
    if (status < 0) this.status = status;
  }
  get text() { return host.decode(this.bytes); }
  json() { return JSON.parse(this.text); }
  /** Whether somebody waits for an answer that was not given yet. */
  get wantsReply() { return this.#handle !== 0n; }
  reply(body, { type } = {}) { this.#answer(0, ...encode(body, type)); }
  /** Refuse, with a SwarmError or words. */
  refuse(error) {
    const { code, message } = error instanceof Error ? error : new SwarmError("INTERNAL", error);
    this.#answer(CODES[code] ?? CODES.INTERNAL, "text/plain", message);
  }
  #answer(status, type, body) {
    if (this.#handle === 0n) throw new SwarmError("NOT_FOUND", "nobody waits for this answer");
    check(host.reply(this.#handle, status, type, body), "reply");
    this.#handle = 0n;
  }
}

// --- Effects ----------------------------------------------------------------------------------

export function send(to, body, { type, priority = "normal" } = {}) {
  check(host.send(to, ...encode(body, type), PRIORITIES[priority] ?? -1), `send to ${to}`);
}
export function publish(subject, body, { type, priority = "normal" } = {}) {
  check(host.publish(subject, ...encode(body, type), PRIORITIES[priority] ?? -1),
        `publish ${subject}`);
}
export function subscribe(pattern) { check(host.subscribe(pattern, true), `subscribe ${pattern}`); }
export function unsubscribe(pattern) {
  check(host.subscribe(pattern, false), `unsubscribe ${pattern}`);
}

export const self = Object.freeze({
  get namespace() { return host.self(0); },
  get agent() { return host.self(1); },
  get key() { return host.self(2); },
  get config() { return host.self(3); },
});

// --- The log ----------------------------------------------------------------------------------

function show(value, depth = 0) {
  if (typeof value === "string") return depth ? JSON.stringify(value) : value;
  if (value instanceof Error) return describe(value);
  if (typeof value === "function") return `[function ${value.name}]`;
  if (typeof value !== "object" || value === null || depth > 3) return String(value);
  if (value instanceof Map || value instanceof Set)
    return `${value.constructor.name} ${show([...value], depth)}`;
  if (Array.isArray(value)) return `[${value.map((item) => show(item, depth + 1)).join(", ")}]`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.length})`;
  return `{${Object.entries(value).map(([key, item]) => `${key}: ${show(item, depth + 1)}`)
    .join(", ")}}`;
}
function logAt(level) {
  return (...values) => host.log(level, values.map((value) => show(value)).join(" "));
}
export const log = { debug: logAt(0), info: logAt(1), warn: logAt(2), error: logAt(3) };
globalThis.console = { ...log, log: log.info, trace: log.debug };

// An error with its stack, within bounds.
function describe(error) {
  if (!(error instanceof Error)) return show(error, 1).slice(0, WORDS_MAX);
  const stack = (error.stack ?? "").split("\n").filter((line) => !line.includes("(swarm/"));
  return [String(error), ...stack].join("\n").trimEnd().slice(0, WORDS_MAX);
}
const isMemory = (error) => error instanceof Error && error.message === "out of memory";

// --- Waits ------------------------------------------------------------------------------------

const waits = []; // That are not begun yet.
let current = null; // The one that the host knows of.

function wait(kind, to, [type, body], timeout, read) {
  return new Promise((resolve, reject) => {
    waits.push({ kind, to, type, body, timeout, read, resolve, reject });
  });
}
function settleWait(mine, status, what) {
  if (status >= 0) return mine.resolve(mine.read(what));
  const words = what && what.bytes.length > 0 ? what.text : NAMES[status];
  mine.reject(new SwarmError(NAMES[status] ?? "INTERNAL", words));
}
function beginWait() {
  const mine = waits.shift();
  const status = host.wait(mine.kind, mine.to, mine.type, mine.body, mine.timeout);
  if (status === WAITING) current = mine;
  else settleWait(mine, status);
}
const asIs = (message) => message;

/** Ask an agent ("name" or "name/key") and wait for its answer, a Message. */
export function ask(to, body, { type, timeout = Infinity } = {}) {
  return wait(ASK, to, encode(body, type), timeout, asIs);
}
/** Call a service outside of the agents and wait for its result, a Message. */
export function call(service, body, { type, timeout = Infinity } = {}) {
  return wait(SERVICE, service, encode(body, type), timeout, asIs);
}
/** Wait for the next message; onMessage does not get it. With timeout 0: one that is there. */
export function receive({ timeout = Infinity } = {}) {
  return wait(RECEIVE, "", ["", ""], timeout, asIs);
}
export function sleep(ms) { return wait(SLEEP, "", ["", ""], ms, () => undefined); }

// --- Turns ------------------------------------------------------------------------------------

let program = {}; // What the agent's module exports.
let turn = { pending: false, code: DONE };
const rejected = new Map(); // Promises that failed with nobody to hear it.

function finish(mine, value) {
  if (!mine.pending) return;
  try {
    if (mine.message?.wantsReply) mine.message.reply(value);
    mine.pending = false;
  } catch (error) {
    fail(mine, error);
  }
}
function fail(mine, error) {
  if (!mine.pending) return;
  mine.pending = false;
  if (isMemory(error)) {
    mine.code = CODES.EXHAUSTED; // All of this is undone, so memory is as it was.
    host.log(3, "out of memory: see limits.memory of the Agent");
    return;
  }
  const words = describe(error);
  host.log(3, words);
  if (mine.isStrict) mine.code = CODES[error?.code] ?? CODES.INTERNAL;
  else if (mine.message?.wantsReply)
    mine.message.refuse(new SwarmError(error?.code ?? "INTERNAL",
                                       error instanceof SwarmError ? error.message : words));
}
function begin(mine, run) {
  waits.length = 0;
  current = null;
  rejected.clear();
  turn = mine;
  follow(mine, run);
}
function follow(mine, run) {
  Object.assign(mine, { pending: true, code: DONE });
  try {
    const value = run();
    if (typeof value?.then === "function")
      Promise.resolve(value).then((end) => finish(mine, end), (error) => fail(mine, error));
    else finish(mine, value);
  } catch (error) {
    fail(mine, error);
  }
}

// Called when no job is left: begin what is to be waited for, or say what the turn came to.
function settle() {
  if (turn.code !== DONE) return turn.code;
  if (current !== null) return WAITING;
  if (waits.length > 0) {
    beginWait();
    return current === null ? AGAIN : WAITING;
  }
  if (turn.pending && timers.size > 0) { // It can only wait for one of our own.
    const next = [...timers.values()].reduce((a, b) => (b.due < a.due ? b : a));
    sleep(Math.max(0, next.due - host.now())).then(() => fire(next));
    return AGAIN;
  }
  if (turn.pending) {
    fail(turn, new Error("the handler awaits a promise that nothing will settle: only ask, call, " +
                         "receive, sleep and timers wait"));
    return AGAIN;
  }
  for (const reason of rejected.values())
    host.log(3, `nobody handles this rejection: ${describe(reason)}`);
  rejected.clear();
  return DONE;
}
function rejection(promise, reason, isHandled) {
  if (isHandled) rejected.delete(promise);
  else rejected.set(promise, reason);
}

// --- Timers -----------------------------------------------------------------------------------

const timers = new Map();
let lastTimer = 0;

function startTimer(run, ms, args, isRepeated) {
  const id = ++lastTimer;
  const delay = Math.max(0, Number(ms) || 0);
  check(host.timer(id, delay), "setTimeout");
  timers.set(id, { id, run, args, due: host.now() + delay, every: isRepeated ? delay : null });
  return id;
}
function stopTimer(id) {
  if (timers.delete(id)) host.timer(id, -1);
}
// It is due: it runs within the turn that there is.
function fire(timer) {
  if (timers.get(timer.id) !== timer) return undefined;
  if (timer.every === null) {
    timers.delete(timer.id);
    host.timer(timer.id, -1);
  } else {
    timer.due = host.now() + timer.every;
    host.timer(timer.id, timer.every);
  }
  return timer.run(...timer.args);
}
globalThis.setTimeout = (run, ms, ...args) => startTimer(run, ms, args, false);
globalThis.setInterval = (run, ms, ...args) => startTimer(run, ms, args, true);
globalThis.clearTimeout = globalThis.clearInterval = stopTimer;

// --- Entries ----------------------------------------------------------------------------------

/** What the program's module exports as `save`, or this, is handed to the next program. */
export const state = {};

function start(namespace, evaluation, isNew) {
  program = namespace;
  turn = { isStrict: true }; // What the module itself began to wait for stays.
  follow(turn, async () => {
    await evaluation;
    if (isNew && program.onStart) await program.onStart();
  });
}
function message(raw) {
  const came = new Message(raw);
  const handler = program.onMessage ?? program.default;
  begin({ message: came }, () => {
    if (typeof handler !== "function")
      throw new SwarmError("INVALID", "the program exports no onMessage and no default function");
    return handler(came);
  });
}
function timer(id) {
  const due = timers.get(id);
  begin({}, () => (due ? fire(due) : undefined)); // Of an earlier program: it has nothing to run.
}
function stop() { begin({}, () => program.onStop?.()); }
function resume(status) {
  const mine = current;
  current = null;
  if (mine === null) return;
  const raw = mine.kind === SLEEP ? undefined : host.result();
  settleWait(mine, status, raw && new Message(raw));
}
function save() {
  const text = JSON.stringify(program.save ? program.save() : state);
  return text === undefined ? "null" : text;
}
function upgrade(bytes, isOurs) {
  const old = isOurs ? JSON.parse(host.decode(bytes)) : bytes;
  begin({ isStrict: true }, () => {
    if (program.upgrade) return program.upgrade(old);
    if (!isOurs && bytes.length > 0)
      throw new SwarmError("INVALID", "the state is of another language: export upgrade(bytes)");
    return void Object.assign(state, isOurs ? old : {});
  });
}
host.install(start, message, timer, stop, resume, settle, save, upgrade, rejection);

// --- What programs expect of their world ------------------------------------------------------

Math.random = host.random;
globalThis.performance = { now: host.now };
globalThis.queueMicrotask ??= (run) => void Promise.resolve().then(run);
globalThis.TextEncoder = class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return host.encode(text); }
};
globalThis.TextDecoder = class TextDecoder {
  get encoding() { return "utf-8"; }
  decode(bytes = new Uint8Array(0)) {
    if (bytes instanceof ArrayBuffer) return host.decode(new Uint8Array(bytes));
    return host.decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
};
globalThis.crypto = {
  getRandomValues(array) {
    check(host.fill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength)), "random");
    return array;
  },
  randomUUID() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const text = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return text.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  },
};
