// Run by `swarm agent test`: the program in the runtime that it really runs in, on a clock of the
// test's own, with what it asks for answered here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { start } from "swarm-agents";

test("it greets and counts", async () => {
  const agent = await start(new URL("agent.bundle", import.meta.url));
  await agent.send("Ada");
  assert.equal((await agent.send("Grace")).text, "Hello, Grace! You are number 2.\n");
});
