#!/usr/bin/python3
"""What codegen refuses, and that what is generated and committed is what it makes today."""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import openapi_ranges  # noqa: E402

GENERATOR = ["/usr/bin/python3", "-B", HERE]
HEAD = 'syntax = "proto3";\npackage swarm.v1;\nimport "api/v1/options.proto";\n'
KIND = """// A thing.
message Thing {
  option (shape) = { kind: { plural: "things" } };
  // Version.
  string api_version = 1 [(rules).max_len = 9];
  // Kind.
  string kind = 2 [(rules).max_len = 9];
  // Data.
  Meta metadata = 3;
"""
META = "// Data.\nmessage Meta {\n  // Name.\n  string name = 1 [(rules).max_len = 9];\n}\n"


class RangesTest(unittest.TestCase):
    def test_a_pattern_takes_the_numbers_of_its_range_and_no_others(self):
        chance = random.Random(7)
        for _ in range(500):
            low = chance.randrange(10 ** chance.randrange(1, 8))
            high = low + chance.randrange(10 ** chance.randrange(1, 8))
            pattern = re.compile(f"^({openapi_ranges.number(low, high)})$")
            near = [low - 1, low, high, high + 1]
            for number in near + [chance.randrange(2 * high + 2) for _ in range(20)]:
                self.assertEqual(bool(pattern.match(str(number))), low <= number <= high,
                                 f"{number} of {low} to {high}: {pattern.pattern}")

    def test_quantities_obey_their_bounds_in_every_unit(self):
        duration = re.compile(openapi_ranges.duration(10 ** 6, 3600 * 10 ** 9))
        size = re.compile(openapi_ranges.size(65536, 2 ** 32))
        for text in ("1ms", "1000us", "1000000ns", "60m", "1h", "3600s"):
            self.assertTrue(duration.match(text), text)
        for text in ("0ms", "999us", "61m", "2h", "1d", "3601s", "5", "1 h"):
            self.assertFalse(duration.match(text), text)
        for text in ("65536", "65536B", "64KiB", "1MiB", "4GiB"):
            self.assertTrue(size.match(text), text)
        for text in ("65535", "63KiB", "5GiB", "1TiB", "0MiB", "64kib"):
            self.assertFalse(size.match(text), text)


class CodegenTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.makedirs(os.path.join(self.folder.name, "api/v1"))
        shutil.copy(os.path.join(ROOT, "api/v1/options.proto"),
                    os.path.join(self.folder.name, "api/v1"))

    def generate(self, body):
        """Run the generator over a contract of one file; (status, words, folder)."""
        with open(os.path.join(self.folder.name, "api/v1/x.proto"), "w", encoding="utf-8") as out:
            out.write(HEAD + body)
        folder = os.path.join(self.folder.name, "out")
        done = subprocess.run(GENERATOR + ["c", self.folder.name, folder], stderr=subprocess.PIPE,
                              text=True, check=False)
        return done.returncode, done.stderr, folder

    def refuses(self, body, words):
        status, told, _ = self.generate(body)
        self.assertEqual(status, 1)
        self.assertIn(words, told)

    def test_a_small_contract(self):
        status, told, folder = self.generate(META + KIND + "  // Wish.\n  Wish spec = 4;\n}\n"
                                             "// Wish.\nmessage Wish {\n  // Number.\n"
                                             "  optional uint32 continue = 1;\n}\n")
        self.assertEqual((status, told), (0, ""))
        with open(os.path.join(folder, "pkg/apis/swarm/v1/types.h"), encoding="utf-8") as text:
            header = text.read()
        self.assertIn("bool has_continue;", header)
        self.assertIn("uint32_t continue_;", header)
        self.assertLess(header.index("struct sw_api_wish {"), header.index("struct sw_api_thing {"))
        with open(os.path.join(folder, "spec_fields.txt"), encoding="utf-8") as text:
            self.assertEqual(text.read(), "sw_api_wish continue_\n")

    def test_texts_need_bounds(self):
        self.refuses("// M.\nmessage M {\n  // A.\n  string a = 1;\n}\n", "M.a: needs max_len")

    def test_lists_need_bounds(self):
        self.refuses(META + "// M.\nmessage M {\n  // A.\n  repeated Meta a = 1;\n}\n",
                     "M.a: needs max_items")

    def test_comments_are_the_documentation(self):
        self.refuses("// M.\nmessage M {\n  bool a = 1;\n}\n", "M.a: has no comment")
        self.refuses("message M {\n  // A.\n  bool a = 1;\n}\n", "M: has no comment")

    def test_kinds_begin_alike(self):
        self.refuses(META + KIND.replace("= 2", "= 9") + "}\n", "a kind begins with api_version")

    def test_types_that_are_not_in_use(self):
        self.refuses("// M.\nmessage M {\n  // A.\n  double a = 1;\n}\n", "not in use here")
        self.refuses("// M.\nmessage M {\n  // A.\n  map<string, bool> a = 1;\n}\n",
                     "maps are of text to text")
        self.refuses("// M.\nmessage M {\n  oneof x {\n    // A.\n    bool a = 1;\n  }\n}\n",
                     "oneof is not in use")
        self.refuses("// M.\nmessage M {\n  // N.\n  message N {}\n}\n", "are not nested")
        self.refuses("// M.\nmessage M {\n  // A.\n  repeated bool a = 1;\n}\n",
                     "repeated BOOL is not in use")

    def test_rules_that_make_no_sense(self):
        self.refuses("// M.\nmessage M {\n  // A.\n  uint32 a = 1 [(rules).min = 1];\n}\n",
                     "min without max")
        self.refuses(META + "// M.\nmessage M {\n  // A.\n  Meta a = 1 [(rules).default_text = "
                     '"x"];\n}\n', "M.a: cannot have a default")

    def test_state_machines(self):
        machine = ("enum P {{\n  P_UNSPECIFIED = 0;\n  // A.\n"
                   "  P_A = 1 [(value) = {{ text: \"A\" {0} }}];\n}}\n")
        self.refuses(machine.format('next: "B" initial: true'), "next state B does not exist")
        self.refuses(machine.format('next: "A"'), "P: no state is initial")
        self.refuses("enum P {\n  X = 0;\n}\n", "X: should begin with P_")
        self.refuses("enum P {\n  P_UNSPECIFIED = 0;\n  P_A = 1;\n}\n", "P_A: has no (value).text")

    def test_envelopes_agree_on_the_wire(self):
        body = ("// A.\nmessage A {\n  // B.\n  bytes object = 1 [(rules).max_len = 9];\n}\n"
                "// C.\nmessage C {\n  option (shape).same_wire_as = \"A\";\n  // B.\n"
                "  A object = 2;\n}\n")
        self.refuses(body, "C is not the same on the wire as A")

    def test_words_of_use(self):
        done = subprocess.run(GENERATOR, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("python3 tools/codegen", done.stderr)


class CommittedTest(unittest.TestCase):
    """Stale: run `make openapi`, or the lines below by hand."""

    def test_openapi(self):
        made = subprocess.run(GENERATOR + ["openapi", ROOT], stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        with open(os.path.join(ROOT, "api/openapi/swagger.yaml"), encoding="utf-8") as text:
            self.assertTrue(made == text.read(), "api/openapi/swagger.yaml: "
                            "python3 tools/codegen openapi . >api/openapi/swagger.yaml")

    def test_reference(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(GENERATOR + ["docs", ROOT, folder], check=True)
            for chapter in "api", "reference":
                self.compare(os.path.join(folder, chapter), os.path.join(ROOT, "docs", chapter))

    @staticmethod
    def made(folder):
        """The pages that say that they are made; others are written by hand."""
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as text:
                if "do not edit" in text.read():
                    yield name

    def compare(self, made_in, kept_in):
        self.assertEqual(sorted(os.listdir(made_in)), sorted(self.made(kept_in)))
        for name in os.listdir(made_in):
            with open(os.path.join(made_in, name), encoding="utf-8") as made, \
                    open(os.path.join(kept_in, name), encoding="utf-8") as text:
                self.assertTrue(made.read() == text.read(),
                                f"{kept_in}/{name}: python3 tools/codegen docs . docs")


if __name__ == "__main__":
    unittest.main()
