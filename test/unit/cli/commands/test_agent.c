/* An agent of one's own: begun, built with the compilers that are there, refused when it is none.
 */
/* uses: pkg/utils/system */
#include "test/unit/cli/commands/fixture.h"

static void init_writes_a_source_and_a_manifest(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "agent", "init", "greeter"), SW_EXIT_OK);
    assert_int_equal(system("grep -q '#include <swarm/agent.h>' greeter/agent.c"), 0);
    assert_int_equal(system("grep -q 'name: greeter$' greeter/agent.yaml"), 0);
    assert_non_null(strstr(told(p), "swarm agent build greeter"));
}

static void init_overwrites_nothing(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "agent", "init", "greeter"), SW_EXIT_OK);
    assert_int_equal(TYPE(p, "agent", "init", "greeter"), SW_EXIT_CONFLICT);
    assert_int_equal(TYPE(p, "agent", "init", "Bad_Name"), SW_EXIT_USAGE);
    assert_non_null(strstr(told(p), "--name"));
    assert_int_equal(TYPE(p, "agent", "init", "Bad_Name", "--name=good"), SW_EXIT_OK);
}

static void build_runs_compiler_and_linker_for_each_source(void **state)
{
    struct person *p = *state;

    p->programs = "clang-19 wasm-ld-19 ";
    person_file("a.c", "");
    person_file("b.c", "");
    person_file("a.wasm", "");
    person_file("b.wasm", "");
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_OK);
    assert_non_null(strstr(p->ran, "-c ./a.c -o ./.swarm/0-a.c.o\n"));
    assert_non_null(strstr(p->ran, "./.swarm/0-a.c.o -o ./a.wasm\n"));
    assert_non_null(strstr(p->ran, "./.swarm/0-b.c.o -o ./b.wasm\n"));
    assert_non_null(strstr(p->ran, "--target=wasm32 "));
    assert_non_null(strstr(p->ran, "--stack-first"));
    assert_non_null(strstr(told(p), "built ./a.wasm"));
}

static void build_links_all_sources_into_one_module(void **state)
{
    struct person *p = *state;

    p->programs = "clang-14 wasm-ld ";
    person_file("a.c", "");
    person_file("b.c", "");
    person_file("one.wasm", "");
    assert_int_equal(TYPE(p, "agent", "build", "a.c", "b.c", "--out=one.wasm", "--libc"),
                     SW_EXIT_OK);
    assert_non_null(strstr(p->ran, ".swarm/0-a.c.o .swarm/1-b.c.o -L"));
    assert_non_null(strstr(p->ran, "-lc -o one.wasm\n"));
    assert_non_null(strstr(p->ran, "--target=wasm32-wasi"));
}

static void what_waits_goes_through_wasm_opt(void **state)
{
    struct person *p = *state;

    p->programs = "clang-19 wasm-ld-19 wasm-opt ";
    person_file("a.c", "");
    person_file("a.wasm", "\7swarm_1\4send");
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_OK);
    assert_null(strstr(p->ran, "--asyncify"));
    assert_int_equal(system("printf '\\7swarm_1\\4call\\0' > a.wasm"), 0);
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_OK);
    assert_non_null(strstr(p->ran, "--asyncify"));
    assert_int_equal(system("printf '\\7swarm_1\\3ask\\0' > a.wasm"), 0);
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_OK);
    assert_non_null(strstr(p->ran, "wasm-opt -g "));
    assert_non_null(strstr(p->ran, "--asyncify"));
    p->programs = "clang-19 wasm-ld-19 ";
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "no wasm-opt"));
    assert_non_null(strstr(told(p), "binaryen"));
}

static void the_headers_of_the_sdk_are_put_where_the_compiler_finds_them(void **state)
{
    struct person *p = *state;

    p->programs = "clang-19 wasm-ld-19 ";
    person_file("a.c", "");
    person_file("a.wasm", "");
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_OK);
    assert_int_equal(system("diff -r .cache/swarm/include/swarm " SW_TEST_SOURCE "/include/swarm"),
                     0);
}

