#!/usr/bin/python3
"""Agents in JavaScript: bundles for the runtime that is a part of swarmd, in a real daemon."""
# timeout: 240
# labels: kill
import json
import os
import subprocess
import time
import unittest

from js_agents import WAIT_S, Case, apply
from swarmd import TMP, run
from waiting import wait_for


class Basics(Case):
    def test_answers_are_what_a_handler_returns(self):
        apply("echo", """
            export default (message) => {
              if (message.text === "object") return { a: [1, "two"], from: message.from };
              if (message.text === "bytes") return new Uint8Array([104, 105]);
              if (message.text === "nothing") return;
              if (message.text === "self") { message.reply("by itself"); return "unheard"; }
              return `You said: ${message.text}`;
            };
            """)
        self.assertEqual(self.ask("echo/a", "grüße"), "You said: grüße")
        self.assertEqual(json.loads(self.ask("echo/a", "object")), {"a": [1, "two"], "from": ""})
        self.assertEqual(self.ask("echo/a", "bytes"), "hi")
        self.assertEqual(self.ask("echo/a", "nothing"), "")
        self.assertEqual(self.ask("echo/a", "self"), "by itself")


    def test_state_is_what_lives_in_variables(self):
        """Closures, maps and timers are memory, which a kill of all processes leaves as it was."""
        apply("counter", """
            import { state } from "swarm";
            let count = 0;
            const seen = new Map();
            const add = ((step) => () => (count += step))(1);
            export function onMessage(message) {
              seen.set(message.text, (seen.get(message.text) ?? 0) + 1);
              state.last = message.text;
              return { count: add(), seen: [...seen], last: state.last };
            }
            """)
        self.ask("counter/a", "x")
        self.ask("counter/a", "y")
        self.restart()
        self.assertEqual(json.loads(self.ask("counter/a", "x")),
                         {"count": 3, "seen": [["x", 2], ["y", 1]], "last": "x"})
        self.assertEqual(json.loads(self.ask("counter/b", "x"))["count"], 1)

    def test_exceptions_are_told_with_where_they_were(self):
        apply("thrower", """
            import { SwarmError } from "swarm";
            export async function onMessage(message) {
              if (message.text === "code") throw new SwarmError("NOT_FOUND", "no such order");
              if (message.text === "later") await Promise.resolve();
              if (message.text === "never") await new Promise(() => {});
              if (message.text === "text") throw "a text";
              if (message.text === "deep") return deep(1);
              if (message.text === "depth") return depth(1);
              return message.json().a.b.c;
            }
            function depth(n) { try { return depth(n + 1); } catch { return n; } }
            function deep(n) { return deep(n + 1) + 1; }
            """)
        status, words = self.tell("thrower/a", "{}")
        self.assertEqual(status, 500, words)
        self.assertIn("TypeError: cannot read property 'b' of undefined", words)
        self.assertIn("at onMessage (agent.js:9:", words)
        self.assertIn("SyntaxError", self.tell("thrower/a", "later")[1])
        status, words = self.tell("thrower/a", "code")
        self.assertEqual(status, 404, words)
        self.assertIn("no such order", words)
        self.assertNotIn("agent.js", words)
        self.assertIn("a text", self.tell("thrower/a", "text")[1])
        self.assertIn("a promise that nothing will settle", self.tell("thrower/a", "never")[1])
        self.assertIn("Maximum call stack size exceeded", self.tell("thrower/a", "deep")[1])
        self.assertGreater(int(self.ask("thrower/a", "depth")), 250)

    def test_a_program_that_is_none_does_not_start_and_says_why(self):
        for name, source, words in (
                ("syntax", "export default (m) => m.text;\n\nlet x = ;\n",
                 ("SyntaxError: unexpected token", "at agent.js:3:9")),
                ("throws", "let x;\n  x.y = 1;\n", ("TypeError", "agent.js:2:")),
                ("imports", "import fs from 'fs';\n", ('no module "fs"', "swarm agent build")),
                ("absent", "import { nothing } from 'swarm';\n", ("nothing",)),
                ("waits", "import { sleep } from 'swarm';\nawait sleep(1);\n",
                 ("PRECONDITION",))):
            with self.subTest(name):
                apply(name, source, ready=False)
                wait_for(lambda name=name: self.client.send(name + "/a", b"?") is not None,
                         "it was tried", WAIT_S)
                wait_for(lambda name=name, words=words: all(
                    word in run("swarm", "logs", name) for word in words),
                    f"{name} says {words}", WAIT_S)
                run("swarm", "delete", "agent", name)

    def test_what_never_ends_or_grows_is_stopped_and_undone(self):
        apply("hostile", """
            let kept = [], count = 0;
            export function onMessage(message) {
              count++;
              if (message.text === "loop") for (;;) count++;
              if (message.text === "jobs") return spin();
              if (message.text === "bomb") for (;;) kept.push("x".repeat(1000) + kept.length);
              if (message.text === "buffer") return String(new Uint8Array(1e9).length);
              if (message.text === "regexp") return String(/^(a+)+$/.test("a".repeat(40) + "b"));
              return { count, kept: kept.length };
            }
            async function spin() { for (;;) await null; }
            """, limits={"memory": "4MiB", "deadline": "300ms"})
        self.assertEqual(json.loads(self.ask("hostile/a")), {"count": 1, "kept": 0})
        for what in ("loop", "jobs", "regexp"):
            status, words = self.tell("hostile/a", what)
            self.assertEqual(status, 504, (what, words))
        for what in ("bomb", "buffer"):
            status, words = self.tell("hostile/a", what)
            self.assertNotEqual(status, 200, (what, words))
            self.assertIn("out of memory: see limits.memory", run("swarm", "logs", "hostile"))
        self.assertEqual(json.loads(self.ask("hostile/a")), {"count": 2, "kept": 0})

    def test_two_agents_share_one_compiled_module(self):
        compiled = os.path.join(os.environ["XDG_DATA_HOME"], "swarm", "compiled")
        apply("one", "export default () => 'one';")
        self.assertEqual(self.ask("one/a"), "one")
        before = sorted(os.listdir(compiled))
        apply("two", "export default () => 'two';")
        self.assertEqual(self.ask("two/a"), "two")
        self.assertEqual(sorted(os.listdir(compiled)), before)
        self.assertGreater(max(os.path.getsize(os.path.join(compiled, name)) for name in before),
                           1 << 20)


    def test_the_command_line_makes_bundles(self):
        folder = os.path.join(TMP, "greeter")
        run("swarm", "agent", "init", folder, "--lang=js")
        run("swarm", "agent", "build", folder)
        run("swarm", "apply", "-f", os.path.join(folder, "agent.yaml"))
        run("swarm", "wait", "agent/greeter", "--for=condition=Ready", "--timeout=60s")
        self.assertEqual(run("swarm", "send", "greeter", "Ada").strip(),
                         "Hello, Ada! You are number 1.")
        digest = run("swarm", "agent", "push", os.path.join(folder, "agent.bundle")).strip()
        self.assertIn(digest, run("swarm", "get", "agent", "greeter", "-o", "yaml"))


    def test_each_engine_runs_them_and_counts_their_fuel(self):
        for name, spec in (("compute", {"engine": "compute"}), ("replay", {"engine": "replay"}),
                           ("fuel", {"limits": {"memory": "8MiB", "fuel": 50_000_000}})):
            with self.subTest(name):
                apply(name, """
                    import { sleep } from "swarm";
                    export default async (message) => {
                      await sleep(1);
                      for (let i = 0; message.text === "loop"; i++);
                      return [0.1 + 0.2, Math.sqrt(-1), "ok"].join();
                    };
                    """, **spec)
                self.assertEqual(self.ask(name + "/a"), "0.30000000000000004,NaN,ok")
        status, words = self.tell("fuel/a", "loop")
        self.assertNotEqual(status, 200, words)
        self.assertIn("fuel", words)


