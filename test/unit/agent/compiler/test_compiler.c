/* labels: threaded */
/* uses: pkg/agent/modules pkg/agent/runtime/wasm */
#include "pkg/agent/compiler/compiler.h"
#include "pkg/agent/abi/abi.h"
#include "pkg/agent/compiler/seal.h"
#include "pkg/agent/runtime/wasm/wasm.h"
#include "test/unit/agent/modules/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct sw_loop *loop;
    struct sw_compiler *compiler;
    struct sw_compiler_options options;
    char folder[64], cache[80], program[512];
    struct sw_buffer module;
    char digest[SW_ABI_PROGRAM_SIZE];
    struct sw_err err;
    /* The answers so far. */
    unsigned answers, awaited;
    enum sw_rc rc;
    char words[SW_ERR_MESSAGE_MAX];
    struct sw_buffer code;
};

static void on_done(void *ctx, enum sw_rc rc, struct sw_bytes code, const struct sw_err *err)
{
    struct fixture *f = ctx;

    f->rc = rc;
    (void)snprintf(f->words, sizeof f->words, "%s", err->message);
    sw_buffer_reset(&f->code);
    sw_buffer_put(&f->code, code.data, rc == SW_OK ? code.size : 0);
    if (++f->answers == f->awaited)
        sw_loop_stop(f->loop);
}

