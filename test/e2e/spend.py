#!/usr/bin/python3
"""A thousand callers at once on one Budget of $1.00, while the daemon is killed, the provider lies,
breaks off and fails, and callers go in the middle: what the provider would put on its bill is never
above a dollar by any amount, and never above what the ledger says. Prices, sizes, faults and kills
are drawn anew for each of SW_RUNS runs, from SW_SEED on."""
# labels: kill
# timeout: 240
# chaos: SW_RUNS=100
# chaos-timeout: 3600
import asyncio
import decimal
import json
import os
import random
import resource
import ssl
import sys

from models import budget, model, provider, secret
from swarmd import BASE, Client, Daemon, run
from upstream import Upstream
from waiting import wait_for

import yaml

RUNS = int(os.environ.get("SW_RUNS", "2"))
SEED = int(os.environ.get("SW_SEED", "1"))
CALLERS, REFUSALS = 1000, 2  # A caller that was refused so often has had enough.
NANO = 10**9
WAIT_S = 60
FAULTS = ({"status": 500}, {"cut": 3}, {"cut": 60}, {"usage": (10**6, 10**6)}, {"usage": (0, 0)},
          {"usage": None}, {"status": 429, "headers": {"retry-after": "0"}},
          {"body": b"{not json"})
# The daemon is not there, does not know the model yet, or has had nothing of use from the provider.
PASSING = (404, 429, 500, 502, 503, 504)


class Wave:
    """One run: a namespace, a Budget, a model with prices of their own, and all callers."""

    def __init__(self, daemon, upstream, number):
        self.daemon, self.upstream, self.number = daemon, upstream, number
        self.chance = random.Random(SEED * 1000 + number)
        self.space, self.model = f"run-{SEED}-{number}", f"model-{number}"
        self.input, self.output = self.chance.randint(1, 20), self.chance.randint(5, 300)
        self.answers = self.gone = self.kills = 0
        self.statuses, self.refused = {}, 0
        self.kill_at = sorted(self.chance.sample(range(5, 500), self.chance.randint(0, 3)))
        self.up = asyncio.Event()
        self.path = f"{BASE}/namespaces/{self.space}/openai/v1"

    def objects(self):
        price = {"inputPerMillion": str(self.input), "outputPerMillion": str(self.output)}
        one = provider("one", self.upstream, models=[
            model(self.model, price=price, maxOutputTokens=40)])
        bound = budget("all", limits={"money": "1.00"})
        bound["metadata"]["namespace"] = self.space
        return [{"apiVersion": "swarm/v1", "kind": "Namespace", "metadata": {"name": self.space}},
                secret(), one, bound]

    def begin(self, client):
        run("swarm", "apply", "-f", "-", data=yaml.safe_dump_all(self.objects()).encode())
        wait_for(lambda: self.is_ready(client), "the model is there", WAIT_S)
        self.upstream.billed.clear()
        self.upstream.steps.clear()
        self.upstream.script(*(self.step() for _ in range(20000)))
        self.up.set()

    def is_ready(self, client):
        status, _, body = client.request("GET", self.path + "/models")
        return status == 200 and self.model.encode() in body

    def step(self):
        if self.chance.random() < 0.1:
            return self.chance.choice(FAULTS)
        return {"words": self.chance.randint(1, 60)}

    def billed_nano(self):
        # A dollar for a million tokens is a thousand billionths for each.
        billed = self.upstream.billed
        return 1000 * (billed["input"] * self.input + billed["output"] * self.output)

    def request(self):
        text = "x" * self.chance.randint(1, 400)
        body = json.dumps({
            "model": self.model, "max_tokens": self.chance.randint(1, 40),
            "stream": self.chance.random() < 0.3,
            "messages": [{"role": "user", "content": text}]}).encode()
        return (f"POST {self.path}/chat/completions HTTP/1.1\r\nhost: swarm\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                ).encode() + body

    async def caller(self):
        """Ask until there is no room in the Budget; over kills, with a new connection."""
        refusals, streams = 0, None
        while refusals < REFUSALS:
            await self.up.wait()
            try:
                if streams is None:
                    streams = await asyncio.open_connection(
                        "127.0.0.1", self.daemon.port, ssl=self.daemon.tls,
                        server_hostname="127.0.0.1")
                streams[1].write(self.request())
                if self.chance.random() < 0.02:  # It goes, and the call should.
                    self.gone += 1
                    raise ConnectionResetError
                status, body = await self.answer(streams[0])
            except (OSError, EOFError, ssl.SSLError):
                if streams is not None:
                    streams[1].transport.abort()
                streams = None
                await asyncio.sleep(0)
                continue
            refusals += status == 429 and b"Budget" in body
            self.count(status)
        streams[1].transport.abort()

    @staticmethod
    async def answer(reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status, body = int(head.split(" ")[1]), b""
        if "transfer-encoding: chunked" not in head:
            size = int(head.split("content-length:")[1].split("\r\n")[0])
            return status, await reader.readexactly(size)
        while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
            body += await reader.readexactly(size + 2)
        await reader.readexactly(2)
        return status, body

    def count(self, status):
        self.answers += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self.kill_at and self.answers >= self.kill_at[0] and self.up.is_set():
            self.kill_at.pop(0)
            self.kills += 1
            self.up.clear()
            self.daemon.process.kill()

    async def killer(self):
        """The daemon is started again each time that it was killed."""
        while True:
            while self.up.is_set():
                await asyncio.sleep(0.01)
            await asyncio.to_thread(self.revive)
            self.up.set()

    def revive(self):
        self.daemon.process.wait()
        self.daemon.process.stdout.close()
        self.daemon.start()
        client = Client(self.daemon)
        wait_for(lambda: self.is_ready(client), "the model is there again", WAIT_S)
        client.close()

    async def go(self):
        async with asyncio.TaskGroup() as group:  # Whichever fails ends all.
            killer = group.create_task(self.killer())
            await asyncio.gather(*(self.caller() for _ in range(CALLERS)))
            killer.cancel()

    def spent_nano(self, client):
        status = client.get(f"/namespaces/{self.space}/budgets/all").get("status", {})
        money = status.get("spent", {}).get("money", "0")
        return int(decimal.Decimal(money) * NANO)


def check(wave, client):
    """Lines of a test, and whether it failed."""
    # Calls that are under way at the provider end, and the ledger tells what it knows.
    wait_for(lambda: wave.upstream.open == 0, "the provider rests", WAIT_S)
    wait_for(lambda: wave.spent_nano(client) >= wave.billed_nano(),
             "the ledger says at least what was billed", WAIT_S)
    billed, spent = wave.billed_nano(), wave.spent_nano(client)
    used = 0.3 if wave.kills or wave.gone else 0.8
    good = billed <= spent <= NANO and spent >= used * NANO and wave.statuses.get(200, 0) > 0 and \
        set(wave.statuses) <= {200, *PASSING}
    print(f"{'ok' if good else 'not ok'} - run {wave.number} of seed {SEED}: billed "
          f"${billed / NANO:.9f}, known ${spent / NANO:.9f}, {wave.kills} kills, "
          f"{wave.gone} went, statuses {wave.statuses}", flush=True)
    return not good


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    daemon, failed = Daemon(), 0
    daemon.start()
    for number in range(RUNS):
        with Upstream() as upstream:
            wave, client = Wave(daemon, upstream, number), Client(daemon)
            wave.begin(client)
            asyncio.run(wave.go())
            failed += check(wave, client)
            client.close()
    daemon.end()
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
