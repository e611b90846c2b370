"""Run by `swarm agent test`: the program as a process of this machine, on a clock of the test's
own, with what it asks for answered here."""
import os
import unittest
from unittest import mock

from swarm import harness

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "main.py")


class Greeter(unittest.TestCase):
    def test_it_greets_and_counts(self):
        with harness.start(PROGRAM) as agent:
            agent.send("Ada")
            agent.end()  # As a restart does: the state is still there.
            self.assertEqual(agent.send("Grace").text, "Hello, Grace! You are number 2.\n")

    def test_a_model_finds_the_words(self):
        model = harness.script("Welcome, Ada.")
        with mock.patch.dict(os.environ, MODEL="clever"), \
                harness.start(PROGRAM, model=model) as agent:
            # Its process is lost behind the call: it goes on in another, and asks no second time.
            self.assertEqual(agent.send("Ada", lose_after=1).text, "Welcome, Ada.")
        self.assertEqual(len(model.requests), 1)


if __name__ == "__main__":
    unittest.main()