static void start_with(struct fixture *f, const char *program)
{
    f->options.program = program;
    if (sw_compiler_new(&f->options, &f->compiler, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char path[512];

    (void)snprintf(f->folder, sizeof f->folder, "/tmp/swarm-compiler-XXXXXX");
    if (mkdtemp(f->folder) == NULL || sw_loop_new(&f->loop, &f->err) != SW_OK)
        return -1;
    (void)snprintf(f->cache, sizeof f->cache, "%s/cache", f->folder);
    (void)snprintf(f->program, sizeof f->program, "%s/libexec/swarm-compiler", SW_TEST_BUILD);
    f->options = (struct sw_compiler_options){
        .loop = f->loop, .system = sw_system_real(), .folder = f->cache, .timeout_ms = 60000};
    memset(f->options.key, 'k', sizeof f->options.key);
    sw_buffer_init(&f->module, 1u << 20);
    sw_buffer_init(&f->code, 8u << 20);
    (void)snprintf(path, sizeof path, "%s/guests/test_small.wasm", SW_TEST_BUILD);
    if (sw_file_load(sw_system_real(), path, 1u << 20, &f->module, &f->err) != SW_OK)
        return -1;
    sw_digest_text_of(f->module.data, f->module.size, f->digest);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];

    sw_compiler_free(f->compiler);
    sw_loop_free(f->loop);
    sw_buffer_done(&f->module);
    sw_buffer_done(&f->code);
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    int rc = system(command);
    free(f);
    return rc;
}

static struct sw_bytes module_of(const struct fixture *f)
{
    return (struct sw_bytes){f->module.data, f->module.size};
}

/* Ask once and run the loop until the answer is there. */
static enum sw_rc get(struct fixture *f)
{
    f->answers = 0;
    f->awaited = 1;
    if (sw_compiler_get(f->compiler, f->digest, module_of(f), on_done, f, &f->err) != SW_OK)
        fail_msg("%s", f->err.message);
    assert_int_equal(f->answers, 0); /* Never from inside the call. */
    sw_loop_run(f->loop);
    return f->rc;
}

static struct sw_compiler_view view_of(const struct fixture *f)
{
    struct sw_compiler_view view;

    sw_compiler_view(f->compiler, &view);
    return view;
}

static void entry_path(const struct fixture *f, char path[SW_PATH_MAX])
{
    uint8_t digest[SW_SHA256_SIZE];
    char name[SW_DIGEST_TEXT_SIZE];

    assert_int_equal(sw_digest_parse(f->digest, digest), SW_OK);
    sw_seal_name(&(struct sw_seal){f->options.key, SW_ABI_FINGERPRINT}, digest, name);
    (void)snprintf(path, SW_PATH_MAX, "%s/%s.cwasm", f->cache, name);
}

static void a_module_becomes_code_that_loads(void **state)
{
    static const struct sw_wasm_calls no_calls;
    struct sw_wasm_engine_options options = {.calls = &no_calls,
                                             .address_bytes = (uint64_t)4 << 30};
    struct fixture *f = *state;
    struct sw_wasm_engine *engine = NULL;
    struct sw_wasm_module *module = NULL;

    start_with(f, f->program);
    if (get(f) != SW_OK)
        fail_msg("%s", f->words);
    assert_int_equal(sw_wasm_engine_new(&options, &engine, &f->err), SW_OK);
    assert_int_equal(sw_wasm_module_open(engine, SW_ABI_COMPACT,
                                         (struct sw_bytes){f->code.data, f->code.size}, &module,
                                         &f->err),
                     SW_OK);
    sw_wasm_module_unref(module);
    sw_wasm_engine_free(engine);
}

static bool is_guarded(enum sw_abi_class class)
{
    return sw_abi_class_with_fuel(class, false) == SW_ABI_COMPUTE;
}

/* Each class has code of its own, from the cache too. Where bounds are held otherwise, or fuel is
 * counted, it does not even load. */
static void each_class_has_its_own_code(void **state)
{
    static const struct sw_wasm_calls no_calls;
    struct sw_wasm_engine_options options = {.calls = &no_calls,
                                             .address_bytes = (uint64_t)4 << 30};
    struct fixture *f = *state;
    struct sw_wasm_engine *engine = NULL;
    size_t digest = strlen(f->digest);

    assert_int_equal(sw_wasm_engine_new(&options, &engine, &f->err), SW_OK);
    start_with(f, f->program);
    for (unsigned i = 0; i < 2 * SW_ABI_CLASSES; i++) {
        const enum sw_abi_class class = (enum sw_abi_class)(i % SW_ABI_CLASSES);

        (void)snprintf(f->digest + digest, sizeof f->digest - digest, "%s%s",
                       class == SW_ABI_COMPACT ? "" : "/",
                       class == SW_ABI_COMPACT ? "" : sw_abi_class_name(class));
        assert_int_equal(get(f), SW_OK);
        for (enum sw_abi_class k = SW_ABI_COMPACT; k < SW_ABI_CLASSES; k++) {
            SW_CLEANUP(sw_wasm_module_unrefp) struct sw_wasm_module *module = NULL;

            assert_int_equal(sw_wasm_module_open(engine, k,
                                                 (struct sw_bytes){f->code.data, f->code.size},
                                                 &module, &f->err),
                             is_guarded(k) == is_guarded(class) &&
                                     sw_abi_class_counts_fuel(k) == sw_abi_class_counts_fuel(class)
                                 ? SW_OK
                                 : SW_E_UNSUPPORTED);
        }
    }
    assert_int_equal(view_of(f).compiled, SW_ABI_CLASSES);
    assert_int_equal(view_of(f).cached, SW_ABI_CLASSES);
    f->digest[digest] = '\0';
    sw_compiler_forget(f->compiler, f->digest);
    assert_int_equal(get(f), SW_OK);
    assert_int_equal(view_of(f).compiled, SW_ABI_CLASSES + 1);
    (void)snprintf(f->digest + digest, sizeof f->digest - digest, "/quick");
    assert_int_equal(sw_compiler_get(f->compiler, f->digest, module_of(f), on_done, f, &f->err),
                     SW_E_INVALID);
    sw_wasm_engine_free(engine);
}

static void the_second_answer_comes_from_the_cache(void **state)
{
    struct fixture *f = *state;

    start_with(f, f->program);
    assert_int_equal(get(f), SW_OK);
    assert_int_equal(view_of(f).compiled, 1);
    size_t size = f->code.size;
    assert_int_equal(get(f), SW_OK);
    assert_int_equal(f->code.size, size);
    assert_int_equal(view_of(f).compiled, 1);
    assert_int_equal(view_of(f).cached, 1);
    assert_int_equal(view_of(f).waiting, 0);
}

static void the_cache_outlives_the_process(void **state)
{
    struct fixture *f = *state;

    start_with(f, f->program);
    assert_int_equal(get(f), SW_OK);
    sw_compiler_free(f->compiler);
    start_with(f, "/bin/false"); /* Nothing could be compiled now. */
    assert_int_equal(get(f), SW_OK);
    assert_int_equal(view_of(f).cached, 1);
}

static void the_cache_does_not_grow_without_end(void **state)
{
    struct fixture *f = *state;
    char first[SW_PATH_MAX], last[SW_PATH_MAX];

    f->options.cache_bytes_max = 1; /* There is room for none but the newest. */
    start_with(f, f->program);
    entry_path(f, first);
    assert_int_equal(get(f), SW_OK);
    assert_int_equal(access(first, F_OK), 0);
    f->digest[strlen(f->digest) - 1] = f->digest[strlen(f->digest) - 1] == '0' ? '1' : '0';
    entry_path(f, last);
    assert_int_equal(get(f), SW_OK);
    assert_int_equal(access(last, F_OK), 0);
    assert_int_not_equal(access(first, F_OK), 0);
}

static bool count_entry(void *ctx, const char *name)
{
    (void)name;
    ++*(int *)ctx;
    return true;
}

static int entries_of(const struct fixture *f)
{
    const struct sw_system *system = sw_system_real();
    int count = 0;

    assert_int_equal(system->folder_list(system->ctx, f->cache, count_entry, &count, NULL), SW_OK);
    return count;
}

static void what_is_forgotten_is_forgotten_for_all_engines(void **state)
{
    struct fixture *f = *state;
    char path[SW_PATH_MAX], digest[SW_DIGEST_TEXT_SIZE];

    start_with(f, f->program);
    assert_int_equal(get(f), SW_OK);
    sw_compiler_free(f->compiler);
    f->options.fingerprint = "an older engine";
    start_with(f, f->program);
    assert_int_equal(get(f), SW_OK);
    (void)snprintf(path, sizeof path, "%s/no entry", f->cache);
    assert_int_equal(sw_file_save(sw_system_real(), path, "short", 5, &f->err), SW_OK);
    memcpy(digest, f->digest, sizeof digest);
    f->digest[strlen(f->digest) - 1] = f->digest[strlen(f->digest) - 1] == '0' ? '1' : '0';
    assert_int_equal(get(f), SW_OK);
    assert_int_equal(entries_of(f), 4);
    sw_compiler_forget(f->compiler, digest);
    assert_int_equal(entries_of(f), 2);
    sw_compiler_forget(f->compiler, digest);
    sw_compiler_forget(f->compiler, "no digest");
    assert_int_equal(entries_of(f), 2);
    assert_int_equal(get(f), SW_OK);
    assert_int_equal(view_of(f).compiled, 2); /* The other one is still there. */
}

static void a_changed_entry_is_compiled_again(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer entry;
    char path[SW_PATH_MAX];

    start_with(f, f->program);
    assert_int_equal(get(f), SW_OK);
    entry_path(f, path);
    sw_buffer_init(&entry, 8u << 20);
    assert_int_equal(sw_file_load(sw_system_real(), path, 8u << 20, &entry, &f->err), SW_OK);
    entry.data[entry.size / 2] ^= 1;
    assert_int_equal(sw_file_save(sw_system_real(), path, entry.data, entry.size, &f->err), SW_OK);
    assert_int_equal(get(f), SW_OK);
    assert_int_equal(view_of(f).rejected, 1);
    assert_int_equal(view_of(f).compiled, 2);
    assert_int_equal(get(f), SW_OK); /* It was written anew. */
    assert_int_equal(view_of(f).cached, 1);
    sw_buffer_done(&entry);
}

static void an_entry_under_another_key_is_no_entry(void **state)
{
    struct fixture *f = *state;
    uint8_t digest[SW_SHA256_SIZE], key[SW_COMPILER_KEY_SIZE] = "an attacker's";
    struct sw_seal seal = {key, SW_ABI_FINGERPRINT};
    struct sw_buffer entry;
    char path[SW_PATH_MAX];

    start_with(f, f->program);
    assert_int_equal(sw_digest_parse(f->digest, digest), SW_OK);
    sw_buffer_init(&entry, 4096);
    sw_seal_put(&seal, digest, (struct sw_bytes){"evil code", 9}, &entry);
    entry_path(f, path);
    assert_int_equal(sw_file_save(sw_system_real(), path, entry.data, entry.size, &f->err), SW_OK);
    assert_int_equal(get(f), SW_OK);
    assert_true(f->code.size > 100);
    assert_int_equal(view_of(f).rejected, 1);
    sw_buffer_done(&entry);
}

static void requests_for_one_module_share_a_compilation(void **state)
{
    struct fixture *f = *state;

    start_with(f, f->program);
    f->awaited = 5;
    for (int i = 0; i < 5; i++)
        assert_int_equal(sw_compiler_get(f->compiler, f->digest, module_of(f), on_done, f, &f->err),
                         SW_OK);
    assert_int_equal(view_of(f).waiting, 5);
    sw_loop_run(f->loop);
    assert_int_equal(f->answers, 5);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(view_of(f).compiled, 1);
}

static void several_modules_are_compiled_in_turn(void **state)
{
    struct fixture *f = *state;
    char other[SW_DIGEST_TEXT_SIZE];

    start_with(f, f->program);
    f->awaited = 3;
    for (int i = 0; i < 3; i++) { /* The compiler takes the caller's word for the digest. */
        sw_digest_text_of(&i, sizeof i, other);
        assert_int_equal(sw_compiler_get(f->compiler, other, module_of(f), on_done, f, &f->err),
                         SW_OK);
    }
    sw_loop_run(f->loop);
    assert_int_equal(f->rc, SW_OK);
    assert_int_equal(view_of(f).compiled, 3);
}

static void what_does_not_compile_is_told_in_words(void **state)
{
    struct fixture *f = *state;

    struct parts parts = valid_parts();

    start_with(f, f->program);
    sw_buffer_reset(&f->module);
    parts.code = BYTES("\x02\x02\x00\x0b" BODY_ZERO); /* A function that forgets its result. */
    build(&parts, &f->module);
    assert_int_equal(get(f), SW_E_INVALID);
    assert_non_null(strstr(f->words, "compile:"));
    assert_int_equal(view_of(f).failed, 1);
    assert_int_equal(get(f), SW_E_INVALID); /* A failure is not remembered. */
    assert_int_equal(view_of(f).failed, 2);
}

/* Machine code is made of the rewritten module; the names in it show that. */
static void what_is_compiled_is_the_rewritten_module(void **state)
{
    static const char name[] = "swarm.global.0";
    struct fixture *f = *state;

    assert_null(memmem(f->module.data, f->module.size, name, sizeof name - 1));
    start_with(f, f->program);
    assert_int_equal(get(f), SW_OK);
    assert_non_null(memmem(f->code.data, f->code.size, name, sizeof name - 1));
}

static void make_script(struct fixture *f, const char *text)
{
    (void)snprintf(f->program, sizeof f->program, "%s/fake", f->folder);
    assert_int_equal(sw_file_save(sw_system_real(), f->program, text, strlen(text), &f->err),
                     SW_OK);
    assert_int_equal(chmod(f->program, 0700), 0);
}

static void a_compiler_that_dies_is_told(void **state)
{
    struct fixture *f = *state;

    start_with(f, "/bin/false");
    assert_int_equal(get(f), SW_E_UNAVAILABLE);
    assert_non_null(strstr(f->words, "the compiler died"));
}

static void a_compiler_that_is_not_there_is_told(void **state)
{
    struct fixture *f = *state;

    start_with(f, "/none/such");
    assert_int_equal(get(f), SW_E_NOT_FOUND);
    assert_non_null(strstr(f->words, "/none/such"));
}

static void a_compiler_that_hangs_is_ended(void **state)
{
    struct fixture *f = *state;

    make_script(f, "#!/bin/sh\nexec sleep 1000\n");
    f->options.timeout_ms = 50;
    start_with(f, f->program);
    assert_int_equal(get(f), SW_E_TIMEOUT);
    assert_non_null(strstr(f->words, "more than 50 ms"));
}

static void an_answer_that_makes_no_sense_is_refused(void **state)
{
    struct fixture *f = *state;

    make_script(f, "#!/bin/sh\nhead -c 12 > /dev/null\necho this is no frame at all\n"
                   "exec sleep 1000\n");
    start_with(f, f->program);
    assert_int_equal(get(f), SW_E_INTERNAL);
}

static void a_short_answer_is_refused(void **state)
{
    struct fixture *f = *state;

    make_script(f, "#!/bin/sh\nhead -c 12 > /dev/null\n"
                   "printf 'SWCF\\000\\000\\000\\000\\377\\000\\000\\000short'\n");
    start_with(f, f->program);
    assert_int_equal(get(f), SW_E_UNAVAILABLE);
}

static void stopping_cancels_what_waits(void **state)
{
    struct fixture *f = *state;
    char other[SW_DIGEST_TEXT_SIZE];

    make_script(f, "#!/bin/sh\nexec sleep 1000\n");
    start_with(f, f->program);
    sw_digest_text_of("x", 1, other);
    assert_int_equal(sw_compiler_get(f->compiler, f->digest, module_of(f), on_done, f, &f->err),
                     SW_OK);
    assert_int_equal(sw_compiler_get(f->compiler, other, module_of(f), on_done, f, &f->err), SW_OK);
    sw_compiler_free(f->compiler);
    f->compiler = NULL;
    assert_int_equal(f->answers, 2);
    assert_int_equal(f->rc, SW_E_CANCELLED);
}

static void the_queue_is_bounded(void **state)
{
    struct fixture *f = *state;
    enum sw_rc rc = SW_OK;
    unsigned count = 0;

    make_script(f, "#!/bin/sh\nexec sleep 1000\n");
    start_with(f, f->program);
    while (rc == SW_OK && count <= SW_COMPILER_QUEUE_MAX) {
        char digest[SW_DIGEST_TEXT_SIZE];
        sw_digest_text_of(&count, sizeof count, digest);
        rc = sw_compiler_get(f->compiler, digest, module_of(f), on_done, f, &f->err);
        count += rc == SW_OK;
    }
    assert_int_equal(rc, SW_E_EXHAUSTED);
    assert_int_equal(count, SW_COMPILER_QUEUE_MAX);
    assert_int_equal(sw_compiler_get(f->compiler, "md5:1", module_of(f), on_done, f, &f->err),
                     SW_E_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_module_becomes_code_that_loads),
        TEST(each_class_has_its_own_code),
        TEST(the_second_answer_comes_from_the_cache),
        TEST(the_cache_outlives_the_process),
        TEST(the_cache_does_not_grow_without_end),
        TEST(what_is_forgotten_is_forgotten_for_all_engines),
        TEST(a_changed_entry_is_compiled_again),
        TEST(an_entry_under_another_key_is_no_entry),
        TEST(requests_for_one_module_share_a_compilation),
        TEST(several_modules_are_compiled_in_turn),
        TEST(what_does_not_compile_is_told_in_words),
        TEST(what_is_compiled_is_the_rewritten_module),
        TEST(a_compiler_that_dies_is_told),
        TEST(a_compiler_that_is_not_there_is_told),
        TEST(a_compiler_that_hangs_is_ended),
        TEST(an_answer_that_makes_no_sense_is_refused),
        TEST(a_short_answer_is_refused),
        TEST(stopping_cancels_what_waits),
        TEST(the_queue_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
