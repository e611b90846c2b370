// Bodies, messages and refusals of the harness, as agents have them.
const NAMES = {
  INVALID: -3, TIMEOUT: -4, NOT_FOUND: -5, DENIED: -7, EXHAUSTED: -8, PRECONDITION: -9,
  DEADLOCK: -10, INTERNAL: -13, UNAVAILABLE: -14,
};

/** What an agent refused, or refuses to an agent: `code` is a name such as "TIMEOUT". */
export class Refusal extends Error {
  constructor(code, words) {
    const name = typeof code === "number"
      ? Object.keys(NAMES).find((each) => NAMES[each] === code) : code;
    super(words || name);
    this.name = "Refusal";
    this.code = name in NAMES ? name : "INTERNAL";
    this.status = NAMES[this.code];
  }
  static of(error) {
    if (error instanceof Refusal) return error;
    return new Refusal(error?.code ?? "INTERNAL", error?.message);
  }
}

/** {bytes, type} of text, bytes, or what JSON can say. */
export function bodyOf(body, type) {
  if (body === undefined || body === null) return { bytes: new Uint8Array(0), type: type ?? "" };
  if (body instanceof Uint8Array) return { bytes: body, type: type ?? "application/octet-stream" };
  const isText = typeof body === "string";
  return { bytes: new TextEncoder().encode(isText ? body : JSON.stringify(body)),
           type: type ?? (isText ? "text/plain" : "application/json") };
}

export class Message {
  constructor(fields) { Object.assign(this, { from: "", subject: "", type: "" }, fields); }
  get text() { return new TextDecoder().decode(this.bytes); }
  json() { return JSON.parse(this.text); }
}
