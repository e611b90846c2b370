/** What an agent of Swarm imports, and what its world has besides JavaScript itself. */
declare module "swarm" {
  /** Text, bytes, or what JSON can say. */
  export type Body =
    | string | Uint8Array | ArrayBuffer | object | number | boolean | null | undefined;
  export type Priority = "low" | "normal" | "high" | "urgent";
  export type Code =
    | "INVALID" | "TIMEOUT" | "NOT_FOUND" | "DENIED" | "EXHAUSTED" | "PRECONDITION" | "DEADLOCK"
    | "INTERNAL" | "UNAVAILABLE";

  /** A refusal. A handler that throws one refuses with its code and words. */
  export class SwarmError extends Error {
    constructor(code: Code, words?: string);
    readonly code: Code;
  }

  /** A message, an answer, or the result of a service. */
  export class Message {
    /** "agent/key" of who sent it; "" for a client outside. */
    readonly from: string;
    /** Its content type, such as "application/json"; may be "". */
    readonly type: string;
    readonly bytes: Uint8Array;
    /** The bytes as UTF-8. */
    readonly text: string;
    /** When it was handled, in milliseconds since 1970. */
    readonly time: number;
    readonly priority: Priority;
    /** Of what was published only. */
    readonly subject?: string;
    /** Whether somebody waits for an answer that was not given yet. */
    readonly wantsReply: boolean;
    json<T = any>(): T;
    /** Answer before the handler ends, or later: once. */
    reply(body?: Body, options?: { type?: string }): void;
    refuse(error: Error | string): void;
  }

  export interface WaitOptions {
    type?: string;
    /** Milliseconds; without it as long as it takes. */
    timeout?: number;
  }
  export interface SendOptions {
    type?: string;
    priority?: Priority;
  }

  /** Ask an agent, "name" or "name/key", and wait for its answer. */
  export function ask(to: string, body?: Body, options?: WaitOptions): Promise<Message>;
  /** Call a service outside of the agents and wait for its result. */
  export function call(service: string, body?: Body, options?: WaitOptions): Promise<Message>;
  /** Wait for the next message, which onMessage does not get. With timeout 0: one that is there. */
  export function receive(options?: { timeout?: number }): Promise<Message>;
  export function sleep(ms: number): Promise<void>;
  export function send(to: string, body?: Body, options?: SendOptions): void;
  export function publish(subject: string, body?: Body, options?: SendOptions): void;
  /** "*" stands for one part of a subject, a last ">" for one or more. */
  export function subscribe(pattern: string): void;
  export function unsubscribe(pattern: string): void;

  export const self: {
    readonly namespace: string; readonly agent: string; readonly key: string;
    /** spec.config of the Agent, as it stands in the manifest. */
    readonly config: string;
  };
  export const log: {
    debug(...values: unknown[]): void; info(...values: unknown[]): void;
    warn(...values: unknown[]): void; error(...values: unknown[]): void;
  };
  /** What a program without `save` hands to the next one; of JSON. */
  export const state: Record<string, any>;

  export interface FetchResponse {
    readonly status: number; readonly ok: boolean; readonly url: string;
    readonly headers: { get(name: string): string | null; has(name: string): boolean };
    text(): Promise<string>; json(): Promise<any>;
    bytes(): Promise<Uint8Array>; arrayBuffer(): Promise<ArrayBuffer>;
  }
  export interface FetchOptions {
    method?: string;
    /** A value may name a Secret that the Agent's rule allows: "{{secret:NAME/KEY}}". */
    headers?: Record<string, string> | Iterable<[string, string]>;
    body?: string | ArrayBuffer | ArrayBufferView;
    timeout?: number;
  }
  /** Ask over HTTP, as far as spec.egress lets the Agent; else DENIED. Redirects are answers. */
  export function fetch(url: string, options?: FetchOptions): Promise<FetchResponse>;
  export interface Question {
    title: string; text?: string; editable?: boolean; quorum?: number;
    /** Milliseconds; never more than the Agent's spec says. */
    timeout?: number;
  }
  /** Ask people, as spec.approvals says, and wait; DENIED is thrown unless they approve. */
  export function approve(question: string | Question): Promise<{
    /** What was approved: as it was proposed, or changed. */
    text: string; decisions: { by: string; verdict: string; reason: string }[];
  }>;

  export type JsonSchema = boolean | { [key: string]: any };
  /** What is wrong with a value, in words; none: it fits. */
  export function validate(schema: JsonSchema, value: unknown): string[];

  export interface ChatMessage {
    role: "system" | "user" | "assistant" | "tool" | "developer";
    content?: any;
    [field: string]: any;
  }
  export interface ChatRequest {
    /** A model's name, "PROVIDER/MODEL", "auto", "auto:cheap" or "auto:fast". */
    model?: string;
    messages: ChatMessage[];
    [field: string]: any;
  }
  type Streamed = { stream: true };
  interface Service {
    (request: { [field: string]: any } & Streamed, options?: WaitOptions):
      Promise<AsyncGenerator<any>>;
    (request: { [field: string]: any }, options?: WaitOptions): Promise<any>;
  }
  /** Documents of OpenAI's and Anthropic's protocols, by the node's gateway to models. */
  export const model: {
    chat: Service; responses: Service; embeddings: Service; messages: Service;
    /** The text that a model answers with. */
    text(request: string | ChatRequest, options?: WaitOptions): Promise<string>;
    /** A value of the schema; what does not fit is sent back, three times at most. */
    json<T = any>(request: ChatRequest & { schema: JsonSchema; tries?: number },
                  options?: WaitOptions): Promise<T>;
  };

  export interface Tool<Input = any> {
    description?: string;
    /** A JSON Schema of an object; arguments that do not fit are refused to the model. */
    parameters?: JsonSchema;
    /** What it returns, as text or JSON, or the message that it throws, is told to the model. */
    run(input: Input): unknown;
  }
  export interface RunOptions {
    model?: string;
    instructions?: string;
    input?: unknown;
    /** What was said before. */
    messages?: ChatMessage[];
    tools?: Record<string, Tool> | (Tool & { name: string })[];
    /** Of the answer's value. */
    schema?: JsonSchema;
    /** Answers of the model, 16 without it. */
    maxTurns?: number;
    onStep?(step: { tool: string; arguments: string; content: string }): unknown;
    [field: string]: any;
  }
  export interface RunResult<T = any> {
    text: string; value?: T; messages: ChatMessage[]; turns: number;
    usage: { inputTokens: number; outputTokens: number };
  }
  export const agent: {
    /** Ask a model, run the tools that it calls, tell it what came of that, until it answers. */
    run<T = any>(options: RunOptions): Promise<RunResult<T>>;
  };
}

declare var console: {
  debug(...values: unknown[]): void; log(...values: unknown[]): void;
  info(...values: unknown[]): void; warn(...values: unknown[]): void;
  error(...values: unknown[]): void; trace(...values: unknown[]): void;
};
declare var crypto: {
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): string;
};
declare var performance: { now(): number };
declare class TextEncoder {
  encode(text?: string): Uint8Array;
}
declare class TextDecoder {
  decode(bytes?: ArrayBuffer | ArrayBufferView): string;
}
declare function setTimeout<A extends any[]>(
  run: (...args: A) => unknown, ms?: number, ...args: A): number;
declare function setInterval<A extends any[]>(
  run: (...args: A) => unknown, ms?: number, ...args: A): number;
declare function clearTimeout(id: number): void;
declare function clearInterval(id: number): void;
declare function queueMicrotask(run: () => void): void;
