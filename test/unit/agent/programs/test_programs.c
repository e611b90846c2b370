/* labels: threaded */
/* uses: pkg/agent/modules pkg/agent/compiler pkg/agent/abi pkg/security/crypto */
#include "pkg/agent/programs/programs.h"

#include "pkg/agent/modules/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct sw_loop *loop;
    struct sw_modules *modules;
    struct sw_programs programs;
    char folder[64];
    struct sw_buffer module;
    char digest[SW_DIGEST_TEXT_SIZE]; /* Of it. */
    struct sw_err err;
    /* The last answer. */
    unsigned answers;
    enum sw_rc rc;
    char runtime[SW_ABI_PROGRAM_SIZE], words[SW_ERR_MESSAGE_MAX];
    struct sw_buffer machine, payload;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char path[512], cache[128], program[512];
    struct sw_compiler_options options = {
        .system = sw_system_real(), .program = program, .folder = cache};

    (void)snprintf(f->folder, sizeof f->folder, "/tmp/swarm-programs-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(sw_loop_new(&f->loop, &f->err), SW_OK);
    options.loop = f->loop;
    (void)snprintf(cache, sizeof cache, "%s/cache", f->folder);
    (void)snprintf(program, sizeof program, "%s/libexec/swarm-compiler", SW_TEST_BUILD);
    (void)snprintf(path, sizeof path, "%s/modules", f->folder);
    assert_int_equal(sw_modules_open(sw_system_real(), path, &f->modules, &f->err), SW_OK);
    f->programs.modules = f->modules;
    assert_int_equal(sw_compiler_new(&options, &f->programs.compiler, &f->err), SW_OK);
    sw_buffer_init(&f->module, 1u << 20);
    sw_buffer_init(&f->machine, 8u << 20);
    sw_buffer_init(&f->payload, 1u << 20);
    (void)snprintf(path, sizeof path, "%s/guests/test_bundled.wasm", SW_TEST_BUILD);
    assert_int_equal(sw_file_load(sw_system_real(), path, 1u << 20, &f->module, &f->err), SW_OK);
    sw_digest_text_of(f->module.data, f->module.size, f->digest);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];

    sw_compiler_free(f->programs.compiler);
    sw_modules_close(f->modules);
    sw_loop_free(f->loop);
    sw_buffer_done(&f->module);
    sw_buffer_done(&f->machine);
    sw_buffer_done(&f->payload);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

static void push(struct fixture *f, const char *namespace)
{
    assert_int_equal(sw_modules_put(f->modules, namespace, f->digest,
                                    (struct sw_bytes){f->module.data, f->module.size}, &f->err),
                     SW_OK);
}

static void push_bundle(struct fixture *f, const char *namespace, const char *payload,
                        char ret_digest[SW_DIGEST_TEXT_SIZE])
{
    struct sw_buffer bytes;

    sw_buffer_init(&bytes, 1024);
    assert_int_equal(
        sw_bundle_put(f->digest, (struct sw_bytes){payload, strlen(payload)}, &bytes, &f->err),
        SW_OK);
    sw_digest_text_of(bytes.data, bytes.size, ret_digest);
    assert_int_equal(sw_modules_put(f->modules, namespace, ret_digest,
                                    (struct sw_bytes){bytes.data, bytes.size}, &f->err),
                     SW_OK);
    sw_buffer_done(&bytes);
}

static void on_program(void *ctx, enum sw_rc rc, const struct sw_abi_code *code,
                       const struct sw_err *err)
{
    struct fixture *f = ctx;

    f->answers++;
    f->rc = rc;
    (void)snprintf(f->words, sizeof f->words, "%s", rc == SW_OK ? "" : err->message);
    assert_int_equal(code != NULL, rc == SW_OK);
    sw_buffer_reset(&f->machine);
    sw_buffer_reset(&f->payload);
    f->runtime[0] = '\0';
    if (code != NULL) {
        sw_buffer_put(&f->machine, code->machine.data, code->machine.size);
        sw_buffer_put(&f->payload, code->payload.data, code->payload.size);
        if (code->runtime != NULL)
            (void)snprintf(f->runtime, sizeof f->runtime, "%s", code->runtime);
    }
    sw_loop_stop(f->loop);
}

/* Ask, and wait for what comes of it. */
static enum sw_rc get(struct fixture *f, const char *namespace, const char *program)
{
    enum sw_rc rc;

    f->answers = 0;
    rc = sw_program_get(&f->programs, namespace, program, on_program, f, &f->err);
    assert_int_equal(f->answers, 0);
    if (rc != SW_OK)
        return rc;
    sw_loop_run(f->loop);
    assert_int_equal(f->answers, 1);
    return f->rc;
}

static uint64_t compiled(const struct fixture *f)
{
    struct sw_compiler_view view;

    sw_compiler_view(f->programs.compiler, &view);
    return view.compiled;
}

