// An agent: it greets whoever writes to it, and counts. After a change of this file:
//
//   npm install && swarm agent build . && swarm apply -f .
//
// Its variables are durable as they are; `state` is what the next program is handed.
import { state, type Message } from "swarm";

export function onMessage(message: Message): string {
  state.count = (state.count ?? 0) + 1;
  return `Hello, ${message.text}! You are number ${state.count}.\n`;
}
