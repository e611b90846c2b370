/* uses: pkg/agent/link pkg/agent/runtime/actor */
/* Frames about Pods that cannot be acted on at once. */
#include "pkg/agent/runtime/host/host.h"
#include "test/support/actors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct actors actors;
static struct sw_guest_engine engine;
static struct sw_host *host;
static bool is_busy; /* The workers do not stand still. */
static unsigned failed;
static uint8_t slots[2][SW_FRAME_SLOTS_BYTES]; /* All, and half of them. */

static enum sw_rc open_module(void *ctx, enum sw_abi_class class, struct sw_bytes code,
                              struct sw_guest_module **ret_module, struct sw_err *err)
{
    (void)ctx;
    (void)class;
    (void)code;
    (void)err;
    actors.module.refs++;
    *ret_module = &actors.module;
    return SW_OK;
}

static struct sw_bytes payload; /* Of the last bundle that was opened. */
static char payload_bytes[64];

static enum sw_rc open_bundle(void *ctx, struct sw_guest_module *runtime, struct sw_bytes bytes,
                              struct sw_guest_module **ret_module, struct sw_err *err)
{
    (void)ctx;
    (void)err;
    assert_ptr_equal(runtime, &actors.module);
    assert_true(bytes.size <= sizeof payload_bytes);
    if (bytes.size > 0)
        memcpy(payload_bytes, bytes.data, bytes.size);
    payload = (struct sw_bytes){payload_bytes, bytes.size};
    actors.module.refs++;
    *ret_module = &actors.module;
    return SW_OK;
}

static void put(void *ctx, uint32_t worker, struct sw_item *item)
{
    (void)ctx;
    sw_worker_put(actors.workers[worker], item);
}

static void emit(void *ctx, const struct sw_frame *frame)
{
    (void)ctx;
    failed += frame->kind == SW_FRAME_POD_STATUS && frame->pod_status.phase == SW_FRAME_POD_FAILED;
    failed += frame->kind == SW_FRAME_MODULE_RESULT && frame->result.code != 0;
}

static enum sw_rc stand_still(void *ctx, void (*work)(void *work_ctx), void *work_ctx)
{
    (void)ctx;
    if (is_busy)
        return SW_E_TIMEOUT;
    actors_settle(&actors);
    work(work_ctx);
    return SW_OK;
}

static void follow(void *ctx, uint32_t first, uint32_t then)
{
    (void)ctx;
    assert_int_not_equal(first, then);
}

