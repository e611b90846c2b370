#!/usr/bin/python3
"""Programs that were written for OpenAI or Anthropic, with the libraries that those publish, ask
models of swarmd: providers of both protocols, with translation and without."""
# timeout: 120
import os
import subprocess
import sys

import yaml
from models import CANARY, DEADLINE_S, OPENAI, apply, budget, model, provider, secret
from swarmd import BASE, TMP, Client, Daemon
from upstream import Upstream
from waiting import wait_for

CLIENTS = os.path.join(os.environ["SW_SOURCE"], "test", "e2e", "lib", "sdk_clients")
PYTHON = os.path.join(os.environ["SW_VENV"], "bin", "python")
NODE = os.environ["SW_NODE"]


def calls_tool(request):
    """The tool, until it has answered."""
    texts = request.texts()
    return {} if texts and texts[-1] == "3 it is" else {"tool": "add",
                                                        "arguments": {"left": 1, "right": 2}}


class WithTools(Upstream):
    """Calls the tool whenever a model is asked whose name says so."""

    async def answer(self, request, writer, number):
        if request.json.get("model", "").endswith("-tools"):
            self.steps.appendleft(calls_tool)
        await super().answer(request, writer, number)


def authority():
    """The certificate of the cluster's authority, in a file."""
    path = os.path.join(os.environ["XDG_CONFIG_HOME"], "swarm", "contexts", "dev.yaml")
    with open(path, encoding="utf-8") as file:
        context = yaml.safe_load(file)
    path = os.path.join(TMP, "authority.pem")
    with open(path, "w", encoding="ascii") as file:
        file.write(context["clusters"]["dev"]["authority"])
    return path


def both(name, **more):
    return [model(name), model(name + "-tools", capabilities=["chat", "tools"], **more)]


def check(language, words):
    """Whether it failed."""
    done = subprocess.run(words, timeout=100, check=False)
    print(f"{'ok' if done.returncode == 0 else 'not ok'} - "
          f"the official libraries for {language} are served")
    return done.returncode != 0


def main():
    daemon = Daemon()
    daemon.start()
    client = Client(daemon)
    with WithTools(CANARY) as openai, WithTools(CANARY) as anthropic:
        apply(secret(),
              provider("openai", openai, models=both("chatty") + [
                  model("vectors", capabilities=["embeddings"])], apis=["chat", "embeddings"]),
              provider("anthropic", anthropic, "anthropic", models=both("claudy")),
              provider("dear", openai, models=[
                  model("poor", price={"outputPerMillion": "1000000"})]),
              budget("all", limits={"money": "0.5"}))
        wait_for(lambda: b"poor" in client.request("GET", OPENAI + "/models")[2],
                 "models are there", DEADLINE_S)
        base = f"https://127.0.0.1:{daemon.port}{BASE}/namespaces/default"
        where = [base, authority(), os.path.join(TMP, "identity.pem")]
        failed = [check("Python", [PYTHON, "-B", CLIENTS + ".py", *where]),
                  check("JavaScript", [os.path.join(NODE, "bin", "node"), CLIENTS + ".mjs", *where,
                                       NODE])]
    client.close()
    return any(failed) or daemon.end()


if __name__ == "__main__":
    sys.exit(main())
