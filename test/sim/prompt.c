#include "test/sim/prompt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ALONE 70u  /* Quick requests before the long ones: so many that theirs is a quick Agent, */
#define BESIDE 20u /* and beside them. */
#define COMPUTE 6u /* Long ones: two each of three instances, */
#define COMPUTE_MS 17u /* a bit less than the deadline. */
/* A slice for each step of a request that may have to wait for one: less than one long segment. */
#define BOUND_NS (12 * SIM_MS)
#define REST_NS (2 * SIM_MS)
#define LATE_NS (60 * SIM_S)

static void breach(struct sim_prompt *prompt, const char *words)
{
    if (prompt->breach[0] == 0)
        snprintf(prompt->breach, sizeof prompt->breach, "%s", words);
    prompt->is_done = true;
    sim_event_stop(prompt->front->loop, &prompt->act);
}

static uint64_t send(struct sim_prompt *prompt, uint32_t peer, const struct sim_request *request,
                     void (*answered)(void *ctx, const struct sw_frame_reply *reply))
{
    char key[8];
    struct sim_send send = {.key = key,
                            .name = "",
                            .body = {request, sizeof *request},
                            .wants_reply = true,
                            .answered = answered,
                            .ctx = prompt};

    sim_peer_name(peer, &send.agent, key);
    return sim_front_send(prompt->front, &send);
}

static void computed(void *ctx, const struct sw_frame_reply *reply)
{
    struct sim_prompt *prompt = ctx;

    prompt->computing--;
    if (reply->code != 0)
        breach(prompt, "a long segment failed, though nothing is wrong any more");
}

static void begin_to_compute(struct sim_prompt *prompt)
{
    struct sim_request request = {.op = SIM_OP_COMPUTE, .value = COMPUTE_MS};

    for (; prompt->computing < COMPUTE; prompt->computing++)
        (void)send(prompt, SIM_MIRROR_FIRST + prompt->computing % 3, &request, computed);
}

static void end(struct sim_prompt *prompt)
{
    uint64_t bound_ns = prompt->alone_ns + BOUND_NS * prompt->front->host->options.pace;
    char words[160];

    prompt->is_done = true;
    sim_trace(prompt->front->trace, "prompt: %" PRIu64 " us alone, %" PRIu64 " us beside long ones",
              prompt->alone_ns / SIM_US, prompt->beside_ns / SIM_US);
    snprintf(words, sizeof words,
             "a quick request took %" PRIu64 " us beside long ones, and %" PRIu64 " us alone",
             prompt->beside_ns / SIM_US, prompt->alone_ns / SIM_US);
    /* Where a quota is used up the quick rest like the others of their namespace. */
    if (prompt->beside_ns > bound_ns && prompt->front->cpu_ns == 0)
        breach(prompt, words);
}

static void answered(void *ctx, const struct sw_frame_reply *reply)
{
    struct sim_prompt *prompt = ctx;
    uint64_t took_ns = prompt->front->loop->now_ns - prompt->sent_ns;
    uint64_t *longest_ns = prompt->asked < ALONE ? &prompt->alone_ns : &prompt->beside_ns;

    prompt->request = 0;
    if (reply->code != 0) {
        breach(prompt, "a quick request failed, though nothing is wrong any more");
        return;
    }
    if (took_ns > *longest_ns)
        *longest_ns = took_ns;
    prompt->asked++;
    sim_event_at(prompt->front->loop, &prompt->act, prompt->front->loop->now_ns + REST_NS);
}

static void act(void *ctx)
{
    struct sim_prompt *prompt = ctx;
    struct sim_request look = {.op = SIM_OP_LOOK};

    if (prompt->request != 0) {
        sim_front_forget(prompt->front, prompt->request);
        breach(prompt, "a quick request has no answer, though nothing is wrong any more");
        return;
    }
    if (prompt->asked == ALONE)
        begin_to_compute(prompt);
    if (prompt->asked >= ALONE + BESIDE && prompt->computing == 0) {
        end(prompt);
        return;
    }
    prompt->sent_ns = prompt->front->loop->now_ns;
    prompt->request = send(prompt, SIM_HUB_FIRST + prompt->asked % SIM_HUBS, &look, answered);
    sim_event_at(prompt->front->loop, &prompt->act, prompt->sent_ns + LATE_NS);
}

void sim_prompt_begin(struct sim_prompt *prompt, struct sim_front *front)
{
    *prompt = (struct sim_prompt){.front = front};
    sim_event_init(&prompt->act, act, prompt);
    sim_event_at(front->loop, &prompt->act, front->loop->now_ns);
}