static int set_up(void **state)
{
    struct sw_host_options options = {.system = &actors.disk.system,
                                      .shared = &actors.shared,
                                      .workers = actors.workers,
                                      .workers_count = 1,
                                      .engine = &engine,
                                      .open_module = open_module,
                                      .open_bundle = open_bundle,
                                      .put = put,
                                      .emit = emit,
                                      .stand_still = stand_still,
                                      .follow = follow};

    (void)state;
    actors_init(&actors, 1, 1);
    engine = script_guest_engine(&actors.engines[0]);
    failed = 0;
    memset(slots[0], 0xff, sizeof slots[0]);
    memset(slots[1], 0x0f, sizeof slots[1]);
    assert_int_equal(sw_host_new(&options, &host, &actors.failure), SW_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sw_host_free(host);
    actors_done(&actors);
    return 0;
}

static void receive(const struct sw_frame *frame)
{
    assert_int_equal(sw_host_receive(host, frame, &actors.failure), SW_OK);
    actors_settle(&actors);
}

static void send_module(const char *digest)
{
    struct sw_frame frame = {.kind = SW_FRAME_MODULE};

    frame.module =
        (struct sw_frame_module){.digest = script_text(digest), .total = 1, .bytes = {"x", 1}};
    receive(&frame);
}

static void drop_module(const char *digest)
{
    struct sw_frame frame = {.kind = SW_FRAME_MODULE_DROP};

    frame.module_drop.digest = script_text(digest);
    receive(&frame);
}

static void open_pod(const char *uid, const char *digest, const uint8_t *wanted)
{
    struct sw_frame frame = {.kind = SW_FRAME_POD_OPEN};

    frame.pod_open =
        (struct sw_frame_pod_open){.uid = script_text(uid),
                                   .name_space = script_text("default"),
                                   .agent = script_text("a"),
                                   .agent_uid = script_text("01932c07-8ba2-7c1e-9a2b-0123456789ab"),
                                   .digest = script_text(digest),
                                   .slots = {wanted, SW_FRAME_SLOTS_BYTES},
                                   .is_keyed = 1,
                                   .is_durable = 1,
                                   .mailbox = 16,
                                   .instances_max = 16,
                                   .memory_bytes = 1u << 20,
                                   .body_bytes = 4096};
    receive(&frame);
}

/* Slots of it cannot move yet, an upgrade of the Agent comes behind, and swarmd drops the module
 * that no Pod is to have any more. */
static void a_module_that_a_frame_waits_for_is_kept(void **state)
{
    (void)state;
    send_module("sha256:1");
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000001", "sha256:1", slots[0]);
    is_busy = true;
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000002", "sha256:1", slots[1]);
    assert_true(sw_host_is_waiting(host));
    send_module("sha256:2");
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000001", "sha256:2", slots[0]);
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000002", "sha256:2", slots[1]);
    drop_module("sha256:1");
    is_busy = false;
    assert_int_equal(sw_host_go_on(host, &actors.failure), SW_OK);
    assert_false(sw_host_is_waiting(host));
    assert_int_equal(failed, 0);
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000001", "sha256:1", slots[0]);
    assert_int_equal(failed, 1); /* It went when nobody waited for it. */
}

/* It came once more in the meantime. */
static void a_module_that_came_again_stays(void **state)
{
    (void)state;
    send_module("sha256:1");
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000001", "sha256:1", slots[0]);
    is_busy = true;
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000002", "sha256:1", slots[1]);
    drop_module("sha256:1");
    send_module("sha256:1");
    is_busy = false;
    assert_int_equal(sw_host_go_on(host, &actors.failure), SW_OK);
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000001", "sha256:1", slots[1]);
    assert_int_equal(failed, 0);
}

static enum sw_rc send_payload(const char *digest, const char *runtime, uint64_t offset,
                               uint64_t total, const char *bytes)
{
    struct sw_frame frame = {.kind = SW_FRAME_BUNDLE,
                             .bundle = {.digest = script_text(digest),
                                        .runtime = script_text(runtime),
                                        .offset = offset,
                                        .total = total,
                                        .bytes = script_text(bytes)}};
    enum sw_rc rc = sw_host_receive(host, &frame, &actors.failure);

    if (rc == SW_OK)
        actors_settle(&actors);
    else
        actors.failure = (struct sw_err){0};
    return rc;
}

static void a_bundle_runs_what_came_before_it(void **state)
{
    (void)state;
    send_module("sha256:1");
    assert_int_equal(send_payload("sha256:2", "sha256:1", 0, 9, "hello"), SW_OK);
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000001", "sha256:2", slots[0]);
    assert_int_equal(failed, 1); /* It has not come whole. */
    assert_int_equal(send_payload("sha256:2", "sha256:1", 5, 9, " you"), SW_OK);
    assert_int_equal(payload.size, 9);
    assert_memory_equal(payload.data, "hello you", 9);
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000001", "sha256:2", slots[0]);
    assert_int_equal(send_payload("sha256:3", "sha256:1", 0, 0, ""), SW_OK);
    assert_int_equal(payload.size, 0);
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000001", "sha256:3", slots[0]);
    assert_int_equal(failed, 1);
}

static void a_bundle_without_what_runs_it_is_told(void **state)
{
    (void)state;
    assert_int_equal(send_payload("sha256:2", "sha256:1", 0, 5, "hello"), SW_OK);
    assert_int_equal(failed, 1);
    assert_int_equal(send_payload("sha256:2", "sha256:2", 0, 5, "hello"), SW_OK); /* Itself. */
    assert_int_equal(failed, 2);
    send_module("sha256:1");
    assert_int_equal(send_payload("sha256:2", "sha256:1", 0, 5, "hello"), SW_OK);
    assert_int_equal(failed, 2);
    drop_module("sha256:1"); /* Its code stays with the bundle. */
    open_pod("01932c07-8ba2-7c1e-9a2b-000000000001", "sha256:2", slots[0]);
    assert_int_equal(failed, 2);
}

static void pieces_out_of_place_end_the_host(void **state)
{
    struct sw_frame empty = {.kind = SW_FRAME_MODULE,
                             .module = {.digest = script_text("sha256:5"), .total = 0}};

    (void)state;
    send_module("sha256:1");
    assert_int_equal(send_payload("sha256:2", "sha256:1", 1, 5, "hell"), SW_E_CORRUPT);
    assert_int_equal(send_payload("sha256:2", "sha256:1", 0, 3, "hello"), SW_E_CORRUPT);
    assert_int_equal(send_payload("sha256:2", "sha256:1", 0, 5, ""), SW_E_CORRUPT);
    assert_int_equal(
        send_payload("sha256:2", "sha256:1", 0, SW_ABI_PAYLOAD_BYTES_MAX + 1u, "hello"),
        SW_E_CORRUPT);
    assert_int_equal(send_payload("sha256:2/none", "sha256:1", 0, 5, "hello"), SW_E_CORRUPT);
    assert_int_equal(sw_host_receive(host, &empty, &actors.failure), SW_E_CORRUPT);
    actors.failure = (struct sw_err){0};
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_module_that_a_frame_waits_for_is_kept), TEST(a_module_that_came_again_stays),
        TEST(a_bundle_runs_what_came_before_it),       TEST(a_bundle_without_what_runs_it_is_told),
        TEST(pieces_out_of_place_end_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
