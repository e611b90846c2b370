#!/usr/bin/python3
"""The test harness of the npm package, in Node.js, with the runtime that agents run in."""
# timeout: 60
import os
import subprocess
import unittest

SOURCE, BUILD = os.environ["SW_SOURCE"], os.environ["SW_BUILD"]


class Harness(unittest.TestCase):
    def test_what_authors_test_with(self):
        runtime = os.path.join(BUILD, "guests", "swarm_js.wasm")
        done = subprocess.run(
            ["node", "--test", os.path.join(SOURCE, "test", "e2e", "js_harness.mjs")],
            env=os.environ | {"SWARM_JS_RUNTIME": runtime}, capture_output=True, text=True,
            timeout=50, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"pass 4\b")

    def test_the_command_line_runs_tests(self):
        folder = os.path.join(os.environ["SW_TMP"], "greeter")
        swarm = os.path.join(BUILD, "bin", "swarm")
        subprocess.run([swarm, "agent", "init", folder, "--lang=js"], check=True, timeout=20)
        done = subprocess.run([swarm, "agent", "test", folder], capture_output=True, text=True,
                              timeout=30, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"pass 1\b")
        with open(os.path.join(folder, "agent.js"), "w", encoding="utf-8") as file:
            file.write("export default () => 'something else';")
        done = subprocess.run([swarm, "agent", "test", folder], capture_output=True, text=True,
                              timeout=30, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("a test failed", done.stderr)


if __name__ == "__main__":
    unittest.main()
