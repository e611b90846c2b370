/** What a refusal is told with; `code` is a name such as "TIMEOUT". */
export class Refusal extends Error {
  constructor(code: string | number, words?: string);
  readonly code: string;
}
export class Message {
  readonly from: string; readonly subject: string; readonly type: string;
  readonly bytes: Uint8Array;
  readonly text: string;
  json(): any;
}
export type Step = string | Error | { tool: string; arguments?: object } | { content: string } |
  ((request: any) => Step);
export interface Model { readonly requests: any[] }
export type Handler = (message: Message & { to: string }) => unknown;

export interface Agent {
  /** Milliseconds since 1970; sleeps move it, and advance. */
  now: number;
  readonly logs: { level: string; text: string }[];
  readonly sent: { to: string; body: Message }[];
  readonly published: { subject: string; body: Message }[];
  readonly subscriptions: Set<string>;
  send(body?: unknown, options?: { from?: string; type?: string; subject?: string }):
    Promise<Message>;
  advance(ms: number): Promise<void>;
  upgrade(program: string | Uint8Array): Promise<void>;
}
export interface Options {
  model?: Model;
  agents?: Record<string, Handler>;
  services?: Record<string, Handler>;
  self?: { namespace?: string; agent?: string; key?: string; config?: string };
  now?: number; seed?: number; runtime?: string | URL;
}
export function start(program: string | URL | Uint8Array, options?: Options): Promise<Agent>;
export function script(...steps: Step[]): Model;
