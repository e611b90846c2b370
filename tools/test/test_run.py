#!/usr/bin/python3
"""What the test runner counts, which skips it allows, and what isolate does to a script."""
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))


def load(name):
    """A program of this folder as a module; it has no suffix."""
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


run = load("run")


class Counting(unittest.TestCase):
    def tally(self, status, output):
        tally = run.Tally()
        tally.add("t", status, output)
        return tally.passed, tally.failures, tally.skips

    def test_test_without_cases_counts_as_one(self):
        self.assertEqual(self.tally("run", "words\n"), (1, [], {}))
        self.assertEqual(self.tally("fail", "words\n"), (0, ["t"], {}))

    def test_cmocka_cases_are_counted(self):
        self.assertEqual(self.tally("run", "[==========] Running 2 test(s).\n"
                                    "[       OK ] a\n[       OK ] b\n"), (2, [], {}))

    def test_replayed_segments_are_counted(self):
        tally = run.Tally()
        tally.add("t", "run", "replayed /tmp/a: 57 segments of 7 instances, since the journal's "
                  "beginning (0.2 s)\nreplayed /tmp/b of agent/a/b: 3 segments of 1 instances, "
                  "since (0.1 s)\n")
        self.assertEqual(tally.replays, [(57, 7), (3, 1)])

    def test_cmocka_failure_is_counted_once(self):
        output = ("[       OK ] a\n[  FAILED  ] b\n[==========] 2 test(s) run.\n"
                  "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] b\n")
        self.assertEqual(self.tally("fail", output), (1, ["t/b"], {}))

    def test_crash_in_mid_run_is_a_failure(self):
        self.assertEqual(self.tally("fail", "[       OK ] a\n[ RUN      ] b\n"), (1, ["t"], {}))

    def test_lines_of_scripts_and_unittest_are_counted(self):
        self.assertEqual(self.tally("run", "ok - a\nok 2 - b\n")[0], 2)
        self.assertEqual(self.tally("fail", "ok - a\nnot ok - b\n"), (1, ["t/b"], {}))
        self.assertEqual(self.tally("run", "Ran 12 tests in 0.1s\n\nOK\n")[0], 12)

    def test_skips_carry_their_probe(self):
        self.assertEqual(self.tally("skip", "skip: root (absent)\n"), (0, [], {"t": "root"}))
        self.assertEqual(self.tally("skip", "no reason\n"), (0, [], {"t": ""}))
        self.assertEqual(self.tally("run", "[       OK ] a\nskip: root\n[  SKIPPED ] b\n"),
                         (1, [], {"t/b": "root"}))


class Skips(unittest.TestCase):
    def setUp(self):
        self.file = tempfile.NamedTemporaryFile("w", encoding="utf-8")
        self.addCleanup(self.file.close)
        self.old = run.SKIPS_FILE, run.probe_finds_absent
        self.addCleanup(self.restore)
        run.SKIPS_FILE = self.file.name
        run.probe_finds_absent = lambda probe: probe == "absent"

    def restore(self):
        run.SKIPS_FILE, run.probe_finds_absent = self.old

    def wrong(self, skips, listed="", exact=True, whole=True):
        self.file.seek(0)
        self.file.truncate()
        self.file.write(listed)
        self.file.flush()
        return run.wrong_skips(skips, exact, whole)

    def test_skip_without_reason_is_wrong(self):
        self.assertEqual(len(self.wrong({"t": ""}, exact=False)), 1)

    def test_skip_for_what_is_there_is_wrong(self):
        self.assertEqual(len(self.wrong({"t": "present"}, "t present\n")), 1)

    def test_listed_skip_is_right_and_unlisted_is_not(self):
        self.assertEqual(self.wrong({"t": "absent"}, "# why\nt absent # here\n"), [])
        self.assertEqual(len(self.wrong({"t": "absent"})), 1)
        self.assertEqual(self.wrong({"t": "absent"}, exact=False), [])

    def test_listed_test_that_ran_is_wrong_in_a_whole_run_only(self):
        self.assertEqual(len(self.wrong({}, "t absent\n")), 1)
        self.assertEqual(self.wrong({}, "t absent\n", whole=False), [])


class Isolate(unittest.TestCase):
    def isolate(self, script, build="/tmp", **environment):
        with tempfile.NamedTemporaryFile("w", suffix=".sh", encoding="utf-8") as file:
            file.write(script)
            file.flush()
            return subprocess.run(
                [os.path.join(HERE, "isolate"), build, "t", file.name], check=False, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=dict(os.environ, SW_KEEP="no", **environment))

    def test_home_is_fresh_and_removed(self):
        result = self.isolate("echo $SW_TMP; test -d $HOME/.config && test $PWD = $SW_TMP\n"
                              "case $HOME in $SW_TMP/*) ;; *) exit 1 ;; esac\n")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertFalse(os.path.exists(result.stdout.strip()))

    def test_settings_of_the_caller_do_not_reach_it(self):
        result = self.isolate("test -z \"$SWARM_DATA\"\n", SWARM_DATA="x")
        self.assertEqual(result.returncode, 0)

    def test_status_77_is_passed_on(self):
        self.assertEqual(self.isolate("exit 77\n").returncode, 77)

    def test_process_left_running_fails_it(self):
        result = self.isolate("setsid sleep 1000 &\nsleep 0.2\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn("sleep 1000", result.stdout)

    def test_script_that_hangs_is_ended(self):
        result = self.isolate("sleep 1000\n", SW_TIMEOUT_S="0.3")
        self.assertEqual(result.returncode, 124)
        self.assertIn("not ended after", result.stdout)

    def test_what_comes_to_something_else_in_the_replay_fails_it(self):
        with tempfile.TemporaryDirectory() as build:
            os.mkdir(os.path.join(build, "bin"))
            swarmctl = os.path.join(build, "bin", "swarmctl")
            with open(swarmctl, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho \"asked: $*\"\ntest ! -e $4/differs\n")
            os.chmod(swarmctl, 0o755)
            script = "mkdir -p a/agents\n>a/agents/journal-1.seg\n"
            result = self.isolate(script, build)
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertRegex(result.stdout, "asked: journal replay --data /.*/a ")
            script += ">a/differs\n"
            result = self.isolate(script, build)
            self.assertEqual(result.returncode, 1)
            self.assertIn("not ok - the replay of", result.stdout)
            result = self.isolate(script + "echo why >a/not-replayed\n", build)
            self.assertEqual((result.returncode, result.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main()
