"""A swarmd of one's own for tests in Python, and a client that speaks its REST API as a program
would, with the certificate of the dev context. PYTHONPATH names this folder in every script."""
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import urllib.parse

import yaml

TMP, BUILD = os.environ["SW_TMP"], os.environ["SW_BUILD"]
BASE = "/apis/swarm/v1"


class Client:
    """One connection, for one thread; made anew when it broke."""

    def __init__(self, daemon):
        self.daemon, self.connection, self.port = daemon, None, None

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None, headers=(), timeout_s=60):
        """(status, headers, body); OSError or HTTPException when the connection breaks."""
        if self.connection is None or self.port != self.daemon.port:
            self.close()
            self.port = self.daemon.port
            self.connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, context=self.daemon.tls, timeout=timeout_s)
        try:
            self.connection.request(method, path, body, dict(headers))
            response = self.connection.getresponse()
            return response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def get(self, path):
        status, _, body = self.request("GET", BASE + path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body.decode()}")
        return json.loads(body)

    def send(self, to, body, reply=True, content_type="text/plain", **query):
        """(status, body) of a message to "agent" or "agent/key" in the namespace default."""
        agent, _, key = to.partition("/")
        if key:
            query["key"] = key
        query["reply"] = "true" if reply else "false"
        path = f"{BASE}/namespaces/default/agents/{agent}/send?{urllib.parse.urlencode(query)}"
        status, _, answer = self.request("POST", path, body, {"content-type": content_type})
        return status, answer

    def metric(self, name):
        """The value of a metric without labels, as /metrics has it now."""
        _, _, body = self.request("GET", "/metrics")
        for line in body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(f"there is no metric {name}")

    def events(self, reason=None):
        items, after = [], ""
        while after is not None:
            page = self.get(f"/namespaces/default/events?limit=500&continue={after}")
            items += page["items"]
            after = page["metadata"].get("continue") or None
        return [item for item in items if reason in (None, item["reason"])]


class Daemon:
    """swarmd --dev in the test's home. port changes with each start."""

    def __init__(self):
        os.environ["SWARM_API_LISTEN"] = "127.0.0.1:0"
        self.process = self.port = self.tls = None
        self.log = os.path.join(TMP, "swarmd.log")

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "bin", "swarmd"), "--dev"], stderr=log,
                stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline().decode()
        found = re.search(r"serves https://127\.0\.0\.1:(\d+)", line)
        if found is None:
            raise AssertionError(f"swarmd did not start; see {self.log}")
        if self.tls is None:
            self.tls = self.read_context()
        self.port = int(found.group(1))

    def read_context(self):
        """The authority and identity that swarmd wrote into the user's config folder."""
        folder = os.path.join(os.environ["XDG_CONFIG_HOME"], "swarm", "contexts")
        with open(os.path.join(folder, "dev.yaml"), encoding="utf-8") as file:
            config = yaml.safe_load(file)
        identity = config["users"]["dev"]
        path = os.path.join(TMP, "identity.pem")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="ascii") as file:
            file.write(identity["certificate"] + identity["key"])
        tls = ssl.create_default_context(cadata=config["clusters"]["dev"]["authority"])
        tls.load_cert_chain(path)
        return tls

    def hosts(self):
        """The processes of the agent hosts, by the folders of their journals."""
        pid, found = self.process.pid, {}
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
        for child in children:
            try:
                with open(f"/proc/{child}/cmdline", "rb") as file:
                    words = file.read().decode().split("\0")
                if os.path.basename(os.readlink(f"/proc/{child}/exe")) == "swarm-agent-host":
                    found[words[words.index("--folder") + 1]] = child
            except (OSError, ValueError):
                pass
        return found

    def host(self):
        """The process of the shared agent host, or None while there is none."""
        try:
            return next((pid for folder, pid in self.hosts().items()
                         if os.path.basename(os.path.dirname(os.path.dirname(folder))) != "hosts"),
                        None)
        except OSError:
            return None

    def end(self, number=signal.SIGTERM):
        """Send the signal; the status that swarmd ended with. One that lives and is asked to stop
        must do so cleanly."""
        is_asked = number == signal.SIGTERM and self.process.poll() is None
        self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        if is_asked and status != 0:
            raise AssertionError(f"swarmd did not stop cleanly: status {status}; see {self.log}")
        return status


def run(*words, status=0, data=None, errors=False):
    """What a command prints, or with `errors` what it complains of; it must end with status."""
    done = subprocess.run(words, input=data, capture_output=True, timeout=120, check=False)
    if done.returncode != status:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}: "
                             f"{done.stdout.decode()}{done.stderr.decode()}")
    return (done.stderr if errors else done.stdout).decode()


def apply(guest, *specs, prefix="test"):
    """Apply Agents that run test/guests/GUEST.c (or what else was built as PREFIX_GUEST.wasm), each
    "NAME: the rest of its spec", and wait."""
    folder = os.path.join(TMP, "agents-" + guest)
    os.makedirs(folder, exist_ok=True)
    shutil.copy(os.path.join(BUILD, "guests", f"{prefix}_{guest}.wasm"), folder)
    names = []
    with open(os.path.join(folder, "agents.yaml"), "w", encoding="utf-8") as file:
        for text in specs:
            name, _, spec = text.partition(": ")
            names.append("agent/" + name)
            file.write(f"---\napiVersion: swarm/v1\nkind: Agent\nmetadata: {{name: {name}}}\n"
                       f"spec: {{module: ./{prefix}_{guest}.wasm, {spec}}}\n")
    run("swarm", "apply", "-f", folder)
    run("swarm", "wait", *names, "--for=condition=Ready", "--timeout=60s")
