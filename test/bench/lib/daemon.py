"""Our side: swarmd as it is shipped, in a folder of its own, and what talks to it."""
import json
import os
import signal
import ssl
import subprocess
import time
import urllib.request

import yaml

METRIC_TIMEOUT_S = 30
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


class Lacking(Failure):
    """This daemon cannot do what is to be measured."""


def output_of(words, **options):
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failure(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Daemon:
    """swarmd --dev; its home is a folder that the caller removes."""

    def __init__(self, build, folder):
        self.build, self.folder, self.process, self.address = build, folder, None, None
        self.before = []  # Words before the command that starts it.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SWARM_", "XDG_"))}
        self.environment = dict(kept, HOME=folder, NO_COLOR="1", SWARM_API_LISTEN="127.0.0.1:0",
                                SWARM_API_STREAMS="8192")
        self.environment["PATH"] = os.path.join(build, "bin") + ":" + kept.get("PATH", "/usr/bin")
        self.data = os.path.join(folder, ".local", "share", "swarm")
        os.makedirs(folder, exist_ok=True)

    def start(self):
        """swarmd prints one line when it serves. Returns the address in it."""
        with open(os.path.join(self.folder, "swarmd.log"), "ab") as log:
            self.process = subprocess.Popen(
                [*self.before, os.path.join(self.build, "bin", "swarmd"), "--dev"],
                stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                env=self.environment, text=True)
        line = self.process.stdout.readline()
        if "https://" not in line:
            raise Failure(f"swarmd did not start; see {self.folder}/swarmd.log")
        self.address = line.split("https://")[1].split()[0]
        return self.address

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait()
        self.process.stdout.close()
        self.process = None
        if code != 0:
            raise Failure(f"swarmd ended with {code}; see {self.folder}/swarmd.log")

    def kill(self):
        """All of its processes at once, as a machine does that loses its power."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def swarm(self, *words):
        return output_of(["swarm", *words], env=self.environment)

    def load_words(self, workload, **options):
        """The command of a run of the load generator."""
        return [os.path.join(self.build, "bench", "bench-load"), workload,
                *(f"{name}={value}" for name, value in options.items())]

    def load(self, workload, **options):
        """One run of the load generator; what it reports."""
        return json.loads(output_of(self.load_words(workload, **options), env=self.environment))

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

    def apply_keyed(self, name, module, **spec):
        """An Agent with a key for each instance, of the module build/guests/bench_MODULE.wasm, or
        of a path."""
        path = os.path.join(self.folder, f"{name}.yaml")
        if "/" not in module:
            module = os.path.join(self.build, "guests", f"bench_{module}.wasm")
        spec = {"module": module, "keyed": True, **spec}
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"apiVersion": "swarm/v1", "kind": "Agent", "metadata": {"name": name},
                       "spec": spec}, file)
        self.swarm("apply", "-f", path)
        self.swarm("wait", f"agent/{name}", "--for=condition=Ready", "--timeout=60s")

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

    def page(self, path):
        """What the API answers to the user of the dev context."""
        with open(os.path.join(self.folder, ".config", "swarm", "contexts", "dev.yaml"),
                  encoding="utf-8") as file:
            context = yaml.safe_load(file)
        identity = os.path.join(self.folder, "identity.pem")
        user = context["users"]["dev"]
        with open(os.open(identity, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="ascii") as file:
            file.write(user["certificate"] + user["key"])
        cluster = context["clusters"]["dev"]
        tls = ssl.create_default_context(cadata=cluster["authority"])
        tls.load_cert_chain(identity)
        with urllib.request.urlopen(cluster["server"] + path, context=tls) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The value of a metric without labels."""
        for line in self.page("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise Failure(f"there is no metric {name}")

    def wait_for_metric(self, name, is_right, meanwhile=None):
        """The value once it is as wanted: what a host has counted is told a few times a second, by
        one that does nothing only after it was asked something (meanwhile)."""
        until = time.monotonic() + METRIC_TIMEOUT_S
        value = self.metric(name)
        while not is_right(value):
            if time.monotonic() > until:
                raise Failure(f"{name} is {value:.0f}, which is not what it should be")
            time.sleep(0.05)
            if meanwhile is not None:
                meanwhile()
            value = self.metric(name)
        return value

    def host_cpu_s(self):
        """Processor time of the agent host so far."""
        for pid in self.processes():
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            if name == "swarm-agent-hos":
                return sum(map(int, rest.split()[11:13])) / os.sysconf("SC_CLK_TCK")
        raise Failure("there is no agent host")

    def memory_bytes(self, processes=None):
        """The sum of the proportional set sizes of all its processes, or of some."""
        total = 0
        for pid in processes or self.processes():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(1024 * int(line.split()[1]) for line in file
                             if line.startswith("Pss:"))
        return total
