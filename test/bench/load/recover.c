/* `recover`: asked while a daemon starts again. A call that finds nobody is made again until there
 * is a first answer. From 0.5 s after this program's start on, an instance that is drawn is asked
 * every two milliseconds, whether or not those before have answered; the time of an answer counts
 * from when it was due to be asked. */
#include "test/bench/load/load.h"

#include "test/bench/agents/crowd.h"

#include "pkg/apis/swarm/v1/protobuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AFTER_MS 500
#define EVERY_MS 2
#define AGAIN_MS 1
#define NS_PER_MS 1000000u

struct recovering;

struct sample {
    struct recovering *recovering;
    struct sw_timer *again; /* Nobody was there: it is asked once more. */
    uint64_t due_ns;
    uint32_t key;
};

struct recovering {
    struct load *load;
    struct sw_arena *arena; /* For one message at a time. */
    struct sw_timer *timer;
    struct sample first, *samples;
    size_t begun, answered;
    uint64_t random;
};

static void ask(void *ctx);

static uint64_t next_random(struct recovering *recovering)
{
    recovering->random = recovering->random * 6364136223846793005u + 1442695040888963407u;
    return recovering->random >> 33;
}

static void draw(struct sample *sample, struct recovering *recovering)
{
    *sample = (struct sample){.recovering = recovering};
    sample->key = (uint32_t)(next_random(recovering) % recovering->load->options.keys);
    sample->again = sw_timer_new(recovering->load->loop, ask, sample);
    if (sample->again == NULL)
        load_fail(recovering->load, SW_E_EXHAUSTED, "no memory for a timer");
}

static bool is_of_member(const struct sample *sample, struct sw_bytes body)
{
    struct crowd_answer answer;

    if (body.size != sizeof answer)
        return false;
    (void)memcpy(&answer, body.data, sizeof answer);
    return answer.key == sample->key && answer.pings > 0 &&
           answer.sum == crowd_sum(answer.key, answer.pings);
}

static bool is_right(const struct sample *sample, struct sw_bytes answer)
{
    struct recovering *recovering = sample->recovering;
    struct sw_api_send_response response;
    uint32_t value;

    sw_arena_reset(recovering->arena);
    if (sw_protobuf_decode(&sw_api_send_response_message, answer, recovering->arena, &response,
                           NULL) != SW_OK ||
        response.status != 0)
        return false;
    if (recovering->load->options.expect == 0)
        return is_of_member(sample, response.body);
    if (response.body.size != sizeof value)
        return false;
    (void)memcpy(&value, response.body.data, sizeof value);
    return value == recovering->load->options.expect;
}

static void on_answer(void *ctx, enum sw_rc rc, struct sw_bytes answer)
{
    struct sample *sample = ctx;
    struct recovering *recovering = sample->recovering;
    struct load *load = recovering->load;

    if (rc != SW_OK && load->first_ns == 0) {
        sw_timer_start(sample->again, AGAIN_MS);
        return;
    }
    if (rc != SW_OK || !is_right(sample, answer)) {
        load_fail(load, rc == SW_OK ? SW_E_CORRUPT : rc, "an instance has lost what it was told");
        return;
    }
    if (load->first_ns == 0)
        load->first_ns = load_now_ns(load) - load->started_ns;
    if (sample == &recovering->first)
        return;
    load_note(load, load_now_ns(load) - sample->due_ns);
    if (++recovering->answered == load->options.count)
        sw_loop_stop(load->loop);
}

static void ask(void *ctx)
{
    struct sample *sample = ctx;
    struct load *load = sample->recovering->load;
    struct sw_api_send_request request;
    struct sw_buffer message;
    char to[320];

    (void)snprintf(to, sizeof to, "%s/%u", load->options.agent, sample->key);
    sw_api_init(&sw_api_send_request_message, &request);
    request.namespace = load->options.space;
    request.to = to;
    request.content_type = "text/plain";
    request.body = (struct sw_bytes){"?", 1};
    request.want_reply = true;
    sw_buffer_init(&message, LOAD_MESSAGE_MAX);
    sw_protobuf_encode(&sw_api_send_request_message, &request, &message);
    load_try(load, "/swarm.v1.Messages/Send", (struct sw_bytes){message.data, message.size},
             on_answer, sample);
    sw_buffer_done(&message);
}

static void on_time(void *ctx)
{
    struct recovering *recovering = ctx;
    struct load *load = recovering->load;
    uint64_t now_ns = load_now_ns(load);

    /* The loop may be late: so much the later are the answers. */
    while (recovering->begun < load->options.count) {
        struct sample *sample = &recovering->samples[recovering->begun];
        uint64_t due_ns =
            load->started_ns + (AFTER_MS + EVERY_MS * recovering->begun) * (uint64_t)NS_PER_MS;

        if (due_ns > now_ns)
            break;
        draw(sample, recovering);
        sample->due_ns = due_ns;
        recovering->begun++;
        ask(sample);
    }
    if (recovering->begun < load->options.count)
        sw_timer_start(recovering->timer, 1);
}

static void run(struct recovering *recovering)
{
    struct load *load = recovering->load;

    draw(&recovering->first, recovering);
    recovering->timer = sw_timer_new(load->loop, on_time, recovering);
    if (recovering->timer == NULL || recovering->samples == NULL) {
        load_fail(load, SW_E_EXHAUSTED, "no memory for samples");
        return;
    }
    sw_timer_start(recovering->timer, AFTER_MS);
    ask(&recovering->first);
    sw_loop_run(load->loop);
    load->ended_ns = load_now_ns(load);
}

bool load_recover(struct load *load)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(LOAD_MESSAGE_MAX);
    struct recovering *recovering = sw_arena_get(load->arena, sizeof *recovering);

    if (arena == NULL || recovering == NULL || load->options.keys == 0) {
        load_fail(load, SW_E_INVALID, "recover wants keys=, and memory");
        return false;
    }
    load->started_ns = load_now_ns(load);
    *recovering = (struct recovering){
        .load = load,
        .arena = arena,
        .random = load->started_ns,
        .samples = sw_arena_array(load->arena, load->options.count, sizeof(struct sample))};
    run(recovering);
    return load->failure.rc == SW_OK;
}
