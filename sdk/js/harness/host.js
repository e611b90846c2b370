// The functions of guest ABI swarm/1 and the few of WASI that the runtime has, for one agent of the
// harness. Sizes and pointers come from the runtime, which is trusted here.
import { Message } from "./words.js";

const LEVELS = ["debug", "info", "warn", "error"];
const FACTS = ["namespace", "agent", "key", "config"];

export function calls(agent) {
  const copy = (typeAt, typeSize, at, size, more) =>
    new Message({ type: agent.text(typeAt, typeSize), bytes: agent.bytes(at, size).slice(),
                  ...more });
  const fill = (bytes) => {
    for (let i = 0; i < bytes.length; i++) { // xorshift32: the same in every run.
      agent.seed ^= agent.seed << 13;
      agent.seed ^= agent.seed >>> 17;
      agent.seed ^= agent.seed << 5;
      bytes[i] = agent.seed;
    }
  };
  const put = (bytes, at, room) => {
    agent.bytes(at, Math.min(room, bytes.length)).set(bytes.subarray(0, room));
    return bytes.length;
  };
  const swarm = {
    send(to, toSize, type, typeSize, body, size) {
      const message = { to: agent.text(to, toSize), body: copy(type, typeSize, body, size) };
      return agent.effect(() => agent.sent.push(message));
    },
    publish(subject, subjectSize, type, typeSize, body, size) {
      const message = { subject: agent.text(subject, subjectSize),
                        body: copy(type, typeSize, body, size) };
      return agent.effect(() => agent.published.push(message));
    },
    reply: (handle, status, type, typeSize, body, size) =>
      agent.answer(BigInt.asUintN(64, handle), status, copy(type, typeSize, body, size)),
    subscribe(at, size) {
      const pattern = agent.text(at, size);
      return agent.effect(() => agent.subscriptions.add(pattern));
    },
    unsubscribe(at, size) {
      const pattern = agent.text(at, size);
      return agent.effect(() => agent.subscriptions.delete(pattern));
    },
    timer_start: (id, ns) => agent.timer(id, Number(BigInt.asUintN(64, ns)) / 1e6),
    timer_cancel: (id) => agent.timer(id, null),
    log(level, at, size) {
      agent.logs.push({ level: LEVELS[level], text: agent.text(at, size) });
      return 0;
    },
    now: () => agent.nanoseconds,
    random(at, size) {
      fill(agent.bytes(at, size));
      return 0;
    },
    self: (fact, at, room) => put(new TextEncoder().encode(agent.self[FACTS[fact]]), at, room),
    bundle: (offset, at, room) => put(agent.payload.subarray(offset), at, room) + offset,
    ask(to, toSize, type, typeSize, body, size) {
      const name = agent.text(to, toSize);
      const message = copy(type, typeSize, body, size, { to: name });
      return agent.wait(() => agent.outcome(agent.options.agents?.[name.split("/")[0]], message));
    },
    call(to, toSize, type, typeSize, body, size) {
      const name = agent.text(to, toSize);
      const services = { ...agent.options.model, ...agent.options.services };
      const message = copy(type, typeSize, body, size, { to: name });
      return agent.wait(() => agent.outcome(services[name], message));
    },
    sleep(ns) {
      return agent.wait(async () => {
        agent.now += Number(BigInt.asUintN(64, ns)) / 1e6;
        return { status: 0 };
      });
    },
    receive: (ns) => agent.receive(BigInt.asUintN(64, ns)),
    result(at, room, size) {
      if (agent.result === null) return -5;
      const needed = agent.write(agent.result, null);
      if (needed <= size) agent.write(agent.result, { at, room });
      return needed;
    },
  };
  const wasi = {
    clock_time_get(_clock, _precision, at) {
      new DataView(agent.bytes(at, 8).buffer, at, 8).setBigUint64(0, swarm.now(), true);
      return 0;
    },
    fd_close: () => 8, fd_fdstat_get: () => 8, fd_seek: () => 8, fd_write: () => 8,
  };
  return { swarm_1: swarm, wasi_snapshot_preview1: wasi };
}
