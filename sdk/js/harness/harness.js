// A test harness: an agent in the runtime that it really runs in, in this process, with a clock
// that only moves when it is told to or the agent sleeps, and what it asks for answered by the test.
//
//   const agent = await start("agent.js", { model: script("Hello.") });
//   assert.equal((await agent.send("hi")).text, "Hello.");
//
// What it cannot show: durability, limits of memory and time, other agents' own code.
import { readFile } from "node:fs/promises";
import { calls } from "./host.js";
import { bodyOf, Message, Refusal } from "./words.js";

export { script } from "./model.js";
export { Message, Refusal };

const WAITING = 1, FOREVER = 2n ** 64n - 1n;
const HEAD_BYTES = 44; // Of a bundle, before its payload.
const MESSAGE_BYTES = 72;
const encoder = new TextEncoder();
const compiled = new Map();

async function compile(path) {
  const name = String(path);
  if (!compiled.has(name)) compiled.set(name, WebAssembly.compile(await readFile(path)));
  return compiled.get(name);
}
async function payloadOf(program) {
  if (program instanceof Uint8Array) return program;
  const bytes = await readFile(program);
  const isBundle = bytes.length >= HEAD_BYTES && bytes.subarray(0, 4).toString() === "\0swb";
  return isBundle ? bytes.subarray(HEAD_BYTES) : bytes;
}

/** Begin an agent of a file of JavaScript, or a bundle of `swarm agent build`.
 * options: `model` (of script()), `agents` and `services` (functions by name, which get a Message
 * and return a body or throw), `self` ({namespace, agent, key, config}), `now` (ms), `seed`. */
export async function start(program, options = {}) {
  const runtime = options.runtime ?? process.env.SWARM_JS_RUNTIME ??
    new URL("./swarm_js.wasm", import.meta.url);
  const agent = new Agent(await compile(runtime), options);
  await agent.begin(await payloadOf(program));
  return agent;
}

class Agent {
  #module; #guest; #payload; #queue = []; #timers = new Map(); #isBusy = false; #receiver = null;
  #result = null; #handles = new Map(); #lastHandle = 0n; #pending = null; #effects = [];
  constructor(module, options) {
    this.#module = module;
    this.options = options;
    this.now = options.now ?? Date.UTC(2026, 0, 1);
    this.seed = options.seed ?? 1;
    this.logs = [];
    this.sent = []; // {to, body: Message}
    this.published = []; // {subject, body: Message}
    this.subscriptions = new Set();
    this.self = { namespace: "default", agent: "agent", key: "0", config: "", ...options.self };
  }

  // --- What a test does -----------------------------------------------------------------------

