/* uses: pkg/agent/modules pkg/agent/runtime/host pkg/agent/runtime/wasm pkg/utils/system */
/* covers: pkg/agent/runtime/wasm/calls.c pkg/agent/runtime/wasm/wasi.c */
/* covers: pkg/agent/runtime/wasm/waits.c pkg/agent/runtime/wasm/relive.c */
/* Host calls with whatever pointers, sizes and numbers: a guest (test/guests/caller.c) makes the
 * calls that the input says, over several segments where it waits, in each class of engine. Its
 * neighbours stay as they are and nothing of them is seen; the same turn run again from its record
 * gives the same effects, log and memory. */
#include "pkg/agent/modules/rewrite.h"
#include "pkg/agent/runtime/actor/turn.h"
#include "pkg/agent/runtime/host/guest_wasm.h"
#include "pkg/agent/runtime/wasm/state.h"
#include "pkg/utils/system/system.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES ((uint64_t)128 << 10)
#define BODY_MAX 12000u
#define SECRET "\xc0\xff\xee\x5e\xc2\xe7\x0f\xae"
#define SECRET_SIZE 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world { /* Of one class. */
    enum sw_abi_class class;
    struct sw_wasm_engine *wasm;
    struct sw_wasm_worker *worker;
    struct sw_guest_engine engine;
    struct sw_guest_module *unwind, *relive; /* The guest, in two ways of waiting. */
    struct sw_guest_module *module;          /* The one that runs. */
    struct sw_turn turn;
    struct sw_guest *left, *right; /* Whose slots lie around that of the guest that runs. */
    uint8_t *slot, *left_memory, *right_memory;
};

#define SEGMENTS_MAX 4u

struct run { /* What the segments of a turn left, one after the other. */
    struct sw_guest_outcome outcome;
    struct sw_buffer effects, logs, image;
    struct sw_buffer results[SEGMENTS_MAX];
    unsigned segments;
    uint64_t random_next;
};

static const struct sw_wasm_instance *instance_of(const struct sw_guest *guest)
{
    return (const struct sw_wasm_instance *)(const void *)guest;
}

static struct sw_guest *create(struct world *w)
{
    struct sw_guest *guest = NULL;
    struct sw_err err = {0};

    if (w->engine.create(w->engine.ctx, w->module, MEMORY_BYTES, &w->turn, &guest, &err) != SW_OK)
        abort();
    return guest;
}

/* A neighbour full of a secret, and a copy of it. */
static struct sw_guest *neighbour(struct world *w, uint8_t **ret_memory)
{
    struct sw_guest *guest = create(w);
    const struct sw_wasm_slot *slot = &instance_of(guest)->slot;

    for (uint64_t i = 0; i < slot->size_bytes; i++)
        slot->base[i] = (uint8_t)SECRET[i % SECRET_SIZE];
    *ret_memory = malloc(slot->size_bytes);
    assert(*ret_memory != NULL);
    memcpy(*ret_memory, slot->base, slot->size_bytes);
    return guest;
}

static struct sw_guest_module *open_module(struct world *w, const char *path)
{
    static const char payload[] = "what the program brings along for this module";
    struct sw_guest_module *opened = NULL, *bundle = NULL;
    struct sw_buffer module, rewritten, code;
    struct sw_err err = {0};

    sw_buffer_init(&module, 1u << 20);
    sw_buffer_init(&rewritten, 2u << 20);
    sw_buffer_init(&code, 64u << 20);
    if (sw_file_load(sw_system_real(), path, 1u << 20, &module, &err) != SW_OK ||
        sw_module_rewrite((struct sw_bytes){module.data, module.size}, &rewritten, &err) != SW_OK ||
        sw_wasm_compile((struct sw_bytes){rewritten.data, rewritten.size}, w->class, &code, &err) !=
            SW_OK ||
        sw_guest_wasm_open(w->wasm, w->class, (struct sw_bytes){code.data, code.size}, &opened,
                           &err) != SW_OK ||
        sw_guest_wasm_bundle(NULL, opened, (struct sw_bytes){payload, sizeof payload}, &bundle,
                             &err) != SW_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    sw_buffer_done(&module);
    sw_buffer_done(&rewritten);
    sw_buffer_done(&code);
    w->engine.module_unref(w->engine.ctx, opened);
    return bundle;
}

static struct world *world(enum sw_abi_class class)
{
    static struct world all[SW_ABI_CLASSES];
    struct world *w = &all[class];
    struct sw_guest *guest;
    struct sw_err err = {0};

