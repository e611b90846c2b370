#!/usr/bin/python3
"""Agents of several toolchains, as these make them: each keeps its state over kill -9 and over a
clean stop, prints into its log, and is told who it is. C on wasi-libc, Rust with its standard
library, Zig."""
# timeout: 240
import os
import shutil
import signal
import subprocess
import unittest

from swarmd import BUILD, TMP, Client, Daemon, run

SOURCE = os.environ["SW_SOURCE"]
GUESTS = os.path.join(SOURCE, "test", "toolchains")
FOLDER = os.path.join(TMP, "agents")


def build(*words):
    """Run a compiler, in the test's own folders; it has a minute on a busy machine."""
    environment = dict(os.environ, ZIG_GLOBAL_CACHE_DIR=os.path.join(TMP, "zig"),
                       ZIG_LOCAL_CACHE_DIR=os.path.join(TMP, "zig"))
    done = subprocess.run(words, cwd=FOLDER, env=environment, capture_output=True, timeout=120,
                          check=False)
    if done.returncode != 0:
        raise AssertionError(f"{words[0]} ended with {done.returncode}: {done.stderr.decode()}")


def build_c():
    shutil.copy(os.path.join(GUESTS, "counter.c"), os.path.join(FOLDER, "c.c"))
    build("swarm", "agent", "build", "--libc", "c.c")


def build_rust():
    build("/usr/bin/rustc", "--edition=2021", "--crate-type=cdylib", "--target=wasm32-wasi", "-O",
          "-Clinker=wasm-ld-14", "-Clink-arg=--strip-debug", "-orust.wasm",
          os.path.join(GUESTS, "counter.rs"))


def build_zig():
    build(os.path.join(os.environ["SW_VENV"], "bin", "python3"), "-m", "ziglang", "build-exe",
          "-target", "wasm32-wasi", "-fno-entry", "-rdynamic", "-OReleaseSmall", "--stack", "16384",
          "-femit-bin=zig.wasm", os.path.join(GUESTS, "counter.zig"))


BUILDERS = {"c": build_c, "rust": build_rust, "zig": build_zig}


class Toolchains(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.makedirs(FOLDER)
        with open(os.path.join(FOLDER, "agents.yaml"), "w", encoding="utf-8") as file:
            for name, builder in BUILDERS.items():
                builder()
                file.write(f"---\napiVersion: swarm/v1\nkind: Agent\nmetadata: {{name: {name}}}\n"
                           f"spec: {{module: ./{name}.wasm, keyed: true, "
                           "limits: {memory: 4MiB}}\n")
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        run("swarm", "apply", "-f", FOLDER)
        cls.wait()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.daemon.end()
        if status != 0:
            raise AssertionError(f"swarmd ended with {status}")

    @classmethod
    def wait(cls):
        run("swarm", "wait", *("agent/" + name for name in BUILDERS), "--for=condition=Ready",
            "--timeout=60s")

    def ask_all(self, body, wanted):
        for name in BUILDERS:
            status, answer = self.client.send(f"{name}/k1", body)
            self.assertEqual((status, answer.decode()), (200, wanted), name)

    def test_state_stays_over_kill_and_stop(self):
        self.ask_all("one", "1 - 1 k1 1.5")
        self.ask_all("two", "2 one 1 k1 3.0")
        self.daemon.end(signal.SIGKILL)
        self.daemon.start()
        self.wait()
        self.ask_all("three", "3 two 1 k1 4.5")  # From the journal: every turn again.
        self.assertEqual(self.daemon.end(), 0)
        self.daemon.start()
        self.wait()
        self.ask_all("four", "4 three 1 k1 6.0")  # From a snapshot: memory and globals.
        for name in BUILDERS:
            self.assertIn(f"{name}: message 4", run("swarm", "logs", f"{name}/k1"), name)

    def test_a_c_program_may_sleep(self):
        shutil.copy(os.path.join(GUESTS, "sleeper.c"), FOLDER)
        build("swarm", "agent", "build", "--libc", "sleeper.c")
        with open(os.path.join(FOLDER, "sleeper.yaml"), "w", encoding="utf-8") as file:
            file.write("apiVersion: swarm/v1\nkind: Agent\nmetadata: {name: sleeper}\n"
                       "spec: {module: ./sleeper.wasm, keyed: true, limits: {deadline: 100ms}}\n")
        run("swarm", "apply", "-f", os.path.join(FOLDER, "sleeper.yaml"))
        run("swarm", "wait", "agent/sleeper", "--for=condition=Ready", "--timeout=60s")
        status, answer = self.client.send("sleeper/1", "good night")
        self.assertEqual(status, 200, answer)
        self.assertRegex(answer, rb"^good night [0-9]+$")
        self.assertGreaterEqual(int(answer.split()[-1]), 250)

    def test_exit_fails_the_turn(self):
        self.client.send("c/k2", "one")
        status, answer = self.client.send("c/k2", "exit")
        self.assertEqual(status, 500)
        self.assertIn(b"exit(7)", answer)
        self.assertEqual(self.client.send("c/k2", "two"), (200, b"2 one 1 k2 3.0"))

    def test_all_that_a_c_library_imports_is_there(self):
        """wasi-libc whole: a module that imports each function of preview 1 that it knows."""
        build("wasm-ld-19", "--no-entry", "--no-gc-sections", "--stack-first", "-oall.wasm",
              "--unresolved-symbols=ignore-all", "/usr/lib/wasm32-wasi/crt1-reactor.o",
              os.path.join(FOLDER, ".swarm", "0-c.c.o"),
              "--whole-archive", "/usr/lib/wasm32-wasi/libc.a")
        with open(os.path.join(FOLDER, "all.wasm"), "rb") as file:
            module = file.read()
        self.assertGreater(module.count(b"wasi_snapshot_preview1"), 40)
        run("swarm", "agent", "push", os.path.join(FOLDER, "all.wasm"))

    def test_a_command_is_refused_with_a_hint(self):
        with open(os.path.join(FOLDER, "main.c"), "w", encoding="ascii") as file:
            file.write("int main(void) { return 0; }\n")
        build("clang-19", "--target=wasm32-wasi", "-isystem", "/usr/include/wasm32-wasi", "-O0",
              "-c", "main.c", "-omain.o")
        build("wasm-ld-19", "-omain.wasm", "/usr/lib/wasm32-wasi/crt1.o", "main.o",
              "-L/usr/lib/wasm32-wasi", "-lc")
        done = subprocess.run(["swarm", "agent", "push", os.path.join(FOLDER, "main.wasm")],
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"-mexec-model=reactor", done.stderr)


if __name__ == "__main__":
    unittest.main()
