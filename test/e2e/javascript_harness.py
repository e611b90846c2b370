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


if __name__ == "__main__":
    unittest.main()
