"""Our side: swarmd as it is shipped, in a folder of its own, and what talks to it."""
import json
import os
import signal
import subprocess
import time

MANIFEST = """apiVersion: swarm/v1
kind: Agent
metadata: {{name: {name}}}
spec:
  module: {module}
  replicas: {replicas}
  durability: {durability}
"""


class Failure(Exception):
    """The work was not done as it should have been."""


def output_of(words, **options):
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failure(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Daemon:
    """swarmd --dev; its home is a folder that the caller removes."""

    def __init__(self, build, folder):
        self.build, self.folder, self.process = build, folder, None
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SWARM_", "XDG_"))}
        self.environment = dict(kept, HOME=folder, NO_COLOR="1", SWARM_API_LISTEN="127.0.0.1:0")
        self.environment["PATH"] = os.path.join(build, "bin") + ":" + kept.get("PATH", "/usr/bin")
        os.makedirs(folder, exist_ok=True)

    def start(self):
        """swarmd prints one line when it serves. Returns the address in it."""
        with open(os.path.join(self.folder, "swarmd.log"), "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.build, "bin", "swarmd"), "--dev"], stdout=subprocess.PIPE,
                stderr=log, stdin=subprocess.DEVNULL, env=self.environment, text=True)
        line = self.process.stdout.readline()
        if "https://" not in line:
            raise Failure(f"swarmd did not start; see {self.folder}/swarmd.log")
        return line.split("https://")[1].split()[0]

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait()
        self.process.stdout.close()
        self.process = None
        if code != 0:
            raise Failure(f"swarmd ended with {code}; see {self.folder}/swarmd.log")

    def swarm(self, *words):
        return output_of(["swarm", *words], env=self.environment)

    def load(self, workload, **options):
        """One run of the load generator; what it reports."""
        words = [f"{name}={value}" for name, value in options.items()]
        program = os.path.join(self.build, "bench", "bench-load")
        return json.loads(output_of([program, workload, *words], env=self.environment))

    def manifest(self, name, replicas, durability):
        path = os.path.join(self.folder, f"{name}.yaml")
        module = os.path.join(self.build, "guests", "bench_echo.wasm")
        with open(path, "w", encoding="utf-8") as file:
            file.write(MANIFEST.format(name=name, module=module, replicas=replicas,
                                       durability=durability))
        return path

    def namespace(self, name):
        path = os.path.join(self.folder, "namespace.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"apiVersion: swarm/v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
        self.swarm("apply", "-f", path)

    def apply(self, name, replicas, durability):
        """Seconds from the start of `swarm apply` to the end of `swarm wait`."""
        path = self.manifest(name, replicas, durability)
        begun = time.monotonic()
        self.swarm("apply", "-f", path)
        self.swarm("wait", f"agent/{name}", "--for=condition=Ready", "--timeout=60s")
        return time.monotonic() - begun

    def processes(self):
        """The daemon and all that it has started."""
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                left += [int(word) for word in file.read().split()]
        return found

    def memory_bytes(self):
        """The sum of the proportional set sizes of all its processes."""
        total = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(1024 * int(line.split()[1]) for line in file
                             if line.startswith("Pss:"))
        return total
