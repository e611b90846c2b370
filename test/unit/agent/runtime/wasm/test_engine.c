/* labels: threaded */
/* uses: pkg/agent/modules pkg/utils/system */
#include "test/unit/agent/runtime/wasm/fixture.h"

#include <pthread.h>

static void damaged_or_foreign_code_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_module *module = NULL;

    assert_int_equal(
        sw_wasm_module_open(f->engine, class, text("no machine code"), &module, &f->err),
        SW_E_UNSUPPORTED);
    assert_int_equal(sw_wasm_module_open(f->engine, class, text(""), &module, &f->err),
                     SW_E_UNSUPPORTED);
    assert_null(module);
}

static void code_without_the_exports_is_refused(void **state)
{
    static const char empty[] = "\0asm\1\0\0\0";
    struct fixture *f = *state;
    struct sw_wasm_module *module = NULL;
    struct sw_buffer code;

    sw_buffer_init(&code, 1u << 20);
    assert_int_equal(sw_wasm_compile((struct sw_bytes){empty, 8}, class, &code, &f->err), SW_OK);
    assert_int_equal(sw_wasm_module_open(f->engine, class, (struct sw_bytes){code.data, code.size},
                                         &module, &f->err),
                     SW_E_INVALID);
    assert_non_null(strstr(f->err.message, "not exported"));
    sw_buffer_done(&code);
}

static void what_is_no_module_does_not_compile(void **state)
{
    struct fixture *f = *state;
    struct sw_buffer code;

    sw_buffer_init(&code, 1u << 20);
    assert_int_equal(sw_wasm_compile(text("no module"), class, &code, &f->err), SW_E_INVALID);
    assert_int_equal(code.size, 0);
    sw_buffer_done(&code);
}

static void machine_code_beyond_its_room_is_told(void **state)
{
    static const char empty[] = "\0asm\1\0\0\0";
    struct fixture *f = *state;
    struct sw_buffer code;

    sw_buffer_init(&code, 100);
    assert_int_equal(sw_wasm_compile((struct sw_bytes){empty, 8}, class, &code, &f->err),
                     SW_E_EXHAUSTED);
    sw_buffer_done(&code);
}

static void the_view_tells_what_a_module_is(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_module_view view;

    sw_wasm_module_view(f->module, &view);
    assert_true(view.has_on_start && view.has_on_timer && view.has_on_stop);
    assert_int_equal(view.memory_bytes, SW_WASM_PAGE_BYTES);
    assert_int_equal(view.memory_max_bytes, SW_WASM_MEMORY_BYTES_MAX);
}

static void an_instance_keeps_its_module_alive(void **state)
{
    struct fixture *f = *state;

    assert_ptr_equal(sw_wasm_module_ref(f->module), f->module);
    sw_wasm_module_unref(f->module);
    sw_wasm_module_unref(f->module);
    assert_int_equal(tell(f, "count"), SW_GUEST_DONE);
    sw_wasm_instance_free(f->instance);
    f->instance = NULL;
    f->module = NULL;
}

struct job {
    struct fixture own;
    unsigned failures;
};

/* What cmocka's assertions may not do on a second thread is counted. */
static void *work(void *ctx)
{
    struct job *job = ctx;

    for (int i = 0; i < 200; i++) {
        struct sw_wasm_instance *instance = NULL;
        struct sw_buffer image;

        if (sw_wasm_instance_new(job->own.worker, job->own.module, MEMORY_MAX, &job->own, &instance,
                                 NULL) != SW_OK) {
            job->failures++;
            continue;
        }
        sw_buffer_init(&image, 1u << 20);
        job->failures += tell_one(&job->own, instance, "count") != SW_GUEST_DONE;
        job->failures += tell_one(&job->own, instance, "trap") != SW_GUEST_TRAPPED;
        job->failures += sw_wasm_image_save(instance, &image, NULL) != SW_OK;
        sw_buffer_done(&image);
        sw_wasm_instance_free(instance);
    }
    return NULL;
}

static void workers_on_several_threads_share_an_engine(void **state)
{
    enum { COUNT = 4 };
    struct fixture *f = *state;
    static struct job jobs[COUNT];
    pthread_t threads[COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        sw_buffer_init(&jobs[i].own.calls, 1u << 16);
        jobs[i].own.module = f->module;
        assert_int_equal(sw_wasm_worker_new(f->engine, &jobs[i].own.worker, &f->err), SW_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(jobs[i].failures, 0);
        sw_wasm_worker_free(jobs[i].own.worker);
        sw_buffer_done(&jobs[i].own.calls);
    }
}

static void workers_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct sw_wasm_worker *all[300];
    size_t count = 0;

    while (count < 300 && sw_wasm_worker_new(f->engine, &all[count], &f->err) == SW_OK)
        count++;
    assert_int_equal(count, 255); /* One is the fixture's. */
    for (size_t i = 0; i < count; i++)
        sw_wasm_worker_free(all[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(damaged_or_foreign_code_is_refused),
        TEST(code_without_the_exports_is_refused),
        TEST(what_is_no_module_does_not_compile),
        TEST(machine_code_beyond_its_room_is_told),
        TEST(the_view_tells_what_a_module_is),
        TEST(an_instance_keeps_its_module_alive),
        TEST(workers_on_several_threads_share_an_engine),
        TEST(workers_are_bounded),
    };

    return run_in_every_class(tests, sizeof tests / sizeof tests[0]);
}
