#!/usr/bin/python3
"""schemathesis asks a real daemon whatever its OpenAPI document allows, and much that it does not.

It reads the document that the daemon serves, as the admin of the --dev context, and runs all its
phases with all its checks. What it may find is nothing: each answer's status, content type and
body must be documented, valid requests must be taken, others refused, and the only 5xx are the
documented 503 and 504. The cases follow from SEED, so that a failure comes again.

A whole object may be created, updated and applied, and is read by the same code each time: the
phase that tries each field of it does so once, where it is created, and in all three with
SW_EVERYTHING=1."""
# labels: apifuzz
# timeout: 900
# chaos: SW_EVERYTHING=1
# chaos-timeout: 3600
import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import yaml

from swarmd import Daemon

TMP = os.environ["SW_TMP"]
SOURCE, VENV = os.environ["SW_SOURCE"], os.environ["SW_VENV"]
SEED = int(os.environ.get("SW_SEED", "20260131"))
CASES_MIN = 2000
EXAMPLES = "2"  # For each operation and phase, beside those that the schemas give.
PHASES = ("examples", "coverage", "fuzzing", "stateful")

# Where the defaults of schemathesis are not what is promised here. Statuses that depend on what is
# stored and not on the request alone cannot be told from its schema:
CONFIG = """
max-stream-events = 1  # A watch begins with an event that says where it stands, then goes on.
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503", "504"]
[checks.positive_data_acceptance]  # 410: compacted or future revision; 412: a state's illegal move.
expected-statuses = ["2xx", "401", "403", "404", "409", "410", "412", "429", "503", "504"]
[checks.negative_data_rejection]
expected-statuses = ["400", "404", "405", "406", "409", "410", "411", "412", "413", "415"]
[[operations]]  # A log that nobody writes to says nothing.
include-operation-id = "readLogs"
request-timeout = 0.5
"""
ONCE = """
[[operations]]
include-operation-id-regex = "^(update|apply)[A-Z][A-Za-z]*$"
phases.coverage.enabled = false
"""


def write(name, text):
    path = os.path.join(TMP, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def context():
    """Server, and the files of authority, certificate and key, of the context that --dev made."""
    path = os.path.join(os.environ["XDG_CONFIG_HOME"], "swarm", "contexts", "dev.yaml")
    with open(path, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    cluster, user = config["clusters"]["dev"], config["users"]["dev"]
    return (cluster["server"], write("ca.pem", cluster["authority"]),
            write("client.pem", user["certificate"]), write("client.key", user["key"]))


TEMPLATE = """apiVersion: swarm/v1
kind: AgentTemplate
metadata: {{name: small}}
spec: {{agent: {{module: "{0}"}}}}
---
apiVersion: swarm/v1
kind: Agent
metadata: {{name: agent-1}}
spec: {{module: "{0}"}}
"""


def populate(module):
    """Things for the requests to meet: an Agent that runs, one with keys, and what they log. Names
    are those of the examples in the document."""
    def swarm(*words):
        subprocess.run(("swarm",) + words, check=True, stdout=subprocess.DEVNULL, timeout=120)
    with open(module, "rb") as file:
        digest = "sha256:" + hashlib.sha256(file.read()).hexdigest()
    swarm("agent", "push", module)
    swarm("apply", "-f", write("objects.yaml", TEMPLATE.format(digest)))
    swarm("apply", "-f", os.path.join(SOURCE, "examples", "librarian"))
    swarm("wait", "agent/agent-1", "agent/reader", "agent/librarian", "--for=condition=Ready")
    swarm("send", "agent-1", "Ada")
    swarm("send", "reader/k", "Ada", "--no-reply")


def run(more):
    server, authority, certificate, key = context()
    module = os.path.join(SOURCE, "examples", "hello", "agent.wasm")
    populate(module)
    environment = dict(
        os.environ, SCHEMATHESIS_HOOKS="apifuzz_hooks", SW_APIFUZZ_SERVER=server,
        PYTHONPATH=os.path.join(SOURCE, "test", "e2e", "lib"), SW_APIFUZZ_TEMPLATE="small",
        SW_APIFUZZ_AUTHORITY=authority, SW_APIFUZZ_CERTIFICATE=certificate, SW_APIFUZZ_KEY=key,
        SW_APIFUZZ_MODULE=module)
    config = CONFIG if os.environ.get("SW_EVERYTHING") else CONFIG + ONCE
    command = [
        os.path.join(VENV, "bin", "schemathesis"), "--config-file", write("st.toml", config),
        "run", server + "/openapi", "--url", server, "--tls-verify", authority,
        "--request-cert", certificate, "--request-cert-key", key,
        "--phases", ",".join(PHASES), "--checks", "all", "--mode", "all",
        "--seed", str(SEED), "--max-examples", EXAMPLES, "--generation-database", "none",
        "--continue-on-failure", "--no-color", "--request-timeout", "10",
        "--report", "json", "--report-json-path", os.path.join(TMP, "report.json")]
    return subprocess.run(command + more, cwd=TMP, env=environment, check=False).returncode


def check(name, is_good, words=""):
    print(f"{'ok' if is_good else 'not ok'} - {name}" + ("" if is_good else f": {words}"))
    return is_good


def check_report(status, report):
    """That nothing was found counts only when everything was asked."""
    cases, operations = report["test_cases"], report["operations"]
    phases = {name: phase["status"] for name, phase in report["phases"].items()}
    return all([
        check("nothing was found", status == 0 and not report["failures"] and
              not report["errors"], f"status {status}; see above and {TMP}"),
        check("all phases ran", phases == dict.fromkeys(PHASES, "success"), phases),
        check("all operations were asked", operations["tested"] == operations["total"] > 60 and
              operations["errored"] == 0, operations),
        check(f"{cases['generated']} cases are enough", cases["generated"] >= CASES_MIN)])


def check_strangers(server, authority):
    """What the document calls open is open, all else says 401 to who shows no certificate."""
    secure = ssl.create_default_context(cafile=authority)
    good = True
    with open(os.path.join(SOURCE, "api", "openapi", "swagger.yaml"), encoding="utf-8") as file:
        paths = yaml.safe_load(file)["paths"]
    for path, operations in paths.items():
        url = server + re.sub(r"\{digest\}", "sha256:" + 64 * "0", path)
        url = re.sub(r"\{[a-z]+\}", "default", url)
        for method in set(operations) - {"parameters"}:
            asked = urllib.request.Request(url, method=method.upper())
            try:
                with urllib.request.urlopen(asked, context=secure, timeout=10) as answer:
                    status = answer.status
            except urllib.error.HTTPError as error:
                status = error.code
            is_open = operations[method].get("security") == []
            if status != (200 if is_open else 401):
                good = check(f"a stranger's {method} {path}", False, status)
    return check("strangers see nothing but health", good)


def main():
    daemon = Daemon()
    daemon.start()
    try:
        server, authority, _, _ = context()
        good = check_strangers(server, authority)
        print(f"seed {SEED}; SW_SEED=N takes another one", flush=True)
        status = run(sys.argv[1:])
        with open(os.path.join(TMP, "report.json"), encoding="utf-8") as file:
            good = check_report(status, json.load(file)) and good
        is_alive = daemon.process.poll() is None
    finally:
        status = daemon.end()
    good = check("the daemon lived and stopped cleanly", is_alive and status == 0) and good
    return 0 if good else 1


sys.exit(main())
