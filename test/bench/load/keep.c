/* `keep`: ping members of a daemon that is killed and started again beside it, each ping under a
 * name. What has no answer when the connection breaks is asked again under the same name, until
 * there is one, so each ping counts once, however often the daemon died. SIGTERM ends it: then
 * every member is asked how many pings it had, which must be ours and those that are expected. */
#include "test/bench/load/load.h"

#include "test/bench/agents/crowd.h"

#include "pkg/apis/swarm/v1/protobuf.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 10
#define GIVE_UP_NS (60 * (uint64_t)1000000000)

struct keeping;

struct keeper { /* One call at a time. */
    struct keeping *keeping;
    struct sw_timer *again;
    uint32_t index, key;
    uint64_t number, begun_ns;
    bool is_again; /* It was asked before. */
};

struct keeping {
    struct load *load;
    struct sw_arena *arena; /* For one message at a time. */
    struct keeper *keepers;
    uint32_t *answers;   /* Of each key, to pings of ours. */
    uint32_t keys, next; /* The next that is asked how many it had. */
    size_t busy;
    uint64_t random;
    bool is_ending; /* No pings any more. */
    bool is_asking; /* All were answered. */
};

static void ask(void *ctx);

/* --- One call -------------------------------------------------------------------------------- */

static const char *check_ping(struct keeper *keeper, const struct crowd_answer *answer)
{
    if (answer->number != keeper->number || answer->time_ns != keeper->begun_ns)
        return "a member answered another ping";
    keeper->keeping->answers[keeper->key]++;
    load_note(keeper->keeping->load, load_now_ns(keeper->keeping->load) - keeper->begun_ns);
    return NULL;
}

static const char *check_count(const struct keeper *keeper, const struct crowd_answer *answer)
{
    const struct keeping *keeping = keeper->keeping;
    size_t wanted = keeping->answers[keeper->key] + keeping->load->options.expect;

    if (answer->pings == wanted)
        return NULL;
    return answer->pings < wanted ? "a member has lost a ping" : "a member had a ping twice";
}

/* NULL, or what is wrong with it. */
static const char *check(struct keeper *keeper, struct sw_bytes message)
{
    struct keeping *keeping = keeper->keeping;
    struct sw_api_send_response response;
    struct crowd_answer answer;

    sw_arena_reset(keeping->arena);
    if (sw_protobuf_decode(&sw_api_send_response_message, message, keeping->arena, &response,
                           NULL) != SW_OK ||
        response.status != 0 || response.body.size != sizeof answer)
        return "a member's answer is none";
    (void)memcpy(&answer, response.body.data, sizeof answer);
    if (answer.key != keeper->key || answer.sum != crowd_sum(answer.key, answer.pings))
        return "a member's state is not its own";
    return keeping->is_asking ? check_count(keeper, &answer) : check_ping(keeper, &answer);
}

/* Choose what this one asks next. False: there is nothing any more. */
static bool choose(struct keeper *keeper)
{
    struct keeping *keeping = keeper->keeping;

    keeper->begun_ns = load_now_ns(keeping->load);
    keeper->number++;
    keeper->is_again = false;
    if (keeping->is_asking && keeping->next == keeping->keys)
        return false;
    if (keeping->is_asking) {
        keeper->key = keeping->next++;
        return true;
    }
    keeping->random = keeping->random * 6364136223846793005u + 1442695040888963407u;
    keeper->key = (uint32_t)((keeping->random >> 33) % keeping->keys);
    return !keeping->is_ending;
}

static void begin_all(struct keeping *keeping)
{
    keeping->busy = keeping->load->options.workers;
    for (size_t i = 0; i < keeping->load->options.workers; i++) {
        if (choose(&keeping->keepers[i]))
            ask(&keeping->keepers[i]);
        else
            keeping->busy--;
    }
}

static void go_on(struct keeper *keeper)
{
    struct keeping *keeping = keeper->keeping;

    if (choose(keeper)) {
        ask(keeper);
        return;
    }
    if (--keeping->busy > 0)
        return;
    if (keeping->is_asking) {
        sw_loop_stop(keeping->load->loop);
        return;
    }
    keeping->is_asking = true;
    begin_all(keeping);
}