class Figures(Case):
    def test_who_sleeps_is_small_and_waits_are_quick(self):
        apply("sleeper", """
            import { sleep, state } from "swarm";
            const seen = new Map();
            export async function onMessage(message) {
              const count = message.text.startsWith("wait ") ? Number(message.text.slice(5)) : 0;
              for (let i = 0; i < count; i++) await sleep(0);
              seen.set(message.text, (seen.get(message.text) ?? 0) + 1);
              state.last = message.text;
              return String(seen.size);
            }
            """, limits={"memory": "8MiB", "deadline": "10s"}, hibernation={"after": "1s"})
        for i in range(20):
            self.ask("sleeper/a", f"message {i}")
        begun = time.monotonic()
        self.ask("sleeper/b", "wait 1000")
        self.assertLess(time.monotonic() - begun, 1)

        def asleep():
            found = json.loads(run("swarm", "get", "instances", "sleeper", "-o", "json"))["items"]
            return all(item["state"] == "Asleep" for item in found) and found
        sizes = [int(item["diskBytes"]) for item in wait_for(asleep, "they sleep", WAIT_S)]
        self.assertEqual(len(sizes), 2)
        self.assertLess(max(sizes), 65536, sizes)


class Waits(Case):
    def test_asks_sleeps_and_kills_in_between(self):
        apply("worker", """
            import { sleep, self } from "swarm";
            export default async (message) => {
              await sleep(Number(message.text));
              return `${self.key} slept ${message.text}`;
            };
            """)
        apply("boss", """
            import { ask, sleep, SwarmError } from "swarm";
            let turns = 0;
            export async function onMessage(message) {
              turns++;
              if (message.text === "many") {
                const names = ["a", "b", "c"];
                const answers = await Promise.all(names.map((name) => ask(`worker/${name}`, "1")));
                return answers.map((answer) => answer.text);
              }
              if (message.text === "late")
                try {
                  await ask("worker/late", "5000", { timeout: 20 });
                } catch (error) {
                  return { is: error instanceof SwarmError, code: error.code };
                }
              if (message.text === "nobody")
                try { await ask("nobody", "x"); } catch (error) { return error.code; }
              const begun = Date.now();
              await sleep(1500);
              return { turns, slept: Date.now() - begun };
            }
            """)
        self.assertEqual(json.loads(self.ask("boss/a", "many")),
                         ["a slept 1", "b slept 1", "c slept 1"])
        self.assertEqual(json.loads(self.ask("boss/a", "late")), {"is": True, "code": "TIMEOUT"})
        self.assertEqual(self.ask("boss/a", "nobody"), "UNAVAILABLE")
        run("swarm", "send", "boss/k", "first", "--no-reply", "--request-id=1")
        pending = subprocess.Popen(["swarm", "send", "boss/k", "second", "--request-id=2"],
                                   stdout=subprocess.PIPE)
        wait_for(lambda: "Waiting" in run("swarm", "get", "instances", "boss/k"), "it waits",
                 WAIT_S)
        pending.kill()
        pending.communicate()
        self.restart()
        answer = json.loads(run("swarm", "send", "boss/k", "second", "--request-id=2"))
        self.assertEqual(answer["turns"], 2)
        self.assertGreaterEqual(answer["slept"], 1500)

    def test_messages_are_received_in_the_middle(self):
        apply("pair", """
            import { receive } from "swarm";
            export async function onMessage(message) {
              if (message.text === "none")
                try { await receive({ timeout: 0 }); } catch (error) { return error.code; }
              if (!message.text.startsWith("first")) return "alone";
              const second = await receive();
              second.reply("yours");
              return message.text + " and " + second.text;
            }
            """)
        self.assertEqual(self.ask("pair/a", "none"), "TIMEOUT")
        first = subprocess.Popen(["swarm", "send", "pair/a", "first"], stdout=subprocess.PIPE)
        wait_for(lambda: "Waiting" in run("swarm", "get", "instances", "pair/a"), "it waits",
                 WAIT_S)
        self.assertEqual(self.ask("pair/a", "second"), "yours")
        self.assertEqual(first.communicate(timeout=WAIT_S)[0].decode().strip(), "first and second")
        self.assertEqual(self.ask("pair/a", "third"), "alone")

    def test_timers_run_as_turns_and_within_handlers(self):
        apply("clock", """
            let ticks = 0, once = 0, timer;
            export async function onMessage(message) {
              if (message.text === "start") {
                timer = setInterval((step) => (ticks += step), 20, 10);
                setTimeout(() => { once++; }, 1);
                clearTimeout(setTimeout(() => { once += 100; }, 1));
              }
              if (message.text === "stop") clearInterval(timer);
              if (message.text === "within") {
                const begun = Date.now();
                await new Promise((resolve) => setTimeout(resolve, 50));
                return String(Date.now() - begun >= 50);
              }
              return { ticks, once };
            }
            """)
        self.ask("clock/a", "start")
        wait_for(lambda: json.loads(self.ask("clock/a", "?"))["ticks"] >= 30, "it ticks", WAIT_S)
        self.restart()
        before = json.loads(self.ask("clock/a", "?"))
        self.assertEqual(before["once"], 1)
        wait_for(lambda: json.loads(self.ask("clock/a", "?"))["ticks"] > before["ticks"] + 20,
                 "it still ticks", WAIT_S)
        self.assertEqual(self.ask("clock/a", "within"), "true")
        self.ask("clock/a", "stop")

    def test_publish_subscribe_and_the_world(self):
        apply("listener", """
            import { publish, subscribe, send, self, log } from "swarm";
            const heard = [];
            export function onStart() { subscribe("news.*"); }
            export function onMessage(message) {
              if (message.subject) { heard.push(`${message.subject}: ${message.text}`); return; }
              if (message.text === "tell") publish("news.local", { a: 1 });
              if (message.text === "send") send("listener/b", "one way", { priority: "high" });
              if (message.text === "one way") { heard.push(message.from); return; }
              if (message.text === "bad") publish("no subject", "");
              log.warn("heard", heard, new Map([[1, { a: [null] }]]));
              console.log("%s", "plain");
              const bytes = new TextEncoder().encode("ü");
              return { heard, self: { ...self }, round: new TextDecoder().decode(bytes),
                       random: Math.random() !== Math.random(), id: crypto.randomUUID().length,
                       config: self.config, date: new Date(0).toISOString() };
            }
            """, config="of the manifest")
        self.ask("listener/a", "?")
        self.ask("listener/a", "tell")
        self.ask("listener/a", "send")
        wait_for(lambda: json.loads(self.ask("listener/a"))["heard"] == ['news.local: {"a":1}'],
                 "it heard", WAIT_S)
        wait_for(lambda: json.loads(self.ask("listener/b"))["heard"][:1] == ["listener/a"],
                 "it was sent", WAIT_S)
        said = json.loads(self.ask("listener/a"))
        self.assertEqual((said["round"], said["random"], said["id"], said["config"], said["date"]),
                         ("ü", True, 36, "of the manifest", "1970-01-01T00:00:00.000Z"))
        self.assertEqual(self.tell("listener/a", "bad")[0], 400)
        self.assertIn('heard ["news.local: {\\"a\\":1}"] Map [[1, {a: [null]}]]',
                      run("swarm", "logs", "listener"))


