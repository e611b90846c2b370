"""The workload of the gateway to models: chat through the broker, with a budget and TLS, to a model
that answers at once, beside the same requests to that model itself."""
import json
import os
import signal
import subprocess
import time
import urllib.request

import figures
import proxies
from daemon import METRIC_TIMEOUT_S, Failure

GOALS = {1: {"words": "p50 at most 100 us more than the model itself", "alone": True,
             "reached": lambda line: line["added_p50_us"] <= 100},
         64: {"words": "25,000 requests/s", "alone": True,
              "reached": lambda line: line["value"] >= 25000}}
PEERS = {"nginx": (proxies.Nginx, {"words": ">= 0.3x of nginx as a bare proxy",
                                   "reached": lambda line: line["ratio"] >= 0.3}),
         "litellm": (proxies.LiteLlm, {"words": ">= 100x LiteLLM",
                                       "reached": lambda line: line["ratio"] >= 100})}
WORK = ((1, 5000), (64, 60000))  # Connections, with one request each under way; requests.


class Model:
    """bench-load as a model; its address is `place`. hold: it answers when it is told to."""

    def __init__(self, daemon, hold=0):
        self.process = subprocess.Popen(daemon.load_words("upstream", hold=hold),
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.place = self.url.removeprefix("http://")

    def ask(self, path, body=None):
        """What it says of itself: /held, and /release with a body."""
        with urllib.request.urlopen(self.url + path, data=body) as answer:
            return json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()


def provide(daemon, model, **spec):
    price = {"inputPerMillion": "0.15", "outputPerMillion": "0.60"}
    objects = [
        {"apiVersion": "swarm/v1", "kind": "Secret", "metadata": {"name": "bench"},
         "spec": {"data": {"key": "sk-bench"}}},
        {"apiVersion": "swarm/v1", "kind": "Budget", "metadata": {"name": "bench"},
         "spec": {"limits": {"money": "100000", "tokens": 10 ** 12}}},
        {"apiVersion": "swarm/v1", "kind": "ModelProvider", "metadata": {"name": "bench"},
         "spec": {"protocol": "openai", "baseURL": model.url + "/v1",
                  "apiKey": {"namespace": "default", "secret": "bench", "key": "key"},
                  "models": [{"name": "bench", "price": price}], **spec}}]
    for number, each in enumerate(objects):
        path = os.path.join(daemon.folder, f"model-{number}.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(each, file)
        daemon.swarm("apply", "-f", path)


def wait_served(daemon):
    """Until the gateway answers with the model."""
    until = time.monotonic() + METRIC_TIMEOUT_S
    while True:
        try:
            daemon.load("chat", workers=1, count=1)
            return
        except Failure:
            if time.monotonic() > until:
                raise


def gateway(run):
    head = {"bench": "gateway", "unit": "requests/s", "durability": "ledger written, not synced",
            "tls": True, "fs": run.filesystem, "config": run.config}
    with run.daemon("gateway") as daemon:
        model = Model(daemon)
        try:
            provide(daemon, model)
            wait_served(daemon)
            for connections, count in WORK:
                count = max(run.many(count), connections)
                options = {"workers": connections, "count": count,
                           "warm": max(run.many(20 * connections), connections)}
                ours, direct = run.alternate(
                    lambda _, o=options: daemon.load("chat", **o),
                    lambda _, o=options: daemon.load("chat", direct=model.place, **o))
                added = figures.middle(ours, "p50_us") - figures.middle(direct, "p50_us")
                figures.emit_rates(dict(head, case=f"inflight={connections} n={count}",
                                        added_p50_us=figures.rounded(added)), ours, None,
                                   GOALS[connections])
            for name, (kind, goal) in PEERS.items():
                with run.other(name, kind) as peer:
                    if peer is not None:
                        peer.begin(model.place)
                        beside(run, daemon, peer, dict(head, peer=name), goal)
        finally:
            model.stop()


def beside(run, daemon, peer, head, goal):
    """Ours and another way to the same model, in turns."""
    for connections, count in WORK:
        count = max(run.many(count), connections)
        options = {"workers": connections, "count": count, "warm": connections}
        ours, theirs = run.alternate(lambda _, o=options: daemon.load("chat", **o),
                                     lambda _, o=options: peer.measure(daemon, o))
        figures.emit_rates(dict(head, case=f"inflight={connections} n={count}"), ours, theirs,
                           goal if connections > 1 else None)


WORKLOADS = {"gateway": gateway}
