// What an agent does outside: requests over HTTP, as far as spec.egress of its Agent lets it, and
// questions to people (docs/operations/egress.md and approvals.md).
import { call } from "./core.js";

class Headers {
  #entries = new Map();
  constructor(entries = {}) {
    const list = typeof entries[Symbol.iterator] === "function" ? entries : Object.entries(entries);
    for (const [name, value] of list) this.#entries.set(name.toLowerCase(), String(value));
  }
  get(name) { return this.#entries.get(name.toLowerCase()) ?? null; }
  has(name) { return this.#entries.has(name.toLowerCase()); }
  set(name, value) { this.#entries.set(name.toLowerCase(), String(value)); }
  delete(name) { this.#entries.delete(name.toLowerCase()); }
  forEach(run) { this.#entries.forEach((value, name) => run(value, name, this)); }
  entries() { return this.#entries.entries(); }
  [Symbol.iterator]() { return this.#entries.entries(); }
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function toBase64(bytes) {
  const out = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    out.push(DIGITS[bits >> 18], DIGITS[(bits >> 12) & 63],
             i + 1 < bytes.length ? DIGITS[(bits >> 6) & 63] : "=",
             i + 2 < bytes.length ? DIGITS[bits & 63] : "=");
  }
  return out.join("");
}
function fromBase64(text) {
  const digits = text.replace(/=+$/, "");
  const bytes = new Uint8Array((digits.length * 3) >> 2);
  let bits = 0, at = 0;
  for (let i = 0; i < digits.length; i++) {
    bits = ((bits << 6) | DIGITS.indexOf(digits[i])) & 0xffffff;
    if (i % 4 > 0) bytes[at++] = (bits >> (6 - 2 * (i % 4))) & 255;
  }
  return bytes;
}

class Response {
  #answer; #url;
  constructor(answer, url) {
    this.#answer = answer;
    this.#url = url;
    this.status = answer.status;
    this.headers = new Headers(answer.headers);
  }
  get ok() { return this.status >= 200 && this.status < 300; }
  get url() { return this.#url; }
  async bytes() {
    const { body = "", bodyBase64 } = this.#answer;
    return bodyBase64 === undefined ? new TextEncoder().encode(body) : fromBase64(bodyBase64);
  }
  async arrayBuffer() { return (await this.bytes()).buffer; }
  async text() { return this.#answer.body ?? new TextDecoder().decode(await this.bytes()); }
  async json() { return JSON.parse(await this.text()); }
}

/** Ask somebody outside over HTTP. Redirects are answers; what no rule allows throws DENIED. */
export async function fetch(url, { method = "GET", headers, body, timeout } = {}) {
  const request = { url: String(url), method: method.toUpperCase() };
  if (headers !== undefined) request.headers = Object.fromEntries(new Headers(headers));
  if (timeout !== undefined) request.timeoutMs = timeout;
  if (body instanceof ArrayBuffer) request.bodyBase64 = toBase64(new Uint8Array(body));
  else if (ArrayBuffer.isView(body))
    request.bodyBase64 = toBase64(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  else if (body !== undefined && body !== null) request.body = String(body);
  return new Response((await call("swarm.http", request)).json(), request.url);
}

/** Ask people, and wait until they approve: {text, decisions}. Otherwise DENIED is thrown. */
export async function approve(question) {
  const { timeout, ...rest } = typeof question === "string" ? { title: question } : question;
  if (timeout !== undefined) rest.timeoutMs = timeout;
  return (await call("swarm.approve", rest)).json();
}
globalThis.fetch = fetch;
globalThis.Headers = Headers;