static void what_runs_bundles_is_compiled_once_for_each_class(void **state)
{
    struct fixture *f = *state;
    char one[SW_DIGEST_TEXT_SIZE], other[SW_DIGEST_TEXT_SIZE], program[SW_ABI_PROGRAM_SIZE];
    struct sw_buffer machine;

    sw_buffer_init(&machine, 8u << 20);
    push(f, "default");
    push_bundle(f, "default", "one", one);
    push_bundle(f, "default", "", other);
    assert_int_equal(get(f, "default", f->digest), SW_OK);
    assert_string_equal(f->runtime, "");
    assert_int_equal(f->payload.size, 0);
    sw_buffer_put(&machine, f->machine.data, f->machine.size);
    assert_int_equal(get(f, "default", one), SW_OK);
    assert_string_equal(f->runtime, f->digest);
    assert_int_equal(f->payload.size, 3);
    assert_memory_equal(f->payload.data, "one", 3);
    assert_int_equal(f->machine.size, machine.size);
    assert_memory_equal(f->machine.data, machine.data, machine.size);
    assert_int_equal(get(f, "default", other), SW_OK);
    assert_int_equal(f->payload.size, 0);
    assert_int_equal(compiled(f), 1);
    (void)snprintf(program, sizeof program, "%s/compute", one);
    assert_int_equal(get(f, "default", program), SW_OK);
    assert_string_equal(f->runtime + strlen(f->digest), "/compute");
    assert_int_equal(compiled(f), 2);
    sw_buffer_done(&machine);
}

static void a_namespace_gets_what_is_its_own_or_the_platforms(void **state)
{
    struct fixture *f = *state;
    struct sw_module_name runtime = {.namespace = "default"};
    char bundle[SW_DIGEST_TEXT_SIZE];

    push(f, "default");
    push_bundle(f, "default", "payload", bundle);
    assert_int_equal(get(f, "other", bundle), SW_E_NOT_FOUND);
    assert_non_null(strstr(f->err.message, "never pushed to namespace other"));
    assert_int_equal(get(f, NULL, bundle), SW_OK); /* Who keeps the data gets all. */
    (void)snprintf(runtime.digest, sizeof runtime.digest, "%s", f->digest);
    assert_int_equal(sw_modules_remove(f->modules, &runtime, &f->err), SW_OK);
    push(f, "other");
    assert_int_equal(get(f, "default", bundle), SW_E_NOT_FOUND);
    assert_non_null(strstr(f->err.message, f->digest));
    assert_string_equal(f->err.hint, "push that module");
    assert_int_equal(get(f, NULL, bundle), SW_OK);
    push(f, SW_MODULES_PLATFORM);
    assert_int_equal(get(f, "default", bundle), SW_OK);
    assert_int_equal(get(f, "anybody", f->digest), SW_OK);
}

static void a_bundle_that_was_changed_on_disk_is_not_run(void **state)
{
    struct fixture *f = *state;
    char bundle[SW_DIGEST_TEXT_SIZE], path[SW_PATH_MAX];

    push(f, "default");
    push_bundle(f, "default", "payload", bundle);
    (void)snprintf(path, sizeof path, "%s/modules/default/%s.wasm", f->folder, bundle + 7);
    assert_int_equal(sw_file_save(sw_system_real(), path, "other", 5, &f->err), SW_OK);
    assert_int_equal(get(f, "default", bundle), SW_E_CORRUPT);
}

static void what_is_no_program_is_refused(void **state)
{
    struct fixture *f = *state;
    char program[SW_ABI_PROGRAM_SIZE];

    push(f, "default");
    (void)snprintf(program, sizeof program, "%s/quick", f->digest);
    assert_int_equal(get(f, "default", program), SW_E_INVALID);
    assert_int_equal(get(f, "default", "sha256:0"), SW_E_INVALID);
    assert_int_equal(get(f, NULL, "sha256:0"), SW_E_NOT_FOUND);
}

static void the_end_of_the_compiler_answers(void **state)
{
    struct fixture *f = *state;
    char bundle[SW_DIGEST_TEXT_SIZE];

    push(f, "default");
    push_bundle(f, "default", "payload", bundle);
    assert_int_equal(sw_program_get(&f->programs, "default", bundle, on_program, f, &f->err),
                     SW_OK);
    sw_compiler_free(f->programs.compiler);
    f->programs.compiler = NULL;
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->rc, SW_E_CANCELLED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_runs_bundles_is_compiled_once_for_each_class),
        TEST(a_namespace_gets_what_is_its_own_or_the_platforms),
        TEST(a_bundle_that_was_changed_on_disk_is_not_run),
        TEST(what_is_no_program_is_refused),
        TEST(the_end_of_the_compiler_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
