"""The other side: servers built from their makers' own modules, pinned by go.sum; mutual TLS."""
import json
import os
import socket
import subprocess

from daemon import Failure, output_of

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")


def build_peer(build, name):
    program = os.path.join(build, "bench", f"{name}-peer")
    output_of(["go", "build", "-o", program, "."], cwd=os.path.join(SOURCE, name))
    return program


def certificates(folder):
    """ca.pem, and server and client with keys: EC P-256, as our own authority makes them."""
    def openssl(*words):
        output_of(["openssl", *words], cwd=folder)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=bench",
            "-days", "2")
    with open(os.path.join(folder, "names"), "w", encoding="ascii") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in ("server", "client"):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", "names")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Peer:
    """Processes of a peer; stop ends them."""

    def __init__(self, build, folder, name):
        self.program, self.folder, self.processes = build_peer(build, name), folder, []
        os.makedirs(folder, exist_ok=True)
        certificates(folder)

    def run(self, *words, **options):
        with open(os.path.join(self.folder, "peer.log"), "ab") as log:
            self.processes.append(subprocess.Popen([self.program, *words], stderr=log, **options))
        return self.processes[-1]

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        self.processes = []

    def measure(self, workload, **options):
        words = [f"-{name}={value}" for name, value in options.items()]
        return json.loads(output_of([self.program, workload, "-dir", self.folder, *words]))


class Runtime:
    """Another runtime of actors: a program for each workload, which runs it and ends."""

    def __init__(self, build, folder):
        del folder
        self.build, self.words = build, {}

    def start(self):
        pass

    def stop(self):
        pass

    def measure(self, workload, *words):
        if workload not in self.words:
            self.words[workload] = self.make(workload)
        return json.loads(output_of([*self.words[workload], *map(str, words)],
                                    env=dict(os.environ, ERL_CRASH_DUMP_SECONDS="0")))


class Erlang(Runtime):
    workloads = ("pairs", "fan", "spawn")

    def make(self, workload):
        folder = os.path.join(self.build, "bench", "erlang")
        os.makedirs(folder, exist_ok=True)
        output_of(["erlc", "-o", folder, os.path.join(SOURCE, "erlang", f"{workload}.erl")])
        many = ["+P", "2000000"] if workload == "spawn" else []  # Processes that there may be.
        return ["erl", *many, "-noshell", "-pa", folder, "-run", workload, "main"]


class Caf(Runtime):
    workloads = ("pairs", "fan", "spawn")

    def make(self, workload):
        program = os.path.join(self.build, "bench", f"caf-{workload}")
        output_of(["g++", "-O2", "-DNDEBUG", "-std=c++17", "-o", program,
                   os.path.join(SOURCE, "caf", f"{workload}.cpp"), "-lcaf_core"])
        return [program]


class Pekko(Runtime):
    workloads = ("pairs", "fan", "spawn")

    def make(self, workload):
        folder = os.path.join(self.build, "bench", "pekko")
        output_of(["mvn", "-q", "-B", f"-Dbench.build={folder}", "package",
                   "dependency:copy-dependencies"], cwd=os.path.join(SOURCE, "pekko"))
        jars = os.path.join(folder, "dependency", "*")
        return ["java", "-cp", f"{folder}/classes:{jars}",
                workload.capitalize()]


class Etcd(Peer):
    """One member, its standard settings: a put is synced before it is acknowledged, a get is
    linearizable."""

    def __init__(self, build, folder):
        super().__init__(build, folder, "etcd")
        self.endpoint = f"https://127.0.0.1:{free_port()}"

    def start(self):
        # It tells whoever supervises it, as systemd would, when it serves.
        path = os.path.join(self.folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(30)
            environment = dict(os.environ, NOTIFY_SOCKET=path)
            peers = f"http://127.0.0.1:{free_port()}"
            self.run("server", "--data-dir", os.path.join(self.folder, "data"),
                     "--listen-client-urls", self.endpoint, "--advertise-client-urls",
                     self.endpoint, "--listen-peer-urls", peers, "--initial-advertise-peer-urls",
                     peers, "--initial-cluster", f"default={peers}", "--client-cert-auth",
                     "--trusted-ca-file", os.path.join(self.folder, "ca.pem"),
                     "--cert-file", os.path.join(self.folder, "server.pem"),
                     "--key-file", os.path.join(self.folder, "server.key"),
                     "--tls-min-version", "TLS1.3", "--log-level", "error", env=environment)
            if b"READY=1" not in notify.recv(4096):
                raise Failure("etcd did not start")

    def measure(self, workload, **options):
        return super().measure(workload, endpoint=self.endpoint, **options)


class Nats(Peer):
    """A server, and a responder that echoes, each a process of its own."""

    def __init__(self, build, folder):
        super().__init__(build, folder, "nats")

    def start(self):
        for words in (("server",), ("respond",)):
            process = self.run(*words, "-dir", self.folder, stdout=subprocess.PIPE)
            if not process.stdout.readline():
                raise Failure(f"the {words[0]} of NATS did not start")

    def stop(self):
        for process in self.processes:
            process.stdout.close()
        super().stop()
