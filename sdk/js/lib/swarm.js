// The module "swarm" that agents import from.
export {
  Message, SwarmError, ask, call, log, publish, receive, self, send, sleep, state, subscribe,
  unsubscribe,
} from "./core.js";