static void a_missing_toolchain_is_told_with_what_to_install(void **state)
{
    struct person *p = *state;

    person_file("a.c", "");
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_ERROR);
    assert_string_equal(told(p), "error: there is no clang to compile agents with\n"
                                 "  hint: install it with: apt-get install clang-19 lld-19\n");
    p->programs = "clang-19 ";
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "wasm-ld"));
}

static void named_compilers_are_used(void **state)
{
    struct person *p = *state;

    p->programs = "mycc clang-19 wasm-ld-19 ";
    person_set(p, "SWARM_GUEST_CC", "mycc");
    person_file("a.c", "");
    person_file("a.wasm", "");
    assert_int_equal(TYPE(p, "agent", "build", "a.c"), SW_EXIT_OK);
    assert_non_null(strstr(p->ran, "mycc --target"));
}

static void a_source_that_does_not_compile_fails_the_build(void **state)
{
    struct person *p = *state;

    p->programs = "clang-19 wasm-ld-19 ";
    p->run_status = 1;
    person_file("a.c", "");
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_ERROR);
    assert_string_equal(told(p), "error: clang-19 ended with status 1\n");
    assert_int_equal(TYPE(p, "agent", "build", "none.c"), SW_EXIT_NOT_FOUND);
    assert_int_equal(system("mkdir empty"), 0);
    assert_int_equal(TYPE(p, "agent", "build", "empty"), SW_EXIT_NOT_FOUND);
}

static void init_knows_other_languages(void **state)
{
    struct person *p = *state;

    assert_int_equal(TYPE(p, "agent", "init", "script", "--lang=js"), SW_EXIT_OK);
    assert_int_equal(system("grep -q 'from \"swarm\"' script/agent.js"), 0);
    assert_int_equal(system("grep -q 'name: script$' script/agent.yaml"), 0);
    assert_non_null(strstr(told(p), "swarm agent build script"));
    assert_null(strstr(told(p), "npm"));
    assert_int_equal(TYPE(p, "agent", "init", "typed", "--lang=ts"), SW_EXIT_OK);
    assert_int_equal(system("grep -q '\"name\": \"typed\"' typed/package.json"), 0);
    assert_int_equal(system("cmp typed/swarm.d.ts " SW_TEST_SOURCE "/sdk/js/index.d.ts"), 0);
    assert_int_equal(system("test -f typed/agent.ts && test -f typed/tsconfig.json"), 0);
    assert_non_null(strstr(told(p), "(cd typed && npm install)"));
    assert_int_equal(TYPE(p, "agent", "init", "other", "--lang=go"), SW_EXIT_USAGE);
}

static void javascript_that_imports_nothing_needs_no_tool(void **state)
{
    struct person *p = *state;

    person_file("agent.js", "import { ask } from 'swarm';\nexport default () => ask('from');\n");
    person_file("part.js", "import './agent.js'");
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_OK);
    assert_non_null(strstr(told(p), "built ./agent.bundle"));
    assert_string_equal(p->ran, "");
    /* The head of a bundle, and then the file as it is. */
    assert_int_equal(system("head -c 8 agent.bundle | od -An -tx1 | tr -d ' ' | "
                            "grep -q 0073776201000000"),
                     0);
    assert_int_equal(system("tail -c +45 agent.bundle | cmp - agent.js"), 0);
    assert_int_equal(TYPE(p, "agent", "build", "agent.js", "--out=x.bundle"), SW_EXIT_OK);
    assert_int_equal(system("cmp x.bundle agent.bundle"), 0);
    assert_int_equal(TYPE(p, "agent", "build", "agent.js", "part.js", "--out=x.bundle"),
                     SW_EXIT_USAGE);
    assert_int_equal(TYPE(p, "agent", "build", "--lang=c"), SW_EXIT_NOT_FOUND);
    assert_int_equal(system("truncate -s 17M agent.js"), 0);
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "larger than 16 MiB"));
}

