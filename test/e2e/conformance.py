#!/usr/bin/python3
"""Every call of the guest ABI and every error that include/swarm documents for it, asked for by a
real module in a real daemon (test/guests/errors.c). Each answer is the one that was wanted, and the
pairs of call and code that were seen are exactly those of the headers."""
# timeout: 120
import os
import sys
import unittest

from swarmd import Client, Daemon, apply, run

SOURCE = os.environ["SW_SOURCE"]
sys.path.insert(0, os.path.join(SOURCE, "tools", "codegen"))
import guest_abi  # pylint: disable=wrong-import-position

TRIES = {"pointers": "p", "arguments": "a", "timers": "t", "subjects": "s", "log": "l",
         "waits": "w"}


def numbers():
    """{-3: "INVALID", ...}, as agent.h numbers them."""
    text = guest_abi.text_of(SOURCE, "include/swarm/agent.h")
    text = text[text.index("enum swarm_code {"):]
    return {int(number): name.removeprefix("E_")
            for name, number, _ in guest_abi.CODE.findall(text[:text.index("};")])}


def documented():
    pairs = {(name, "OK") for name in guest_abi.imports(SOURCE)}
    for name, (declaration, _, errors) in guest_abi.imports(SOURCE).items():
        pairs |= {(name, code) for code, _ in errors}
        if "*" in declaration:
            pairs.add((name, "INVALID"))  # Of every call that takes a pointer.
    return pairs


class Conformance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.seen = set()
        cls.codes = numbers()
        cls.daemon = Daemon()
        cls.daemon.start()
        cls.client = Client(cls.daemon)
        apply("errors", "errors: keyed: true, limits: {messageSize: 1KiB, memory: 8MiB}")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.daemon.end()
        if status != 0:
            raise AssertionError(f"swarmd ended with {status}")

    def judge(self, lines):
        """Lines "CALL GOT WANTED how"."""
        self.assertTrue(lines)
        for line in lines:
            call, got, wanted, _ = line.split(" ", 3)
            self.assertEqual(got, wanted, line)
            self.seen.add((call, self.codes.get(int(got), "OK")))

    def test_every_documented_answer_and_no_other_is_given(self):
        for name, body in TRIES.items():
            with self.subTest(name):
                status, answer = self.client.send(f"errors/{name}", body)
                self.assertEqual(status, 200, answer)
                self.seen.add(("reply", "OK"))
                self.judge(answer.decode().splitlines())
        status, answer = self.client.send("errors/full", "f")
        self.assertEqual(status, 429, answer)
        log = run("swarm", "logs", "errors/full").splitlines()
        self.judge([line.split(" info  ", 1)[1] for line in log])
        self.assertEqual(self.seen, documented())


if __name__ == "__main__":
    unittest.main()
