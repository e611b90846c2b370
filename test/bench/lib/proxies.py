"""Other ways to a model: nginx as a bare proxy, and LiteLLM's. Neither has TLS, budgets or records
here, which ours has."""
import http.client
import os
import subprocess
import sys
import threading
import time

from daemon import Failure, output_of
from peers import SOURCE, free_port

START_S = 120
PAUSE_S = 0.1
CHAT = (b'{"model":"bench","max_tokens":64,"messages":[{"role":"user","content":"' + 120 * b"x" +
        b'"}]}')


class Proxy:
    """A process on `place`; start comes after `model` has been set to the model's place."""
    model = ""

    def __init__(self, build, folder):
        self.build, self.folder, self.process = build, folder, None
        self.port = free_port()
        self.place = f"127.0.0.1:{self.port}"
        os.makedirs(folder, exist_ok=True)

    def start(self):
        """What it stands before is known later: begin does it."""

    def begin(self, model):
        self.model = model
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(self.words(), stdout=log, stderr=log,
                                            env=dict(os.environ, **self.environment()))
        until = time.monotonic() + START_S
        while not self.answers():
            if time.monotonic() > until or self.process.poll() is not None:
                raise Failure(f"{self.words()[0]} did not start; see {self.folder}/log")
            time.sleep(PAUSE_S)

    def answers(self):
        try:
            return chat(http.client.HTTPConnection(self.place, timeout=10))
        except OSError:
            return False

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def words(self):
        raise NotImplementedError

    @staticmethod
    def environment():
        return {}

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


class Nginx(Proxy):
    """Debian's: HTTP/2 without TLS in, kept connections out, no log of requests."""

    def words(self):
        kinds = "".join(f"{kind}_temp_path {self.folder};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return ["nginx", "-e", os.path.join(self.folder, "error"), "-c", self.write("conf", f"""
            daemon off; pid {self.folder}/pid; worker_processes auto;
            events {{ worker_connections 1024; }}
            http {{ access_log off; {kinds}
              upstream model {{ server {self.model}; keepalive 128;
                                keepalive_requests 1000000000; }}
              server {{ listen {self.place} http2; keepalive_requests 1000000000;
                location / {{ proxy_pass http://model; proxy_http_version 1.1;
                              proxy_set_header Connection ""; }} }} }}""")]

    def answers(self):
        return subprocess.run(["curl", "-s", "-f", "--http2-prior-knowledge", "-d", CHAT,
                               f"http://{self.place}/v1/chat/completions"], check=False,
                              capture_output=True).returncode == 0

    def measure(self, daemon, options):
        return daemon.load("chat", direct=self.place, **options)


class LiteLlm(Proxy):
    """As its makers have it, with as many workers as there are cores. It has no HTTP/2."""

    def words(self):
        folder = os.path.join(self.build, "bench", "litellm")
        program = os.path.join(folder, "bin", "litellm")
        if not os.path.exists(program):
            output_of([sys.executable, "-m", "venv", folder])
            output_of([os.path.join(folder, "bin", "pip"), "install", "--quiet", "--require-hashes",
                       "-r", os.path.join(SOURCE, "litellm", "requirements.txt")])
        config = self.write("config.yaml", f"""
model_list:
  - model_name: bench
    litellm_params: {{model: openai/bench, api_base: "http://{self.model}/v1", api_key: sk-bench}}
litellm_settings: {{telemetry: false}}
""")
        return [program, "--config", config, "--host", "127.0.0.1", "--port", str(self.port),
                "--num_workers", str(len(os.sched_getaffinity(0)))]

    @staticmethod
    def environment():
        return {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR",
                "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}

    def measure(self, daemon, options):
        del daemon
        drive(self.place, options["workers"], options["warm"])
        return drive(self.place, options["workers"], max(options["count"] // 50, 1))


def chat(connection):
    connection.request("POST", "/v1/chat/completions", CHAT, {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status == 200


def drive(place, workers, count):
    """Chats of one connection for each worker, one under way on each: as bench-load reports."""
    times, failures, lock, left = [], [], threading.Lock(), [count]

    def work():
        connection = http.client.HTTPConnection(place, timeout=60)
        while True:
            with lock:
                if left[0] == 0:
                    break
                left[0] -= 1
            begun = time.perf_counter()
            if not chat(connection):
                failures.append(place)
            times.append(time.perf_counter() - begun)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    if failures or len(times) != count:
        raise Failure(f"{len(failures)} chats through {place} failed")
    times.sort()
    return {"count": count, "seconds": seconds, "p50_us": times[count // 2] * 1e6,
            "p99_us": times[count * 99 // 100] * 1e6}