  /** Send a message and have its answer, a Message; a refusal is thrown. */
  send(body, { from = "", type, subject = "" } = {}) {
    const handle = ++this.#lastHandle;
    const answer = new Promise((resolve, reject) => this.#handles.set(handle, { resolve, reject }));
    this.#queue.push(new Message({ ...bodyOf(body, type), from, subject, handle }));
    this.#next();
    return answer;
  }
  /** Let time go by: timers run that become due, in order. */
  async advance(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, at]) => at <= end).sort((a, b) => a[1] - b[1])[0];
      if (!due) break;
      this.now = Math.max(this.now, due[1]);
      this.#timers.delete(due[0]);
      await this.#turn(() => this.#guest.on_timer(due[0]));
    }
    this.now = end;
  }
  /** Have another program take over, as when an Agent's program is changed. */
  async upgrade(program) {
    const [version, data, size] = this.#words(this.#guest.swarm_state(), 3);
    const state = this.bytes(data, size).slice();
    const before = { guest: this.#guest, payload: this.#payload };
    await this.#load(await payloadOf(program));
    const at = this.#guest.swarm_alloc(24 + size);
    this.bytes(at + 24, size).set(state);
    this.#words(at, 6).set([24, version, at + 24, size, at + 24, 0]);
    try {
      await this.#turn(() => this.#guest.on_upgrade(at));
    } catch (error) {
      this.#guest = before.guest;
      this.#payload = before.payload;
      throw error;
    }
  }
  async begin(payload) {
    await this.#load(payload);
    await this.#turn(() => this.#guest.on_start());
  }

  // --- Turns ----------------------------------------------------------------------------------

  async #load(payload) {
    this.#payload = payload;
    const { exports } = await WebAssembly.instantiate(this.#module, calls(this));
    this.#guest = exports;
  }
  get payload() { return this.#payload; }
  get nanoseconds() { return BigInt(Math.round(this.now * 1e3)) * 1000n; } // Exact to 1 us.

  async #next() {
    if (this.#receiver !== null && this.#queue.length > 0) return this.#receiver();
    if (this.#isBusy || this.#queue.length === 0) return undefined;
    const message = this.#queue.shift();
    try {
      await this.#turn(() => this.#guest.on_message(this.#place(message)));
      this.#settle(message.handle, (handle) => handle.resolve(new Message(bodyOf())));
    } catch (error) {
      this.#settle(message.handle, (handle) => handle.reject(error));
    }
    return this.#next();
  }
  #settle(handle, how) {
    const waiting = this.#handles.get(handle);
    this.#handles.delete(handle);
    if (waiting) how(waiting);
  }
  // All segments of a turn; one that fails leaves memory and effects as they were.
  async #turn(enter) {
    this.#isBusy = true;
    try {
      let code = this.#segment(enter);
      while (code === WAITING) {
        const { status, message } = await this.#pending();
        this.#result = message ?? null;
        code = this.#segment(() => this.#guest.on_resume(status));
      }
    } finally {
      this.#isBusy = false;
    }
  }
  #segment(enter) {
    const before = new Uint8Array(this.#guest.memory.buffer).slice(), logged = this.logs.length;
    this.#effects = [];
    const code = enter();
    if (code < 0) {
      const memory = new Uint8Array(this.#guest.memory.buffer);
      memory.fill(0);
      memory.set(before);
      const words = this.logs.slice(logged).filter(({ level }) => level === "error");
      throw new Refusal(code, words.map(({ text }) => text).join("\n"));
    }
    for (const effect of this.#effects) effect();
    return code;
  }

  // --- Memory ---------------------------------------------------------------------------------

  bytes(at, size) { return new Uint8Array(this.#guest.memory.buffer, at >>> 0, size >>> 0); }
  text(at, size) { return new TextDecoder().decode(this.bytes(at, size)); }
  #words(at, count) { return new Uint32Array(this.#guest.memory.buffer, at >>> 0, count); }

  #place(message) {
    const at = this.#guest.swarm_alloc(MESSAGE_BYTES + this.write(message, null));
    this.write(message, { at, room: at + MESSAGE_BYTES });
    return at;
  }
  /** Lay a message out as the host does; returns the bytes that its texts and body take. */
  write(message, place) {
    const parts = [message.from, message.subject, message.type].map((text) => encoder.encode(text));
    parts.push(message.bytes);
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if (place === null) return size;
    const view = new DataView(this.#guest.memory.buffer, place.at, MESSAGE_BYTES);
    const flags = (message.handle ? 1 : 0) | (message.subject ? 4 : 0);
    [MESSAGE_BYTES, flags].forEach((word, i) => view.setUint32(4 * i, word, true));
    view.setBigUint64(8, this.nanoseconds, true);
    view.setBigUint64(16, message.handle ?? 0n, true);
    view.setBigUint64(24, 0n, true);
    view.setInt32(32, message.status ?? 0, true);
    view.setUint32(36, 1, true);
    let at = place.room;
    parts.forEach((part, i) => {
      view.setUint32(40 + 8 * i, at, true);
      view.setUint32(44 + 8 * i, part.length, true);
      this.bytes(at, part.length).set(part);
      at += part.length;
    });
    return size;
  }

  // --- What the guest calls (host.js) ---------------------------------------------------------

  get result() { return this.#result; }
  effect(run) {
    this.#effects.push(run);
    return 0;
  }
  answer(handle, status, message) {
    if (!this.#handles.has(handle)) return -5;
    return this.effect(() => this.#settle(handle, (waiting) =>
      status < 0 ? waiting.reject(new Refusal(status, message.text)) : waiting.resolve(message)));
  }
  timer(id, ms) {
    if (ms === null) return this.#timers.delete(id) ? 0 : -5;
    this.#timers.set(id, this.now + ms);
    return 0;
  }
  wait(begin) {
    this.#pending = begin;
    return WAITING;
  }
  /** What a function of the test comes to, as the end of a wait. */
  async outcome(run, message) {
    try {
      if (typeof run !== "function") throw new Refusal(-14, "the test has nobody of that name");
      const said = await run(message);
      return { status: 0, message: said instanceof Message ? said : new Message(bodyOf(said)) };
    } catch (error) {
      const { status, message: words } = Refusal.of(error);
      return { status, message: new Message({ ...bodyOf(words), status }) };
    }
  }
  /** The next message; without one until timeout (ns): the clock goes there. */
  receive(timeout) {
    return this.wait(() => new Promise((resolve) => {
      const take = () => {
        this.#receiver = null;
        resolve({ status: 0, message: this.#queue.shift() });
      };
      if (this.#queue.length > 0) return take();
      if (timeout === FOREVER) return void (this.#receiver = take);
      this.now += Number(timeout) / 1e6;
      return resolve({ status: -4 });
    }));
  }
}