    if (w->wasm != NULL)
        return w;
    w->class = class;
    if (sw_guest_wasm_engine(0, &w->wasm, &err) != SW_OK ||
        sw_wasm_worker_new(w->wasm, &w->worker, &err) != SW_OK)
        abort();
    w->engine = sw_guest_wasm_worker(w->worker);
    sw_turn_init(&w->turn);
    w->unwind = open_module(w, SW_TEST_BUILD "/guests/test_caller.wasm");
    w->relive = open_module(w, SW_TEST_BUILD "/guests/test_caller_relive.wasm");
    w->module = w->unwind;
    w->left = neighbour(w, &w->left_memory);
    guest = create(w);
    w->right = neighbour(w, &w->right_memory);
    w->slot = instance_of(guest)->slot.base;
    w->engine.drop(w->engine.ctx, guest);
    return w;
}

/* The host refuses now and then, as the input says. */
static int32_t admit(void *ctx, const struct sw_effect *effect, struct sw_turn_route *ret_route)
{
    uint32_t *refusals = ctx;

    (void)effect;
    (void)ret_route;
    *refusals = *refusals << 1 | *refusals >> 31;
    return (*refusals & 1) != 0 ? SW_E_EXHAUSTED : 0;
}

/* One segment; record NULL: for the first time. */
static void enter(struct world *w, struct sw_guest *guest, const struct sw_guest_input *input,
                  struct sw_turn_options *options, struct run *run)
{
    unsigned segment = run->segments++;
    struct sw_turn_random random = {.next = run->random_next};