static void what_imports_others_and_typescript_go_through_esbuild(void **state)
{
    struct person *p = *state;

    person_file("agent.js", "import { x } from\n  \"./part.js\";\n");
    assert_int_equal(TYPE(p, "agent", "build"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "./agent.js imports other modules, and there is no esbuild"));
    assert_non_null(strstr(told(p), "npm install --save-dev esbuild"));
    assert_int_equal(system("mkdir -p in/.swarm && echo joined > in/.swarm/agent.bundle.js"), 0);
    person_file("in/agent.ts", "export default () => 1;\n");
    p->programs = "in/node_modules/.bin/esbuild esbuild ";
    assert_int_equal(TYPE(p, "agent", "build", "in"), SW_EXIT_OK);
    assert_non_null(strstr(p->ran, "in/node_modules/.bin/esbuild in/agent.ts --bundle "
                                   "--format=esm "));
    assert_non_null(strstr(p->ran, "--external:swarm "));
    assert_int_equal(system("tail -c +45 in/agent.bundle | grep -qx joined"), 0);
    person_set(p, "SWARM_ESBUILD", "mine");
    p->programs = "mine ";
    assert_int_equal(TYPE(p, "agent", "build", "in/agent.ts"), SW_EXIT_OK);
    assert_non_null(strstr(p->ran, "mine in/agent.ts"));
    assert_int_equal(TYPE(p, "agent", "build", "in/agent.d.ts"), SW_EXIT_NOT_FOUND);
}

static void tests_are_run_with_the_package_beside_them(void **state)
{
    struct person *p = *state;

    person_file("agent.js", "export default () => 1;\n");
    assert_int_equal(TYPE(p, "agent", "test"), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), "end in .test.js"));
    person_file("agent.test.js", "");
    assert_int_equal(TYPE(p, "agent", "test"), SW_EXIT_NOT_FOUND);
    assert_non_null(strstr(told(p), "install Node.js"));
    p->programs = "node ";
    assert_int_equal(TYPE(p, "agent", "test"), SW_EXIT_OK);
    assert_non_null(strstr(p->ran, "node --test ./agent.test.js\n"));
    assert_int_equal(system("cmp node_modules/swarm-agents/harness/harness.js " SW_TEST_SOURCE
                            "/sdk/js/harness/harness.js"),
                     0);
    assert_int_equal(system("test -f node_modules/swarm-agents/harness/swarm_js.wasm && "
                            "test -f agent.bundle"),
                     0);
    p->run_status = 1;
    assert_int_equal(TYPE(p, "agent", "test"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "a test failed"));
}

static void what_is_no_module_is_not_pushed(void **state)
{
    struct person *p = *state;

    person_file("x.wasm", "not a module at all");
    assert_int_equal(TYPE(p, "agent", "push", "x.wasm"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "x.wasm is neither a WebAssembly module nor a bundle"));
    assert_int_equal(system("truncate -s 33M big.wasm"), 0);
    assert_int_equal(TYPE(p, "agent", "push", "big.wasm"), SW_EXIT_ERROR);
    assert_non_null(strstr(told(p), "larger than 32 MiB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PERSON_TEST(init_writes_a_source_and_a_manifest),
        PERSON_TEST(init_overwrites_nothing),
        PERSON_TEST(build_runs_compiler_and_linker_for_each_source),
        PERSON_TEST(build_links_all_sources_into_one_module),
        PERSON_TEST(what_waits_goes_through_wasm_opt),
        PERSON_TEST(the_headers_of_the_sdk_are_put_where_the_compiler_finds_them),
        PERSON_TEST(a_missing_toolchain_is_told_with_what_to_install),
        PERSON_TEST(named_compilers_are_used),
        PERSON_TEST(a_source_that_does_not_compile_fails_the_build),
        PERSON_TEST(init_knows_other_languages),
        PERSON_TEST(javascript_that_imports_nothing_needs_no_tool),
        PERSON_TEST(what_imports_others_and_typescript_go_through_esbuild),
        PERSON_TEST(tests_are_run_with_the_package_beside_them),
        PERSON_TEST(what_is_no_module_is_not_pushed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
