// The module "swarm" that agents import from.
export {
  Message, SwarmError, ask, call, log, publish, receive, self, send, sleep, state, subscribe,
  unsubscribe,
} from "./core.js";
export { agent } from "./agent.js";
export { model } from "./model.js";
export { approve, fetch } from "./outside.js";
export { validate } from "./schema.js";