    options->random = &random;
    sw_turn_begin(&w->turn, options);
    w->engine.enter(w->engine.ctx, guest, input, &run->outcome);
    sw_turn_end(&w->turn);
    sw_buffer_put(&run->effects, w->turn.effects.data, w->turn.effects.size);
    sw_buffer_put(&run->logs, w->turn.logs.data, w->turn.logs.size);
    sw_buffer_put(&run->results[segment], w->turn.results.data, w->turn.results.size);
    run->random_next = w->turn.random.next;
    assert(!run->effects.failed && !run->logs.failed && !run->results[segment].failed);
    assert(w->turn.logs.size <= SW_TURN_LOG_BYTES_MAX);
}

static void begin(struct run *run)
{
    run->segments = 0;
    run->random_next = 0;
    sw_buffer_init(&run->effects, SEGMENTS_MAX * SW_EFFECTS_BYTES_MAX);
    sw_buffer_init(&run->logs, SEGMENTS_MAX * SW_TURN_LOG_BYTES_MAX);
    sw_buffer_init(&run->image, 1u << 20);
    for (size_t i = 0; i < SEGMENTS_MAX; i++)
        sw_buffer_init(&run->results[i], 1u << 20);
}

/* A turn, of so many segments as it waits; record NULL: for the first time. */
static void turn(struct world *w, struct sw_bytes body, const struct run *record, struct run *run)
{
    uint32_t refusals = body.size < 4 ? 0 : *(const uint8_t *)body.data * 0x01010101u;
    struct sw_turn_host host = {.ctx = &refusals, .admit = admit};
    struct sw_actor actor = {0};
    static const struct sw_bytes space = {"space", 5}, agent = {"caller", 6}, config = {"{}", 2};
    struct sw_turn_options options = {.actor = &actor,
                                      .host = record == NULL ? &host : NULL,
                                      .self = {&space, &agent, &config, {"k", 1}},
                                      .time_ns = 1234567890,
                                      .handle = 7,
                                      .can_wait = true};
    struct sw_guest_message message = {.flags = 1, .reply_handle = 7, .body = body};
    struct sw_guest_message answer = {.flags = 2, .from = {"caller/k", 8}, .body = body};
    struct sw_guest_input input = {
        .entry = SW_GUEST_MESSAGE, .message = &message, .deadline_ms = 1000};
    struct sw_guest *guest = create(w);
    struct sw_err err = {0};

    assert(instance_of(guest)->slot.base == w->slot);
    begin(run);
    do {
        if (record != NULL)
            options.results = (struct sw_bytes){record->results[run->segments].data,
                                                record->results[run->segments].size};
        enter(w, guest, &input, &options, run);
        input.entry = SW_GUEST_RESUME;
        input.status = run->segments == 2 ? SW_E_TIMEOUT : 0;
        input.message = run->segments == 2 ? NULL : &answer;
        options.time_ns += 1000;
    } while (run->outcome.end == SW_GUEST_WAITING && run->segments < SEGMENTS_MAX - 1);
    if (run->outcome.end == SW_GUEST_WAITING) { /* Another message gives the turn up. */
        message.body = (struct sw_bytes){"", 0};
        input.entry = SW_GUEST_MESSAGE;
        input.message = &message;
        if (record != NULL)
            options.results = (struct sw_bytes){record->results[run->segments].data,
                                                record->results[run->segments].size};
        enter(w, guest, &input, &options, run);
    }
    if (w->engine.save(w->engine.ctx, guest, &run->image, &err) != SW_OK)
        abort();
    w->engine.drop(w->engine.ctx, guest);
    sw_actor_done(&actor);
}

static void done(struct run *run)
{
    sw_buffer_done(&run->effects);
    sw_buffer_done(&run->logs);
    sw_buffer_done(&run->image);
    for (size_t i = 0; i < SEGMENTS_MAX; i++)
        sw_buffer_done(&run->results[i]);
}

static void expect_equal(const struct sw_buffer *one, const struct sw_buffer *other)
{
    assert(one->size == other->size);
    assert(one->size == 0 || memcmp(one->data, other->data, one->size) == 0);
}

static void expect_well_formed(const struct run *run)
{
    struct sw_reader reader = sw_reader_of(run->effects.data, run->effects.size);
    struct sw_effect effect;

    while (sw_effect_take(&reader, &effect))
        assert(effect.body.size <= SW_EFFECT_BODY_MAX && effect.to.size <= SW_EFFECT_TEXT_MAX);
    assert(!reader.failed && reader.at == reader.size);
}

static bool has_secret(struct sw_bytes bytes)
{
    return bytes.size > 0 && memmem(bytes.data, bytes.size, SECRET, SECRET_SIZE) != NULL;
}

static void expect_quiet_neighbours(const struct world *w, const struct run *run)
{
    const struct sw_wasm_slot *left = &instance_of(w->left)->slot;
    const struct sw_wasm_slot *right = &instance_of(w->right)->slot;

    assert(memcmp(left->base, w->left_memory, left->size_bytes) == 0);
    assert(memcmp(right->base, w->right_memory, right->size_bytes) == 0);
    assert(!has_secret((struct sw_bytes){run->effects.data, run->effects.size}));
    assert(!has_secret((struct sw_bytes){run->logs.data, run->logs.size}));
}

static void run_twice(struct world *w, struct sw_bytes body)
{
    static struct run first, again;

    turn(w, body, NULL, &first);
    expect_well_formed(&first);
    expect_quiet_neighbours(w, &first);
    /* Where a wild call changed the guest itself, it may run for ever: time decides then. */
    if (first.outcome.end != SW_GUEST_DEADLINE) {
        turn(w, body, &first, &again);
        assert(first.segments == again.segments);
        assert(first.outcome.end == again.outcome.end && first.outcome.code == again.outcome.code);
        assert(strcmp(first.outcome.report, again.outcome.report) == 0);
        assert(first.random_next == again.random_next);
        expect_equal(&first.effects, &again.effects);
        expect_equal(&first.logs, &again.logs);
        expect_equal(&first.image, &again.image);
        done(&again);
    }
    done(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sw_bytes body = {data, size};

    if (size > BODY_MAX || has_secret(body))
        return 0;
    for (unsigned i = 0; i < SW_ABI_CLASSES; i++) {
        struct world *w = world((enum sw_abi_class)i);

        w->module = w->unwind;
        run_twice(w, body);
        w->engine.module_forget(w->engine.ctx, w->unwind); /* Its slot is the next one's. */
        w->module = w->relive;
        run_twice(w, body);
    }
    return 0;
}
