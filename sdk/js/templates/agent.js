// An agent: it greets whoever writes to it, and counts. After a change of this file:
//
//   swarm agent build . && swarm apply -f .
//
// Its variables are durable as they are; `state` is what the next program is handed.
import { state } from "swarm";

export function onMessage(message) {
  state.count = (state.count ?? 0) + 1;
  return `Hello, ${message.text}! You are number ${state.count}.\n`;
}
