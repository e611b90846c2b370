#!/usr/bin/python3
"""What tidy finds and what it lets pass, each on a small tree of its own."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)

import built  # noqa: E402
import layers  # noqa: E402
import sizes  # noqa: E402
import words  # noqa: E402
from tree import Tree, strip_c  # noqa: E402

LAYERS = """0.0 pkg/low : |
0.1 pkg/high : pkg/low | uv
"""


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.build = os.path.join(self.folder.name, "build")
        self.write("pkg/LAYERS", LAYERS)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def findings(self, check):
        return [str(finding) for finding in check(Tree(self.folder.name, self.build))]

    def assert_finds(self, check, place, words_found):
        findings = self.findings(check)
        self.assertEqual(len(findings), 1, findings)
        self.assertTrue(findings[0].startswith(place), findings[0])
        self.assertIn(words_found, findings[0])

    def assert_clean(self, check):
        self.assertEqual(self.findings(check), [])

    def library(self, room, text):
        """Compile text into the library that the build would make of the room."""
        source = self.write(f"{room}/a.c", text)
        target = source + ".o"
        subprocess.run(["gcc", "-O0", "-c", source, "-o", target], check=True)
        os.makedirs(self.build, exist_ok=True)
        archive = os.path.join(self.build, f"lib{room.replace('/', '_')}.a")
        subprocess.run(["ar", "qc", archive, target], check=True)


class Layers(TidyTest):
    def test_downward_include_that_is_named_passes(self):
        self.write("pkg/high/a.c", '#include "pkg/low/b.h"\n')
        self.assert_clean(layers.check_includes)

    def test_upward_include_is_found(self):
        self.write("pkg/low/a.c", '#include <stdio.h>\n#include "pkg/high/b.h"\n')
        self.assert_finds(layers.check_includes, "pkg/low/a.c:2:", "does not name pkg/high")

    def test_include_of_no_room_is_found(self):
        self.write("pkg/low/a.c", '#include "b.h"\n')
        self.assert_finds(layers.check_includes, "pkg/low/a.c:1:", "in no room")

    def test_program_may_wire_all_rooms(self):
        self.write("cmd/swarm/main.c", '#include "pkg/high/b.h"\n#include "pkg/low/b.h"\n')
        self.assert_clean(layers.check_includes)

    def test_line_that_uses_a_higher_layer_is_found(self):
        self.write("pkg/LAYERS", "0.0 pkg/low : pkg/high |\n0.1 pkg/high : |\n")
        self.write("pkg/low/README.md", "x\n")
        self.write("pkg/high/README.md", "x\n")
        self.assert_finds(layers.check_lines, "pkg/LAYERS:1:", "use lower layers only")

    def test_unreadable_line_is_found(self):
        self.write("pkg/LAYERS", LAYERS + "pkg/other uses everything\n")
        self.write("pkg/low/README.md", "x\n")
        self.write("pkg/high/README.md", "x\n")
        self.assert_finds(layers.check_lines, "pkg/LAYERS:3:", "cannot be read")

    def test_second_line_of_a_room_is_found(self):
        self.write("pkg/LAYERS", LAYERS + "0.2 pkg/low : |\n")
        self.write("pkg/low/README.md", "x\n")
        self.write("pkg/high/README.md", "x\n")
        self.assert_finds(layers.check_lines, "pkg/LAYERS:3:", "has a line already")

    def test_folder_without_line_is_found(self):
        self.write("pkg/low/README.md", "# low: x\n")
        self.write("pkg/new/a.c", "\n")
        self.assert_finds(layers.check_rooms_explained, "pkg/new/a.c:1:", "no line in pkg/LAYERS")

    def test_room_without_readme_is_found(self):
        self.write("pkg/low/a.c", "\n")
        self.assert_finds(layers.check_rooms_explained, "pkg/low/README.md:1:", "without a README")

    def test_readme_without_heading_is_found(self):
        self.write("pkg/low/README.md", "# low: x\n")
        self.assert_clean(layers.check_rooms_explained)
        self.write("pkg/low/README.md", "low\n")
        self.assert_finds(layers.check_rooms_explained, "pkg/low/README.md:1:", "with a heading")

    def test_readme_that_was_formatted_as_c_is_found(self):
        self.write("pkg/low/README.md", "# low: x\n#pkg / low\n")
        self.assert_finds(layers.check_rooms_explained, "pkg/low/README.md:2:", "clang-format")

    def test_program_without_readme_is_found(self):
        self.write("cmd/swarm/main.c", "\n")
        self.assert_finds(layers.check_programs_explained, "cmd/swarm/README.md:1:", "a program")
        self.write("cmd/swarm/README.md", "# swarm: x\n")
        self.assert_clean(layers.check_programs_explained)

    def test_own_header_must_come_first(self):
        self.write("pkg/low/a.h", "#pragma once\n")
        self.write("pkg/low/a.c", '#include <stdio.h>\n#include "pkg/low/a.h"\n')
        self.assert_finds(layers.check_own_header_first, "pkg/low/a.c:1:", "own header")

    def test_header_without_pragma_once_is_found(self):
        self.write("pkg/low/a.h", "int sw_x;\n")
        self.assert_finds(layers.check_pragma_once, "pkg/low/a.h:1:", "#pragma once")


class Sizes(TidyTest):
    def test_function_of_70_lines_passes_and_of_71_is_found(self):
        body = "    x();\n"
        self.write("pkg/low/a.c", "void sw_f(void)\n{\n" + body * 67 + "}\n")
        self.assert_clean(sizes.check_functions)
        self.write("pkg/low/a.c", "void sw_f(void)\n{\n" + body * 68 + "}\n")
        self.assert_finds(sizes.check_functions, "pkg/low/a.c:1:", "sw_f has 71 lines")

    def test_parameters_are_counted_over_lines_and_function_pointers(self):
        self.write("pkg/low/a.c", "int sw_f(int a, int b, int c, int d, int e,\n"
                   "         void (*f)(int, int))\n{\n}\n")
        self.assert_clean(sizes.check_functions)
        self.write("pkg/low/a.c", "int sw_f(int a, int b, int c, int d, int e, int f,\n"
                   "         int g)\n{\n}\n")
        self.assert_finds(sizes.check_functions, "pkg/low/a.c:1:", "7 parameters")

    def test_context_of_a_vtable_is_not_counted(self):
        self.write("pkg/low/a.c", "int f(void *ctx, int a, int b, int c, int d, int e, int g)\n"
                   "{\n}\n")
        self.assert_clean(sizes.check_functions)

    def test_shape_that_a_library_dictates_passes(self):
        self.write("pkg/low/a.c", "int f(int a, int b, int c, int d, int e, int f, int g)\n{\n}\n")
        self.write("tools/tidy/callbacks.txt", "# why\npkg/low/a.c f library_callback\n")
        self.assert_clean(sizes.check_functions)

    def test_fourth_level_of_nesting_is_found(self):
        self.write("pkg/low/a.c", "void sw_f(void)\n{\n    if (a)\n        while (b)\n"
                   "            for (;;)\n                if (c)\n                    d();\n}\n")
        self.assert_finds(sizes.check_functions, "pkg/low/a.c:6:", "nests deeper than 3")

    def test_line_of_101_columns_is_found(self):
        self.write("pkg/low/a.c", "/" * 101 + "\n")
        self.assert_finds(sizes.check_columns, "pkg/low/a.c:1:", "101 columns")

    def test_header_of_251_lines_is_found(self):
        self.write("pkg/low/a.h", "\n" * 251)
        self.assert_finds(sizes.check_files, "pkg/low/a.h:251:", "250 are allowed")

    def test_comments_and_texts_are_blanked_in_place(self):
        self.assertEqual(strip_c('a /* { \n } */ "}" \'{\' // {\nb'),
                         'a      \n      " " \' \'     \nb')


class Words(TidyTest):
    def test_banned_word_is_found(self):
        self.write("pkg/low/a.c", "/* TO" + "DO: later */\n")
        self.assert_finds(words.check_banned, "pkg/low/a.c:1:", "says")

    def test_dead_file_and_dead_anchor_are_found(self):
        self.write("docs/a.md", "# A b\n[x](b.md)\n")
        self.assert_finds(words.check_links, "docs/a.md:2:", "does not exist")
        self.write("docs/a.md", "# A b\n[x](#a-c)\n")
        self.assert_finds(words.check_links, "docs/a.md:2:", "no heading")

    def test_live_links_and_code_pass(self):
        self.write("docs/a.md", "# A `b`: c\n[x](a.md#a-b-c) [y](https://e.org/) `[z](no.md)`\n"
                   "```\n[q](no.md)\n```\n")
        self.assert_clean(words.check_links)

    def test_lock_without_row_is_found(self):
        self.write("pkg/low/a.c", "struct x {\n    pthread_mutex_t lock;\n};\n")
        self.assert_finds(words.check_locks, "pkg/low/a.c:2:", "no row")

    def test_lock_with_row_passes_and_a_row_without_lock_is_found(self):
        self.write("docs/LOCKS.md", "| `pkg/low/a.c` | `x.lock` | all | 1 |\n")
        self.write("pkg/low/a.c", "struct x {\n    pthread_mutex_t lock;\n};\n")
        self.assert_clean(words.check_locks)
        self.write("pkg/low/a.c", "\n")
        self.assert_finds(words.check_locks, "docs/LOCKS.md:1:", "no lock")

    def test_settings_of_the_engine_are_in_its_fingerprint(self):
        self.write("pkg/agent/runtime/wasm/config.c", "/* A. */\nint   a;\n")
        self.write("pkg/agent/abi/abi.h", '#define F "settings 4 (00000000), x"\n')
        self.assert_finds(words.check_settings, "pkg/agent/abi/abi.h:1:", "settings 5 (")
        digest = self.findings(words.check_settings)[0].split("settings 5 (")[1][:8]
        self.write("pkg/agent/abi/abi.h", f'#define F "settings 5 ({digest}), x"\n')
        self.assert_clean(words.check_settings)
        self.write("pkg/agent/runtime/wasm/config.c", "/* Another comment. */\nint a;\n")
        self.assert_clean(words.check_settings)
        self.write("pkg/agent/runtime/wasm/config.c", "int b;\n")
        self.assert_finds(words.check_settings, "pkg/agent/abi/abi.h:1:", "settings 6 (")
        self.write("pkg/agent/abi/abi.h", "\n")
        self.assert_finds(words.check_settings, "pkg/agent/abi/abi.h:1:", "names no settings")


class Built(TidyTest):
    def test_symbol_without_prefix_is_found(self):
        self.library("pkg/low", "int sw_fine; int coarse; static int hidden;\n"
                     "int *sw_f(void);\nint *sw_f(void) { return &hidden; }\n")
        self.assert_finds(built.check_prefixes, "pkg/low/a.c:1:", "coarse is visible")

    def test_call_behind_the_seam_is_found_unless_exempt(self):
        self.library("pkg/low", "int open(const char *, int, ...);\nint sw_f(void);\n"
                     "int sw_f(void) { return open(\"x\", 0); }\n")
        self.write("tools/tidy/seam.txt", "forbid open uv_*\n")
        self.assert_finds(built.check_seam, "pkg/low/a.c:1:", "calls open")
        self.write("tools/tidy/seam.txt", "forbid open\nexempt pkg/low/a.c open it must\n")
        self.assert_clean(built.check_seam)

    def test_names_are_forbidden_by_their_beginning(self):
        self.library("pkg/low", "int uv_run(void);\nint sw_f(void);\n"
                     "int sw_f(void) { return uv_run(); }\n")
        self.write("tools/tidy/seam.txt", "forbid uv_*\n")
        self.assert_finds(built.check_seam, "pkg/low/a.c:1:", "calls uv_run")

    def test_unformatted_file_is_found(self):
        self.write(".clang-format", "BasedOnStyle: LLVM\n")
        self.write("pkg/low/a.c", "int   sw_x;\n")
        self.assert_finds(built.check_format, "pkg/low/a.c:1:", "not formatted")

    def test_header_that_needs_another_is_found(self):
        self.write("pkg/low/a.h", "#pragma once\nsize_t sw_f(void);\n")
        self.assert_finds(built.check_headers_alone, "pkg/low/a.h:1:", "does not compile alone")

    def test_spec_field_that_nobody_reads_is_found(self):
        self.write("build/generated/spec_fields.txt", "agent_spec replicas\nagent_spec colour\n")
        self.write("pkg/low/a.c", "int f(void)\n{\n    return spec->replicas; /* ->colour */\n}\n")
        self.assert_finds(built.check_spec_fields, "api/v1:1:", "no code reads the field colour")

    def test_planted_bug_that_does_not_fit_exactly_is_found(self):
        patch = "--- a/pkg/low/a.c\n+++ b/pkg/low/a.c\n@@ -2,3 +2,3 @@\n one\n-two\n+TWO\n three\n"
        self.write("pkg/low/a.c", "a\nb\none\ntwo\nthree\nfour\n")
        self.write("test/sim/mutants/a.patch", patch)
        self.assert_clean(built.check_planted_bugs)
        self.write("pkg/low/a.c", "a\nb\nONE\ntwo\nthree\nfour\n")
        self.assert_finds(built.check_planted_bugs, "test/sim/mutants/a.patch:1:", "does not apply")


if __name__ == "__main__":
    unittest.main()