static void on_answer(void *ctx, enum sw_rc rc, struct sw_bytes message)
{
    struct keeper *keeper = ctx;
    struct load *load = keeper->keeping->load;
    const char *words = NULL;

    if (rc == SW_OK)
        words = check(keeper, message);
    else if (load_now_ns(load) - keeper->begun_ns > GIVE_UP_NS)
        words = "nobody has answered for a minute";
    if (words != NULL)
        load_fail(load, SW_E_CORRUPT, words);
    else if (rc == SW_OK)
        go_on(keeper);
    else {
        load->again_count += keeper->is_again ? 0 : 1;
        keeper->is_again = true;
        sw_timer_start(keeper->again, AGAIN_MS + keeper->index % AGAIN_MS);
    }
}

static void ask(void *ctx)
{
    struct keeper *keeper = ctx;
    struct keeping *keeping = keeper->keeping;
    struct load *load = keeping->load;
    struct crowd_ping ping = {.time_ns = keeper->begun_ns, .number = keeper->number};
    struct sw_api_send_request request;
    struct sw_buffer message;
    char to[320], name[64];

    (void)snprintf(to, sizeof to, "%s/%u", load->options.agent, keeper->key);
    (void)snprintf(name, sizeof name, "%" PRIx64 "-%u-%" PRIu64, load->started_ns, keeper->index,
                   keeper->number);
    sw_api_init(&sw_api_send_request_message, &request);
    request.namespace = load->options.space;
    request.to = to;
    request.content_type = "text/plain";
    request.body = (struct sw_bytes){&ping, sizeof ping};
    if (keeping->is_asking)
        request.body = (struct sw_bytes){"?", 1};
    else
        request.request_id = name;
    request.want_reply = true;
    sw_buffer_init(&message, LOAD_MESSAGE_MAX);
    sw_protobuf_encode(&sw_api_send_request_message, &request, &message);
    load_try(load, "/swarm.v1.Messages/Send", (struct sw_bytes){message.data, message.size},
             on_answer, keeper);
    sw_buffer_done(&message);
}

/* --- All of them ----------------------------------------------------------------------------- */

static void on_signal(void *ctx, int number)
{
    struct keeping *keeping = ctx;

    (void)number;
    keeping->is_ending = true;
}

static enum sw_rc prepare(struct keeping *keeping, struct sw_err *err)
{
    struct load *load = keeping->load;

    if (keeping->arena == NULL || keeping->keepers == NULL || keeping->answers == NULL)
        return sw_err_set(err, SW_E_EXHAUSTED, "no memory for the pings");
    for (size_t i = 0; i < load->options.workers; i++) {
        struct keeper *keeper = &keeping->keepers[i];

        *keeper = (struct keeper){.keeping = keeping, .index = (uint32_t)i};
        keeper->again = sw_timer_new(load->loop, ask, keeper);
        if (keeper->again == NULL)
            return sw_err_set(err, SW_E_EXHAUSTED, "no memory for a timer");
    }
    return sw_loop_on_signal(load->loop, SIGTERM, on_signal, keeping, err);
}

bool load_keep(struct load *load)
{
    SW_CLEANUP(sw_arena_freep) struct sw_arena *arena = sw_arena_new(LOAD_MESSAGE_MAX);
    struct keeping *keeping = sw_arena_get(load->arena, sizeof *keeping);

    if (keeping == NULL || load->options.keys == 0 || load->options.keys > UINT32_MAX) {
        load_fail(load, SW_E_INVALID, "keep wants keys=, and memory");
        return false;
    }
    load->started_ns = load_now_ns(load);
    *keeping = (struct keeping){
        .load = load,
        .arena = arena,
        .keys = (uint32_t)load->options.keys,
        .random = load->started_ns,
        .keepers = sw_arena_array(load->arena, load->options.workers, sizeof(struct keeper)),
        .answers = sw_arena_array(load->arena, load->options.keys, sizeof(uint32_t))};
    if (prepare(keeping, &load->failure) == SW_OK) {
        (void)memset(keeping->answers, 0, load->options.keys * sizeof(uint32_t));
        begin_all(keeping);
        sw_loop_run(load->loop);
        load->ended_ns = load_now_ns(load);
    }
    return load->failure.rc == SW_OK;
}
