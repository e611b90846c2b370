#!/usr/bin/python3
"""Which blocks of a page are executed, and what counts as the output that it promises."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from blocks import examples, matches, run_page  # noqa: E402


class Blocks(unittest.TestCase):
    def test_only_marked_blocks_are_examples(self):
        found = examples("p", "# x\n```sh\na\n```\n```sh test\nb\nc\n```\n    d\n")
        self.assertEqual([(e.line, e.script) for e in found], [(5, "b\nc\n")])

    def test_output_belongs_to_the_example_before_it(self):
        found = examples("p", "```sh test\na\n```\n\n```text output\nA\n```\n```sh test\nb\n```\n")
        self.assertEqual([e.expected for e in found], ["A\n", None])

    def test_output_without_example_is_a_mistake(self):
        with self.assertRaises(ValueError):
            examples("p", "```sh test\na\n```\nwords\n```text output\nA\n```\n")

    def test_dots_stand_for_anything(self):
        self.assertTrue(matches("a ... c\n", "a b c\n"))
        self.assertTrue(matches("a\n...\nz\n", "a\nb\nc\nz\n"))
        self.assertTrue(matches("a\n...\n", "a\n"))
        self.assertFalse(matches("a\n", "a\nb\n"))
        self.assertFalse(matches("a.c\n", "abc\n"))

    def run_text(self, text):
        with tempfile.TemporaryDirectory() as folder:
            return [wrong for _, wrong in run_page(examples("p", text), folder, os.environ)]

    def test_page_runs_in_one_shell(self):
        self.assertEqual(self.run_text("```sh test\nx=1\n```\n```sh test\necho $x\n```\n"
                                       "```text output\n1\n```\n"), [None, None])

    def test_wrong_output_is_told(self):
        (wrong,) = self.run_text("```sh test\necho 2\n```\n```text output\n1\n```\n")
        self.assertIn("should print:\n1\nbut printed:\n2\n", wrong)

    def test_failing_command_ends_the_page(self):
        wrong = self.run_text("```sh test\necho no; false\n```\n```sh test\necho 1\n```\n")
        self.assertEqual(len(wrong), 1)
        self.assertIn("ended with status 1; it printed:\nno", wrong[0])


if __name__ == "__main__":
    unittest.main()