class Upgrades(Case):
    def test_state_and_save_are_handed_to_the_next_program(self):
        first = """
            import { state } from "swarm";
            export default () => { state.count = (state.count ?? 0) + 1; return state; };
            """
        apply("grown", first)
        self.ask("grown/a")
        self.assertEqual(json.loads(self.ask("grown/a")), {"count": 2})
        apply("grown", first.replace("return state", "return { then: state.count }"))
        self.until("grown/a", {"then": 3})
        apply("grown", """
            let notes = [];
            export function upgrade(old) { notes = ["had " + old.count]; }
            export function save() { return { notes }; }
            export default () => notes;
            """)
        self.until("grown/a", ["had"], lambda said: [said[0].split()[0]]
                   if isinstance(said, list) else said)
        apply("grown", """
            export function upgrade(old) { if (old.notes) throw new Error("not for me"); }
            export default () => ["new"];
            """)
        wait_for(lambda: "not for me" in run("swarm", "logs", "grown"), "it was refused", WAIT_S)
        self.assertEqual(json.loads(self.ask("grown/a"))[0].split()[0], "had")

    def until(self, to, wanted, read=lambda said: said):
        wait_for(lambda: read(json.loads(self.ask(to))) == wanted or None, f"{to} says {wanted}",
                 WAIT_S)


if __name__ == "__main__":
    unittest.main()
