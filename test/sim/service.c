#include "test/sim/service.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNAVAILABLE_CODE 14u

enum state { RUNNING, ANSWERED, FORGOTTEN, OVER };

struct call {
    struct sim_service *service;
    struct sw_frame_call_name name;
    enum state state;
    uint64_t pod, host; /* host: that asked last, by how many had ended. */
    char caller[24];
    struct sim_call body;
    struct sim_event answer, again; /* again: the same result once more. */
    struct sim_receipt receipt;
    uint32_t code;
};

static void breach(struct sim_service *service, const struct call *call, const char *what)
{
    if (service->breach[0] == 0)
        snprintf(service->breach, sizeof service->breach,
                 "call %" PRIu64 " of %s (op %" PRIu64 "): %s", call->name.number, call->caller,
                 call->body.op, what);
}

/* --- Results --------------------------------------------------------------------------------- */

static void tell(const struct call *call)
{
    const struct sim_service_options *options = &call->service->options;
    struct sw_frame frame = {.kind = SW_FRAME_CALL_RESULT,
                             .call_result = {.name = call->name,
                                             .pod = call->pod,
                                             .code = call->code,
                                             .service = {SIM_SERVICE, sizeof SIM_SERVICE - 1},
                                             .body = {&call->receipt, sizeof call->receipt}}};

    options->send(options->ctx, &frame);
}

static void on_again(void *ctx)
{
    const struct call *call = ctx;

    if (call->receipt.number != 0)
        tell(call);
}

static void on_answer(void *ctx)
{
    struct call *call = ctx;
    struct sim_service *service = call->service;
    struct sim_receipt_record *record = &service->receipts[service->receipts_count];

    assert(service->receipts_count < SIM_RECEIPTS_MAX);
    record->op = call->body.op;
    memcpy(record->caller, call->caller, sizeof record->caller);
    call->state = ANSWERED;
    call->receipt = (struct sim_receipt){.number = ++service->receipts_count, .op = call->body.op};
    call->code = sim_random_permille(&service->random, 100) ? UNAVAILABLE_CODE : 0;
    tell(call);
    if (sim_random_permille(&service->random, 250))
        sim_event_at(service->options.loop, &call->again,
                     service->options.loop->now_ns +
                         sim_random_around(&service->random, 2 * service->mean_ns));
}

/* --- Calls ----------------------------------------------------------------------------------- */

static void begin(struct call *call)
{
    struct sim_service *service = call->service;
    uint64_t wait_ns = sim_random_permille(&service->random, 50)
                           ? sim_random_below(&service->random, 20 * SIM_S)
                           : sim_random_around(&service->random, service->mean_ns);

    call->state = RUNNING;
    sim_event_at(service->options.loop, &call->answer, service->options.loop->now_ns + wait_ns);
}

static struct call *make(struct sim_service *service, const struct sw_frame_call *asked)
{
    const struct sim_service_options *options = &service->options;
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL ||
        sw_map_put(service->calls, &asked->name, sizeof asked->name, call, NULL) != SW_OK)
        abort();
    call->service = service;
    call->name = asked->name;
    snprintf(call->caller, sizeof call->caller, "%s/%.*s",
             options->agent_of(options->ctx, asked->uid), (int)asked->key.size,
             (const char *)asked->key.data);
    memcpy(&call->body, asked->body.data, sizeof call->body);
    assert(service->heard_count < SIM_HEARD_MAX);
    service->heard[service->heard_count++] = call->body;
    sim_event_init(&call->answer, on_answer, call);
    sim_event_init(&call->again, on_again, call);
    begin(call);
    return call;
}

static void take_again(struct call *call, const struct sw_frame_call *asked)
{
    if (memcmp(&call->body, asked->body.data, sizeof call->body) != 0)
        breach(call->service, call, "another call has the same name");
    else if (call->state == OVER)
        breach(call->service, call, "it was over, and is made again");
    else if (call->state == FORGOTTEN)
        begin(call);
    else if (call->state == ANSWERED)
        tell(call);
}

static void take_call(struct sim_service *service, const struct sw_frame_call *asked)
{
    struct call *call = sw_map_find(service->calls, &asked->name, sizeof asked->name);

    if (asked->body.size != sizeof call->body || asked->service.size != sizeof SIM_SERVICE - 1 ||
        memcmp(asked->service.data, SIM_SERVICE, asked->service.size) != 0) {
        if (service->breach[0] == 0)
            snprintf(service->breach, sizeof service->breach, "a call that nobody makes so");
        return;
    }
    if (call == NULL)
        call = make(service, asked);
    else
        take_again(call, asked);
    call->pod = asked->pod;
    call->host = service->hosts;
}

void sim_service_take(struct sim_service *service, const struct sw_frame *frame)
{
    struct call *call;

    if (frame->kind == SW_FRAME_CALL) {
        take_call(service, &frame->call);
        return;
    }
    call = sw_map_find(service->calls, &frame->call_end, sizeof frame->call_end);
    if (call == NULL || call->state == OVER)
        return; /* It was made in a life of the host of which nothing is durable. */
    call->state = OVER;
    sim_event_stop(service->options.loop, &call->answer);
}

void sim_service_host_ended(struct sim_service *service)
{
    bool forgets = sim_random_permille(&service->random, 300);
    struct sw_map_entry entry;
    size_t cursor = 0;

    service->hosts++;
    if (forgets)
        sim_trace(service->options.trace, "service: all calls are forgotten");
    while (forgets && sw_map_next(service->calls, &cursor, &entry)) {
        struct call *call = entry.value;

        if (call->state == OVER)
            continue;
        call->state = FORGOTTEN;
        call->receipt.number = 0;
        sim_event_stop(service->options.loop, &call->answer);
        sim_event_stop(service->options.loop, &call->again);
    }
}

uint32_t sim_service_open(const struct sim_service *service)
{
    struct sw_map_entry entry;
    size_t cursor = 0;
    uint32_t open = 0;

    while (sw_map_next(service->calls, &cursor, &entry)) {
        const struct call *call = entry.value;

        open += call->state != OVER && call->host == service->hosts;
    }
    return open;
}

const struct sim_receipt_record *sim_service_receipt(const struct sim_service *service,
                                                     uint64_t number)
{
    return number == 0 || number > service->receipts_count ? NULL : &service->receipts[number - 1];
}

void sim_service_init(struct sim_service *service, const struct sim_service_options *options)
{
    memset(service, 0, sizeof *service);
    service->options = *options;
    service->random.state = options->seed;
    service->calls = sw_map_new(options->seed);
    service->receipts = calloc(SIM_RECEIPTS_MAX, sizeof *service->receipts);
    service->mean_ns = SIM_MS << sim_random_below(&service->random, 12);
    service->heard = calloc(SIM_HEARD_MAX, sizeof *service->heard);
    if (service->calls == NULL || service->receipts == NULL || service->heard == NULL)
        abort();
}

void sim_service_done(struct sim_service *service)
{
    struct sw_map_entry entry;
    size_t cursor = 0;

    while (sw_map_next(service->calls, &cursor, &entry)) {
        struct call *call = entry.value;

        sim_event_stop(service->options.loop, &call->answer);
        sim_event_stop(service->options.loop, &call->again);
        free(call);
    }
    sw_map_free(service->calls);
    free(service->receipts);
    free(service->heard);
}
